"""Cut points of FastCDC v2020 and v2016 (Xia et al., IEEE TPDS 2020; as in the crate `fastcdc` 3.x and 4.0.1 up).

The published form of v2020 reads two bytes per step against a table shifted by one; all published masks have their
highest bit at 47, so a step per byte decides the same and leaves one `lea` as the whole dependency chain.  What stays of the pairs: a
scan starts at an even index of its chunk and ends at one; v2016 has no pairs.  The cut is before the byte that matches.

Two kernels give the same cuts.  ``scalar`` (`gear_scan.h`) goes chunk by chunk and skips each minimum.  ``avx512-vbmi``
(`gear_vbmi.h`) finds candidates first, region by region, whatever the chunks are; behind each minimum 48 bytes are
scanned one by one, and from there on a candidate decides, checked by its fingerprint.  Small inputs, the last bytes of an
input, runs of one byte and regions with very many candidates are left to the scalar.
"""
cimport cython
from cpython.array cimport array, clone
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from gear_chunks cimport (
    FEWEST_TILES, GEAR_WINDOW, Lanes, Position, Rules, _begin, _leap, _resume, gear_region_size, gear_search_free,
    gear_search_new,
)
from siltstone.core.errors import ConfigError

cdef extern from "cpu_features.h" nogil:
    enum: CPU_GEAR_VBMI
    unsigned cpu_feature_bits()

cdef extern from "gear_vbmi.h" nogil:
    enum: GEAR_HAS_VBMI

cdef enum:
    GEAR_SIZE = 256             # one entry for each value of a byte
    FEWEST_BITS = 9             # of a mask in bits 16 to 47: a candidate in 512 bytes, each worth 48 steps of the scalar
    BLOCK_CUTS = 2048           # cuts found before the GIL is taken to hand them over: 16 KiB of stack
    LONGEST_CHUNK = 1 << 30     # keeps every sum of sizes far from overflow

cdef array _EMPTY = array("Q")  # the template of results; only its type is used


cdef Py_ssize_t _fill(
    const uint8_t* data, Py_ssize_t size, const Rules* rules, Position* position, Lanes* lanes, Py_ssize_t* here,
    uint64_t base, uint64_t* cuts,
) noexcept nogil:
    """Write up to BLOCK_CUTS cuts, as *base* plus their index in *data*; return how many. Moves *here* to where it stopped."""
    cdef Py_ssize_t count = 0, used
    cdef bint cut = False
    while here[0] < size and count < BLOCK_CUTS:
        if lanes.search is not NULL and position.length == 0 and position.waiting < 0:
            here[0] += _leap(data, size, rules, position, lanes, here[0], &cut)
            if cut:
                cuts[count] = base + <uint64_t>here[0]
                count += 1
                _begin(position)
                continue
        used = _resume(data + here[0], size - here[0], rules, position, &cut)
        here[0] += used
        if not cut:
            break
        cuts[count] = base + <uint64_t>here[0]
        count += 1
        _begin(position)
        if used < 0:            # the waiting byte opens the next chunk; it lies before *data*, but no scan reads it again
            position.length = 1
            here[0] += 1
    return count


cdef int _set_rules(
    Rules* rules, const uint64_t[::1] gear, Py_ssize_t minimum, Py_ssize_t target, Py_ssize_t maximum,
    uint64_t mask_before, uint64_t mask_after, bint pairs, str kernel,
) except -1:
    if gear.shape[0] != GEAR_SIZE:
        raise ConfigError(f"a gear table has 256 entries, got {gear.shape[0]}", field="gear")
    if not 2 <= minimum <= target <= maximum <= LONGEST_CHUNK:
        raise ConfigError(f"need 2 <= minimum <= target <= maximum <= 2**30, got {minimum}, {target}, {maximum}", field="sizes")
    rules.gear = &gear[0]
    rules.grain = ~<Py_ssize_t>1 if pairs else ~<Py_ssize_t>0
    rules.start, rules.center, rules.limit = minimum & rules.grain, target & rules.grain, maximum & rules.grain
    rules.maximum = maximum
    rules.mask_before, rules.mask_after = mask_before, mask_after
    rules.lanes = _takes_lanes(kernel, mask_before, mask_after)
    return 0


