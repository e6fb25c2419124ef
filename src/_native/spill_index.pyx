"""Sets and maps of object ids in preallocated memory: open addressing, no Python object per id.

Ids can be chosen by whoever made the data, so places in the table depend on a random number of each process; results never do.
"""
cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from keyed_hash cimport hash_id

from siltstone.core.errors import BudgetExceeded, ConfigError

cdef struct Place:
    uint64_t offset
    uint64_t length


cdef uint64_t _random_seed() except? 0:
    """Return what nobody outside can know: the interpreter's own hash of a text is keyed by a random secret."""
    return <uint64_t><int64_t>hash("siltstone: places of object ids")


cdef Py_ssize_t _table_size(Py_ssize_t count) noexcept nogil:
    """Return the power of two that keeps a table of *count* ids at most two thirds full."""
    cdef Py_ssize_t slots = 8
    while slots - slots // 3 <= count:
        slots *= 2
    return slots


@cython.final
cdef class SpillIndex:
    """A map from object id to ``(offset, length)`` that never grows: what it takes is taken when it is made.

    Used as a set where the places do not matter.  Threads may share it; what one writes while another reads may or may not be seen.
    """

    cdef uint8_t* _names        # slots * id_size
    cdef Place* _places         # by slot
    cdef uint8_t* _used         # by slot
    cdef Py_ssize_t _slots, _capacity, _count, _id_size
    cdef uint64_t _seed
    cdef cython.pymutex _lock   # writers take turns: a wrong count would fill the table, and a search in it never end

    def __cinit__(self, Py_ssize_t capacity, Py_ssize_t id_size):
        """Make room for *capacity* ids of *id_size* bytes (20 or 32): 56 to 110 bytes each for 20."""
        if id_size not in (20, 32):
            raise ConfigError(f"an object id has 20 or 32 bytes, not {id_size}", field="id_size")
        if not 0 <= capacity < <Py_ssize_t>1 << 40:
            raise ConfigError(f"capacity {capacity} is out of range", field="capacity")
        self._capacity, self._id_size = capacity, id_size
        self._slots = _table_size(capacity)
        self._seed = _random_seed()
        self._names = <uint8_t*>malloc(<size_t>(self._slots * id_size))
        self._places = <Place*>malloc(<size_t>self._slots * sizeof(Place))
        self._used = <uint8_t*>calloc(<size_t>self._slots, 1)
        if self._names is NULL or self._places is NULL or self._used is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self._names)
        free(self._places)
        free(self._used)

    def __len__(self):
        return self._count

    @property
    def capacity(self):
        """How many ids fit."""
        return self._capacity

    @property
    def held_bytes(self):
        """Bytes of memory the table takes."""
        return self._slots * (self._id_size + <Py_ssize_t>sizeof(Place) + 1)

    cdef Py_ssize_t _slot_of(self, const uint8_t* name) noexcept nogil:
        """Return the slot that holds *name*, or the unused one where it belongs."""
        cdef Py_ssize_t mask = self._slots - 1
        cdef Py_ssize_t slot = <Py_ssize_t>(hash_id(name, self._id_size, self._seed) & <uint64_t>mask)
        while self._used[slot] and memcmp(self._names + slot * self._id_size, name, <size_t>self._id_size):
            slot = (slot + 1) & mask
        return slot

    cdef bint _put(self, const uint8_t* name, uint64_t offset, uint64_t length) noexcept nogil:
        """Store one id; False where the table is full."""
        cdef Py_ssize_t slot = self._slot_of(name)
        if not self._used[slot]:
            if self._count >= self._capacity:
                return False
            self._used[slot] = 1
            self._count += 1
            memcpy(self._names + slot * self._id_size, name, <size_t>self._id_size)
        self._places[slot] = Place(offset=offset, length=length)
        return True

    cdef object _full(self):
        each = self._id_size + <Py_ssize_t>sizeof(Place) + 1
        return BudgetExceeded(
            "spill_index", limit_bytes=self._capacity * each, needed_bytes=(self._capacity + 1) * each)

    cdef int _check(self, const uint8_t[::1] oid) except -1:
        if oid.shape[0] != self._id_size:
            raise ConfigError(f"an object id has {self._id_size} bytes here, got {oid.shape[0]}", field="oid")
        return 0

    def put(self, const uint8_t[::1] oid not None, uint64_t offset=0, uint64_t length=0):
        """Store a place under an id, over the one it had. Raises BudgetExceeded where the table is full; it is unchanged."""
        cdef bint fits
        self._check(oid)
        with self._lock:
            fits = self._put(&oid[0], offset, length)
        if not fits:
            raise self._full()

    def put_many(self, const uint8_t[::1] oids not None):
        """Store ids laid end to end, with place (0, 0). Raises BudgetExceeded where they do not fit; those before stay."""
        cdef Py_ssize_t count = oids.shape[0] // self._id_size, i
        cdef bint fits = True
        cdef const uint8_t* first = &oids[0] if oids.shape[0] else NULL
        if oids.shape[0] != count * self._id_size:
            raise ConfigError(f"ids of {self._id_size} bytes do not fill {oids.shape[0]} bytes", field="oids")
        with self._lock, nogil:
            for i in range(count):
                fits = self._put(first + i * self._id_size, 0, 0)
                if not fits:
                    break
        if not fits:
            raise self._full()

    def get(self, const uint8_t[::1] oid not None):
        """Return ``(offset, length)`` of an id, or None."""
        cdef Py_ssize_t slot
        self._check(oid)
        slot = self._slot_of(&oid[0])
        return (self._places[slot].offset, self._places[slot].length) if self._used[slot] else None

    def __contains__(self, oid):
        cdef const uint8_t[::1] name = oid
        return name.shape[0] == self._id_size and self._used[self._slot_of(&name[0])] != 0

    def contains_many(self, const uint8_t[::1] oids not None):
        """Return a bytearray with one byte for each id laid end to end in *oids*: 1 where it is here, else 0."""
        cdef Py_ssize_t count = oids.shape[0] // self._id_size, i
        cdef const uint8_t* first = &oids[0] if oids.shape[0] else NULL
        cdef uint8_t* marks
        if oids.shape[0] != count * self._id_size:
            raise ConfigError(f"ids of {self._id_size} bytes do not fill {oids.shape[0]} bytes", field="oids")
        result = PyByteArray_FromStringAndSize(NULL, count)
        marks = <uint8_t*>PyByteArray_AS_STRING(result)
        with nogil:
            for i in range(count):
                marks[i] = self._used[self._slot_of(first + i * self._id_size)]
        return result


