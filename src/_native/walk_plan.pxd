"""What a walk hands out and in which order: needed entries depth first, cut into segments that workers claim.

A segment is a run of that order.  It may begin inside a tree of deltas: whoever claims it then makes the bases above its
first entry again, so cuts lie at roots where they can, and deep ones only where the segment is long against its detour.
"""
from cpython.pythread cimport PyThread_acquire_lock, PyThread_release_lock, PyThread_type_lock, WAIT_LOCK
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc

from pack_forest cimport Forest

cdef enum:
    WANTED = 1                  # state: to be handed out
    NEEDED = 2                  # state: wanted, or a base of what is
    LAST = 4                    # state: no needed entry with the same base comes later
    CUT = 8                     # state: a segment starts here
    DETOUR = 16                 # a segment makes at least this many objects for each base it has to make again

cdef struct Plan:
    uint8_t* state              # by rank: WANTED, NEEDED, LAST, CUT
    int32_t* sequence           # ranks of needed entries, depth first
    int32_t* children           # by rank: later wanted entries of the same segment with this base; NULL: not asked for
    Py_ssize_t needed           # length of the sequence
    Py_ssize_t claimed          # how much of it somebody has taken; under the lock
    Py_ssize_t segments         # how many were claimed; under the lock
    PyThread_type_lock lock

cdef struct Links:              # while a plan is made
    int32_t* first              # by rank: first needed child, -1 for none; later the place in the sequence
    int32_t* next               # by rank: next needed child of the same base, -1 for none

cdef inline void close_plan(Plan* plan) noexcept nogil:
    """Free everything but the lock."""
    free(plan.state)
    free(plan.sequence)
    free(plan.children)
    plan.state = NULL
    plan.sequence = NULL
    plan.children = NULL
    plan.needed = plan.claimed = plan.segments = 0

cdef inline bint make_plan(Plan* plan, const Forest* forest, Py_ssize_t count, const uint8_t* wanted,
                           int64_t segment_bytes, bint with_children) noexcept nogil:
    """Order the entries whose byte in *wanted* is not 0 and their bases, in segments of about *segment_bytes* of content.

    False: out of memory. It holds 5 bytes an entry, 9 with children; 8 more while it works. Linear in time.
    """
    cdef Links links
    cdef size_t room = <size_t>(count if count else 1)
    cdef bint done = False
    close_plan(plan)
    links.first = <int32_t*>malloc(room * sizeof(int32_t))
    links.next = <int32_t*>malloc(room * sizeof(int32_t))
    plan.state = <uint8_t*>calloc(room, 1)
    if links.first is not NULL and links.next is not NULL and plan.state is not NULL:
        plan.needed = mark_needed(plan, forest, count, wanted)
        plan.sequence = <int32_t*>malloc(<size_t>(plan.needed if plan.needed else 1) * sizeof(int32_t))
        if with_children:
            plan.children = <int32_t*>calloc(room, sizeof(int32_t))
        done = plan.sequence is not NULL and (plan.children is not NULL or not with_children)
    if done:
        link_children(plan, forest, count, &links)
        order_entries(plan, forest, count, &links, segment_bytes)
        if with_children:
            count_children(plan, forest, &links)
    free(links.first)
    free(links.next)
    if not done:
        close_plan(plan)
    return done

cdef inline Py_ssize_t mark_needed(Plan* plan, const Forest* forest, Py_ssize_t count, const uint8_t* wanted) noexcept nogil:
    """Mark what is to be handed out and the bases it needs; return how many that are."""
    cdef Py_ssize_t rank, at, needed = 0
    for rank in range(count):
        if wanted[rank] and forest.kinds[rank]:
            plan.state[rank] |= WANTED
            at = rank
            while at >= 0 and not plan.state[at] & NEEDED:
                plan.state[at] |= NEEDED
                needed += 1
                at = forest.parents[at]
    return needed

cdef inline void link_children(Plan* plan, const Forest* forest, Py_ssize_t count, Links* links) noexcept nogil:
    """Link the needed children of each base in pack order."""
    cdef Py_ssize_t rank
    cdef int32_t parent
    for rank in range(count):
        links.first[rank] = -1
    for rank in range(count - 1, -1, -1):
        parent = forest.parents[rank]
        if parent >= 0 and plan.state[rank] & NEEDED:
            links.next[rank] = links.first[parent]
            links.first[parent] = <int32_t>rank
            if links.next[rank] < 0:
                plan.state[rank] |= LAST

cdef inline void order_entries(Plan* plan, const Forest* forest, Py_ssize_t count, Links* links,
                               int64_t segment_bytes) noexcept nogil:
    """Write the sequence and choose where segments start; an object counts as large as the root of its tree."""
    cdef Py_ssize_t root, depth, filled = 0
    cdef int64_t size, held = segment_bytes
    cdef int32_t rank
    for root in range(count):
        if forest.parents[root] >= 0 or not plan.state[root] & NEEDED:
            continue
        size = (<int64_t>1 << min(<int>forest.scale[root], 40)) + 64
        rank = <int32_t>root
        depth = 0
        while True:
            if held >= segment_bytes and held // DETOUR >= depth * size:
                plan.state[rank] |= CUT
                held = 0
            held += size
            plan.sequence[filled] = rank
            filled += 1
            if links.first[rank] >= 0:
                rank = links.first[rank]
                depth += 1
                continue
            while depth and plan.state[rank] & LAST:
                rank = forest.parents[rank]
                depth -= 1
            if not depth:
                break
            rank = links.next[rank]

cdef inline void count_children(Plan* plan, const Forest* forest, Links* links) noexcept nogil:
    cdef Py_ssize_t at, start = 0
    cdef int32_t rank, parent
    for at in range(plan.needed):
        rank = plan.sequence[at]
        if plan.state[rank] & CUT:
            start = at
        links.first[rank] = <int32_t>at
        parent = forest.parents[rank]
        if parent >= 0 and plan.state[rank] & plan.state[parent] & WANTED and links.first[parent] >= start:
            plan.children[parent] += 1

cdef inline Py_ssize_t claim_segment(Plan* plan, Py_ssize_t* at, Py_ssize_t* stop) noexcept nogil:
    """Take the next segment, ``sequence[at:stop]``; return its number, or -1 after the last one. Any thread may call."""
    cdef Py_ssize_t number = -1
    PyThread_acquire_lock(plan.lock, WAIT_LOCK)
    if plan.claimed < plan.needed:
        at[0] = plan.claimed
        stop[0] = plan.claimed + 1
        while stop[0] < plan.needed and not plan.state[plan.sequence[stop[0]]] & CUT:
            stop[0] += 1
        plan.claimed = stop[0]
        number = plan.segments
        plan.segments += 1
    PyThread_release_lock(plan.lock)
    return number
