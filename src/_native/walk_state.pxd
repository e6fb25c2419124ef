"""One worker of a decode-once walk: its struct, its stack of bases and the memory they may take.

Bases that do not fit the limit leave it, the shallowest first, since the walk comes back to those last: to the spill arena
where there is one, and when the walk comes back they are read from it or made again along their chain (`walk_decode.pxd`).
"""
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from arena cimport ARENA_REFUSED, Arena, arena_put_kind
from inflate_api cimport InflateApi
from pack_entry cimport Bytes, PackView
from pack_forest cimport Forest
from walk_plan cimport Plan

cdef enum:
    DONE = 0                    # nothing is left to claim
    BLOCK_FULL = 1              # the next object does not fit what is left of the block
    BLOCK_SMALL = 2             # the next object does not fit an empty block of this size
    SEGMENT_DONE = 3            # in order: a block never holds objects of two segments
    MOST_ITEMS = 1 << 16        # objects in a block

cdef struct Frame:              # one base on the way from a root to where the walk is
    int32_t rank
    uint8_t* data               # NULL: dropped
    Py_ssize_t size
    int64_t number              # which object of this worker it was; -1: it was not handed out
    bint owned                  # else data lies in the current block
    bint dead                   # it could not be decoded: neither can what hangs on it

cdef struct Gone:               # an entry that could not be decoded
    int32_t rank
    int32_t fault

cdef struct Walk:
    const PackView* pack        # these three belong to the forest's owner and do not change during a walk
    const Forest* forest
    Plan* plan
    InflateApi* api
    void* inflater
    Py_ssize_t at               # the next entry within the sequence
    Py_ssize_t stop             # where the claimed segment ends
    Py_ssize_t segment          # its number
    Frame* stack
    Py_ssize_t depth
    Py_ssize_t stack_room
    Py_ssize_t shallowest       # no frame below this one holds memory of its own
    Py_ssize_t live             # bytes of bases held outside of the block
    Py_ssize_t live_limit
    Py_ssize_t live_peak
    Py_ssize_t object_limit     # bytes of one object
    Arena* arena                # where dropped bases go; NULL: nowhere
    Py_ssize_t revived          # bases made again
    Py_ssize_t remade           # entries decoded once more for that
    Py_ssize_t spilled          # bases given to the arena
    Py_ssize_t spill_reads      # bases read from it
    Bytes compressed            # a piece of the pack
    int64_t piece_at            # where it starts in the pack
    int64_t piece_end           # how far it is filled
    Py_ssize_t piece_size       # how much is read at once
    Bytes delta
    int32_t* chain              # scratch of revive
    Py_ssize_t chain_room
    uint8_t* block              # owned by the door
    Py_ssize_t capacity
    Py_ssize_t used
    Py_ssize_t count            # objects in the block
    Py_ssize_t need             # after BLOCK_SMALL: the size that is needed
    int64_t handed              # objects handed out before this block
    int64_t* starts             # MOST_ITEMS each, by place in the block
    int64_t* ends
    int32_t* ranks
    bint with_deltas
    int64_t* delta_ends         # MOST_ITEMS each, with deltas only
    int64_t* bases
    Bytes deltas                # instructions of the block's objects, end to end
    Py_ssize_t deltas_used
    Gone* gone
    Py_ssize_t gone_count
    Py_ssize_t gone_room

cdef inline void drop(Walk* walk, Py_ssize_t at) noexcept nogil:
    if walk.stack[at].owned:
        walk.live -= walk.stack[at].size
        free(walk.stack[at].data)
    walk.stack[at].data = NULL
    walk.stack[at].owned = False

cdef inline void pop(Walk* walk) noexcept nogil:
    walk.depth -= 1
    drop(walk, walk.depth)
    walk.shallowest = min(walk.shallowest, walk.depth)

cdef inline bint push(Walk* walk, Frame frame) noexcept nogil:
    """False: out of memory."""
    cdef Frame* stack
    cdef Py_ssize_t room
    if walk.depth == walk.stack_room:
        room = 2 * walk.stack_room + 64
        stack = <Frame*>realloc(walk.stack, <size_t>room * sizeof(Frame))
        if stack is NULL:
            return False
        walk.stack = stack
        walk.stack_room = room
    walk.stack[walk.depth] = frame
    walk.depth += 1
    return True

cdef inline bint note(Walk* walk, int32_t rank, int fault) noexcept nogil:
    cdef Gone* gone
    cdef Py_ssize_t room
    if walk.gone_count == walk.gone_room:
        room = 2 * walk.gone_room + 64
        gone = <Gone*>realloc(walk.gone, <size_t>room * sizeof(Gone))
        if gone is NULL:
            return False
        walk.gone = gone
        walk.gone_room = room
    walk.gone[walk.gone_count] = Gone(rank=rank, fault=fault)
    walk.gone_count += 1
    return True

