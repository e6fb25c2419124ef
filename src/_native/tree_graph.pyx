"""Which trees hold which objects: all trees of a repository as numbers and edges, walked from roots in a given order."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from cursor cimport Cursor
from id_table cimport IdTable, table_add, table_bytes, table_find, table_grow, table_release
from tree_record cimport TreeRecord, canonical_mode, is_tree_mode, take_record

from siltstone.core.errors import BudgetExceeded, ConfigError

cdef enum:
    FILTER_BITS = 18            # 32 KiB, stays in the first cache; turns away nearly every id that is no target
    FIRST_TREES = 1 << 10
    FIRST_EDGES = 1 << 12
    OUT_OF_MEMORY = -100
    OVER_LIMIT = -101
    NOT_MET = 0                 # marks of a tree
    MET = 1
    HOLDS = 2

cdef struct TreeNode:
    int64_t first_child         # index into the edges; -1 until the tree itself was read
    uint32_t children
    uint32_t first_holding      # index into the holdings
    uint32_t holdings

cdef struct Frame:
    uint32_t tree
    uint32_t next               # the child to look at next


cdef inline uint32_t _filter_bit(const uint8_t* id) noexcept nogil:
    return (<uint32_t>id[0] << 10 | <uint32_t>id[1] << 2 | <uint32_t>id[2] >> 6) & ((1 << FILTER_BITS) - 1)


@cython.final
cdef class TreeGraph:
    """The trees that were added, their sub-trees, and which of the *targets* each holds itself.

    *targets* are distinct ids end to end.  Takes 4 bytes for each sub-tree entry and 48 for each tree, together at most
    *limit_bytes*; more raises BudgetExceeded and the graph must not be used further.  Calls from threads are serial.
    """

    cdef IdTable _trees
    cdef IdTable _targets
    cdef uint8_t _filter[(1 << FILTER_BITS) >> 3]
    cdef TreeNode* _nodes       # one per number in _trees, room for _trees.capacity
    cdef uint32_t* _edges       # tree numbers
    cdef uint32_t* _holdings    # target numbers
    cdef int64_t _edge_count, _edge_room, _holding_count, _holding_room
    cdef uint8_t* _marks        # one per tree; see _prepare_marks
    cdef uint32_t* _seen        # the trees whose mark is set
    cdef Frame* _frames
    cdef uint8_t* _wanted       # one per target
    cdef Py_ssize_t _seen_count, _mark_room, _limit
    cdef cython.pymutex _lock

    def __cinit__(self, const uint8_t[::1] targets not None, Py_ssize_t id_size, *, Py_ssize_t limit_bytes=1 << 30):
        if id_size != 20 and id_size != 32:
            raise ConfigError(f"an object id has 20 or 32 bytes, got {id_size}", field="id_size")
        if targets.shape[0] % id_size:
            raise ConfigError(f"{targets.shape[0]} bytes are no whole number of ids", field="targets")
        self._limit = limit_bytes
        self._trees.id_size = self._targets.id_size = id_size
        self._trees.seed = self._targets.seed = <uint64_t><int64_t>hash("tree graph")
        self._add_targets(targets)
        self._check(self._grow_trees(FIRST_TREES))

    def __dealloc__(self):
        table_release(&self._trees)
        table_release(&self._targets)
        free(self._nodes)
        free(self._edges)
        free(self._holdings)
        free(self._marks)
        free(self._seen)
        free(self._frames)
        free(self._wanted)

    def __len__(self):
        """Return how many trees are known, read or only named by another."""
        return self._trees.count

    def add_targets(self, const uint8_t[::1] targets not None):
        """Add ids that are no targets yet, numbered on; trees added before are not looked through again."""
        if targets.shape[0] % self._trees.id_size:
            raise ConfigError(f"{targets.shape[0]} bytes are no whole number of ids", field="targets")
        with self._lock:
            self._add_targets(targets)

    cdef int _add_targets(self, const uint8_t[::1] targets) except -1:
        cdef Py_ssize_t id_size = self._trees.id_size, offset, capacity = self._targets.capacity or 1 << 4
        cdef Py_ssize_t count = self._targets.count + targets.shape[0] // id_size
        cdef uint8_t* wanted
        while capacity < count:
            capacity *= 2
        if capacity > <Py_ssize_t>1 << 31 or table_bytes(&self._targets, capacity) > self._limit:
            raise BudgetExceeded("history", limit_bytes=self._limit, needed_bytes=table_bytes(&self._trees, capacity))
        if capacity != self._targets.capacity:
            wanted = <uint8_t*>realloc(self._wanted, capacity)
            if wanted == NULL:
                raise MemoryError
            self._wanted = wanted
            memset(wanted, 0, capacity)                 # no call is under way: nothing is wanted
            if table_grow(&self._targets, capacity) < 0:
                raise MemoryError
        for offset in range(0, targets.shape[0], id_size):
            table_add(&self._targets, &targets[offset])
            self._filter[_filter_bit(&targets[offset]) >> 3] |= 1 << (_filter_bit(&targets[offset]) & 7)
        if self._targets.count != count:
            raise ConfigError("an id is there twice", field="targets")
        return 0

    cdef Py_ssize_t _memory(self) noexcept nogil:
        return (table_bytes(&self._trees, self._trees.capacity) + table_bytes(&self._targets, self._targets.capacity)
                + self._trees.capacity * <Py_ssize_t>sizeof(TreeNode)
                + (self._edge_room + self._holding_room) * <Py_ssize_t>sizeof(uint32_t))

    @property
    def memory_bytes(self):
        """The bytes that the graph holds now."""
        return self._memory()

    cdef int _check(self, int fault) except -1:
        if fault == OVER_LIMIT:
            raise BudgetExceeded("history", limit_bytes=self._limit, needed_bytes=2 * self._memory())
        elif fault == OUT_OF_MEMORY:
            raise MemoryError

    cdef int _grow_trees(self, Py_ssize_t capacity) noexcept nogil:
        cdef TreeNode* nodes
        cdef Py_ssize_t added = capacity - self._trees.capacity
        cdef Py_ssize_t extra = table_bytes(&self._trees, added) + added * <Py_ssize_t>sizeof(TreeNode)
        if capacity > (<Py_ssize_t>1 << 31) or self._memory() + extra > self._limit:
            return OVER_LIMIT
        nodes = <TreeNode*>realloc(self._nodes, capacity * sizeof(TreeNode))
        self._nodes = nodes if nodes != NULL else self._nodes
        return OUT_OF_MEMORY if nodes == NULL else OUT_OF_MEMORY if table_grow(&self._trees, capacity) < 0 else 0

    cdef int64_t _number(self, const uint8_t* id) noexcept nogil:
        """The number of a tree, entered when new, or a fault below zero."""
        cdef Py_ssize_t before = self._trees.count
        cdef int64_t number
        cdef int fault
        if before == self._trees.capacity:
            fault = self._grow_trees(2 * before)
            if fault < 0:
                return fault
        number = table_add(&self._trees, id)
        if number == before:
            self._nodes[number].first_child = -1
            self._nodes[number].children = self._nodes[number].holdings = self._nodes[number].first_holding = 0
        return number

    cdef int _append(self, uint32_t** items, int64_t* count, int64_t* room, uint32_t value) noexcept nogil:
        cdef int64_t wanted
        cdef uint32_t* grown
        if count[0] == room[0]:
            wanted = room[0] + (room[0] >> 1) + FIRST_EDGES
            if self._memory() + (wanted - room[0]) * <Py_ssize_t>sizeof(uint32_t) > self._limit or wanted >> 32:
                return OVER_LIMIT
            grown = <uint32_t*>realloc(items[0], wanted * sizeof(uint32_t))
            if grown == NULL:
                return OUT_OF_MEMORY
            items[0], room[0] = grown, wanted
        items[0][count[0]] = value
        count[0] += 1
        return 0

    cdef int _add_tree(self, const uint8_t* id, const uint8_t* here, const uint8_t* end) noexcept nogil:
        """Enter one tree; a fault of the records leaves it as never read, other faults are final."""
        cdef Cursor cursor
        cdef TreeRecord record
        cdef int64_t number = self._number(id), child, edges = self._edge_count, holdings = self._holding_count
        cdef int fault
        if number < 0 or self._nodes[number].first_child >= 0:
            return <int>number if number < 0 else 0
        cursor.here, cursor.end = here, end
        while cursor.here < cursor.end:
            fault = take_record(&cursor, self._trees.id_size, &record)
            if fault < 0:
                self._edge_count, self._holding_count = edges, holdings
                return fault
            if is_tree_mode(record.mode):
                child = self._number(record.id)
                if child < 0:
                    return <int>child
                fault = self._append(&self._edges, &self._edge_count, &self._edge_room, <uint32_t>child)
            elif self._filter[_filter_bit(record.id) >> 3] >> (_filter_bit(record.id) & 7) & 1:
                child = table_find(&self._targets, record.id)
                if child < 0 or canonical_mode(record.mode) == 0o160000:
                    continue                    # a submodule names a commit of another repository
                fault = self._append(&self._holdings, &self._holding_count, &self._holding_room, <uint32_t>child)
            if fault < 0:
                return fault
        self._nodes[number].first_child = edges
        self._nodes[number].children = <uint32_t>(self._edge_count - edges)
        self._nodes[number].first_holding = <uint32_t>holdings
        self._nodes[number].holdings = <uint32_t>(self._holding_count - holdings)
        return 0

    def add_trees(self, const uint8_t[::1] data not None, const int64_t[::1] starts not None,
                  const int64_t[::1] ends not None, const uint8_t[::1] oids not None):
        """Enter trees that lie in one buffer, ids end to end; return the positions of those with bad records.

        A tree that was entered before is skipped, one with bad records counts as never read.
        """
        cdef Py_ssize_t i, count = starts.shape[0], id_size = self._trees.id_size
        cdef int fault = 0
        cdef list damaged = []
        cdef const uint8_t* base = &data[0] if data.shape[0] else NULL
        cdef const uint8_t* ids = &oids[0] if oids.shape[0] else NULL
        cdef const int64_t* begin = &starts[0] if count else NULL
        cdef const int64_t* stop = &ends[0] if ends.shape[0] else NULL
        cdef int64_t start, end
        if ends.shape[0] != count or oids.shape[0] != count * id_size:
            raise ConfigError("starts, ends and oids do not agree", field="starts")
        for i in range(count):
            if not 0 <= starts[i] <= ends[i] <= data.shape[0]:
                raise ConfigError("a tree lies outside the buffer", field="starts")
        with self._lock:
            i = 0
            while i < count:
                with nogil:
                    while i < count:
                        start, end = begin[i], stop[i]
                        if not 0 <= start <= end <= data.shape[0]:
                            start, end = 0, 0           # changed by another thread since they were checked
                        fault = self._add_tree(ids + i * id_size, base + start, base + end)
                        i += 1
                        if fault < 0:
                            break
                if fault <= OUT_OF_MEMORY:
                    self._check(fault)
                if fault < 0:
                    damaged.append(i - 1)
        return damaged

    def first_holders(self, const uint8_t[::1] roots not None):
        """Return ``(positions, unread)``: per target the position in *roots* (ids end to end) of the first root below
        which it lies, -1 where there is none; and the ids met on the way of trees that were never added, end to end.

        Every tree is visited once; the walk ends when all targets are found.
        """
        cdef Py_ssize_t id_size = self._trees.id_size, count, position = 0, remaining, i
        cdef int64_t number
        cdef list unread = []
        cdef int64_t[::1] first
        cdef int64_t* places
        cdef const uint8_t* ids = &roots[0] if roots.shape[0] else NULL
        cdef uint8_t* visited
        cdef uint32_t* stack
        if roots.shape[0] % id_size:
            raise ConfigError(f"{roots.shape[0]} bytes are no whole number of ids", field="roots")
        count = roots.shape[0] // id_size
        with self._lock:
            remaining = self._targets.count
            if not remaining:
                return [], b""
            first = memoryview(bytearray(8 * remaining)).cast("q")
            first[:] = -1
            places = &first[0]
            visited = <uint8_t*>calloc(self._trees.count + 1, 1)
            stack = <uint32_t*>malloc((self._trees.count + 1) * sizeof(uint32_t))
            try:
                if visited == NULL or stack == NULL:
                    raise MemoryError
                with nogil:
                    while position < count and remaining:
                        number = table_find(&self._trees, ids + position * id_size)
                        if number >= 0:
                            remaining -= self._visit(<uint32_t>number, position, visited, stack, places)
                        position += 1
                for i in range(self._trees.count):
                    if visited[i] and self._nodes[i].first_child < 0:
                        unread.append(self._trees.ids[i * id_size:(i + 1) * id_size])
            finally:
                free(visited)
                free(stack)
            for i in range(position):
                if table_find(&self._trees, &roots[i * id_size]) < 0:
                    unread.append(bytes(roots[i * id_size:(i + 1) * id_size]))
        return list(first), b"".join(unread)

    cdef Py_ssize_t _visit(self, uint32_t root, int64_t position, uint8_t* visited, uint32_t* stack,
                           int64_t* first) noexcept nogil:
        """Mark everything below *root*, each tree pushed at most once; return how many targets were met first here."""
        cdef Py_ssize_t depth = 1, fresh = 0
        cdef uint32_t other
        cdef int64_t i
        cdef TreeNode node
        if visited[root]:
            return 0
        visited[root] = 1
        stack[0] = root
        while depth:
            depth -= 1
            node = self._nodes[stack[depth]]
            if node.first_child < 0:
                continue
            for i in range(node.first_holding, <int64_t>node.first_holding + node.holdings):
                other = self._holdings[i]
                if first[other] < 0:
                    first[other] = position
                    fresh += 1
            for i in range(node.first_child, node.first_child + node.children):
                other = self._edges[i]
                if not visited[other]:
                    visited[other] = 1
                    stack[depth] = other
                    depth += 1
        return fresh

    def holding_trees(self, const uint8_t[::1] root not None, const uint8_t[::1] wanted not None):
        """Return the ids of the trees at or below *root* that hold one of the *wanted* targets, themselves or deeper.

        *wanted* are ids end to end; one that is no target is ignored.  Costs the trees below *root*, each once.
        """
        cdef Py_ssize_t id_size = self._trees.id_size, i
        cdef int64_t number
        cdef list holding = []
        if root.shape[0] != id_size or wanted.shape[0] % id_size:
            raise ConfigError("ids have another size here", field="root")
        with self._lock:
            number = table_find(&self._trees, &root[0])
            self._prepare_marks()
            for i in range(0, wanted.shape[0], id_size):
                self._set_wanted(&wanted[i], 1)
            try:
                if number >= 0:
                    self._mark_holding(<uint32_t>number)
                for i in range(self._seen_count):
                    if self._marks[self._seen[i]] == HOLDS:
                        holding.append(self._trees.ids[self._seen[i] * id_size:(self._seen[i] + <int64_t>1) * id_size])
            finally:
                for i in range(0, wanted.shape[0], id_size):
                    self._set_wanted(&wanted[i], 0)
        return holding

    cdef int _prepare_marks(self) except -1:
        """Scratch of the size of the graph, kept from call to call; only what the last call touched is cleared."""
        cdef Py_ssize_t i
        if self._mark_room == self._trees.count and self._marks != NULL:
            for i in range(self._seen_count):
                self._marks[self._seen[i]] = NOT_MET
            self._seen_count = 0
            return 0
        free(self._marks)
        free(self._seen)
        free(self._frames)
        self._mark_room = self._trees.count
        self._seen_count = 0
        self._marks = <uint8_t*>calloc(self._mark_room + 1, 1)
        self._seen = <uint32_t*>malloc((self._mark_room + 1) * sizeof(uint32_t))
        self._frames = <Frame*>malloc((self._mark_room + 1) * sizeof(Frame))
        if self._marks == NULL or self._seen == NULL or self._frames == NULL:
            free(self._marks)
            self._marks = NULL
            raise MemoryError
        return 0

    cdef void _set_wanted(self, const uint8_t* id, uint8_t state) noexcept nogil:
        cdef int64_t number = table_find(&self._targets, id)
        if number >= 0:
            self._wanted[number] = state

    cdef void _enter(self, uint32_t tree, Py_ssize_t depth) noexcept nogil:
        cdef int64_t i
        cdef TreeNode node = self._nodes[tree]
        self._marks[tree] = MET
        self._seen[self._seen_count] = tree
        self._seen_count += 1
        self._frames[depth].tree = tree
        self._frames[depth].next = 0
        for i in range(node.first_holding, <int64_t>node.first_holding + node.holdings):
            if self._wanted[self._holdings[i]]:
                self._marks[tree] = HOLDS

    cdef void _mark_holding(self, uint32_t root) noexcept nogil:
        """Walk below *root* with each tree entered once, so frames never pass the number of trees; marks rise on leaving."""
        cdef Py_ssize_t depth = 1
        cdef uint32_t child
        cdef Frame* frame
        self._enter(root, 0)
        while depth:
            frame = &self._frames[depth - 1]
            if frame.next < self._nodes[frame.tree].children:
                child = self._edges[self._nodes[frame.tree].first_child + frame.next]
                frame.next += 1
                if self._marks[child] == NOT_MET:
                    self._enter(child, depth)
                    depth += 1
                elif self._marks[child] == HOLDS:
                    self._marks[frame.tree] = HOLDS
            else:
                depth -= 1
                if depth and self._marks[frame.tree] == HOLDS:
                    self._marks[self._frames[depth - 1].tree] = HOLDS
