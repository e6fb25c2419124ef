"""The decode-once walk as leaves over one struct: no Python object, no GIL.  `pack_walk.pyx` is the door.

Depth first from the roots, so that a base is in memory exactly while its children are decoded.  Bases that do not fit
the limit are dropped, the shallowest first, and made again along their chain when the walk comes back to them.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from delta_ops cimport apply_delta, measure_delta
from inflate_api cimport InflateApi, is_plausible
from pack_entry cimport Bytes, EntryHead, PackView, grow, load_entry
from pack_faults cimport BASE_UNREADABLE, ENTRY_BASE, ENTRY_IMPLAUSIBLE, NO_MEMORY, TOO_LARGE
from pack_forest cimport NEEDED, WANTED, Forest

cdef enum:
    DONE = 0                    # the walk is over
    BLOCK_FULL = 1              # the next object does not fit what is left of the block
    BLOCK_SMALL = 2             # the next object does not fit an empty block of this size
    MOST_ITEMS = 1 << 16        # objects in a block
    SCRATCH_KEPT = 4 << 20      # bytes of a scratch buffer that outlive an object
    COMPRESSED_ROOM = 1 << 16   # a stream may be longer than its content by its framing

cdef struct Frame:              # one base on the way from a root to where the walk is
    int32_t rank
    int32_t child               # the next child to decode; -1: none left
    uint8_t* data               # NULL: dropped
    Py_ssize_t size
    bint owned                  # else data lies in the current block
    bint dead                   # it could not be decoded: neither can what hangs on it

cdef struct Gone:               # an entry that could not be decoded
    int32_t rank
    int32_t fault

cdef struct Walk:
    PackView pack
    Forest forest
    InflateApi* api
    void* inflater
    Frame* stack
    Py_ssize_t depth
    Py_ssize_t stack_room
    Py_ssize_t root             # first rank whose tree is not walked yet
    Py_ssize_t shallowest       # no frame below this one holds memory of its own
    Py_ssize_t live             # bytes of bases held outside of the block
    Py_ssize_t live_limit
    Py_ssize_t live_peak
    Py_ssize_t object_limit     # bytes of one object
    Py_ssize_t revived          # bases made again
    Bytes compressed
    Bytes delta
    int32_t* chain              # scratch of revive
    Py_ssize_t chain_room
    uint8_t* block              # owned by the door
    Py_ssize_t capacity
    Py_ssize_t used
    Py_ssize_t count            # objects in the block
    Py_ssize_t need             # after BLOCK_SMALL: the size that is needed
    int64_t* starts             # MOST_ITEMS each, by place in the block
    int64_t* ends
    int32_t* ranks
    Gone* gone
    Py_ssize_t gone_count
    Py_ssize_t gone_room

cdef inline int run(Walk* walk) noexcept nogil:
    """Fill the block; DONE, BLOCK_FULL, BLOCK_SMALL, or NO_MEMORY."""
    cdef int status
    while True:
        if walk.count == MOST_ITEMS:
            return BLOCK_FULL
        if walk.depth:
            status = enter(walk, walk.stack[walk.depth - 1].child, walk.depth - 1)
        else:
            while walk.root < walk.pack.count and (
                    walk.forest.parents[walk.root] >= 0 or not walk.forest.state[walk.root] & NEEDED):
                walk.root += 1
            if walk.root == walk.pack.count:
                return DONE
            status = enter(walk, <int32_t>walk.root, -1)
            if status == 0:
                walk.root += 1
        if status != 0:
            return status

cdef inline int enter(Walk* walk, int32_t rank, Py_ssize_t parent) noexcept nogil:
    """Decode one entry, hand it out where wanted, and stand on it where it has children; 0, or as `run`."""
    cdef Frame frame
    cdef int status = 0
    frame = Frame(rank=rank, child=walk.forest.first[rank], data=NULL, size=0, owned=False, dead=False)
    if not room_for_frame(walk):
        return NO_MEMORY
    if parent >= 0 and walk.stack[parent].dead:
        status = BASE_UNREADABLE
    elif parent >= 0 and walk.stack[parent].data is NULL:
        status = revive(walk, parent)
    if status == 0:
        status = decode(walk, &frame, parent)
    if status > 0 or status == NO_MEMORY:
        return status
    if status < 0:
        frame.dead = True
        frame.data = NULL
        if walk.forest.state[rank] & WANTED and not note(walk, rank, status):
            return NO_MEMORY
    elif walk.forest.state[rank] & WANTED:
        walk.starts[walk.count] = walk.used
        walk.used += frame.size
        walk.ends[walk.count] = walk.used
        walk.ranks[walk.count] = rank
        walk.count += 1
    advance(walk, parent, rank)
    if frame.child >= 0:
        walk.stack[walk.depth] = frame
        walk.depth += 1
    elif frame.owned:
        walk.live -= frame.size
        free(frame.data)
    return 0

cdef inline void advance(Walk* walk, Py_ssize_t parent, int32_t rank) noexcept nogil:
    """Step to the next child; a base without one leaves before its last child is descended into."""
    if parent >= 0:
        walk.stack[parent].child = walk.forest.next[rank]
        if walk.stack[parent].child < 0:
            pop(walk)

cdef inline void pop(Walk* walk) noexcept nogil:
    walk.depth -= 1
    drop(walk, walk.depth)
    walk.shallowest = min(walk.shallowest, walk.depth)

cdef inline void drop(Walk* walk, Py_ssize_t at) noexcept nogil:
    if walk.stack[at].owned:
        walk.live -= walk.stack[at].size
        free(walk.stack[at].data)
    walk.stack[at].data = NULL
    walk.stack[at].owned = False

cdef inline bint room_for_frame(Walk* walk) noexcept nogil:
    cdef Frame* stack
    cdef Py_ssize_t room
    if walk.depth < walk.stack_room:
        return True
    room = 2 * walk.stack_room + 64
    stack = <Frame*>realloc(walk.stack, <size_t>room * sizeof(Frame))
    if stack is NULL:
        return False
    walk.stack = stack
    walk.stack_room = room
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

cdef inline int decode(Walk* walk, Frame* frame, Py_ssize_t parent) noexcept nogil:
    """Fill *frame* with the content of its entry; 0, BLOCK_FULL, BLOCK_SMALL, or a PackFault."""
    cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
    cdef Py_ssize_t extent = 0, body = 0, size, used
    cdef Frame* base = &walk.stack[parent] if parent >= 0 else NULL
    cdef int status = open_entry(walk, frame.rank, &head, &extent)
    if status < 0:
        return status
    if base is NULL:
        size = <Py_ssize_t>head.size
    else:
        size = open_delta(walk, &head, extent, base.size, &body)
    if size < 0:
        return <int>size
    status = place(walk, frame, size)
    if status != 0:
        return status
    if base is not NULL:
        apply_delta(base.data, base.size, walk.delta.data, <Py_ssize_t>head.size, body, frame.data, size)
        return 0
    used = walk.api.run(
        walk.inflater, walk.compressed.data + head.length, extent - head.length, frame.data, size)
    if used < 0 and frame.owned:
        walk.live -= size
        free(frame.data)
        frame.owned = False
    return <int>used if used < 0 else 0

cdef inline int open_entry(Walk* walk, int32_t rank, EntryHead* head, Py_ssize_t* extent) noexcept nogil:
    """Read an entry and hold its stated size to the limits; 0 or a PackFault."""
    cdef int status
    if walk.compressed.size > SCRATCH_KEPT:
        free(walk.compressed.data)
        walk.compressed = Bytes(data=NULL, size=0)
    if walk.delta.size > SCRATCH_KEPT:
        free(walk.delta.data)
        walk.delta = Bytes(data=NULL, size=0)
    status = load_entry(&walk.pack, rank, walk.object_limit + (walk.object_limit >> 8) + COMPRESSED_ROOM,
                        &walk.compressed, extent, head)
    if status < 0:
        return status
    if head.base != walk.forest.parents[rank]:     # the file changed under the walk
        return ENTRY_BASE
    if <Py_ssize_t>head.size > walk.object_limit:
        return TOO_LARGE
    return 0 if is_plausible(<Py_ssize_t>head.size, extent[0] - head.length) else ENTRY_IMPLAUSIBLE

cdef inline Py_ssize_t open_delta(Walk* walk, const EntryHead* head, Py_ssize_t extent, Py_ssize_t base_size,
                                  Py_ssize_t* body) noexcept nogil:
    """Inflate the delta that was read and prove it; the size of its result, or a PackFault."""
    cdef Py_ssize_t used, size
    if not grow(&walk.delta, <Py_ssize_t>head.size + 1):
        return NO_MEMORY
    used = walk.api.run(walk.inflater, walk.compressed.data + head.length, extent - head.length,
                        walk.delta.data, <Py_ssize_t>head.size)
    if used < 0:
        return used
    size = measure_delta(walk.delta.data, <Py_ssize_t>head.size, base_size, body)
    return TOO_LARGE if size > walk.object_limit else size

cdef inline int place(Walk* walk, Frame* frame, Py_ssize_t size) noexcept nogil:
    """Choose where the content goes: the block where it is handed out, else memory of its own."""
    frame.size = size
    if walk.forest.state[frame.rank] & WANTED:
        if size > walk.capacity - walk.used:
            walk.need = size
            return BLOCK_FULL if walk.count else BLOCK_SMALL
        frame.data = walk.block + walk.used
        return 0
    frame.data = take(walk, size)
    frame.owned = frame.data is not NULL
    return 0 if frame.owned else NO_MEMORY

cdef inline uint8_t* take(Walk* walk, Py_ssize_t size) noexcept nogil:
    """Allocate for a base, dropping the shallowest others where the limit asks for it; never the one in use."""
    cdef uint8_t* data
    make_room(walk, size)
    data = <uint8_t*>malloc(<size_t>(size if size else 1))
    if data is not NULL:
        walk.live += size
        walk.live_peak = max(walk.live_peak, walk.live)
    return data

cdef inline void make_room(Walk* walk, Py_ssize_t size) noexcept nogil:
    while walk.live + size > walk.live_limit and walk.shallowest < walk.depth - 1:
        if walk.stack[walk.shallowest].owned:
            drop(walk, walk.shallowest)
        walk.shallowest += 1

cdef inline void leave_block(Walk* walk) noexcept nogil:
    """Copy the bases that lie in the block out of it, the deepest first; what does not fit the limit is dropped."""
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
            walk.live += walk.stack[i].size
            walk.stack[i].owned = True
            walk.shallowest = min(walk.shallowest, i)
        walk.stack[i].data = copied
    walk.live_peak = max(walk.live_peak, walk.live)

cdef inline int revive(Walk* walk, Py_ssize_t at) noexcept nogil:
    """Make the dropped base at *at* again, from the nearest one that is live or from the root; 0 or a PackFault."""
    cdef Py_ssize_t above = at - 1, length = 0
    cdef int32_t rank = walk.stack[at].rank
    cdef Frame current = Frame(rank=-1, child=-1, data=NULL, size=0, owned=False, dead=False)
    cdef int status
    while True:
        if not room_in_chain(walk, length):
            return NO_MEMORY
        walk.chain[length] = rank
        length += 1
        rank = walk.forest.parents[rank]
        if rank < 0:
            break
        if above >= 0 and walk.stack[above].rank == rank:
            if walk.stack[above].data is not NULL:
                current = walk.stack[above]
                current.owned = False
                break
            above -= 1
    while length > 0:
        length -= 1
        status = remake(walk, walk.chain[length], &current)
        if status < 0:
            return status
    make_room(walk, current.size)
    walk.live += current.size
    walk.live_peak = max(walk.live_peak, walk.live)
    walk.stack[at].data = current.data
    walk.stack[at].size = current.size
    walk.stack[at].owned = True
    walk.shallowest = min(walk.shallowest, at)
    walk.revived += 1
    return 0

cdef inline int remake(Walk* walk, int32_t rank, Frame* current) noexcept nogil:
    """Decode one entry of a chain against *current*, which it replaces; on a fault *current* is freed."""
    cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
    cdef Py_ssize_t extent = 0, body = 0, size
    cdef uint8_t* made = NULL
    cdef int status = open_entry(walk, rank, &head, &extent)
    size = status if status < 0 else <Py_ssize_t>head.size
    if status == 0 and current.data is not NULL:
        size = open_delta(walk, &head, extent, current.size, &body)
    if size >= 0:
        made = <uint8_t*>malloc(<size_t>(size if size else 1))
        status = 0 if made is not NULL else NO_MEMORY
        if made is not NULL and current.data is not NULL:
            apply_delta(current.data, current.size, walk.delta.data, <Py_ssize_t>head.size, body, made, size)
        elif made is not NULL:
            status = <int>min(0, walk.api.run(
                walk.inflater, walk.compressed.data + head.length, extent - head.length, made, size))
    else:
        status = <int>size
    if current.owned:
        free(current.data)
    if status < 0:
        free(made)
        made = NULL
    current.data = made
    current.size = size
    current.owned = made is not NULL
    return status

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
    free(walk.gone)
