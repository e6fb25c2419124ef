"""Cut points of ronomon/deduplication, as the module `ronomon` of the crate `fastcdc` 3.x and 4.x has them.

The hash of 31 bits shifts right, so the newest byte weighs most; the cut is after the byte that matches.  Hashing begins at
the minimum: nothing before it counts.
"""
cimport cython
from cpython.array cimport array, clone
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cut_after cimport BLOCK_CUTS, LONGEST_CHUNK, TABLE_SIZE, Plan, Position, fill_cuts

from siltstone.core.errors import ConfigError

cdef array _EMPTY = array("Q")  # the template of results; only its type is used


cdef Py_ssize_t _find(
    const uint8_t* data, Py_ssize_t here, Py_ssize_t end, const void* table, uint64_t mask, uint64_t* fingerprint,
) noexcept nogil:
    """Return the first index in [here, end) whose hash has no bit of *mask*, or *end*; eight steps a round."""
    cdef const uint32_t* words = <const uint32_t*>table
    cdef uint64_t total = fingerprint[0], first, second, third, fourth, fifth, sixth, seventh, eighth
    # Rounding down once is rounding down at every step: within a round the sum grows to the left instead, and the hash after
    # k steps is the sum >> k. One add is the chain of a byte: 1.6 times as fast as a shift and an add (64 KiB, gcc 12, Zen 5).
    while end - here >= 8:
        first = total + (<uint64_t>words[data[here]] << 1)
        if first & (mask << 1) == 0:
            fingerprint[0] = first >> 1
            return here
        second = first + (<uint64_t>words[data[here + 1]] << 2)
        if second & (mask << 2) == 0:
            fingerprint[0] = second >> 2
            return here + 1
        third = second + (<uint64_t>words[data[here + 2]] << 3)
        if third & (mask << 3) == 0:
            fingerprint[0] = third >> 3
            return here + 2
        fourth = third + (<uint64_t>words[data[here + 3]] << 4)
        if fourth & (mask << 4) == 0:
            fingerprint[0] = fourth >> 4
            return here + 3
        fifth = fourth + (<uint64_t>words[data[here + 4]] << 5)
        if fifth & (mask << 5) == 0:
            fingerprint[0] = fifth >> 5
            return here + 4
        sixth = fifth + (<uint64_t>words[data[here + 5]] << 6)
        if sixth & (mask << 6) == 0:
            fingerprint[0] = sixth >> 6
            return here + 5
        seventh = sixth + (<uint64_t>words[data[here + 6]] << 7)
        if seventh & (mask << 7) == 0:
            fingerprint[0] = seventh >> 7
            return here + 6
        eighth = seventh + (<uint64_t>words[data[here + 7]] << 8)
        if eighth & (mask << 8) == 0:
            fingerprint[0] = eighth >> 8
            return here + 7
        total = eighth >> 8
        here += 8
    while here < end:
        total = (total >> 1) + words[data[here]]
        if total & mask == 0:
            break
        here += 1
    fingerprint[0] = total
    return here


cdef int _set_plan(
    Plan* plan, const uint32_t[::1] table, Py_ssize_t minimum, Py_ssize_t center, Py_ssize_t maximum,
    uint32_t mask_before, uint32_t mask_after,
) except -1:
    if table.shape[0] != TABLE_SIZE:
        raise ConfigError(f"a table has 256 entries, got {table.shape[0]}", field="table")
    if not (1 <= minimum <= maximum <= LONGEST_CHUNK and 0 <= center <= maximum):
        raise ConfigError(f"need 1 <= minimum <= maximum <= 2**30 and 0 <= center <= maximum, "
                          f"got {minimum}, {maximum}, {center}", field="sizes")
    plan.find, plan.table = _find, &table[0]
    plan.start = plan.first = minimum
    plan.center, plan.maximum = center, maximum
    plan.mask_before, plan.mask_after = mask_before, mask_after
    return 0


cdef array _collect(const uint8_t[::1] data, const Plan* plan, Position* position, uint64_t base):
    """Return all cuts in *data*; the array grows by what was found, block by block."""
    cdef uint64_t block[BLOCK_CUTS]
    cdef array cuts = clone(_EMPTY, 0, False)
    cdef Py_ssize_t here = 0, size = data.shape[0], count, held = 0
    cdef const uint8_t* first
    if size == 0:
        return cuts
    first = &data[0]
    while here < size:
        with nogil:
            count = fill_cuts(first, size, plan, position, &here, base, block)
        if count:
            cuts.extend(clone(_EMPTY, count, False))
            memcpy(cuts.data.as_ulonglongs + held, block, count * sizeof(uint64_t))
            held += count
    return cuts


def cut_offsets(
    const uint8_t[::1] data not None, const uint32_t[::1] table not None, Py_ssize_t minimum, Py_ssize_t center,
    Py_ssize_t maximum, uint32_t mask_before, uint32_t mask_after,
):
    """Return the end of every chunk of *data* as ``array('Q')``, ascending; the last one is the size of *data*.

    *mask_before* decides below index *center* of a chunk, *mask_after* from there on.  No chunk is longer than *maximum*;
    only the last one can be as short as *minimum*.  Memory: 8 bytes for each chunk.
    """
    cdef Plan plan
    cdef Position position
    cdef array cuts
    _set_plan(&plan, table, minimum, center, maximum, mask_before, mask_after)
    position.fingerprint, position.length = 0, 0
    cuts = _collect(data, &plan, &position, 0)
    if position.length:
        cuts.append(data.shape[0])
    return cuts


@cython.final
cdef class CutScanner:
    """Finds the same cuts in a stream that comes in pieces of any size; keeps a position of a few bytes, and no data.

    One thread at a time: the caller serialises its calls.
    """
    cdef Plan _plan
    cdef Position _position
    cdef const uint32_t[::1] _table         # keeps the table alive and in place
    cdef uint64_t _offset                   # bytes fed so far
    cdef bint _busy

    def __cinit__(
        self, const uint32_t[::1] table not None, Py_ssize_t minimum, Py_ssize_t center,
    Py_ssize_t maximum, uint32_t mask_before, uint32_t mask_after,
    ):
        _set_plan(&self._plan, table, minimum, center, maximum, mask_before, mask_after)
        self._table = table
        self._offset = 0
        self._busy = False
        self._position.fingerprint, self._position.length = 0, 0

    def feed(self, const uint8_t[::1] data not None):
        """Return the cuts in *data*, as offsets from the start of the stream, in ``array('Q')``."""
        cdef array cuts
        self._enter()
        try:
            cuts = _collect(data, &self._plan, &self._position, self._offset)
            self._offset += <uint64_t>data.shape[0]
            return cuts
        finally:
            self._busy = False

    def finish(self):
        """Return the end of the last chunk, where one is open, and begin anew at offset 0."""
        cdef array cuts = clone(_EMPTY, 0, False)
        self._enter()
        try:
            if self._position.length:
                cuts.append(self._offset)
            self._offset = 0
            self._position.fingerprint, self._position.length = 0, 0
            return cuts
        finally:
            self._busy = False

    cdef int _enter(self) except -1:
        with cython.critical_section(self):
            if self._busy:
                raise ConfigError("one thread at a time may feed", field="data")
            self._busy = True
        return 0
