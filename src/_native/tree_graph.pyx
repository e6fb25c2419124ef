"""Which commit first holds which tree or target: all trees of a repository as a compact log, solved from the roots down.

Of a tree that a pack keeps as a delta only what the delta brings is read (`tree_reader`), and only that is written (`tree_log`):
git/git has 382 thousand trees of 5.8 GB and 8.6 million sub-tree entries, the log of them takes a few megabytes.
"""
cimport cython
from cpython.buffer cimport PyBUF_READ, PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from id_table cimport table_add, table_bytes, table_find, table_grow, table_release
from live_trees cimport TreeInput, read_tree
from tree_reader cimport (
    FILTER_BITS, OUT_OF_MEMORY, OVER_LIMIT, READ, TreeReader, filter_bit, grow_trees, reader_bytes, reader_release,
)
from tree_log cimport room_for_bytes
from tree_solution cimport Solution, lower, never, replay

from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

cdef enum:
    FIRST_TREES = 1 << 10
    MOST_ROUNDS = 257           # levels of folders that are followed, as deep as paths may be

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


@cython.final
cdef class TreeGraph:
    """The trees that were added, as a log of what each names: its sub-trees and those of the *targets* it holds itself.

    *targets* are distinct ids end to end.  Takes about 35 bytes a tree and the log, together at most *limit_bytes*; more
    raises BudgetExceeded and the graph must not be used further.  Bases are kept in at most *list_bytes* of them: a tree whose
    base has no room is read whole, with the same outcome.  Calls from threads are serial.
    """

    cdef TreeReader _reader
    cdef uint32_t* _first       # of the last solution, by tree; NULL: not solved, or trees came since
    cdef uint8_t* _leads
    cdef list _others           # what was absorbed: (graph, its tree numbers here, its target numbers here)
    cdef Py_ssize_t _aside      # bytes of the log that were set aside
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
        self._forget()

    cdef void _forget(self) noexcept:
        """Give up the last solution."""
        free(self._first)
        free(self._leads)
        self._first = NULL
        self._leads = NULL

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

    def set_limit(self, Py_ssize_t limit_bytes):
        """Let *limit_bytes* bound the memory from now on."""
        with self._lock:
            self._reader.limit = limit_bytes

    def set_aside(self, file):
        """Write the log to the end of *file* and go on with an empty one; nothing else may write there."""
        with self._lock:
            if self._reader.log.size:
                file.write(PyMemoryView_FromMemory(<char*>self._reader.log.data, self._reader.log.size, PyBUF_READ))
                self._aside += self._reader.log.size
                self._reader.log.size = 0

    def bring_back(self, file):
        """Read from its start the *file* that took the whole log; before that there are no `first_holders`."""
        with self._lock:
            if self._reader.log.size:
                raise ConfigError("some of the log was not set aside", field="file")
            if not room_for_bytes(&self._reader.log, self._aside):
                raise MemoryError
            file.seek(0)
            view = PyMemoryView_FromMemory(<char*>self._reader.log.data, self._aside, PyBUF_WRITE)
            if self._aside and file.readinto(view) != self._aside:
                raise CorruptDataError("a temporary file was cut short", offset=self._aside)
            self._reader.log.size = self._aside
            self._aside = 0

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
            self._forget()
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
            if self._absorbed or other._absorbed or other._others or other._aside:
                raise ConfigError("a graph is absorbed once, and none that absorbed others", field="other")
            self._forget()
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
        cdef Py_ssize_t id_size = self._reader.trees.id_size, count
        cdef Solution solution
        cdef uint32_t last = never()
        if roots.shape[0] % id_size:
            raise ConfigError(f"{roots.shape[0]} bytes are no whole number of ids", field="roots")
        count = roots.shape[0] // id_size
        if count >= <Py_ssize_t>never():
            raise ConfigError("too many roots", field="roots")
        with self._lock:
            if self._absorbed:
                raise ConfigError("this graph was absorbed by another", field="graph")
            if self._aside:
                raise ConfigError("the log was set aside", field="graph")
            if not self._reader.targets.count:
                return [], b"", False
            places = memoryview(bytearray(b"\xff" * (4 * self._reader.targets.count))).cast("I")
            self._open(&solution, places, count)
            try:
                if solution.dirty is NULL or solution.asked is NULL:
                    raise MemoryError
                self._lower_all(&solution, roots, count)
                cut = solution.waiting > 0
                positions = [-1 if place == never() else place for place in places]
                self._find_leads(&solution, positions)
            finally:
                free(solution.dirty)
                free(solution.asked)
            if -1 not in positions:
                last = max(positions)
            return positions, self._unread(roots, count, last), cut

    cdef int _open(self, Solution* solution, uint32_t[::1] places, Py_ssize_t roots) except -1:
        """Begin a solution in which nothing is reached."""
        cdef Py_ssize_t trees = self._reader.trees.count + 1
        self._forget()
        self._first = <uint32_t*>malloc(trees * sizeof(uint32_t))
        self._leads = <uint8_t*>calloc(trees, 1)
        if self._first is NULL or self._leads is NULL:
            self._forget()
            raise MemoryError
        memset(self._first, 0xFF, trees * sizeof(uint32_t))
        solution.first, solution.leads, solution.states = self._first, self._leads, self._reader.states
        solution.places = &places[0]
        solution.dirty = <uint8_t*>calloc(trees, 1)
        solution.asked = <uint8_t*>calloc(roots + 1, 1)
        solution.waiting = 0
        return 0

    cdef int _lower_all(self, Solution* solution, const uint8_t[::1] roots, Py_ssize_t count) except -1:
        """Lower positions from the roots down, a round for each level of folders or less, until nothing moves."""
        cdef Py_ssize_t position, rounds = 0, id_size = self._reader.trees.id_size
        cdef int64_t number
        with nogil:
            for position in range(count):
                number = table_find(&self._reader.trees, &roots[position * id_size])
                if number >= 0:
                    lower(solution, <uint32_t>number, <uint32_t>position)
        while solution.waiting and rounds < MOST_ROUNDS:
            rounds += 1
            self._replay_all(solution, False)
        return 0

    cdef int _find_leads(self, Solution* solution, list positions) except -1:
        """Mark the trees on the way from the first roots to the targets, from the targets up."""
        cdef Py_ssize_t rounds = 0
        for position in positions:
            if position >= 0:
                solution.asked[position] = 1
        solution.waiting = 1
        while solution.waiting and rounds < MOST_ROUNDS:
            rounds += 1
            solution.waiting = 0
            self._replay_all(solution, True)
        return 0

    cdef int _replay_all(self, Solution* solution, bint leading) except -1:
        cdef bint done
        cdef const uint32_t[::1] trees, targets
        with nogil:
            done = replay(&self._reader, NULL, NULL, solution, leading)
        for other, tree_numbers, target_numbers in self._others:
            trees, targets = tree_numbers, target_numbers
            with nogil:
                done = done and replay(&(<TreeGraph>other)._reader, &trees[0], &targets[0], solution, leading)
        if not done:
            raise MemoryError
        return 0

    cdef bytes _unread(self, const uint8_t[::1] roots, Py_ssize_t count, uint32_t last):
        """Return the ids that the roots up to position *last* reach and that were never read."""
        cdef Py_ssize_t i, id_size = self._reader.trees.id_size
        cdef list found = []
        for i in range(self._reader.trees.count):
            if not self._reader.states[i] & READ and self._first[i] != never() and self._first[i] <= last:
                found.append(self._reader.trees.ids[i * id_size:(i + 1) * id_size])
        for i in range(min(count, <Py_ssize_t>last + 1)):
            if table_find(&self._reader.trees, &roots[i * id_size]) < 0:
                found.append(bytes(roots[i * id_size:(i + 1) * id_size]))
        return b"".join(found)

    def leading_positions(self, const uint8_t[::1] oids not None):
        """Return for each of the trees *oids* (end to end) the first root that reaches it, if it is on the way to a target.

        That is: if it holds, itself or deeper, a target that no earlier root reaches.  All other trees have -1.  Positions are
        those of the last `first_holders`.
        """
        cdef Py_ssize_t id_size = self._reader.trees.id_size, i
        cdef int64_t number
        cdef list positions = []
        if oids.shape[0] % id_size:
            raise ConfigError(f"{oids.shape[0]} bytes are no whole number of ids", field="oids")
        with self._lock:
            if self._first is NULL:
                raise ConfigError("first_holders was not called since trees were added", field="graph")
            for i in range(oids.shape[0] // id_size):
                number = table_find(&self._reader.trees, &oids[i * id_size])
                positions.append(self._first[number] if number >= 0 and self._leads[number] else -1)
        return positions
