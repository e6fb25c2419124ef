"""Growing columns and the table of distinct symbols that the SCIP reader fills; all memory belongs to one `Columns`."""
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy

from keyed_hash cimport siltstone_mix

cdef enum MemoryFault:
    NO_MEMORY = -16

cdef struct Column:
    int32_t* items              # owned
    Py_ssize_t size
    Py_ssize_t capacity

cdef struct Columns:
    const uint8_t* base         # first byte of the caller's buffer: stored offsets count from here
    const uint8_t* fault_at     # where reading stopped, or NULL
    uint64_t seed               # of the symbol hash, so that a hostile index cannot choose collisions
    Column ranges, enclosing    # 4 per occurrence
    Column roles, symbols       # 1 per occurrence
    Column slices               # start and size of each distinct symbol
    Column infos, kinds         # 1 per SymbolInformation: symbol, kind
    Column names, heads         # 2 per SymbolInformation: start and size of display name, of the signature or documentation
    Column relationships        # 3 per relationship: SymbolInformation row, target symbol, flags
    Column slots                # the hash table: symbol + 1, or 0 where free; size is a power of two
    Py_ssize_t malformed        # occurrences without a valid range, dropped
    Py_ssize_t path[2]          # start and size; start -1 where absent
    Py_ssize_t language[2]
    Py_ssize_t text[2]
    int32_t encoding

cdef inline int push(Column* column, int32_t value) noexcept nogil:
    """Append one value; 0 or NO_MEMORY."""
    cdef Py_ssize_t capacity
    cdef int32_t* grown
    if column.size == column.capacity:
        capacity = 2 * column.capacity if column.capacity else 64
        grown = <int32_t*>realloc(column.items, capacity * sizeof(int32_t))
        if grown is NULL:
            return NO_MEMORY
        column.items = grown
        column.capacity = capacity
    column.items[column.size] = value
    column.size += 1
    return 0

cdef inline int push_range(Column* column, const int32_t* values) noexcept nogil:
    """Append four values; 0 or NO_MEMORY."""
    cdef int i
    for i in range(4):
        if push(column, values[i]) < 0:
            return NO_MEMORY
    return 0

cdef inline uint64_t hash_slice(const uint8_t* data, Py_ssize_t size, uint64_t seed) noexcept nogil:
    """Keyed hash, eight bytes a step (folded 64 x 64 multiplication, as in wyhash)."""
    cdef uint64_t state = seed ^ <uint64_t>size * 0x9E3779B97F4A7C15ULL
    cdef uint64_t word = 0
    while size >= 8:
        memcpy(&word, data, 8)
        state = siltstone_mix(state ^ word, seed | 1) + 0xA0761D6478BD642FULL
        data += 8
        size -= 8
    word = 0
    memcpy(&word, data, size)
    return siltstone_mix(state ^ word, 0xE7037ED1A0B428DBULL ^ seed)

cdef inline int _grow_slots(Columns* columns) noexcept nogil:
    cdef Py_ssize_t capacity = 4 * columns.slots.size if columns.slots.size else 256
    cdef int32_t* fresh = <int32_t*>calloc(capacity, sizeof(int32_t))
    cdef Py_ssize_t symbol, at
    cdef int32_t* slices = columns.slices.items
    if fresh is NULL:
        return NO_MEMORY
    for symbol in range(columns.slices.size // 2):
        at = hash_slice(columns.base + slices[2 * symbol], slices[2 * symbol + 1], columns.seed) & (capacity - 1)
        while fresh[at]:
            at = (at + 1) & (capacity - 1)
        fresh[at] = <int32_t>symbol + 1
    free(columns.slots.items)
    columns.slots.items = fresh
    columns.slots.size = capacity
    return 0

cdef inline int intern_symbol(Columns* columns, const uint8_t* data, Py_ssize_t size, int32_t* symbol) noexcept nogil:
    """Set *symbol* to the number of this byte string, by first appearance; -1 for the empty one. 0 or NO_MEMORY."""
    cdef Py_ssize_t at, mask
    cdef int32_t found
    cdef int32_t* slices
    if size == 0:
        symbol[0] = -1
        return 0
    if columns.slices.size >= columns.slots.size and _grow_slots(columns) < 0:      # at most half full
        return NO_MEMORY
    mask = columns.slots.size - 1
    at = hash_slice(data, size, columns.seed) & mask
    slices = columns.slices.items
    while columns.slots.items[at]:
        found = columns.slots.items[at] - 1
        if slices[2 * found + 1] == size and memcmp(columns.base + slices[2 * found], data, size) == 0:
            symbol[0] = found
            return 0
        at = (at + 1) & mask
    symbol[0] = <int32_t>(columns.slices.size // 2)
    columns.slots.items[at] = symbol[0] + 1
    if push(&columns.slices, <int32_t>(data - columns.base)) < 0:
        return NO_MEMORY
    return push(&columns.slices, <int32_t>size)

cdef inline void free_columns(Columns* columns) noexcept nogil:
    """Give all memory back."""
    free(columns.ranges.items)
    free(columns.enclosing.items)
    free(columns.roles.items)
    free(columns.symbols.items)
    free(columns.slices.items)
    free(columns.infos.items)
    free(columns.kinds.items)
    free(columns.names.items)
    free(columns.heads.items)
    free(columns.relationships.items)
    free(columns.slots.items)
