"""How a worker makes the content of an entry: inflate, apply to the base at hand, or bring dropped bases back."""
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc

from arena cimport arena_find_kind, arena_read
from delta_ops cimport apply_delta, measure_delta
from inflate_api cimport is_plausible
from pack_entry cimport Bytes, grow
from pack_faults cimport ENTRY_IMPLAUSIBLE, NO_MEMORY, TOO_LARGE
from walk_read cimport read_entry
from walk_plan cimport WANTED
from walk_state cimport (
    BLOCK_FULL, BLOCK_SMALL, Frame, Walk, count_live, make_room, name_of_rank, room_in_chain, spill_kind, take,
)

cdef enum:
    SCRATCH_KEPT = 4 << 20      # bytes of a scratch buffer that outlive an object

cdef struct Opening:            # an entry as it lies in the scratch of its worker
    const uint8_t* stream       # its compressed content
    Py_ssize_t room             # bytes it may take at most
    Py_ssize_t size             # what it inflates to

cdef struct Opened:             # a delta in the scratch of its worker
    Py_ssize_t body             # where its instructions start
    Py_ssize_t size             # where they end

cdef inline int decode(Walk* walk, Frame* frame, Py_ssize_t parent, Opened* opened) noexcept nogil:
    """Fill *frame* with the content of its entry; 0, BLOCK_FULL, BLOCK_SMALL, or a PackFault."""
    cdef Opening entry = Opening(stream=NULL, room=0, size=0)
    cdef Py_ssize_t size, used
    cdef Frame* base = &walk.stack[parent] if parent >= 0 else NULL
    cdef int status = open_entry(walk, frame.rank, &entry)
    opened.body = opened.size = 0
    if status < 0:
        return status
    size = entry.size if base is NULL else open_delta(walk, &entry, base.size, opened)
    if size < 0:
        return <int>size
    status = place(walk, frame, size)
    if status != 0:
        return status
    if base is not NULL:
        apply_delta(base.data, base.size, walk.delta.data, opened.size, opened.body, frame.data, size)
        return 0
    used = walk.api.run(walk.inflater, entry.stream, entry.room, frame.data, size)
    if used < 0 and frame.owned:
        walk.live -= size
        free(frame.data)
        frame.owned = False
    return <int>used if used < 0 else 0

cdef inline int open_entry(Walk* walk, int32_t rank, Opening* entry) noexcept nogil:
    """Read an entry and hold its stated size to the limits; 0 or a PackFault. It lasts until the next one is read."""
    cdef int status
    if walk.delta.size > SCRATCH_KEPT:
        free(walk.delta.data)
        walk.delta = Bytes(data=NULL, size=0)
    status = read_entry(walk, rank, &entry.stream, &entry.room, &entry.size)
    if status < 0:
        return status
    if entry.size > walk.object_limit:
        return TOO_LARGE
    return 0 if is_plausible(entry.size, entry.room) else ENTRY_IMPLAUSIBLE

cdef inline Py_ssize_t open_delta(Walk* walk, const Opening* entry, Py_ssize_t base_size, Opened* opened) noexcept nogil:
    """Inflate the delta that was read and prove it; the size of its result, or a PackFault."""
    cdef Py_ssize_t used, size
    if not grow(&walk.delta, entry.size + 1):
        return NO_MEMORY
    used = walk.api.run(walk.inflater, entry.stream, entry.room, walk.delta.data, entry.size)
    if used < 0:
        return used
    opened.size = entry.size
    size = measure_delta(walk.delta.data, opened.size, base_size, &opened.body)
    return TOO_LARGE if size > walk.object_limit else size

