"""Cut points of algorithms that cut after the byte that matches: what to skip, to warm up and to test, in any pieces.

The step of the hash is the kernel's own: a `Find` runs over spans of kilobytes, so calling it by pointer costs nothing.
"""
from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    TABLE_SIZE = 256            # one entry for each value of a byte
    BLOCK_CUTS = 2048           # cuts found before the GIL is taken to hand them over: 16 KiB of stack
    LONGEST_CHUNK = 1 << 30     # keeps every sum of sizes far from overflow

# Returns the first index in [here, end) whose hash has no bit of *mask*, or *end*; the hash then holds that byte.
ctypedef Py_ssize_t (*Find)(
    const uint8_t* data, Py_ssize_t here, Py_ssize_t end, const void* table, uint64_t mask, uint64_t* fingerprint,
) noexcept nogil

cdef struct Plan:
    Find find
    const void* table           # TABLE_SIZE entries, owned by the caller
    Py_ssize_t start            # first index of a chunk that enters the hash
    Py_ssize_t first            # first index where a match counts; start <= first
    Py_ssize_t center           # from here on mask_after counts
    Py_ssize_t maximum          # longest chunk
    uint64_t mask_before
    uint64_t mask_after

cdef struct Position:
    uint64_t fingerprint        # of the current chunk
    Py_ssize_t length           # bytes of the current chunk so far

cdef inline Py_ssize_t _scan(
    const uint8_t* data, Py_ssize_t here, Py_ssize_t size, const Plan* plan, Position* position,
    Py_ssize_t limit, uint64_t mask, bint* cut,
) noexcept nogil:
    """Go on up to index *limit* of the chunk; return where in *data* that is, or where the chunk ends if *cut* is set."""
    cdef Py_ssize_t stop, found
    if position.length >= limit:
        return here
    stop = here + min(size - here, limit - position.length)
    while here < stop:
        found = plan.find(data, here, stop, plan.table, mask, &position.fingerprint)
        if found == stop:
            position.length += stop - here
            return stop
        position.length += found + 1 - here
        here = found + 1
        if position.length > plan.first:
            cut[0] = True
            return here
    return here

cdef inline Py_ssize_t resume_chunk(
    const uint8_t* data, Py_ssize_t size, const Plan* plan, Position* position, bint* cut,
) noexcept nogil:
    """Go on with the current chunk over *data*; return how many bytes belong to it. Sets *cut* where it ends there."""
    cdef Py_ssize_t here = 0
    cut[0] = False
    if position.length < plan.start:
        here = min(size, plan.start - position.length)
        position.length += here
    here = _scan(data, here, size, plan, position, plan.center, plan.mask_before, cut)
    if not cut[0]:
        here = _scan(data, here, size, plan, position, plan.maximum, plan.mask_after, cut)
    if position.length >= plan.maximum:
        cut[0] = True
    return here

cdef inline Py_ssize_t fill_cuts(
    const uint8_t* data, Py_ssize_t size, const Plan* plan, Position* position, Py_ssize_t* here,
    uint64_t base, uint64_t* cuts,
) noexcept nogil:
    """Write up to BLOCK_CUTS cuts, as *base* plus their index in *data*; return how many. Moves *here* to where it stopped."""
    cdef Py_ssize_t count = 0
    cdef bint cut = False
    while here[0] < size and count < BLOCK_CUTS:
        here[0] += resume_chunk(data + here[0], size - here[0], plan, position, &cut)
        if not cut:
            break
        cuts[count] = base + <uint64_t>here[0]
        count += 1
        position.fingerprint = 0
        position.length = 0
    return count