cdef inline const uint8_t* name_of_rank(const Walk* walk, int32_t rank) noexcept nogil:
    return walk.pack.names + <Py_ssize_t>walk.pack.order[rank] * walk.pack.id_size

cdef inline int64_t spill_kind(const Walk* walk) noexcept nogil:
    """Return a number of this pack for the arena: another pack may give the same name to other content."""
    return <int64_t><size_t>walk.pack.names

cdef inline void spill(Walk* walk, Py_ssize_t at) noexcept nogil:
    """Give the base at *at* to the arena; a refusal means that it will be made again."""
    cdef Frame* frame = &walk.stack[at]
    if walk.arena is not NULL and frame.data is not NULL:
        if arena_put_kind(
                walk.arena, name_of_rank(walk, frame.rank), spill_kind(walk), frame.data, frame.size) != ARENA_REFUSED:
            walk.spilled += 1

cdef inline void make_room(Walk* walk, Py_ssize_t size) noexcept nogil:
    """Let bases go until *size* bytes more fit the limit; never the one in use."""
    while walk.live + size > walk.live_limit and walk.shallowest < walk.depth - 1:
        if walk.stack[walk.shallowest].owned:
            spill(walk, walk.shallowest)
            drop(walk, walk.shallowest)
        walk.shallowest += 1

cdef inline void count_live(Walk* walk, Py_ssize_t size) noexcept nogil:
    walk.live += size
    walk.live_peak = max(walk.live_peak, walk.live)

cdef inline uint8_t* take(Walk* walk, Py_ssize_t size) noexcept nogil:
    """Allocate for a base, dropping the shallowest others where the limit asks for it; NULL: out of memory."""
    cdef uint8_t* data
    make_room(walk, size)
    data = <uint8_t*>malloc(<size_t>(size if size else 1))
    if data is not NULL:
        count_live(walk, size)
    return data

cdef inline void leave_block(Walk* walk) noexcept nogil:
    """Copy the bases that lie in the block out of it, the deepest first; what does not fit the limit goes."""
    cdef Py_ssize_t i
    cdef uint8_t* copied
    for i in range(walk.depth - 1, -1, -1):
        if walk.stack[i].data is NULL or walk.stack[i].owned:
            continue
        copied = NULL
        if walk.live + walk.stack[i].size <= walk.live_limit:
            copied = <uint8_t*>malloc(<size_t>(walk.stack[i].size if walk.stack[i].size else 1))
        if copied is not NULL:
            memcpy(copied, walk.stack[i].data, <size_t>walk.stack[i].size)
            count_live(walk, walk.stack[i].size)
            walk.stack[i].owned = True
            walk.shallowest = min(walk.shallowest, i)
        else:
            spill(walk, i)
        walk.stack[i].data = copied

cdef inline bint room_in_chain(Walk* walk, Py_ssize_t length) noexcept nogil:
    cdef int32_t* chain
    cdef Py_ssize_t room
    if length < walk.chain_room:
        return True
    room = 2 * walk.chain_room + 64
    chain = <int32_t*>realloc(walk.chain, <size_t>room * sizeof(int32_t))
    if chain is NULL:
        return False
    walk.chain = chain
    walk.chain_room = room
    return True

cdef inline bint open_columns(Walk* walk, bint with_deltas) noexcept nogil:
    """Allocate what a block is described in; False: out of memory."""
    walk.with_deltas = with_deltas
    walk.starts = <int64_t*>malloc(MOST_ITEMS * sizeof(int64_t))
    walk.ends = <int64_t*>malloc(MOST_ITEMS * sizeof(int64_t))
    walk.ranks = <int32_t*>malloc(MOST_ITEMS * sizeof(int32_t))
    if with_deltas:
        walk.delta_ends = <int64_t*>malloc(MOST_ITEMS * sizeof(int64_t))
        walk.bases = <int64_t*>malloc(MOST_ITEMS * sizeof(int64_t))
        if walk.delta_ends is NULL or walk.bases is NULL:
            return False
    return walk.starts is not NULL and walk.ends is not NULL and walk.ranks is not NULL

cdef inline void close_walk(Walk* walk) noexcept nogil:
    """Free everything but the block."""
    while walk.depth:
        pop(walk)
    if walk.api is not NULL:
        walk.api.close(walk.inflater)
    free(walk.stack)
    free(walk.chain)
    free(walk.compressed.data)
    free(walk.delta.data)
    free(walk.starts)
    free(walk.ends)
    free(walk.ranks)
    free(walk.delta_ends)
    free(walk.bases)
    free(walk.deltas.data)
    free(walk.gone)
