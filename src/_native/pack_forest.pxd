"""The delta forest of one pack: who is whose base, by rank, from one pass over the entry headers.  Read-only once made."""
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

from pack_entry cimport (
    HEADER_ROOM, OFS_DELTA, REF_DELTA, EntryHead, PackView, extent_of, parse_head, read_fully,
)
from pack_faults cimport BASE_ELSEWHERE, BASE_UNREADABLE, ENTRY_CYCLE, NO_MEMORY, READ_FAILED

cdef enum:
    HEADER_WINDOW = 1 << 15     # bytes read at once while headers are scanned
    UNRESOLVED = 0              # a kind that is not known: the entry or a base of it is at fault, or its base is elsewhere
    DELTA = 6                   # during the scan: the kind is that of the parent
    VISITING = 7                # during the scan: on the chain that is being followed

cdef struct Forest:
    uint8_t* kinds              # by rank: 1-4, or UNRESOLVED
    int8_t* status              # by rank: 0, or the PackFault behind UNRESOLVED
    uint8_t* scale              # by rank: bits of the stated size of a whole object, 0 for a delta
    int32_t* parents            # by rank: rank of the base, -1 for none

cdef inline bint open_forest(Forest* forest, Py_ssize_t count) noexcept nogil:
    """Allocate 7 bytes an entry; False: out of memory."""
    cdef size_t room = <size_t>(count if count else 1)
    forest.kinds = <uint8_t*>calloc(room, 1)
    forest.status = <int8_t*>calloc(room, 1)
    forest.scale = <uint8_t*>calloc(room, 1)
    forest.parents = <int32_t*>malloc(room * sizeof(int32_t))
    return (forest.kinds is not NULL and forest.status is not NULL and forest.scale is not NULL
            and forest.parents is not NULL)

cdef inline void close_forest(Forest* forest) noexcept nogil:
    free(forest.kinds)
    free(forest.status)
    free(forest.scale)
    free(forest.parents)

cdef inline uint8_t bits_of(uint64_t size) noexcept nogil:
    cdef uint8_t bits = 0
    while size:
        size >>= 1
        bits += 1
    return bits

cdef inline void scan_headers(const PackView* pack, Forest* forest, uint8_t* window) noexcept nogil:
    """Read every entry header; *window* has HEADER_WINDOW bytes. Afterwards kinds are 1-4, DELTA or UNRESOLVED."""
    cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
    cdef int64_t window_at = 0, window_end = 0, start
    cdef Py_ssize_t rank, need
    cdef int status
    for rank in range(pack.count):
        forest.parents[rank] = -1
        need = extent_of(pack, rank)
        if need < 0:
            forest.status[rank] = <int8_t>need
            continue
        start = <int64_t>pack.offsets[rank]
        need = min(need, <Py_ssize_t>HEADER_ROOM)
        if start < window_at or start + need > window_end:
            window_at = start
            window_end = start + min(pack.end - start, <int64_t>HEADER_WINDOW)
            if not read_fully(pack.descriptor, window, <Py_ssize_t>(window_end - window_at), window_at):
                window_end = window_at = 0
                forest.status[rank] = READ_FAILED
                continue
        status = parse_head(pack, rank, window + (start - window_at), need, &head)
        forest.status[rank] = <int8_t>status
        if status == 0:
            forest.parents[rank] = <int32_t>head.base
            forest.kinds[rank] = DELTA if head.base >= 0 else <uint8_t>head.kind
            forest.scale[rank] = 0 if head.base >= 0 else bits_of(head.size)

cdef inline void resolve_kinds(const PackView* pack, Forest* forest) noexcept nogil:
    """Give each delta the kind of its root; what never reaches one stays UNRESOLVED with the reason. Linear in time."""
    cdef Py_ssize_t rank, at
    cdef uint8_t found
    cdef int8_t why
    for rank in range(pack.count):
        at = rank
        while forest.kinds[at] == DELTA:
            forest.kinds[at] = VISITING
            at = forest.parents[at]
        found = forest.kinds[at]
        why = 0
        if found == VISITING:
            found = UNRESOLVED
            why = ENTRY_CYCLE
        elif found == UNRESOLVED:
            why = forest.status[at] if forest.status[at] == BASE_ELSEWHERE else <int8_t>BASE_UNREADABLE
        at = rank
        while forest.kinds[at] == VISITING:
            forest.kinds[at] = found
            forest.status[at] = why
            at = forest.parents[at]