cdef inline int place(Walk* walk, Frame* frame, Py_ssize_t size) noexcept nogil:
    """Choose where the content goes: the block where it is handed out, else memory of its own."""
    frame.size = size
    if walk.plan.state[frame.rank] & WANTED:
        if size > walk.capacity - walk.used:
            walk.need = size
            return BLOCK_FULL if walk.count else BLOCK_SMALL
        frame.data = walk.block + walk.used
        return 0
    frame.data = take(walk, size)
    frame.owned = frame.data is not NULL
    return 0 if frame.owned else NO_MEMORY

cdef inline int revive(Walk* walk, Py_ssize_t at) noexcept nogil:
    """Bring the dropped base at *at* back: from the arena, or made again from the nearest one that is at hand, or from the
    root; 0 or a PackFault.

    Bases on the way that the walk comes back to are kept where they fit, at distances that double: else a deep chain
    of dropped bases would cost its length for each of them.
    """
    cdef Py_ssize_t above = at - 1, length = 0
    cdef int32_t rank = walk.stack[at].rank
    cdef Frame current = Frame(rank=-1, data=NULL, size=0, number=-1, owned=False, dead=False)
    cdef int status
    while not fetch(walk, rank, &current):
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
    above += 1
    if above < at and walk.stack[above].rank == rank:   # it came from the arena
        above += 1
    walk.revived += length > 0
    while length > 0:
        length -= 1
        status = remake(walk, walk.chain[length], &current)
        if status < 0:
            while status != NO_MEMORY and above <= at:
                walk.stack[above].dead = True   # what hangs on it is lost too: do not try again
                above += 1
            return status
        if above < at and walk.stack[above].rank == walk.chain[length]:
            if is_power_of_two(at - above) and walk.live + current.size <= walk.live_limit >> 1:
                settle(walk, above, &current)
                current.owned = False
            above += 1
    make_room(walk, current.size)
    settle(walk, at, &current)
    return 0

cdef inline bint fetch(Walk* walk, int32_t rank, Frame* found) noexcept nogil:
    """Whether the arena holds the content of an entry; if so *found* owns a copy."""
    cdef int64_t offset = 0, size = 0
    cdef uint8_t* data
    if walk.arena is NULL or not arena_find_kind(walk.arena, name_of_rank(walk, rank), spill_kind(walk), &offset, &size):
        return False
    data = <uint8_t*>malloc(<size_t>(size if size else 1))
    if data is NULL or not arena_read(walk.arena, offset, data, size):
        free(data)
        return False
    found.data = data
    found.size = size
    found.owned = True
    walk.spill_reads += 1
    return True

cdef inline bint is_power_of_two(Py_ssize_t distance) noexcept nogil:
    return distance & (distance - 1) == 0

cdef inline void settle(Walk* walk, Py_ssize_t at, const Frame* made) noexcept nogil:
    """Give the dropped frame at *at* the memory of *made*."""
    count_live(walk, made.size)
    walk.stack[at].data = made.data
    walk.stack[at].size = made.size
    walk.stack[at].owned = True
    walk.shallowest = min(walk.shallowest, at)

cdef inline int remake(Walk* walk, int32_t rank, Frame* current) noexcept nogil:
    """Decode one entry of a chain against *current*, which it replaces; on a fault *current* is freed."""
    cdef Opening entry = Opening(stream=NULL, room=0, size=0)
    cdef Opened opened = Opened(body=0, size=0)
    cdef uint8_t* made = NULL
    cdef int status = open_entry(walk, rank, &entry)
    cdef Py_ssize_t size = status if status < 0 else entry.size
    walk.remade += 1
    if status == 0 and current.data is not NULL:
        size = open_delta(walk, &entry, current.size, &opened)
    if size >= 0:
        made = <uint8_t*>malloc(<size_t>(size if size else 1))
        status = 0 if made is not NULL else NO_MEMORY
        if made is not NULL and current.data is not NULL:
            apply_delta(current.data, current.size, walk.delta.data, opened.size, opened.body, made, size)
        elif made is not NULL:
            status = <int>min(0, walk.api.run(walk.inflater, entry.stream, entry.room, made, size))
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
