"""One pack as its index describes it, and the leaves that find, read and interpret an entry (gitformat-pack)."""
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp
from posix.unistd cimport pread

from cursor cimport Cursor, take_base_offset, take_entry_header
from inflate_api cimport InflateApi
from pack_faults cimport (
    BASE_ELSEWHERE, ENTRY_BASE, ENTRY_HEADER, ENTRY_KIND, ENTRY_OFFSET, ENTRY_SHARED, NO_MEMORY, READ_FAILED,
)

cdef enum:
    PACK_HEADER_SIZE = 12
    HEADER_ROOM = 64            # a type and size (10), then a distance (9) or an id (32), fit in this
    OFS_DELTA = 6
    REF_DELTA = 7

cdef struct PackView:
    int descriptor              # open for reading; owned by the caller
    int64_t end                 # where the entries end: file size less the trailing hash
    Py_ssize_t count            # entries
    Py_ssize_t id_size          # 20 or 32
    const uint8_t* names        # count ids, ascending
    const uint64_t* offsets     # by rank (pack order), ascending
    const uint32_t* order       # rank -> position among the names
    const uint32_t* ranks       # position among the names -> rank
    const uint32_t* fanout      # 256 counts: names whose first byte is at most the index

cdef inline Py_ssize_t bounded(Py_ssize_t limit) noexcept nogil:
    """Return a limit in bytes that keeps sums of limits far from overflow."""
    return min(limit, <Py_ssize_t>1 << 60)

cdef inline bint view_pack(
    PackView* pack, const uint8_t[::1] names, const uint32_t[::1] fanout, const uint64_t[::1] offsets,
    const uint32_t[::1] order, const uint32_t[::1] ranks, Py_ssize_t id_size, int64_t end,
) noexcept:
    """Point *pack* into arrays that the caller keeps alive and unchanged; False where they are not columns of one index."""
    cdef Py_ssize_t count = offsets.shape[0]
    cdef Py_ssize_t i
    if (id_size != 20 and id_size != 32) or count >= <Py_ssize_t>1 << 31 or names.shape[0] != count * id_size or fanout.shape[0] != 256:
        return False
    if order.shape[0] != count or ranks.shape[0] != count or fanout[255] != count or end < 0:
        return False
    for i in range(255):
        if fanout[i] > fanout[i + 1]:
            return False
    for i in range(count):
        if order[i] >= count or ranks[i] >= count or (i and offsets[i - 1] > offsets[i]):
            return False
    pack.descriptor = -1
    pack.end = end
    pack.count = count
    pack.id_size = id_size
    pack.fanout = &fanout[0]
    if count:
        pack.names = &names[0]
        pack.offsets = &offsets[0]
        pack.order = &order[0]
        pack.ranks = &ranks[0]
    return True

cdef struct EntryHead:
    int kind                    # 1-4, or OFS_DELTA, REF_DELTA
    uint64_t size               # of the inflated content: for a delta, of the delta
    Py_ssize_t base             # rank of the base; -1: none
    Py_ssize_t length           # bytes of the header, base included
    const uint8_t* base_id      # REF_DELTA: points into the header bytes; else NULL

cdef struct Bytes:              # memory that its holder frees
    uint8_t* data
    Py_ssize_t size             # bytes allocated

cdef inline bint grow(Bytes* room, Py_ssize_t size) noexcept nogil:
    """Make *room* hold at least *size* bytes; what it held is lost. False: out of memory, and it holds nothing."""
    if room.size >= size:
        return True
    free(room.data)
    room.size = size + (size >> 2) + 64
    room.data = <uint8_t*>malloc(<size_t>room.size)
    if room.data is NULL:
        room.size = 0
    return room.data is not NULL

cdef inline bint read_fully(int descriptor, uint8_t* target, Py_ssize_t size, int64_t offset) noexcept nogil:
    """Fill *target* from *offset* of the file; False where the file ends before or the system refuses."""
    cdef Py_ssize_t got
    while size > 0:
        got = pread(descriptor, target, <size_t>size, offset)
        if got < 0 and errno == EINTR:
            continue
        if got <= 0:
            return False
        target += got
        offset += got
        size -= got
    return True

