"""Commits as columns: parsed from blocks of objects without the GIL, put into ascending order of id at the end.

While commits come in, every id has a number, be it of a commit that came or of a parent that was only named; a parent is
then 4 bytes.  `finish` turns numbers into rows, so that a row says nothing about the order of coming.
"""
cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from commit_record cimport COMMIT_NO_TREE, committer_time, take_id, take_parent
from cursor cimport Cursor
from id_order cimport sort_by_id
from id_table cimport IdTable, table_add, table_find, table_grow, table_release

from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

cdef enum:
    FIRST_COMMITS = 1 << 10
    FIRST_PARENTS = 1 << 11
    LAST_COMMITS = 1 << 30      # numbers are 32 bits, slots are twice as many
    OUT_OF_MEMORY = -100
    OVER_LIMIT = -101
    ID_BYTES = 32               # room for the longest id

cdef uint32_t NOT_LOADED = UINT32_MAX   # as the count of parents: the id was only named

cdef struct CommitNode:
    int64_t time                # committer, seconds since 1970
    uint32_t first              # index of its first parent
    uint32_t count              # of parents; NOT_LOADED where the commit itself did not come


cdef str _problem(int fault):
    return "commit does not start with a tree" if fault == COMMIT_NO_TREE else "a parent of the commit is no object id"


cdef Py_ssize_t _checked_id_size(Py_ssize_t id_size) except -1:
    if id_size != 20 and id_size != 32:
        raise ConfigError(f"an object id has 20 or 32 bytes, got {id_size}", field="id_size")
    return id_size


def parse_commit_links(const uint8_t[::1] data not None, Py_ssize_t id_size):
    """Return the tree id, the parent ids end to end, and the committer time (0 where the lines give none, as git reads it).

    Raises CorruptDataError where tree or parents do not follow the format, with the offset of the line.
    """
    cdef Cursor cursor
    cdef uint8_t id[ID_BYTES]
    cdef int found
    cdef bytes tree
    cdef list parents = []
    _checked_id_size(id_size)
    if not data.shape[0]:
        raise CorruptDataError(_problem(COMMIT_NO_TREE), offset=0)
    cursor.here, cursor.end = &data[0], &data[0] + data.shape[0]
    if not take_id(&cursor, b"tree ", 5, id_size, id):
        raise CorruptDataError(_problem(COMMIT_NO_TREE), offset=0)
    tree = id[:id_size]
    found = take_parent(&cursor, id_size, id)
    while found > 0:
        parents.append(id[:id_size])
        found = take_parent(&cursor, id_size, id)
    if found < 0:
        raise CorruptDataError(_problem(found), offset=cursor.here - &data[0])
    return tree, b"".join(parents), committer_time(cursor.here, cursor.end)


