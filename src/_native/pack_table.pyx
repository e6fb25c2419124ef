"""What every entry of a pack is: its type, the kind at the end of its chain of bases, how long that chain is, and the size
of the object. Headers are read; of a delta, where sizes are wanted, the two numbers it begins with."""
cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from cursor cimport Cursor, take_varint
from inflate_api cimport InflateApi, inflate_capsule_name, is_plausible
from pack_entry cimport Bytes, EntryHead, HEADER_ROOM, PackView, bounded, extent_of, grow, load_entry, parse_head, read_fully, view_pack
from pack_faults cimport BASE_ELSEWHERE

from siltstone.core.errors import ConfigError

cdef enum:
    HEADER_WINDOW = 1 << 15     # bytes read at once while headers are looked at
    COMPRESSED_ROOM = 1 << 16   # a stream may be longer than its content by its framing
    UNKNOWN = 0                 # no kind: the entry or a base of it is damaged, or its base is elsewhere
    DELTA = 6                   # for the time being: the kind is that of the base
    VISITING = 7                # on the chain that is being followed

cdef struct Table:
    PackView pack
    InflateApi* api
    void* inflater              # owned by the call
    Py_ssize_t limit            # bytes: a larger delta is not inflated
    bint measures               # whether the sizes of what deltas make are wanted
    uint8_t* types              # by rank: 1-4, 6, 7; 0 where the header does not read
    uint8_t* kinds              # by rank: 1-4 or UNKNOWN
    int32_t* depths             # by rank: deltas between the entry and a whole object; -1 unknown
    int64_t* sizes              # by rank: bytes of the object; -1 unknown
    int32_t* bases              # by rank: rank of the base, -1 none; scratch of the call
    uint8_t* window             # HEADER_WINDOW bytes, scratch
    Bytes compressed, delta     # scratch


cdef int _scan(Table* table) noexcept nogil:
    """Read every header; afterwards kinds are 1-4, DELTA or UNKNOWN. Returns -1 where memory ran out."""
    cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
    cdef int64_t window_at = 0, window_end = 0, start
    cdef Py_ssize_t rank, need
    cdef int status
    for rank in range(table.pack.count):
        table.bases[rank] = -1
        table.depths[rank] = -1
        table.sizes[rank] = -1
        need = extent_of(&table.pack, rank)
        if need < 0:
            continue
        start = <int64_t>table.pack.offsets[rank]
        need = min(need, <Py_ssize_t>HEADER_ROOM)
        if start < window_at or start + need > window_end:
            window_at = start
            window_end = start + min(table.pack.end - start, <int64_t>HEADER_WINDOW)
            if not read_fully(table.pack.descriptor, table.window, <Py_ssize_t>(window_end - window_at), window_at):
                window_end = window_at = 0
                continue
        status = parse_head(&table.pack, rank, table.window + (start - window_at), need, &head)
        if status < 0 and status != BASE_ELSEWHERE:
            continue
        table.types[rank] = <uint8_t>head.kind
        if head.kind <= 4:
            table.kinds[rank] = <uint8_t>head.kind
            table.depths[rank] = 0
            table.sizes[rank] = <int64_t>head.size
            continue
        if status == 0:
            table.kinds[rank] = DELTA
            table.bases[rank] = <int32_t>head.base
        if table.measures and _measure(table, rank) < 0:
            return -1
    return 0

cdef int _measure(Table* table, Py_ssize_t rank) noexcept nogil:
    """Note the size of what the delta at *rank* makes, where that can be read; -1: out of memory."""
    cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
    cdef Cursor cursor
    cdef uint64_t base_size = 0, result_size = 0
    cdef Py_ssize_t extent = 0
    cdef int status = load_entry(
        &table.pack, rank, table.limit + (table.limit >> 8) + COMPRESSED_ROOM, &table.compressed, &extent, &head)
    if status < 0 and status != BASE_ELSEWHERE:
        return -1 if table.compressed.data is NULL else 0
    if head.size > <uint64_t>table.limit or head.size == 0 or not is_plausible(<Py_ssize_t>head.size, extent - head.length):
        return 0
    if not grow(&table.delta, <Py_ssize_t>head.size):
        return -1
    if table.api.run(table.inflater, table.compressed.data + head.length, extent - head.length,
                     table.delta.data, <Py_ssize_t>head.size) < 0:
        return 0
    cursor.here = table.delta.data
    cursor.end = table.delta.data + <Py_ssize_t>head.size
    if take_varint(&cursor, &base_size) >= 0 and take_varint(&cursor, &result_size) >= 0 and not result_size >> 62:
        table.sizes[rank] = <int64_t>result_size
    return 0

