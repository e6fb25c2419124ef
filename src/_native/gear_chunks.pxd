"""One chunk at a time: how far a scan or the candidates of `gear_vbmi.h` bring it; used by `gear.pyx` alone."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "gear_scan.h" nogil:
    enum: GEAR_WINDOW
    enum: GEAR_RUN
    Py_ssize_t gear_find_past_runs(const uint8_t* data, Py_ssize_t here, Py_ssize_t end, const uint64_t* gear,
                                   uint64_t mask, uint64_t* fingerprint)
    uint64_t gear_window(const uint8_t* data, Py_ssize_t last, const uint64_t* gear)
    bint gear_is_run(const uint8_t* data)

cdef extern from "gear_vbmi.h" nogil:
    enum: GEAR_HAS_VBMI
    enum: GEAR_TILE
    enum: GEAR_MAX_TILES
    enum: GEAR_FEW_TILES
    enum: GEAR_LANE_TILE
    ctypedef struct gear_search:
        uint8_t plane[6][256]
        uint32_t found_count
        uint32_t* found         # ascending, from the start of the region
    gear_search* gear_search_new(const uint64_t* gear, uint64_t mask)
    void gear_search_free(gear_search* search)
    size_t gear_region_size(size_t tiles)
    bint gear_find_candidates(gear_search* search, const uint8_t* region, size_t tiles)

cdef enum:
    LONG_MINIMUM = 1 << 16      # bytes; from here on smaller regions win: 6 % at 512 KiB targets
    FEWEST_TILES = 6            # 32 KiB: below, warming up costs more than the lanes gain


cdef struct Rules:
    const uint64_t* gear        # GEAR_SIZE entries, owned by the caller
    Py_ssize_t grain            # clears the bits that an index of start, center and limit may not have: pairs end at even ones
    Py_ssize_t start            # first index scanned in a chunk: the minimum, cut to the grain
    Py_ssize_t center           # from here on mask_after counts; cut to the grain
    Py_ssize_t limit            # first index that is not scanned: the maximum, cut to the grain
    Py_ssize_t maximum          # longest chunk
    uint64_t mask_before        # more bits: cuts below the target size are rare
    uint64_t mask_after         # fewer bits: cuts above it are likely
    bint lanes                  # whether candidates are searched first


cdef struct Lanes:              # the region whose candidates are known, and the place in it
    gear_search* search         # NULL: scalar
    Py_ssize_t origin           # index in the data of the first byte of the region
    Py_ssize_t end              # index past the last position that it covers
    uint32_t following          # the first candidate that was not looked at
    bint crowded                # too many candidates to list


cdef struct Position:
    uint64_t fingerprint        # of the current chunk, after `length` bytes less the waiting one
    Py_ssize_t length           # bytes of the current chunk that are decided
    int waiting                 # a byte at an even index whose partner has not come, or -1


cdef inline Py_ssize_t _resume(
    const uint8_t* data, Py_ssize_t size, const Rules* rules, Position* position, bint* cut,
) noexcept nogil:
    """Go on with the current chunk over *data*; return the bytes that belong to it, -1 where the waiting byte does not.

    Sets *cut* where the chunk ends there.  Otherwise every byte was used, the last one perhaps only kept as waiting.
    """
    cdef Py_ssize_t length = position.length, here = 0, stop, found
    cut[0] = False
    if position.waiting >= 0 and size > 0:
        position.fingerprint = (position.fingerprint << 1) + rules.gear[position.waiting]
        position.waiting = -1
        if position.fingerprint & (rules.mask_before if length < rules.center else rules.mask_after) == 0:
            cut[0] = True
            return -1
        length += 1
    if length < rules.start:
        here = min(size, rules.start - length)
        length += here
    # Index of a byte in its chunk: length + (i - here).  Pairs are whole up to the last even index that was reached.
    if length >= rules.start:
        stop = here + min((length + (size - here)) & rules.grain, rules.center) - length
        if stop > here:
            found = gear_find_past_runs(data, here, stop, rules.gear, rules.mask_before, &position.fingerprint)
            length += found - here
            here = found
            if found < stop:
                cut[0] = True
                return here
        stop = here + min((length + (size - here)) & rules.grain, rules.limit) - length
        if stop > here:
            found = gear_find_past_runs(data, here, stop, rules.gear, rules.mask_after, &position.fingerprint)
            length += found - here
            here = found
            if found < stop:
                cut[0] = True
                return here
        if length + (size - here) >= rules.maximum:
            cut[0] = True
            return here + (rules.maximum - length)
        if here < size:                                 # pairs: one byte at an even index is left
            position.waiting = data[here]
            here += 1
    position.length = length
    return here


cdef inline void _begin(Position* position) noexcept nogil:
    position.fingerprint = 0
    position.length = 0
    position.waiting = -1


cdef inline bint _cover(
    const uint8_t* data, Py_ssize_t size, const Rules* rules, Lanes* lanes, Py_ssize_t here,
) noexcept nogil:
    """Find the candidates from *here* on, as far as a region reaches; False where too few bytes are left."""
    cdef Py_ssize_t origin = here - GEAR_TILE, tiles
    if origin < 0:
        return False
    origin -= min(origin, <Py_ssize_t>(<size_t>(data + origin) % GEAR_TILE))    # aligned loads
    tiles = (size - origin + GEAR_TILE * GEAR_TILE) // (GEAR_TILE * GEAR_TILE + GEAR_LANE_TILE)
    if tiles < FEWEST_TILES:
        return False
    tiles = min(tiles, <Py_ssize_t>(GEAR_FEW_TILES if rules.start >= LONG_MINIMUM else GEAR_MAX_TILES))
    lanes.origin = origin
    lanes.end = origin + <Py_ssize_t>gear_region_size(tiles)
    lanes.following = 0
    lanes.crowded = not gear_find_candidates(lanes.search, data + origin, tiles)
    return True


cdef inline Py_ssize_t _candidate(Lanes* lanes, Py_ssize_t here, Py_ssize_t stop) noexcept nogil:
    """Return the first candidate in [here, stop) of the region, or *stop*."""
    while lanes.following < lanes.search.found_count:
        if lanes.origin + lanes.search.found[lanes.following] >= here:
            return min(stop, lanes.origin + <Py_ssize_t>lanes.search.found[lanes.following])
        lanes.following += 1
    return stop


cdef inline Py_ssize_t _leap(
    const uint8_t* data, Py_ssize_t size, const Rules* rules, Position* position, Lanes* lanes, Py_ssize_t begin, bint* cut,
) noexcept nogil:
    """Go on with the chunk that opens at *begin* by candidates; return the bytes that were decided, perhaps none.

    Sets *cut* where the chunk ends there.  Otherwise it is not over where the answer ends, and `_resume` can go on.
    """
    cdef Py_ssize_t here = begin + rules.start + GEAR_WINDOW, stop, reached, found
    cut[0] = False
    if here + FEWEST_TILES * GEAR_TILE * GEAR_TILE > size:
        return 0
    found = _resume(data + begin, here - begin, rules, position, cut)
    if cut[0] or gear_is_run(data + here):
        return found
    stop = begin + min((size - begin) & rules.grain, rules.limit)
    while here < stop:
        if here >= lanes.end and not _cover(data, size, rules, lanes, here):
            break
        if lanes.crowded:
            break
        reached = min(stop, lanes.end)
        found = _candidate(lanes, here, reached)
        if found < reached and gear_window(data, found, rules.gear) & (
                rules.mask_before if found - begin < rules.center else rules.mask_after) == 0:
            cut[0] = True
            return found - begin
        here = found + (found < reached)
    position.length = here - begin
    position.fingerprint = gear_window(data, here - 1, rules.gear)
    return here - begin