@cython.final
cdef class CommitColumns:
    """Collects commits; at most *limit_bytes*, more raises BudgetExceeded and the columns must not be used further.

    Takes about 65 bytes a commit and 4 a parent (SHA-1), and 25 more while `finish` runs.  Calls from threads are serial.
    """

    cdef IdTable _table
    cdef uint8_t* _trees        # owned: one id per number
    cdef CommitNode* _nodes     # owned: one per number
    cdef uint32_t* _parents     # owned: numbers
    cdef int64_t _parent_count, _parent_room
    cdef Py_ssize_t _loaded, _limit
    cdef cython.pymutex _lock

    def __cinit__(self, Py_ssize_t id_size, *, Py_ssize_t limit_bytes=1 << 30):
        memset(&self._table, 0, sizeof(IdTable))
        self._table.id_size = _checked_id_size(id_size)
        self._table.seed = <uint64_t><int64_t>hash("commit columns")
        self._limit = limit_bytes
        self._check(self._grow(FIRST_COMMITS))

    def __dealloc__(self):
        self._release()

    cdef void _release(self) noexcept:
        table_release(&self._table)
        free(self._trees)
        free(self._nodes)
        free(self._parents)
        self._trees, self._nodes, self._parents = NULL, NULL, NULL

    def __len__(self):
        """Return how many commits came; parents that were only named do not count."""
        return self._loaded

    cdef Py_ssize_t _memory(self) noexcept nogil:
        """Bytes in use; what was allocated ahead is not resident before it is used."""
        return (self._table.count * (2 * self._table.id_size + <Py_ssize_t>sizeof(CommitNode))
                + 2 * self._table.capacity * <Py_ssize_t>sizeof(uint32_t) + self._parent_count * <Py_ssize_t>sizeof(uint32_t))

    @property
    def memory_bytes(self):
        """The bytes that the columns hold now."""
        return self._memory()

    cdef int _check(self, int fault) except -1:
        if fault == OVER_LIMIT:
            raise BudgetExceeded("history", limit_bytes=self._limit, needed_bytes=max(self._memory(), self._limit + 1))
        if fault == OUT_OF_MEMORY:
            raise MemoryError
        return 0

    cdef int _grow(self, Py_ssize_t capacity) noexcept nogil:
        cdef uint8_t* trees
        cdef CommitNode* nodes
        if capacity > LAST_COMMITS or self._memory() + 2 * capacity * <Py_ssize_t>sizeof(uint32_t) > self._limit:
            return OVER_LIMIT
        trees = <uint8_t*>realloc(self._trees, capacity * self._table.id_size)
        self._trees = trees if trees != NULL else self._trees
        nodes = <CommitNode*>realloc(self._nodes, capacity * sizeof(CommitNode))
        self._nodes = nodes if nodes != NULL else self._nodes
        if trees == NULL or nodes == NULL or table_grow(&self._table, capacity) < 0:
            return OUT_OF_MEMORY
        return 0

    cdef int64_t _number(self, const uint8_t* id) noexcept nogil:
        """The number of an id, entered as not loaded when new, or a fault below zero."""
        cdef Py_ssize_t before = self._table.count
        cdef int64_t number
        cdef int fault
        if before == self._table.capacity:
            number = table_find(&self._table, id)
            if number >= 0:
                return number
            fault = self._grow(2 * before)
            if fault < 0:
                return fault
        number = table_add(&self._table, id)
        if number == before:
            self._nodes[number].count = NOT_LOADED
        return number

    cdef int _append_parent(self, uint32_t number) noexcept nogil:
        cdef int64_t wanted
        cdef uint32_t* grown
        if self._parent_count == self._parent_room:
            wanted = self._parent_room + (self._parent_room >> 1) + FIRST_PARENTS
            if wanted >= <int64_t>NOT_LOADED:
                return OVER_LIMIT
            grown = <uint32_t*>realloc(self._parents, wanted * sizeof(uint32_t))
            if grown == NULL:
                return OUT_OF_MEMORY
            self._parents, self._parent_room = grown, wanted
        self._parents[self._parent_count] = number
        self._parent_count += 1
        return 0

    cdef int _add(self, const uint8_t* oid, const uint8_t* here, const uint8_t* end) noexcept nogil:
        """Enter one commit; a fault of its bytes leaves it as never come, other faults are final."""
        cdef Cursor cursor
        cdef uint8_t id[ID_BYTES]
        cdef uint8_t tree[ID_BYTES]
        cdef int64_t before = self._parent_count, number
        cdef int found
        cursor.here, cursor.end = here, end
        if not take_id(&cursor, b"tree ", 5, self._table.id_size, tree):
            return COMMIT_NO_TREE
        found = take_parent(&cursor, self._table.id_size, id)
        while found > 0:
            number = self._number(id)
            found = <int>number if number < 0 else self._append_parent(<uint32_t>number)
            if found == 0:
                found = take_parent(&cursor, self._table.id_size, id)
        if found < 0:
            self._parent_count = before
            return found
        return self._enter(oid, tree, committer_time(cursor.here, end), before)

    cdef int _enter(self, const uint8_t* oid, const uint8_t* tree, int64_t time, int64_t first) noexcept nogil:
        """Note a commit whose parents were appended from *first* on, or take these back where it came before."""
        cdef int64_t number = self._number(oid)
        if number < 0:
            return <int>number
        if self._nodes[number].count != NOT_LOADED:
            self._parent_count = first
            return 0
        memcpy(self._trees + number * self._table.id_size, tree, self._table.id_size)
        self._nodes[number].time = time
        self._nodes[number].first = <uint32_t>first
        self._nodes[number].count = <uint32_t>(self._parent_count - first)
        self._loaded += 1
        return OVER_LIMIT if self._memory() > self._limit else 0

    def add_block(self, const uint8_t[::1] data not None, const int64_t[::1] starts not None,
                  const int64_t[::1] ends not None, const uint8_t[::1] oids not None):
        """Enter commits that lie in one buffer, ids end to end; return ``[(position, problem)]`` of those with bad lines.

        A commit that came before is skipped, one with bad lines counts as never come.
        """
        cdef Py_ssize_t i = 0, count = starts.shape[0], id_size = self._table.id_size
        cdef int fault = 0
        cdef int64_t start, end
        cdef list damaged = []
        cdef const uint8_t* base = &data[0] if data.shape[0] else NULL
        cdef const uint8_t* ids = &oids[0] if oids.shape[0] else NULL
        cdef const int64_t* begin = &starts[0] if count else NULL
        cdef const int64_t* stop = &ends[0] if ends.shape[0] else NULL
        if ends.shape[0] != count or oids.shape[0] != count * id_size:
            raise ConfigError("starts, ends and oids do not agree", field="starts")
        with self._lock:
            self._refuse_finished()
            while i < count:
                with nogil:
                    while i < count:
                        start, end = begin[i], stop[i]
                        if not 0 <= start <= end <= data.shape[0]:
                            fault = COMMIT_NO_TREE          # it lies outside the buffer
                        else:
                            fault = self._add(ids + i * id_size, base + start, base + end)
                        i += 1
                        if fault < 0:
                            break
                if fault <= OUT_OF_MEMORY:
                    self._check(fault)
                if fault < 0:
                    damaged.append((i - 1, _problem(fault)))
        return damaged

    def contains_many(self, const uint8_t[::1] oids not None):
        """Return a byte for each of *oids*, end to end: 1 where that commit came, else 0."""
        cdef Py_ssize_t i, id_size = self._table.id_size
        cdef int64_t number
        if oids.shape[0] % id_size:
            raise ConfigError(f"{oids.shape[0]} bytes are no whole number of ids", field="oids")
        found = bytearray(oids.shape[0] // id_size)
        with self._lock:
            self._refuse_finished()
            for i in range(len(found)):
                number = table_find(&self._table, &oids[i * id_size])
                found[i] = number >= 0 and self._nodes[number].count != NOT_LOADED
        return found

    cdef int _refuse_finished(self) except -1:
        if self._nodes == NULL:
            raise ConfigError("the columns are finished", field="columns")
        return 0

    cdef int _add_row(self, const uint8_t* oid, const uint8_t* tree, int64_t time, const uint8_t* ids,
                      const int64_t* named, int64_t count) noexcept nogil:
        """Enter a commit whose parents are positions among *ids*."""
        cdef int64_t before = self._parent_count, i, number
        cdef int fault
        for i in range(count):
            number = self._number(ids + named[i] * self._table.id_size)
            fault = <int>number if number < 0 else self._append_parent(<uint32_t>number)
            if fault < 0:
                return fault
        return self._enter(oid, tree, time, before)

    def add_rows(self, const uint8_t[::1] oids not None, const uint8_t[::1] trees not None,
                 const int64_t[::1] times not None, const int64_t[::1] parents not None,
                 const int64_t[::1] parent_starts not None):
        """Enter commits given as columns, parents as positions among *oids*; ids behind the last commit are only named."""
        cdef Py_ssize_t i, j, id_size = self._table.id_size, count = times.shape[0], named = oids.shape[0] // id_size
        cdef int fault = 0
        if named < count or oids.shape[0] % id_size or trees.shape[0] != count * id_size or parent_starts.shape[0] != count + 1:
            raise ConfigError("the columns do not agree", field="oids")
        with self._lock:
            self._refuse_finished()
            for i in range(count):
                if not 0 <= parent_starts[i] <= parent_starts[i + 1] <= parents.shape[0]:
                    raise ConfigError("parent_starts do not ascend", field="parent_starts")
                for j in range(parent_starts[i], parent_starts[i + 1]):
                    if not 0 <= parents[j] < named:
                        raise ConfigError("a parent lies outside the columns", field="parents")
                fault = self._add_row(&oids[i * id_size], &trees[i * id_size], times[i], &oids[0],
                                      &parents[parent_starts[i]] if parents.shape[0] > parent_starts[i] else NULL,
                                      parent_starts[i + 1] - parent_starts[i])
                self._check(fault)

    def set_parents(self, const uint8_t[::1] oid not None, const uint8_t[::1] parents not None):
        """Give a commit other parents (ids end to end), as a graft does; return whether the commit had come."""
        cdef Py_ssize_t id_size = self._table.id_size, offset
        cdef int64_t number, first, parent
        if oid.shape[0] != id_size or parents.shape[0] % id_size:
            raise ConfigError("ids have another size here", field="oid")
        with self._lock:
            self._refuse_finished()
            number = table_find(&self._table, &oid[0])
            if number < 0 or self._nodes[number].count == NOT_LOADED:
                return False
            first = self._parent_count
            for offset in range(0, parents.shape[0], id_size):
                parent = self._number(&parents[offset])
                self._check(<int>parent if parent < 0 else self._append_parent(<uint32_t>parent))
            self._nodes[number].first = <uint32_t>first
            self._nodes[number].count = <uint32_t>(self._parent_count - first)
        return True

    def finish(self):
        """Return ``(oids, trees, times, parents, parent_starts, missing)``, rows in ascending order of id.

        Times, parents (a bytearray) and starts are 64-bit integers.  A parent that did not come is ``-3 - k``, where k is
        its position among the ids of *missing*.  The columns are empty afterwards and take nothing more.
        """
        cdef uint32_t* rows = NULL      # by number, then used as order
        cdef uint32_t* order = NULL
        cdef Py_ssize_t memory = self._memory() + self._table.count * (8 + self._table.id_size)
        with self._lock:
            self._refuse_finished()
            if memory > self._limit:
                raise BudgetExceeded("history", limit_bytes=self._limit, needed_bytes=memory)
            free(self._table.slots)
            self._table.slots = NULL
            rows = <uint32_t*>malloc((self._table.count + 1) * sizeof(uint32_t))
            order = <uint32_t*>malloc((self._table.count + 1) * sizeof(uint32_t))
            try:
                if rows == NULL or order == NULL:
                    raise MemoryError
                with nogil:
                    self._rank(rows, order)
                return self._columns(rows, order)
            finally:
                free(rows)
                free(order)
                self._release()

    cdef void _rank(self, uint32_t* rows, uint32_t* order) noexcept nogil:
        """Fill *order* with numbers, loaded ones by id, then missing ones by id; and *rows* with the place of each."""
        cdef Py_ssize_t i, low = 0, high = self._table.count
        for i in range(self._table.count):
            if self._nodes[i].count == NOT_LOADED:
                high -= 1
                order[high] = <uint32_t>i
            else:
                order[low] = <uint32_t>i
                low += 1
        sort_by_id(order, low, self._table.ids, self._table.id_size)
        sort_by_id(order + low, self._table.count - low, self._table.ids, self._table.id_size)
        for i in range(self._table.count):
            rows[order[i]] = <uint32_t>i

    cdef tuple _columns(self, const uint32_t* rows, const uint32_t* order):
        """Gather column by column, each freed when it is gathered: one column at most is there twice."""
        cdef Py_ssize_t loaded = self._loaded, missing = self._table.count - loaded
        cdef bytes oids, trees, gone, times, starts
        cdef bytearray parents
        oids = self._gather(self._table.ids, order, loaded)
        gone = self._gather(self._table.ids, order + loaded, missing)
        free(self._table.ids)
        self._table.ids = NULL
        trees = self._gather(self._trees, order, loaded)
        free(self._trees)
        self._trees = NULL
        times = PyBytes_FromStringAndSize(NULL, 8 * loaded)
        starts = PyBytes_FromStringAndSize(NULL, 8 * (loaded + 1))
        self._gather_nodes(order, <int64_t*>PyBytes_AS_STRING(times), <int64_t*>PyBytes_AS_STRING(starts))
        parents = bytearray(8 * (<int64_t*>PyBytes_AS_STRING(starts))[loaded])
        self._gather_parents(rows, order, <int64_t*>PyByteArray_AS_STRING(parents))
        return oids, trees, times, parents, starts, gone

    cdef bytes _gather(self, const uint8_t* ids, const uint32_t* order, Py_ssize_t count):
        cdef bytes gathered = PyBytes_FromStringAndSize(NULL, count * self._table.id_size)
        cdef uint8_t* target = <uint8_t*>PyBytes_AS_STRING(gathered)
        cdef Py_ssize_t i, size = self._table.id_size
        with nogil:
            for i in range(count):
                memcpy(target + i * size, ids + order[i] * size, size)
        return gathered

    cdef void _gather_nodes(self, const uint32_t* order, int64_t* times, int64_t* starts) noexcept nogil:
        cdef Py_ssize_t i
        starts[0] = 0
        for i in range(self._loaded):
            times[i] = self._nodes[order[i]].time
            starts[i + 1] = starts[i] + self._nodes[order[i]].count

    cdef void _gather_parents(self, const uint32_t* rows, const uint32_t* order, int64_t* parents) noexcept nogil:
        cdef Py_ssize_t i
        cdef uint32_t j, row
        cdef CommitNode node
        for i in range(self._loaded):
            node = self._nodes[order[i]]
            for j in range(node.first, node.first + node.count):
                row = rows[self._parents[j]]
                parents[0] = row if row < self._loaded else -3 - (<int64_t>row - self._loaded)
                parents += 1