cdef void _follow(Table* table) noexcept nogil:
    """Give each delta the kind of its root and the length of its chain. Linear in time, no recursion."""
    cdef Py_ssize_t rank, at
    cdef int32_t depth
    cdef uint8_t found
    for rank in range(table.pack.count):
        at = rank
        depth = 0
        while table.kinds[at] == DELTA:
            table.kinds[at] = VISITING
            at = table.bases[at]
            depth += 1
        found = table.kinds[at]
        if found == VISITING:       # a cycle
            found = UNKNOWN
        if depth:
            depth += table.depths[at]
        at = rank
        while table.kinds[at] == VISITING:
            table.kinds[at] = found
            table.depths[at] = depth if found else -1
            depth -= 1
            at = table.bases[at]


def read_pack_table(const uint8_t[::1] names not None, const uint32_t[::1] fanout not None,
                    const uint64_t[::1] offsets not None, const uint32_t[::1] order not None,
                    const uint32_t[::1] ranks not None, *, Py_ssize_t id_size, Py_ssize_t end, int descriptor,
                    Py_ssize_t limit_bytes, bint sizes, inflate):
    """Return ``(types, kinds, depths, sizes)`` by rank: uint8, uint8, int32 and int64 columns as bytearrays.

    A type of 0 is a header that does not read; a kind of 0 with a type of 7 may be a base in another pack, which has no depth
    here. Sizes of deltas are -1 unless *sizes*, and where the delta is damaged or larger than *limit_bytes*. Takes 18
    bytes an entry. Raises MemoryError, and ConfigError for columns that are not those of one index.
    """
    cdef Table table
    cdef int status = 0
    memset(&table, 0, sizeof(Table))
    if limit_bytes <= 0:
        raise ConfigError("limits are positive", field="limit_bytes")
    if not view_pack(&table.pack, names, fanout, offsets, order, ranks, id_size, end):
        raise ConfigError("names, fan-out, offsets, order and ranks do not agree", field="names")
    count = table.pack.count
    types, kinds = PyByteArray_FromStringAndSize(NULL, count), PyByteArray_FromStringAndSize(NULL, count)
    depths = PyByteArray_FromStringAndSize(NULL, count * <Py_ssize_t>sizeof(int32_t))
    lengths = PyByteArray_FromStringAndSize(NULL, count * <Py_ssize_t>sizeof(int64_t))
    table.types, table.kinds = <uint8_t*>PyByteArray_AS_STRING(types), <uint8_t*>PyByteArray_AS_STRING(kinds)
    table.depths, table.sizes = <int32_t*>PyByteArray_AS_STRING(depths), <int64_t*>PyByteArray_AS_STRING(lengths)
    memset(table.types, 0, <size_t>count)
    memset(table.kinds, 0, <size_t>count)
    table.pack.descriptor = descriptor
    table.limit = bounded(limit_bytes)
    table.measures = sizes
    table.api = <InflateApi*>PyCapsule_GetPointer(inflate, inflate_capsule_name())
    try:
        table.inflater = table.api.open()
        table.window = <uint8_t*>malloc(HEADER_WINDOW)
        table.bases = <int32_t*>malloc(<size_t>(count if count else 1) * sizeof(int32_t))
        if table.inflater is NULL or table.window is NULL or table.bases is NULL:
            raise MemoryError
        with nogil:
            status = _scan(&table)
            if status == 0:
                _follow(&table)
        if status < 0:
            raise MemoryError
    finally:
        table.api.close(table.inflater)
        free(table.window)
        free(table.bases)
        free(table.compressed.data)
        free(table.delta.data)
    return types, kinds, depths, lengths
