"""How a worker reads entries: through a piece of the pack that follows the walk.

Entries of one family of deltas lie close together (git pack-objects writes them so), and most take a few hundred bytes: one
read for each would cost as much as inflating it. On git/git pieces of 2 KiB save three reads in five.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp

from cursor cimport Cursor, take_base_offset, take_entry_header
from pack_entry cimport OFS_DELTA, REF_DELTA, Bytes, extent_of, grow, read_fully
from pack_faults cimport ENTRY_BASE, ENTRY_HEADER, NO_MEMORY, READ_FAILED
from walk_state cimport Walk, name_of_rank

cdef enum:
    SMALLEST_PIECE = 1 << 11    # bytes read at once where the walk jumps
    LARGEST_PIECE = 1 << 16     # where it goes straight on
    PIECE_KEPT = 4 << 20        # bytes of memory for a piece that outlive an object
    COMPRESSED_ROOM = 1 << 16   # a stream may be longer than its content by its framing

cdef inline int read_entry(Walk* walk, int32_t rank, const uint8_t** stream, Py_ssize_t* room, Py_ssize_t* size) noexcept nogil:
    """Point *stream* at the compressed content of an entry, of *room* bytes at most, and tell what it inflates to.

    0 or a PackFault, ENTRY_BASE where the file does not say any more what the forest was made from.
    """
    cdef Py_ssize_t extent = extent_of(walk.pack, rank)
    cdef Cursor cursor
    if extent < 0:
        return <int>extent
    # What follows the bytes that an object within its limit can take cannot belong to it.
    extent = min(extent, walk.object_limit + (walk.object_limit >> 8) + COMPRESSED_ROOM)
    cursor.here = find_piece(walk, <int64_t>walk.pack.offsets[rank], extent)
    if cursor.here is NULL:
        return NO_MEMORY if walk.compressed.data is NULL else READ_FAILED
    cursor.end = cursor.here + extent
    stream[0] = NULL
    return check_head(walk, rank, &cursor, stream, room, size)

cdef inline const uint8_t* find_piece(Walk* walk, int64_t offset, Py_ssize_t size) noexcept nogil:
    """Return *size* bytes of the pack, read now if they are not at hand; NULL: no memory (then there is no piece), or
    the file does not give them."""
    cdef int64_t wanted
    if offset >= walk.piece_at and offset + size <= walk.piece_end:
        return walk.compressed.data + (offset - walk.piece_at)
    if walk.piece_at <= offset <= walk.piece_end + walk.piece_size:
        walk.piece_size = min(2 * walk.piece_size, <Py_ssize_t>LARGEST_PIECE)
    else:
        walk.piece_size = SMALLEST_PIECE
    wanted = max(<int64_t>size, min(<int64_t>walk.piece_size, walk.pack.end - offset))
    walk.piece_at = walk.piece_end = 0
    if walk.compressed.size > PIECE_KEPT and wanted <= PIECE_KEPT:
        free(walk.compressed.data)
        walk.compressed = Bytes(data=NULL, size=0)
    if not grow(&walk.compressed, <Py_ssize_t>wanted):
        return NULL
    if not read_fully(walk.pack.descriptor, walk.compressed.data, <Py_ssize_t>wanted, offset):
        if wanted == size or not read_fully(walk.pack.descriptor, walk.compressed.data, size, offset):
            return NULL
        wanted = size           # the file was cut behind this entry
    walk.piece_at = offset
    walk.piece_end = offset + wanted
    return walk.compressed.data

cdef inline int check_head(Walk* walk, int32_t rank, Cursor* cursor, const uint8_t** stream, Py_ssize_t* room,
                           Py_ssize_t* size) noexcept nogil:
    """Take the header of an entry again, and hold its base to the one that is known."""
    cdef int32_t base = walk.forest.parents[rank]
    cdef uint64_t stated = 0, distance = 0
    cdef int kind = 0
    if take_entry_header(cursor, &kind, &stated) < 0 or stated >> 62:
        return ENTRY_HEADER
    if kind == OFS_DELTA:
        if take_base_offset(cursor, &distance) < 0:
            return ENTRY_HEADER
        if base < 0 or distance > walk.pack.offsets[rank] or walk.pack.offsets[base] != walk.pack.offsets[rank] - distance:
            return ENTRY_BASE
    elif kind == REF_DELTA:
        if cursor.end - cursor.here < walk.pack.id_size:
            return ENTRY_HEADER
        if base < 0 or memcmp(cursor.here, name_of_rank(walk, base), <size_t>walk.pack.id_size) != 0:
            return ENTRY_BASE
        cursor.here += walk.pack.id_size
    elif base >= 0 or kind != walk.forest.kinds[rank]:
        return ENTRY_BASE
    stream[0] = cursor.here
    room[0] = cursor.end - cursor.here
    size[0] = <Py_ssize_t>stated
    return 0
