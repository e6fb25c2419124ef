"""Which commit first holds which tree or target: all trees of a repository as a compact log, solved from the roots down.

Of a tree that a pack keeps as a delta only what the delta brings is read (`tree_reader`), and only that is written (`tree_log`):
git/git has 382 thousand trees of 5.8 GB and 8.6 million sub-tree entries, the log of them takes a few megabytes.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from cursor cimport Cursor
from id_table cimport table_add, table_bytes, table_find, table_grow, table_release
from live_trees cimport TreeInput, read_tree
from tree_lists cimport TreeList, list_release
from tree_log cimport ByteLog, LoggedTree, replay_steps, take_logged
from tree_reader cimport (
    FILTER_BITS, LOGGED, OUT_OF_MEMORY, OVER_LIMIT, READ, TreeReader, filter_bit, grow_trees, reader_bytes, reader_release,
)

from siltstone.core.errors import BudgetExceeded, ConfigError

cdef enum:
    FIRST_TREES = 1 << 10
    MOST_ROUNDS = 257           # levels of folders that are followed, as deep as paths may be
    NEVER = 0xFFFFFFFF          # the position of what no root reaches

cdef struct Columns:            # one block of trees; all owned by the caller
    const uint8_t* data
    const uint8_t* ids
    const int64_t* starts
    const int64_t* ends
    Py_ssize_t size
    Py_ssize_t count
    const uint8_t* deltas       # NULL: no deltas
    const int64_t* delta_starts
    const int64_t* delta_ends
    const int64_t* bases
    const int32_t* children
    Py_ssize_t delta_size

cdef struct Solution:
    uint32_t* first             # by tree: the first root that reaches it
    const uint8_t* states       # by tree
    uint8_t* dirty              # by tree: it was lowered since its entries were looked at
    uint32_t* places            # by target
    Py_ssize_t waiting          # dirty trees


cdef void _fill_input(TreeInput* tree, const Columns* block, Py_ssize_t i, int64_t first, Py_ssize_t id_size) noexcept nogil:
    """Describe one tree; bounds that another thread changed since they were checked make it empty."""
    cdef int64_t start = block.starts[i], end = block.ends[i]
    if not 0 <= start <= end <= block.size:
        start = end = 0
    tree.id = block.ids + i * id_size
    tree.data = block.data + start
    tree.size = end - start
    tree.object = first + i
    tree.base = -1
    tree.children = 0
    tree.delta = NULL
    tree.delta_size = 0
    if block.deltas is NULL:
        return
    tree.base, tree.children = block.bases[i], block.children[i]
    start, end = block.delta_starts[i], block.delta_ends[i]
    if 0 <= start <= end <= block.delta_size:
        tree.delta = block.deltas + start
        tree.delta_size = end - start


cdef inline void _lower(Solution* solution, uint32_t tree, uint32_t position) noexcept nogil:
    if solution.first[tree] > position:
        solution.first[tree] = position
        if solution.states[tree] & LOGGED and not solution.dirty[tree]:
            solution.dirty[tree] = 1
            solution.waiting += 1


cdef bint _replay(TreeReader* reader, const uint32_t* trees, const uint32_t* targets, Solution* solution) noexcept nogil:
    """Hand the position of each dirty tree on to what it names; False: out of memory.

    *trees* and *targets* turn the reader's numbers into those of the solution; NULL: they are the same.
    """
    cdef Cursor cursor
    cdef LoggedTree tree = LoggedTree(number=0, slot=0, base=0, steps=0)
    cdef TreeList* made = &reader.made
    cdef TreeList kept
    cdef uint32_t number, position, value
    cdef Py_ssize_t i
    cursor.here, cursor.end = reader.log.data, reader.log.data + reader.log.size
    while cursor.here < cursor.end:
        take_logged(&cursor, &tree)
        number = trees[tree.number] if trees is not NULL else <uint32_t>tree.number
        if tree.slot == 0 and not solution.dirty[number]:
            cursor.here += tree.steps
            continue
        if not replay_steps(&cursor, <Py_ssize_t>tree.steps, &reader.live[tree.base - 1].list if tree.base else NULL, made):
            return False
        if solution.dirty[number]:
            solution.dirty[number] = 0
            solution.waiting -= 1
            position = solution.first[number]
            for i in range(made.items):
                value = made.values[i] >> 1
                if not made.values[i] & 1:
                    _lower(solution, trees[value] if trees is not NULL else value, position)
                else:
                    value = targets[value] if targets is not NULL else value
                    if solution.places[value] > position:
                        solution.places[value] = position
        if tree.slot:
            kept = reader.live[tree.slot - 1].list
            reader.live[tree.slot - 1].list = made[0]
            made[0] = kept
    return True


@cython.final
cdef class TreeGraph:
    """The trees that were added, as a log of what each names: its sub-trees and those of the *targets* it holds itself.

    *targets* are distinct ids end to end.  Takes about 35 bytes a tree and the log, together at most *limit_bytes*; more
    raises BudgetExceeded and the graph must not be used further.  Bases are kept in at most *list_bytes* of them: a tree whose
    base has no room is read whole, with the same outcome.  Calls from threads are serial.
    """

    cdef TreeReader _reader
    cdef uint32_t* _first       # of the last solution, by tree; NULL: not solved, or trees came since
    cdef list _others           # what was absorbed: (graph, its tree numbers here, its target numbers here)
    cdef bint _absorbed         # another graph uses the log of this one, which has given up its ids
    cdef cython.pymutex _lock

    def __cinit__(self, const uint8_t[::1] targets not None, Py_ssize_t id_size, *, Py_ssize_t limit_bytes=1 << 30,
                  Py_ssize_t list_bytes=1 << 24):
        if id_size != 20 and id_size != 32:
            raise ConfigError(f"an object id has 20 or 32 bytes, got {id_size}", field="id_size")
        if targets.shape[0] % id_size:
            raise ConfigError(f"{targets.shape[0]} bytes are no whole number of ids", field="targets")
        self._others = []
        self._reader.limit = limit_bytes
        self._reader.list_limit = list_bytes
        self._reader.trees.id_size = self._reader.targets.id_size = id_size
        self._reader.trees.seed = self._reader.targets.seed = <uint64_t><int64_t>hash("tree graph")
        self._reader.filter = <uint8_t*>calloc((1 << FILTER_BITS) >> 3, 1)
        if self._reader.filter is NULL:
            raise MemoryError
        self._add_targets(targets)
        self._check(grow_trees(&self._reader, FIRST_TREES))

    def __dealloc__(self):
        reader_release(&self._reader)
        free(self._first)

    def __len__(self):
        """Return how many trees are known, read or only named by another."""
        return self._reader.trees.count

    def add_targets(self, const uint8_t[::1] targets not None):
        """Add ids that are no targets yet, numbered on; trees added before are not looked through again."""
        if targets.shape[0] % self._reader.trees.id_size:
            raise ConfigError(f"{targets.shape[0]} bytes are no whole number of ids", field="targets")
        with self._lock:
            self._add_targets(targets)

    cdef int _add_targets(self, const uint8_t[::1] targets) except -1:
        cdef Py_ssize_t id_size = self._reader.trees.id_size, offset, before = self._reader.targets.count
        cdef Py_ssize_t count = before + targets.shape[0] // id_size
        self._reserve_targets(count)
        for offset in range(0, targets.shape[0], id_size):
            self._enter_target(&targets[offset])
        if self._reader.targets.count != count:
            raise ConfigError("an id is there twice", field="targets")
        return 0

    cdef int _reserve_targets(self, Py_ssize_t count) except -1:
        cdef Py_ssize_t capacity = self._reader.targets.capacity or 1 << 4
        while capacity < count:
            capacity *= 2
        if capacity > <Py_ssize_t>1 << 31 or table_bytes(&self._reader.targets, capacity) > self._reader.limit:
            raise BudgetExceeded("history", limit_bytes=self._reader.limit,
                                 needed_bytes=table_bytes(&self._reader.trees, capacity))
        if capacity != self._reader.targets.capacity and table_grow(&self._reader.targets, capacity) < 0:
            raise MemoryError
        return 0

    cdef int64_t _enter_target(self, const uint8_t* id) noexcept nogil:
        self._reader.filter[filter_bit(id) >> 3] |= 1 << (filter_bit(id) & 7)
        return table_add(&self._reader.targets, id)

    @property
    def memory_bytes(self):
        """The bytes that the graph holds now, those of absorbed graphs included."""
        return reader_bytes(&self._reader) + sum(
            [(<TreeGraph>other).memory_bytes + len(trees) + len(places) for other, trees, places in self._others])

    cdef int _check(self, int fault) except -1:
        if fault == OVER_LIMIT:
            raise BudgetExceeded("history", limit_bytes=self._reader.limit, needed_bytes=2 * reader_bytes(&self._reader))
        elif fault == OUT_OF_MEMORY:
            raise MemoryError

    def add_trees(self, const uint8_t[::1] data not None, const int64_t[::1] starts not None,
                  const int64_t[::1] ends not None, const uint8_t[::1] oids not None, *, int64_t first=0, deltas=None):
        """Enter trees that lie in one buffer, ids end to end; return the positions of those with bad records.

        *deltas* is ``(data, starts, ends, bases, children)``: the instructions that make each tree, without the two sizes; the
        number of the tree they apply to, -1 for a whole tree; and how many later trees are made from it.  Numbers count from
        *first* for the first tree of this block.  A tree with bad records counts as never read.
        """
        cdef Columns block
        cdef TreeInput tree
        cdef Py_ssize_t i = 0, id_size = self._reader.trees.id_size
        cdef int fault = 0
        cdef list damaged = []
        held = self._view_block(&block, data, starts, ends, oids, deltas)
        with self._lock:
            if self._absorbed:
                raise ConfigError("this graph was absorbed by another", field="graph")
            free(self._first)
            self._first = NULL
            while i < block.count:
                with nogil:
                    while i < block.count:
                        _fill_input(&tree, &block, i, first, id_size)
                        fault = read_tree(&self._reader, &tree)
                        i += 1
                        if fault < 0:
                            break
                if fault <= OUT_OF_MEMORY:
                    self._check(fault)
                if fault < 0:
                    damaged.append(i - 1)
        return damaged

    cdef object _view_block(self, Columns* block, const uint8_t[::1] data, const int64_t[::1] starts,
                            const int64_t[::1] ends, const uint8_t[::1] oids, deltas):
        """Point *block* into arrays that agree; the result keeps those of *deltas* alive."""
        cdef Py_ssize_t i, count = starts.shape[0]
        cdef const uint8_t[::1] delta_data
        cdef const int64_t[::1] delta_starts, delta_ends, bases
        cdef const int32_t[::1] children
        if ends.shape[0] != count or oids.shape[0] != count * self._reader.trees.id_size:
            raise ConfigError("starts, ends and oids do not agree", field="starts")
        for i in range(count):
            if not 0 <= starts[i] <= ends[i] <= data.shape[0]:
                raise ConfigError("a tree lies outside the buffer", field="starts")
        memset(block, 0, sizeof(Columns))
        block.count, block.size = count, data.shape[0]
        if count == 0:
            return None
        block.data = &data[0] if data.shape[0] else NULL
        block.ids, block.starts, block.ends = &oids[0], &starts[0], &ends[0]
        if deltas is None:
            return None
        delta_data, delta_starts, delta_ends, bases, children = deltas
        if (delta_starts.shape[0] != count or delta_ends.shape[0] != count or bases.shape[0] != count
                or children.shape[0] != count):
            raise ConfigError("the columns of deltas do not agree with the trees", field="deltas")
        if delta_data.shape[0]:
            block.deltas, block.delta_size = &delta_data[0], delta_data.shape[0]
        block.delta_starts, block.delta_ends = &delta_starts[0], &delta_ends[0]
        block.bases, block.children = &bases[0], &children[0]
        return delta_data, delta_starts, delta_ends, bases, children

    def absorb(self, TreeGraph other not None):
        """Take over all that was added to *other*, which is of no use afterwards but holds memory for this graph."""
        cdef Py_ssize_t i, id_size = self._reader.trees.id_size
        cdef int64_t number
        cdef uint32_t[::1] trees, places
        if other is self or other._reader.trees.id_size != id_size:
            raise ConfigError("expected another graph of ids of the same size", field="other")
        with self._lock, other._lock:
            if self._absorbed or other._absorbed or other._others:
                raise ConfigError("a graph is absorbed once, and none that absorbed others", field="other")
            free(self._first)
            self._first = NULL
            trees = memoryview(bytearray(4 * other._reader.trees.count or 4)).cast("I")
            places = memoryview(bytearray(4 * other._reader.targets.count or 4)).cast("I")
            self._reserve_targets(self._reader.targets.count + other._reader.targets.count)
            for i in range(other._reader.targets.count):
                places[i] = <uint32_t>self._enter_target(other._reader.targets.ids + i * id_size)
            for i in range(other._reader.trees.count):
                if self._reader.trees.count == self._reader.trees.capacity:
                    self._check(grow_trees(&self._reader, 2 * self._reader.trees.capacity))
                number = table_add(&self._reader.trees, other._reader.trees.ids + i * id_size)
                self._reader.states[number] |= other._reader.states[i]
                trees[i] = <uint32_t>number
            other._absorbed = True
            table_release(&other._reader.trees)
            other._reader.trees.id_size = id_size
            self._others.append((other, trees.base, places.base))

    def first_holders(self, const uint8_t[::1] roots not None):
        """Return ``(positions, unread, cut)``: per target the position in *roots* (ids end to end) of the first root below
        which it lies, -1 where there is none; the ids of trees that were never added and would have been needed to know, end to
        end; and whether folders deeper than 257 levels were left out.
        """
        cdef Py_ssize_t id_size = self._reader.trees.id_size, count, i
        cdef Solution solution
        cdef uint32_t[::1] first_places
        cdef uint32_t last = NEVER
        if roots.shape[0] % id_size:
            raise ConfigError(f"{roots.shape[0]} bytes are no whole number of ids", field="roots")
        count = roots.shape[0] // id_size
        if count >= <Py_ssize_t>NEVER:
            raise ConfigError("too many roots", field="roots")
        with self._lock:
            if self._absorbed:
                raise ConfigError("this graph was absorbed by another", field="graph")
            if not self._reader.targets.count:
                return [], b"", False
            first_places = memoryview(bytearray(b"\xff" * (4 * self._reader.targets.count))).cast("I")
            solution.places = &first_places[0]
            solution.waiting = 0
            solution.states = self._reader.states
            solution.first = <uint32_t*>malloc((self._reader.trees.count + 1) * sizeof(uint32_t))
            solution.dirty = <uint8_t*>calloc(self._reader.trees.count + 1, 1)
            free(self._first)
            self._first = solution.first
            try:
                if solution.first is NULL or solution.dirty is NULL:
                    raise MemoryError
                memset(solution.first, 0xFF, (self._reader.trees.count + 1) * sizeof(uint32_t))
                self._solve(&solution, roots, count)
            finally:
                free(solution.dirty)
            positions = [-1 if place == NEVER else place for place in first_places]
            if -1 not in positions:
                last = max(positions)
            return positions, self._unread(roots, count, last), solution.waiting > 0

    cdef int _solve(self, Solution* solution, const uint8_t[::1] roots, Py_ssize_t count) except -1:
        """Lower positions from the roots down, a round for each level of folders or less, until nothing moves."""
        cdef Py_ssize_t position, rounds = 0, id_size = self._reader.trees.id_size
        cdef int64_t number
        cdef bint done = True
        cdef const uint32_t[::1] trees, places
        with nogil:
            for position in range(count):
                number = table_find(&self._reader.trees, &roots[position * id_size])
                if number >= 0:
                    _lower(solution, <uint32_t>number, <uint32_t>position)
        while solution.waiting and rounds < MOST_ROUNDS:
            rounds += 1
            with nogil:
                done = _replay(&self._reader, NULL, NULL, solution)
            for other, tree_numbers, target_numbers in self._others:
                trees, places = tree_numbers, target_numbers
                with nogil:
                    done = done and _replay(&(<TreeGraph>other)._reader, &trees[0], &places[0], solution)
            if not done:
                raise MemoryError
        return 0

    cdef bytes _unread(self, const uint8_t[::1] roots, Py_ssize_t count, uint32_t last):
        """Return the ids that the roots up to position *last* reach and that were never read."""
        cdef Py_ssize_t i, id_size = self._reader.trees.id_size
        cdef list found = []
        for i in range(self._reader.trees.count):
            if not self._reader.states[i] & READ and self._first[i] != NEVER and self._first[i] <= last:
                found.append(self._reader.trees.ids[i * id_size:(i + 1) * id_size])
        for i in range(min(count, <Py_ssize_t>last + 1)):
            if table_find(&self._reader.trees, &roots[i * id_size]) < 0:
                found.append(bytes(roots[i * id_size:(i + 1) * id_size]))
        return b"".join(found)

    def first_positions(self, const uint8_t[::1] oids not None):
        """Return for each of the trees *oids* (end to end) the first root that reached it in the last `first_holders`.

        -1 stands for a tree that no root reached, and for one that was never read.
        """
        cdef Py_ssize_t id_size = self._reader.trees.id_size, i
        cdef int64_t number
        cdef bint known
        cdef list positions = []
        if oids.shape[0] % id_size:
            raise ConfigError(f"{oids.shape[0]} bytes are no whole number of ids", field="oids")
        with self._lock:
            if self._first is NULL:
                raise ConfigError("first_holders was not called since trees were added", field="graph")
            for i in range(oids.shape[0] // id_size):
                number = table_find(&self._reader.trees, &oids[i * id_size])
                known = number >= 0 and self._reader.states[number] & READ and self._first[number] != NEVER
                positions.append(self._first[number] if known else -1)
        return positions