cdef bint _takes_lanes(str kernel, uint64_t mask_before, uint64_t mask_after) except -1:
    """Return whether *kernel* means lanes for these masks. Raises ConfigError where it cannot run."""
    cdef bint fits = (mask_before | mask_after) >> GEAR_WINDOW == 0
    if kernel not in ("auto", *_AVAILABLE):
        reason = _REFUSED.get(kernel)
        raise ConfigError(f"{kernel} cannot run here: {reason}" if reason else
                          f"expected auto or one of {', '.join(_AVAILABLE)}, got {kernel!r}", field="kernel")
    if kernel == _VBMI and not fits:
        raise ConfigError(f"{kernel} needs masks below 2**48", field="kernel")
    if kernel == "auto":
        return _VBMI in _AVAILABLE and fits and (mask_before & mask_after & 0xFFFFFFFF0000).bit_count() >= FEWEST_BITS
    return kernel == _VBMI


cdef array _collect(const uint8_t[::1] data, const Rules* rules, Position* position, uint64_t base):
    """Return all cuts in *data*; the array grows by what was found, block by block."""
    cdef Lanes lanes
    cdef array cuts = clone(_EMPTY, 0, False)
    if data.shape[0] == 0:
        return cuts
    memset(&lanes, 0, sizeof(lanes))
    try:
        if rules.lanes and data.shape[0] >= rules.start + <Py_ssize_t>gear_region_size(FEWEST_TILES):
            lanes.search = gear_search_new(rules.gear, rules.mask_before & rules.mask_after)
            if lanes.search is NULL:
                raise MemoryError
        _collect_with(cuts, &data[0], data.shape[0], rules, position, &lanes, base)
        return cuts
    finally:
        gear_search_free(lanes.search)


cdef int _collect_with(
    array cuts, const uint8_t* data, Py_ssize_t size, const Rules* rules, Position* position, Lanes* lanes, uint64_t base,
) except -1:
    cdef uint64_t block[BLOCK_CUTS]
    cdef Py_ssize_t here = 0, count, held = 0
    while here < size:
        with nogil:
            count = _fill(data, size, rules, position, lanes, &here, base, block)
        if count:
            cuts.extend(clone(_EMPTY, count, False))
            memcpy(cuts.data.as_ulonglongs + held, block, count * sizeof(uint64_t))
            held += count
    return 0


def cut_offsets(
    const uint8_t[::1] data not None, const uint64_t[::1] gear not None, Py_ssize_t minimum, Py_ssize_t target,
    Py_ssize_t maximum, uint64_t mask_before, uint64_t mask_after, bint pairs=True, *, str kernel="auto",
):
    """Return the end of every chunk of *data* as ``array('Q')``, ascending; the last one is the size of *data*.

    *mask_before* decides up to *target* bytes of a chunk, *mask_after* beyond.  No chunk is longer than *maximum*; only
    the last one can be shorter than *minimum* less one.  *pairs* is v2020, without is v2016.  *kernel* forces one of
    `available()`; ``auto`` takes the fastest for these masks.  Memory: 8 bytes for each chunk found, and 64 KiB.
    """
    cdef Rules rules
    cdef Position position
    cdef array cuts
    cdef uint64_t end
    _set_rules(&rules, gear, minimum, target, maximum, mask_before, mask_after, pairs, kernel)
    _begin(&position)
    cuts = _collect(data, &rules, &position, 0)
    if data.shape[0] and (len(cuts) == 0 or cuts[len(cuts) - 1] < data.shape[0]):
        cuts.append(data.shape[0])
    return cuts