cdef inline Py_ssize_t find_name(const PackView* pack, const uint8_t* name) noexcept nogil:
    """Return the position of *name* among the names, or -1."""
    cdef Py_ssize_t low = pack.fanout[name[0] - 1] if name[0] else 0
    cdef Py_ssize_t high = pack.fanout[name[0]]
    cdef Py_ssize_t middle
    cdef int side
    while low < high:
        middle = (low + high) >> 1
        side = memcmp(pack.names + middle * pack.id_size, name, <size_t>pack.id_size)
        if side == 0:
            return middle
        if side < 0:
            low = middle + 1
        else:
            high = middle
    return -1

cdef inline Py_ssize_t first_after(const PackView* pack, Py_ssize_t low, uint64_t offset) noexcept nogil:
    """Return the first rank from *low* on whose offset is greater than *offset*; count where there is none."""
    cdef Py_ssize_t high = pack.count
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) >> 1
        if pack.offsets[middle] <= offset:
            low = middle + 1
        else:
            high = middle
    return low

cdef inline Py_ssize_t find_rank(const PackView* pack, Py_ssize_t high, uint64_t offset) noexcept nogil:
    """Return the first rank below *high* of the entry that starts at *offset*, or -1."""
    cdef Py_ssize_t low = 0, last = high
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) >> 1
        if pack.offsets[middle] < offset:
            low = middle + 1
        else:
            high = middle
    return low if low < last and pack.offsets[low] == offset else -1

cdef inline Py_ssize_t extent_of(const PackView* pack, Py_ssize_t rank) noexcept nogil:
    """Return the bytes from the start of an entry to the start of the next, or a PackFault."""
    cdef uint64_t start = pack.offsets[rank]
    cdef uint64_t stop = <uint64_t>pack.end
    cdef Py_ssize_t after = rank + 1
    if start < PACK_HEADER_SIZE or start >= stop:
        return ENTRY_OFFSET
    if rank and pack.offsets[rank - 1] == start:    # else a small index asks for one large object without end
        return ENTRY_SHARED
    if after < pack.count:
        if pack.offsets[after] == start:        # two names for one offset: a damaged index; do not scan, search
            after = first_after(pack, after, start)
        if after < pack.count and pack.offsets[after] < stop:
            stop = pack.offsets[after]
    return <Py_ssize_t>(stop - start)

cdef inline int parse_head(const PackView* pack, Py_ssize_t rank, const uint8_t* data, Py_ssize_t size,
                           EntryHead* head) noexcept nogil:
    """Interpret the first bytes of an entry; returns 0, BASE_ELSEWHERE (head is whole, base is -1), or a PackFault."""
    cdef Cursor cursor
    cdef uint64_t distance = 0
    cdef Py_ssize_t position
    cursor.here = data
    cursor.end = data + size
    head.base = -1
    head.base_id = NULL
    if take_entry_header(&cursor, &head.kind, &head.size) < 0 or head.size >> 62:
        return ENTRY_HEADER
    if head.kind == OFS_DELTA:
        if take_base_offset(&cursor, &distance) < 0:
            return ENTRY_HEADER
        if distance == 0 or distance >= pack.offsets[rank]:
            return ENTRY_BASE
        head.base = find_rank(pack, rank, pack.offsets[rank] - distance)
        if head.base < 0:
            return ENTRY_BASE
    elif head.kind == REF_DELTA:
        if cursor.end - cursor.here < pack.id_size:
            return ENTRY_HEADER
        head.base_id = cursor.here
        cursor.here += pack.id_size
        position = find_name(pack, head.base_id)
        head.base = pack.ranks[position] if position >= 0 else -1
    elif not 1 <= head.kind <= 4:
        return ENTRY_KIND
    head.length = cursor.here - data
    return BASE_ELSEWHERE if head.kind == REF_DELTA and head.base < 0 else 0

cdef inline int load_entry(const PackView* pack, Py_ssize_t rank, Py_ssize_t limit, Bytes* room, Py_ssize_t* extent,
                           EntryHead* head) noexcept nogil:
    """Read a whole entry into *room* and interpret its header; returns as `parse_head` does, or READ_FAILED, NO_MEMORY.

    *limit* bounds the compressed bytes that are read: what follows them cannot belong to an object within its limit.
    """
    extent[0] = extent_of(pack, rank)
    if extent[0] < 0:
        return <int>extent[0]
    if extent[0] > limit:
        extent[0] = limit
    if not grow(room, extent[0]):
        return NO_MEMORY
    if not read_fully(pack.descriptor, room.data, extent[0], <int64_t>pack.offsets[rank]):
        return READ_FAILED
    return parse_head(pack, rank, room.data, extent[0], head)
