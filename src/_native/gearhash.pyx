"""Cut points of xet (huggingface/xet-core, `xet_data/src/deduplication/chunking.rs`), whose hash is the crate `gearhash`'s.

One mask for every size; the cut is after the byte that matches.  Hashing begins 65 bytes before the minimum, so that the
first decision sees a full window of 64 bytes; a match before the minimum is passed over.
"""
cimport cython
from cpython.array cimport array, clone
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from cut_after cimport BLOCK_CUTS, LONGEST_CHUNK, TABLE_SIZE, Plan, Position, fill_cuts

from siltstone.core.errors import ConfigError

cdef enum:
    WINDOW = 64                 # bytes that a hash of 64 bits remembers

cdef array _EMPTY = array("Q")  # the template of results; only its type is used


cdef Py_ssize_t _find(
    const uint8_t* data, Py_ssize_t here, Py_ssize_t end, const void* table, uint64_t mask, uint64_t* fingerprint,
) noexcept nogil:
    """Return the first index in [here, end) whose hash has no bit of *mask*, or *end*; four steps a round."""
    cdef const uint64_t* words = <const uint64_t*>table
    cdef uint64_t total = fingerprint[0], first, second, third, fourth
    while end - here >= 4:
        first = (total << 1) + words[data[here]]
        if first & mask == 0:
            fingerprint[0] = first
            return here
        second = (first << 1) + words[data[here + 1]]
        if second & mask == 0:
            fingerprint[0] = second
            return here + 1
        third = (second << 1) + words[data[here + 2]]
        if third & mask == 0:
            fingerprint[0] = third
            return here + 2
        fourth = (third << 1) + words[data[here + 3]]
        if fourth & mask == 0:
            fingerprint[0] = fourth
            return here + 3
        total = fourth
        here += 4
    while here < end:
        total = (total << 1) + words[data[here]]
        if total & mask == 0:
            break
        here += 1
    fingerprint[0] = total
    return here


cdef int _set_plan(
    Plan* plan, const uint64_t[::1] gear, Py_ssize_t minimum, Py_ssize_t maximum, uint64_t mask,
) except -1:
    if gear.shape[0] != TABLE_SIZE:
        raise ConfigError(f"a gear table has 256 entries, got {gear.shape[0]}", field="gear")
    if not 1 <= minimum <= maximum <= LONGEST_CHUNK:
        raise ConfigError(f"need 1 <= minimum <= maximum <= 2**30, got {minimum}, {maximum}", field="sizes")
    plan.find, plan.table = _find, &gear[0]
    plan.start, plan.first = max(0, minimum - WINDOW - 1), minimum - 1
    plan.center, plan.maximum = 0, maximum          # one mask
    plan.mask_before = plan.mask_after = mask
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
    const uint8_t[::1] data not None, const uint64_t[::1] gear not None, Py_ssize_t minimum, Py_ssize_t maximum,
    uint64_t mask,
):
    """Return the end of every chunk of *data* as ``array('Q')``, ascending; the last one is the size of *data*.

    No chunk is longer than *maximum*; only the last one can be shorter than *minimum*.  Memory: 8 bytes for each chunk.
    """
    cdef Plan plan
    cdef Position position
    cdef array cuts
    _set_plan(&plan, gear, minimum, maximum, mask)
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
    cdef const uint64_t[::1] _table         # keeps the table alive and in place
    cdef uint64_t _offset                   # bytes fed so far
    cdef bint _busy

    def __cinit__(
        self, const uint64_t[::1] gear not None, Py_ssize_t minimum, Py_ssize_t maximum,
    uint64_t mask,
    ):
        _set_plan(&self._plan, gear, minimum, maximum, mask)
        self._table = gear
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