@cython.final
cdef class CutScanner:
    """Finds the same cuts in a stream that comes in pieces of any size; keeps a position of a few bytes, and no data.

    One thread at a time: the caller serialises its calls.
    """
    cdef Rules _rules
    cdef Position _position
    cdef const uint64_t[::1] _gear          # keeps the table alive and in place
    cdef uint64_t _offset                   # bytes fed so far
    cdef uint64_t _last_cut
    cdef bint _busy

    def __cinit__(
        self, const uint64_t[::1] gear not None, Py_ssize_t minimum, Py_ssize_t target, Py_ssize_t maximum,
        uint64_t mask_before, uint64_t mask_after, bint pairs=True, *, str kernel="auto",
    ):
        _set_rules(&self._rules, gear, minimum, target, maximum, mask_before, mask_after, pairs, kernel)
        self._gear = gear
        self._offset = self._last_cut = 0
        self._busy = False
        _begin(&self._position)

    def feed(self, const uint8_t[::1] data not None):
        """Return the cuts that *data* decides, as offsets from the start of the stream, in ``array('Q')``.

        A cut may lie one byte before *data*: the decision about a byte at an even index waits for the next one.
        """
        cdef array cuts
        self._enter()
        try:
            cuts = _collect(data, &self._rules, &self._position, self._offset)
            self._offset += <uint64_t>data.shape[0]
            if len(cuts):
                self._last_cut = cuts.data.as_ulonglongs[len(cuts) - 1]
            return cuts
        finally:
            self._busy = False

    def finish(self):
        """Return the end of the last chunk, where one is open, and begin anew at offset 0."""
        cdef array cuts = clone(_EMPTY, 0, False)
        self._enter()
        try:
            if self._last_cut < self._offset:
                cuts.append(self._offset)
            self._offset = self._last_cut = 0
            _begin(&self._position)
            return cuts
        finally:
            self._busy = False

    cdef int _enter(self) except -1:
        with cython.critical_section(self):
            if self._busy:
                raise ConfigError("one thread at a time may feed", field="data")
            self._busy = True
        return 0


def self_test(*, spoil=False):
    """Return whether lanes and scalar agree on random, repetitive and constant bytes; *spoil* breaks the lanes to show it."""
    cdef uint64_t state = 2020, mixed
    cdef array table = clone(_EMPTY, GEAR_SIZE, False)
    cdef Py_ssize_t i
    for i in range(GEAR_SIZE):
        state += <uint64_t>0x9E3779B97F4A7C15
        mixed = (state ^ (state >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
        table.data.as_ulonglongs[i] = mixed ^ (mixed >> 27)
    words = table.tobytes() * 48
    data = b"".join((words, bytes(4096), words[:3000] * 9, words[::-1], words[7:]))
    return all(_agree(data, table, minimum, 512, 4096, mask, mask & ~<uint64_t>0x3000000, pairs, spoil)
               for minimum, mask, pairs in ((64, 0x19000353000, True), (129, 0x7000B0310000, False)))


cdef bint _agree(const uint8_t[::1] data, const uint64_t[::1] gear, Py_ssize_t minimum, Py_ssize_t target,
                 Py_ssize_t maximum, uint64_t mask_before, uint64_t mask_after, bint pairs, bint spoil) except -1:
    """Compare the cuts, and that each cut behind the first 48 bytes of a scan is a candidate."""
    cdef Rules rules
    cdef Position position
    cdef Lanes lanes
    cdef Py_ssize_t i
    cdef array expected, found = clone(_EMPTY, 0, False)
    _set_rules(&rules, gear, minimum, target, maximum, mask_before, mask_after, pairs, "scalar")
    _begin(&position)
    expected = _collect(data, &rules, &position, 0)
    memset(&lanes, 0, sizeof(lanes))
    lanes.search = gear_search_new(rules.gear, mask_before & mask_after)
    if lanes.search is NULL:
        raise MemoryError
    try:
        for i in range(GEAR_SIZE if spoil else 0):
            lanes.search.plane[2][i] ^= 1
        _begin(&position)
        _collect_with(found, &data[0], data.shape[0], &rules, &position, &lanes, 0)
    finally:
        gear_search_free(lanes.search)
    return found == expected and len(found) > 8


def probe(*, supported, test):
    """Return ``(names of the kernels that run, reasons why others do not)`` for what the processor offers and *test* says."""
    if not supported:
        return ("scalar",), {_VBMI: "the processor or the system lacks AVX-512 VBMI"}
    if not test():
        return ("scalar",), {_VBMI: "its self-test failed"}
    return ("scalar", _VBMI), {}


def available():
    """Return the names of the kernels that can be forced here, slowest first."""
    return _AVAILABLE


def refused():
    """Return why kernels cannot run here, by name."""
    return dict(_REFUSED)


_VBMI = "avx512-vbmi"
_AVAILABLE, _REFUSED = ("scalar",), {}
_AVAILABLE, _REFUSED = probe(
    supported=bool(GEAR_HAS_VBMI) and cpu_feature_bits() & CPU_GEAR_VBMI == CPU_GEAR_VBMI, test=self_test)
