"""Records of git trees: whole trees, what differs between two, and what was not met before."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset

from cursor cimport Cursor
from id_table cimport IdTable, table_add, table_bytes, table_find, table_grow, table_release
from tree_merge cimport MERGE_END, TreeMerge, merge_change, merge_next, merge_start
from tree_record cimport TreeRecord, take_record, tree_fault_text
from tree_window cimport window_whole

from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

cdef Py_ssize_t FIRST_CAPACITY = 1 << 10        # ids; 28 KiB
cdef Py_ssize_t LAST_CAPACITY = 1 << 31         # numbers are 32 bits


cdef Py_ssize_t _checked_id_size(Py_ssize_t id_size) except -1:
    if id_size != 20 and id_size != 32:
        raise ConfigError(f"an object id has 20 or 32 bytes, got {id_size}", field="id_size")
    return id_size


cdef object _failure(int fault, int64_t offset):
    return CorruptDataError(tree_fault_text(fault).decode(), offset=offset)


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


def count_entries(const uint8_t[::1] data not None, Py_ssize_t id_size):
    """Return how many records a whole tree has; raises as `parse_entries`, and makes no object a record."""
    cdef Cursor cursor
    cdef TreeRecord record
    cdef Py_ssize_t count = 0
    cdef int fault = 0
    _checked_id_size(id_size)
    _place(&cursor, data)
    with nogil:
        while fault == 0 and cursor.here < cursor.end:
            fault = take_record(&cursor, id_size, &record)
            count += 1
    if fault < 0:
        raise _failure(fault, cursor.here - &data[0])
    return count


def diff_entries(const uint8_t[::1] old not None, const uint8_t[::1] new not None, Py_ssize_t id_size):
    """Return ``[(name, old mode, new mode, old id, new id)]`` of the entries that differ, in git's tree order.

    A side that has no such entry shows mode 0 and id None.  Modes are canonical, so 100664 and 100644 do not differ.
    A tree and a file of one name are two entries.  Trees out of order give some answer, never an endless one.
    Raises CorruptDataError with the offset in the tree that holds the fault; ``source`` says which, old or new.  What
    both trees have in common to their end is not judged.
    """
    cdef TreeMerge merge
    cdef int step
    cdef list changes = []
    _checked_id_size(id_size)
    window_whole(&merge.old, &old[0] if old.shape[0] else NULL, old.shape[0], id_size)
    window_whole(&merge.new, &new[0] if new.shape[0] else NULL, new.shape[0], id_size)
    merge_start(&merge)
    while True:
        step = merge_next(&merge)
        if step == MERGE_END:
            return changes
        if step < 0:
            raise _failure(step, merge.fault_offset).within("old tree" if merge.fault_in_old else "new tree")
        changes.append(merge_change(&merge, step))


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
