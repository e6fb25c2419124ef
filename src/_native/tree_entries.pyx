"""Records of git trees: whole trees, what differs between two, and what was not met before."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from cursor cimport Cursor
from id_table cimport IdTable, table_add, table_bytes, table_find, table_grow, table_release
from tree_record cimport (
    TREE_CUT, TREE_MODE, TREE_MODE_WIDE, TREE_NAME_EMPTY, TreeRecord, canonical_mode, compare_names, take_record,
)

from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

cdef Py_ssize_t FIRST_CAPACITY = 1 << 10        # ids; 28 KiB
cdef Py_ssize_t LAST_CAPACITY = 1 << 31         # numbers are 32 bits


cdef Py_ssize_t _checked_id_size(Py_ssize_t id_size) except -1:
    if id_size != 20 and id_size != 32:
        raise ConfigError(f"an object id has 20 or 32 bytes, got {id_size}", field="id_size")
    return id_size


cdef object _failure(int fault, Py_ssize_t offset):
    if fault == TREE_CUT:
        return CorruptDataError("tree record is cut short", offset=offset)
    if fault == TREE_MODE:
        return CorruptDataError("tree record has no octal mode", offset=offset)
    if fault == TREE_MODE_WIDE:
        return CorruptDataError("mode of a tree record exceeds 32 bits", offset=offset)
    if fault == TREE_NAME_EMPTY:
        return CorruptDataError("tree record has an empty name", offset=offset)
    return CorruptDataError("name of a tree record holds a slash", offset=offset)


cdef void _place(Cursor* cursor, const uint8_t[::1] data) noexcept:
    cursor.here = cursor.end = NULL
    if data.shape[0]:
        cursor.here = &data[0]
        cursor.end = cursor.here + data.shape[0]


cdef object _integers(Py_ssize_t count):
    return memoryview(bytearray(8 * count)).cast("q")


def parse_entries(const uint8_t[::1] data not None, Py_ssize_t id_size):
    """Return ``[(mode, name, id)]`` of a whole tree, in its order, modes as written; names and ids are copies.

    Raises CorruptDataError with the offset of the record that does not follow the format.
    """
    cdef Cursor cursor
    cdef TreeRecord record
    cdef int fault
    cdef list entries = []
    _checked_id_size(id_size)
    _place(&cursor, data)
    while cursor.here < cursor.end:
        fault = take_record(&cursor, id_size, &record)
        if fault < 0:
            raise _failure(fault, cursor.here - &data[0])
        entries.append((record.mode, record.name[:record.name_size], record.id[:id_size]))
    return entries


cdef tuple _pair(const TreeRecord* old, const TreeRecord* new, Py_ssize_t id_size):
    cdef const TreeRecord* named = old if new == NULL else new
    return (
        named.name[:named.name_size],
        canonical_mode(old.mode) if old != NULL else 0,
        canonical_mode(new.mode) if new != NULL else 0,
        old.id[:id_size] if old != NULL else None,
        new.id[:id_size] if new != NULL else None,
    )


def diff_entries(const uint8_t[::1] old not None, const uint8_t[::1] new not None, Py_ssize_t id_size):
    """Return ``[(name, old mode, new mode, old id, new id)]`` of the entries that differ, in git's tree order.

    A side that has no such entry shows mode 0 and id None.  Modes are canonical, so 100664 and 100644 do not differ.
    A tree and a file of one name are two entries.  Trees out of order give some answer, never an endless one.
    Raises CorruptDataError with the offset in the tree that holds the fault; ``problem`` says which, old or new.
    """
    cdef Cursor left, right
    cdef TreeRecord before, after
    cdef bint has_before = False, has_after = False
    cdef Py_ssize_t size
    cdef int fault, order
    cdef const uint8_t* here
    cdef list changes = []
    _checked_id_size(id_size)
    _place(&left, old)
    _place(&right, new)
    while True:
        if not has_after and right.here < right.end:
            here = right.here
            fault = take_record(&right, id_size, &after)
            if fault < 0:
                raise _failure(fault, here - &new[0]).within("new tree")
            size = right.here - here
            if not has_before and left.end - left.here >= size and memcmp(left.here, here, size) == 0:
                left.here += size               # the same record on both sides: nearly all of them are
                continue
            has_after = True
        if not has_before and left.here < left.end:
            here = left.here
            fault = take_record(&left, id_size, &before)
            if fault < 0:
                raise _failure(fault, here - &old[0]).within("old tree")
            has_before = True
        if has_before and has_after:
            order = compare_names(&before, &after)
        elif has_before:
            order = -1
        elif has_after:
            order = 1
        else:
            return changes
        if order < 0:
            changes.append(_pair(&before, NULL, id_size))
            has_before = False
        elif order > 0:
            changes.append(_pair(NULL, &after, id_size))
            has_after = False
        else:
            if canonical_mode(before.mode) != canonical_mode(after.mode) or memcmp(before.id, after.id, id_size) != 0:
                changes.append(_pair(&before, &after, id_size))
            has_before = has_after = False


@cython.final
cdef class IdSet:
    """A set of object ids, each numbered by its order of entry; about 28 bytes an id (SHA-1), at most *limit_bytes*.

    Growing doubles the memory and, for its length, holds old and new slots.  Calls from several threads are serial.
    """

    cdef IdTable _table
    cdef Py_ssize_t _limit

    def __cinit__(self, Py_ssize_t id_size, *, Py_ssize_t limit_bytes=1 << 30):
        memset(&self._table, 0, sizeof(IdTable))
        self._table.id_size = _checked_id_size(id_size)
        self._table.seed = <uint64_t><int64_t>hash("id set")
        self._limit = limit_bytes
        self._grow(FIRST_CAPACITY)

    def __dealloc__(self):
        table_release(&self._table)

    cdef int _grow(self, Py_ssize_t capacity) except -1:
        cdef Py_ssize_t needed = table_bytes(&self._table, capacity)
        if capacity > LAST_CAPACITY or needed > self._limit:
            raise BudgetExceeded("object id set", limit_bytes=self._limit, needed_bytes=needed)
        if table_grow(&self._table, capacity) < 0:
            raise MemoryError
        return 0

    cdef int64_t _enter(self, const uint8_t* id) except -1:
        if self._table.count == self._table.capacity:
            self._grow(2 * self._table.capacity)
        return table_add(&self._table, id)

    cdef const uint8_t* _checked(self, const uint8_t[::1] oid) except NULL:
        if oid.shape[0] != self._table.id_size:
            raise ConfigError(f"an id here has {self._table.id_size} bytes, got {oid.shape[0]}", field="oid")
        return &oid[0]

    @cython.critical_section
    def __len__(self):
        return self._table.count

    @cython.critical_section
    def __contains__(self, const uint8_t[::1] oid not None):
        return table_find(&self._table, self._checked(oid)) >= 0

    @cython.critical_section
    def find(self, const uint8_t[::1] oid not None):
        """Return the number of *oid*, or -1."""
        return table_find(&self._table, self._checked(oid))

    @cython.critical_section
    def add(self, const uint8_t[::1] oid not None):
        """Return the number of *oid*, which is the length before this call where it is new."""
        return self._enter(self._checked(oid))

    @cython.critical_section
    def add_many(self, const uint8_t[::1] packed not None):
        """Enter ids lying end to end; return how many of them were new."""
        cdef Py_ssize_t size = self._table.id_size, before = self._table.count, offset
        if packed.shape[0] % size:
            raise ConfigError(f"{packed.shape[0]} bytes are no whole number of ids", field="packed")
        for offset in range(0, packed.shape[0], size):
            self._enter(&packed[offset])
        return self._table.count - before

    @cython.critical_section
    def find_many(self, const uint8_t[::1] packed not None):
        """Return the numbers of ids lying end to end, -1 for one that is not held, as a view of 64-bit integers."""
        cdef Py_ssize_t size = self._table.id_size, i
        cdef int64_t[::1] numbers
        if packed.shape[0] % size:
            raise ConfigError(f"{packed.shape[0]} bytes are no whole number of ids", field="packed")
        found = _integers(packed.shape[0] // size)
        if len(found):
            numbers = found
            for i in range(numbers.shape[0]):
                numbers[i] = table_find(&self._table, &packed[i * size])
        return found

    @cython.critical_section
    def packed(self):
        """Return all ids end to end, in order of entry (a copy)."""
        return self._table.ids[:self._table.count * self._table.id_size]

    @cython.critical_section
    def take_new(self, const uint8_t[::1] tree not None):
        """Enter the ids of a whole tree; return ``[(mode, name, id)]`` of the entries whose id was not held before.

        Raises CorruptDataError with the offset of the bad record; the ids before it stay entered.
        """
        cdef Cursor cursor
        cdef TreeRecord record
        cdef Py_ssize_t before
        cdef int fault
        cdef list fresh = []
        _place(&cursor, tree)
        while cursor.here < cursor.end:
            fault = take_record(&cursor, self._table.id_size, &record)
            if fault < 0:
                raise _failure(fault, cursor.here - &tree[0])
            before = self._table.count
            if self._enter(record.id) == before:
                fresh.append((record.mode, record.name[:record.name_size], record.id[:self._table.id_size]))
        return fresh
