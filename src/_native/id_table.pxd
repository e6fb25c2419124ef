"""Open addressing from object ids to numbers, in order of insertion; the tables are owned by the class that holds the struct."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

from keyed_hash cimport hash_id

cdef struct IdTable:
    uint8_t* ids                # owned: count ids of id_size bytes each
    uint32_t* slots             # owned: number + 1 of an id, 0 where free; mask + 1 of them
    uint64_t mask               # slots - 1; the slots are a power of two
    uint64_t seed               # a string hash, secret in each process: a crafted tree cannot aim at one slot
    Py_ssize_t count
    Py_ssize_t capacity         # ids that fit before the next growth; half of the slots
    Py_ssize_t id_size          # 20 or 32

cdef inline uint64_t id_hash(const IdTable* table, const uint8_t* id) noexcept nogil:
    return hash_id(id, table.id_size, table.seed)

cdef inline Py_ssize_t table_bytes(const IdTable* table, Py_ssize_t capacity) noexcept nogil:
    """The memory that *capacity* ids take."""
    return capacity * (table.id_size + 2 * <Py_ssize_t>sizeof(uint32_t))

cdef inline void table_release(IdTable* table) noexcept nogil:
    free(table.ids)
    free(table.slots)
    memset(table, 0, sizeof(IdTable))

cdef inline int table_grow(IdTable* table, Py_ssize_t capacity) noexcept nogil:
    """Make room for *capacity* ids (a power of two, at most 2**31); 0, or -1 where memory ends and nothing changed."""
    cdef uint8_t* ids
    cdef uint32_t* slots = <uint32_t*>calloc(2 * capacity, sizeof(uint32_t))
    cdef uint64_t mask = 2 * <uint64_t>capacity - 1, slot
    cdef Py_ssize_t number
    if slots == NULL:
        return -1
    ids = <uint8_t*>realloc(table.ids, capacity * table.id_size)
    if ids == NULL:
        free(slots)
        return -1
    for number in range(table.count):
        slot = id_hash(table, ids + number * table.id_size) & mask
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = <uint32_t>(number + 1)
    free(table.slots)
    table.ids, table.slots, table.mask, table.capacity = ids, slots, mask, capacity
    return 0

cdef inline int64_t table_find(const IdTable* table, const uint8_t* id) noexcept nogil:
    """The number of the id, or -1; the table must have slots."""
    cdef uint64_t slot = id_hash(table, id) & table.mask
    cdef uint32_t held = table.slots[slot]
    while held:
        if memcmp(table.ids + <Py_ssize_t>(held - 1) * table.id_size, id, table.id_size) == 0:
            return <int64_t>held - 1
        slot = (slot + 1) & table.mask
        held = table.slots[slot]
    return -1

cdef inline int64_t table_add(IdTable* table, const uint8_t* id) noexcept nogil:
    """The number of the id, which is entered when new; the caller made sure that count < capacity."""
    cdef uint64_t slot = id_hash(table, id) & table.mask
    cdef uint32_t held = table.slots[slot]
    while held:
        if memcmp(table.ids + <Py_ssize_t>(held - 1) * table.id_size, id, table.id_size) == 0:
            return <int64_t>held - 1
        slot = (slot + 1) & table.mask
        held = table.slots[slot]
    memcpy(table.ids + table.count * table.id_size, id, table.id_size)
    table.count += 1
    table.slots[slot] = <uint32_t>table.count
    return <int64_t>table.count - 1
