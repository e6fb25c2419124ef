"""The walk of one worker: claim segments, decode each entry once, hand out what is wanted.

Depth first from the roots, so that a base is in memory exactly while its children are decoded.
"""
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from pack_faults cimport BASE_UNREADABLE, NO_MEMORY
from walk_decode cimport Opened, decode, revive
from walk_plan cimport LAST, WANTED, claim_segment
from walk_state cimport BLOCK_FULL, DONE, MOST_ITEMS, SEGMENT_DONE, Frame, Walk, note, pop, push

cdef inline int run(Walk* walk, bint in_order) noexcept nogil:
    """Fill the block; DONE, BLOCK_FULL, BLOCK_SMALL, SEGMENT_DONE (only *in_order*), or NO_MEMORY."""
    cdef int status
    while True:
        if walk.count == MOST_ITEMS:
            return BLOCK_FULL
        if walk.at == walk.stop:
            if not begin_segment(walk):
                return NO_MEMORY
            if walk.segment < 0:
                return DONE
        status = enter(walk, walk.plan.sequence[walk.at])
        if status != 0:
            return status
        walk.at += 1
        if in_order and walk.at == walk.stop:
            return SEGMENT_DONE

cdef inline bint begin_segment(Walk* walk) noexcept nogil:
    """Claim a segment and stand below the bases of its first entry; False: out of memory.

    Where it follows the one before, they are at hand; but none of them counts as handed out, as for any other worker.
    """
    cdef Py_ssize_t low, high, before = walk.stop
    walk.segment = claim_segment(walk.plan, &walk.at, &walk.stop)
    if walk.segment >= 0 and walk.at == before:
        for low in range(walk.depth):
            walk.stack[low].number = -1
        return True
    while walk.depth:
        pop(walk)
    if walk.segment < 0:
        return True
    if not stand_below(walk, walk.plan.sequence[walk.at]):
        return False
    low, high = 0, walk.depth - 1
    while low < high:
        walk.stack[low], walk.stack[high] = walk.stack[high], walk.stack[low]
        low += 1
        high -= 1
    return True

cdef inline bint stand_below(Walk* walk, int32_t rank) noexcept nogil:
    """Push the bases that an entry and what follows it need, none of them live, the deepest first."""
    cdef int32_t base
    cdef bint needed = True     # the base of the first entry is; those above it only if they have children left
    while True:
        base = walk.forest.parents[rank]
        if base < 0:
            break
        if needed or not walk.plan.state[rank] & LAST:
            if not push(walk, Frame(rank=base, data=NULL, size=0, number=-1, owned=False, dead=False)):
                return False
        needed = False
        rank = base
    return True

cdef inline int enter(Walk* walk, int32_t rank) noexcept nogil:
    """Decode one entry, hand it out where wanted, and stand on it where it has children; 0, or as `run`."""
    cdef Frame frame = Frame(rank=rank, data=NULL, size=0, number=-1, owned=False, dead=False)
    cdef Py_ssize_t parent = walk.depth - 1 if walk.forest.parents[rank] >= 0 else -1
    cdef bint wanted = walk.plan.state[rank] & WANTED != 0
    cdef Opened opened = Opened(body=0, size=0)
    cdef int status = 0
    if parent >= 0 and walk.stack[parent].dead:
        status = BASE_UNREADABLE
    elif parent >= 0 and walk.stack[parent].data is NULL:
        status = revive(walk, parent)
        if status < 0 and status != NO_MEMORY:
            status = BASE_UNREADABLE
    if status == 0:
        status = decode(walk, &frame, parent, &opened)
    if status == 0 and wanted:
        status = hand_out(walk, &frame, parent, &opened)
    if status > 0 or status == NO_MEMORY:
        return status
    if status < 0:
        frame.dead = True
        frame.data = NULL
        if wanted and not note(walk, rank, status):
            return NO_MEMORY
    if parent >= 0 and walk.plan.state[rank] & LAST:
        pop(walk)               # a base leaves before its last child is descended into
    if walk.at + 1 < walk.plan.needed and walk.forest.parents[walk.plan.sequence[walk.at + 1]] == rank:
        if not push(walk, frame):
            return NO_MEMORY
    elif frame.owned:
        walk.live -= frame.size
        free(frame.data)
    return 0

cdef inline int hand_out(Walk* walk, Frame* frame, Py_ssize_t parent, const Opened* opened) noexcept nogil:
    """Add what was decoded into the block to its columns; 0, BLOCK_FULL or NO_MEMORY."""
    cdef int64_t base = walk.stack[parent].number if parent >= 0 else -1
    cdef int status
    if walk.with_deltas:
        status = keep_delta(walk, opened, base)
        if status != 0:
            return status
    walk.starts[walk.count] = walk.used
    walk.used += frame.size
    walk.ends[walk.count] = walk.used
    walk.ranks[walk.count] = frame.rank
    frame.number = walk.handed + walk.count
    walk.count += 1
    return 0

cdef inline int keep_delta(Walk* walk, const Opened* opened, int64_t base) noexcept nogil:
    """Append the instructions of an object whose base was handed out; 0, BLOCK_FULL or NO_MEMORY."""
    cdef Py_ssize_t size = opened.size - opened.body if base >= 0 else 0
    cdef Py_ssize_t room
    cdef void* grown
    if walk.deltas_used + size > walk.deltas.size:
        if walk.count and walk.deltas_used + size > walk.capacity:  # they may not outgrow the block
            return BLOCK_FULL
        room = 2 * (walk.deltas_used + size) + 4096
        grown = realloc(walk.deltas.data, <size_t>room)
        if grown is NULL:
            return NO_MEMORY
        walk.deltas.data = <unsigned char*>grown
        walk.deltas.size = room
    if size:
        memcpy(walk.deltas.data + walk.deltas_used, walk.delta.data + opened.body, <size_t>size)
    walk.deltas_used += size
    walk.delta_ends[walk.count] = walk.deltas_used
    walk.bases[walk.count] = base
    return 0