cdef void _mark(const uint8_t* names, Py_ssize_t count, Py_ssize_t id_size, uint64_t seed, const uint8_t** table,
                Py_ssize_t slots, uint8_t* marks) noexcept nogil:
    """Enter each id into *table*; mark those that were there."""
    cdef Py_ssize_t i, slot
    cdef const uint8_t* name
    for i in range(count):
        name = names + i * id_size
        slot = <Py_ssize_t>(hash_id(name, id_size, seed) & <uint64_t>(slots - 1))
        while table[slot] is not NULL and memcmp(table[slot], name, <size_t>id_size):
            slot = (slot + 1) & (slots - 1)
        marks[i] = table[slot] is not NULL
        if table[slot] is NULL:
            table[slot] = name


def find_repeats(tables, Py_ssize_t id_size):
    """Return a bytearray for each table of ids laid end to end: 1 for an id that a table before it, or it before, holds.

    Cost: one pass, and 12 to 24 bytes an id while it runs.
    """
    cdef const uint8_t[::1] names
    cdef const uint8_t* first
    cdef Py_ssize_t total = 0, slots
    cdef const uint8_t** found
    cdef uint64_t seed = _random_seed()
    cdef list results = []
    cdef Py_ssize_t count
    cdef uint8_t* marks
    if id_size not in (20, 32):
        raise ConfigError(f"an object id has 20 or 32 bytes, not {id_size}", field="id_size")
    held = [memoryview(table) for table in tables]      # `found` points into them: none may move until the end
    for table in held:
        names = table
        if names.shape[0] % id_size:
            raise ConfigError(f"ids of {id_size} bytes do not fill {names.shape[0]} bytes", field="tables")
        total += names.shape[0] // id_size
    slots = _table_size(total)
    found = <const uint8_t**>calloc(<size_t>slots, sizeof(void*))
    if found is NULL:
        raise MemoryError
    try:
        for table in held:
            names = table
            count = names.shape[0] // id_size
            result = PyByteArray_FromStringAndSize(NULL, count)
            marks = <uint8_t*>PyByteArray_AS_STRING(result)
            if count:
                first = &names[0]
                with nogil:
                    _mark(first, count, id_size, seed, found, slots, marks)
            results.append(result)
    finally:
        free(found)
    return results
