"""Many literals at once: every place where one of up to 65,535 byte strings occurs, ASCII letters in either case.

A nibble filter over four bytes of each literal (`teddy.h`) proposes positions, a hash of those four bytes, folded, leads
to the literals that own them, and a comparison decides.  The four bytes are the least common ones of the literal, by a
rough table of how often a byte occurs in source code: on a hit-free text the filter is nearly all the work.

Measured on one shared core of a Zen 5 class machine (November 2026) over 300 MiB of blobs of git/git with 56 anchors, 27,457
hits: AVX2 3.3 GB/s, SSSE3 2.7, plain C 0.28; the rare anchors alone, 4.7.  Thousands of literals fill the eight buckets, so
that the hash decides at most positions: 0.1 to 0.2 GB/s with 3,000 random words.  The suite: benchmarks/native_literals.py.
"""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from siltstone.core.errors import ConfigError, UnsupportedError

cdef extern from "teddy.h" nogil:
    enum: TEDDY_WINDOW
    enum: TEDDY_OVERREAD
    enum: TEDDY_SCALAR
    enum: TEDDY_SSSE3
    enum: TEDDY_AVX2
    ctypedef struct teddy_masks:
        uint8_t low[4][16]
        uint8_t high[4][16]
        uint8_t accept[4][256]
    int teddy_best_variant()
    size_t teddy_candidates(const teddy_masks* masks, int variant, const uint8_t* text, size_t size, size_t start,
                            size_t stop, uint32_t* found)

cdef enum:
    MAX_LITERALS = 65_535
    MAX_LENGTH = 255
    PRESENT_WORDS = 1_024   # 64 Ki bits
    STRIDE = 4_096          # positions filtered before their candidates are verified: the list stays in the L1 cache

_VARIANTS = {"scalar": TEDDY_SCALAR, "ssse3": TEDDY_SSSE3, "avx2": TEDDY_AVX2}

cdef struct Hit:            # DO NOT CHANGE: the layout is HIT_FORMAT
    uint32_t segment
    uint32_t literal
    int64_t offset          # of the first byte, from the start of the segment

cdef struct Entry:          # one literal; those with the same window lie side by side
    uint32_t literal
    uint32_t start          # of its folded bytes in the pool
    uint8_t length
    uint8_t window          # offset of the window inside the literal

cdef struct Slot:           # open addressing over windows; count 0: empty
    uint32_t key            # folded window bytes, the first one lowest
    uint32_t width          # bytes of the window: 4, or the length of a shorter literal
    uint32_t first          # of its entries
    uint32_t count

cdef struct HitList:
    Hit* items              # owned by the caller of `_search`
    Py_ssize_t count
    Py_ssize_t room
    Py_ssize_t limit

HIT_FORMAT = "=IIq"         # segment, literal, offset


def variants():
    """Return the names of the variants that this machine can run, slowest first."""
    return [name for name, value in _VARIANTS.items() if value <= teddy_best_variant()]


cdef inline uint8_t _fold(uint8_t byte) noexcept nogil:
    return byte + 32 if 65 <= byte <= 90 else byte


cdef inline uint32_t _fold_four(const uint8_t* text) noexcept nogil:
    """Four bytes, the first one lowest, with ASCII letters folded at once (adds never carry out of a byte)."""
    cdef uint32_t word = (<uint32_t>text[0] | <uint32_t>text[1] << 8 | <uint32_t>text[2] << 16 | <uint32_t>text[3] << 24)
    cdef uint32_t low = word & 0x7F7F7F7F
    cdef uint32_t upper = ~word & ((low + 0x3F3F3F3F) ^ (low + 0x25252525)) & <uint32_t>0x80808080
    return word | (upper >> 2)


cdef inline uint32_t _mix(uint32_t key, uint32_t width) noexcept nogil:
    cdef uint64_t product = (key ^ (<uint64_t>width << 32)) * <uint64_t>0x9E3779B97F4A7C15
    return <uint32_t>(product >> 32)


cdef bint _push(HitList* hits, Py_ssize_t segment, uint32_t literal, Py_ssize_t offset) noexcept nogil:
    """Append; False where memory is refused or the limit is reached."""
    cdef Hit* grown
    cdef Py_ssize_t room
    if hits.count == hits.room:
        room = min(hits.limit, 2 * hits.room + 64)
        if room <= hits.count:
            return False
        grown = <Hit*>realloc(hits.items, room * sizeof(Hit))
        if grown is NULL:
            return False
        hits.items, hits.room = grown, room
    hits.items[hits.count].segment = <uint32_t>segment
    hits.items[hits.count].literal = literal
    hits.items[hits.count].offset = offset
    hits.count += 1
    return True


cdef void _sort(Hit* hits, Py_ssize_t count) noexcept nogil:
    """By offset, then literal.  Candidates come by window position, so a hit is out of place by 255 bytes at most."""
    cdef Py_ssize_t i, j
    cdef Hit moving
    for i in range(1, count):
        moving = hits[i]
        j = i
        while j > 0 and (hits[j - 1].offset > moving.offset
                         or (hits[j - 1].offset == moving.offset and hits[j - 1].literal > moving.literal)):
            hits[j] = hits[j - 1]
            j -= 1
        hits[j] = moving


@cython.final
cdef class LiteralMatcher:
    """A compiled, immutable set of literals; threads may share it.

    The id of a literal is its place in *literals*.  Literals are 1 to 255 bytes, compared with ASCII letters folded; two
    that are equal after folding are both reported.  *variant* forces one of `variants()`.
    """
    cdef teddy_masks _masks
    cdef int _variant
    cdef Entry* _entries        # owned, like the two below
    cdef uint8_t* _pool         # folded literals end to end
    cdef Slot* _slots
    cdef uint32_t _slot_mask    # slots - 1, a power of two
    cdef uint32_t _widths[5]    # whether a window of that width exists
    cdef bint _has_short        # whether a literal has fewer than four bytes
    cdef uint64_t _present[PRESENT_WORDS]   # bits by the hash of a window: most candidates end here
    cdef readonly Py_ssize_t count

    def __cinit__(self, literals, str variant="auto"):
        cdef list folded = [bytes(literal).lower() for literal in literals]
        self._variant = _chosen_variant(variant)
        self.count = len(folded)
        if self.count > MAX_LITERALS:
            raise ConfigError(f"at most {MAX_LITERALS} literals, got {self.count}", field="literals")
        for literal in folded:
            if not 1 <= len(literal) <= MAX_LENGTH:
                raise ConfigError(f"a literal has 1 to {MAX_LENGTH} bytes, got {len(literal)}", field="literals")
        self._compile(folded)

    def __dealloc__(self):
        free(self._entries)
        free(self._pool)
        free(self._slots)

    def __len__(self):
        return self.count

    @property
    def variant(self):
        """The name of the variant that runs."""
        return next(name for name, value in _VARIANTS.items() if value == self._variant)

    cdef int _compile(self, list folded) except -1:
        cdef dict windows = {}          # (folded window bytes) -> [(literal id, offset of the window)]
        cdef Py_ssize_t size = 0, slots = 16
        for number, literal in enumerate(folded):
            at = _rarest_window(literal)
            windows.setdefault(literal[at:at + TEDDY_WINDOW], []).append((number, at))
            size += len(literal)
        while slots < 4 * len(windows):
            slots *= 2
        self._slot_mask = <uint32_t>(slots - 1)
        self._slots = <Slot*>calloc(slots, sizeof(Slot))
        self._entries = <Entry*>calloc(self.count + 1, sizeof(Entry))
        self._pool = <uint8_t*>malloc(size + 1)
        if self._slots is NULL or self._entries is NULL or self._pool is NULL:
            raise MemoryError
        self._fill_tables(folded, windows)
        self._fill_masks(_bucketed(sorted(windows)))
        return 0

    cdef int _fill_tables(self, list folded, dict windows) except -1:
        cdef Py_ssize_t entry = 0, start = 0, slot
        for window in sorted(windows):
            key, width = int.from_bytes(window, "little"), len(window)
            slot = _mix(key, width) & self._slot_mask
            while self._slots[slot].count:
                slot = (slot + 1) & self._slot_mask
            self._slots[slot] = Slot(key, width, entry, len(windows[window]))
            self._present[_mix(key, width) >> 22] |= <uint64_t>1 << (_mix(key, width) >> 16 & 63)
            self._widths[width] = 1
            self._has_short |= width < TEDDY_WINDOW
            for number, at in windows[window]:
                literal = folded[number]
                self._entries[entry] = Entry(number, start, len(literal), at)
                for byte in literal:
                    self._pool[start] = byte
                    start += 1
                entry += 1
        return 0

    cdef int _fill_masks(self, list buckets) except -1:
        cdef int k, byte
        cdef uint8_t bit
        memset(&self._masks, 0, sizeof(self._masks))
        for number, windows in enumerate(buckets):
            bit = <uint8_t>(1 << <int>number)
            for window in windows:
                for k in range(TEDDY_WINDOW):
                    for byte in range(256):
                        if k >= len(window) or _fold(<uint8_t>byte) == window[k]:
                            self._masks.low[k][byte & 15] |= bit
                            self._masks.high[k][byte >> 4] |= bit
        for k in range(TEDDY_WINDOW):
            for byte in range(256):
                self._masks.accept[k][byte] = self._masks.low[k][byte & 15] & self._masks.high[k][byte >> 4]
        return 0

    def search(self, const uint8_t[::1] data not None, const int64_t[::1] starts not None,
               const int64_t[::1] ends not None, Py_ssize_t first=0, Py_ssize_t limit=1 << 20):
        """Return ``(hits, next_segment)`` for the segments ``data[starts[i]:ends[i]]`` from number *first* on.

        *hits* is packed HIT_FORMAT records, sorted by segment, offset and literal; none crosses a border of its segment.
        *next_segment* is the number of segments, or the one whose hits would have passed *limit* records: nothing of
        that one is in the result.  A result of ``(b"", first)`` therefore means a segment with more than *limit* hits.
        Raises ConfigError where a segment does not lie in *data*.
        """
        cdef Py_ssize_t count = starts.shape[0], size = data.shape[0], i, done = 0
        cdef const uint8_t* text = &data[0] if size else NULL
        cdef const int64_t* begin = &starts[0] if count else NULL
        cdef const int64_t* stop = NULL
        cdef HitList hits
        if ends.shape[0] != count or not 0 <= first <= count:
            raise ConfigError("starts and ends differ in length, or first is outside", field="segments")
        if limit < 0:
            raise ConfigError(f"a limit is not negative, got {limit}", field="limit")
        for i in range(first, count):
            if not 0 <= starts[i] <= ends[i] <= size:
                raise ConfigError(f"segment {i} is not inside {size} bytes of data", field="segments")
        stop = &ends[0] if count else NULL
        hits.items, hits.count, hits.room, hits.limit = NULL, 0, 0, limit
        try:
            if first < count and size and self.count:
                with nogil:
                    done = self._search(text, size, begin, stop, first, count, &hits)
            else:
                done = count
            return (<char*>hits.items)[:hits.count * sizeof(Hit)] if hits.count else b"", done
        finally:
            free(hits.items)

    cdef Py_ssize_t _search(self, const uint8_t* text, Py_ssize_t size, const int64_t* starts, const int64_t* ends,
                            Py_ssize_t first, Py_ssize_t count, HitList* hits) noexcept nogil:
        """Return the first segment that was not finished."""
        cdef Py_ssize_t i, before
        cdef int64_t start, end
        for i in range(first, count):
            before = hits.count
            start, end = starts[i], ends[i]
            if not 0 <= start <= end <= size:               # changed by another thread since they were checked
                continue
            if not self._search_segment(text, size, start, end, i, hits):
                hits.count = before
                return i
            if hits.count - before > 1:
                _sort(hits.items + before, hits.count - before)
        return count

    cdef bint _search_segment(self, const uint8_t* text, Py_ssize_t size, Py_ssize_t start, Py_ssize_t end,
                              Py_ssize_t segment, HitList* hits) noexcept nogil:
        cdef uint32_t found[STRIDE]
        cdef Py_ssize_t at = start, stop, i, candidates
        while at < end:
            stop = min(at + STRIDE, end)
            if at < size - TEDDY_OVERREAD:                  # the last bytes of data, alone, go to the plain variant
                stop = min(stop, size - TEDDY_OVERREAD)
            candidates = <Py_ssize_t>teddy_candidates(&self._masks, self._variant, text, <size_t>size, <size_t>at,
                                                      <size_t>stop, found)
            for i in range(candidates):
                if not self._verify(text, start, end, at + found[i], segment, hits):
                    return False
            at = stop
        return True

    cdef inline bint _verify(self, const uint8_t* text, Py_ssize_t start, Py_ssize_t end, Py_ssize_t at,
                             Py_ssize_t segment, HitList* hits) noexcept nogil:
        """Report the literals whose window is at *at*; start <= at < end."""
        cdef uint32_t key = 0, width
        if at + TEDDY_WINDOW <= end and self._widths[TEDDY_WINDOW]:
            if not self._look_up(text, start, end, at, _fold_four(text + at), TEDDY_WINDOW, segment, hits):
                return False
        if not self._has_short:
            return True
        for width in range(1, <uint32_t>TEDDY_WINDOW):
            if at + width > end:
                return True
            key |= <uint32_t>_fold(text[at + width - 1]) << (8 * (width - 1))
            if self._widths[width] and not self._look_up(text, start, end, at, key, width, segment, hits):
                return False
        return True

    cdef inline bint _look_up(self, const uint8_t* text, Py_ssize_t start, Py_ssize_t end, Py_ssize_t at, uint32_t key,
                              uint32_t width, Py_ssize_t segment, HitList* hits) noexcept nogil:
        cdef uint32_t mixed = _mix(key, width), slot = mixed & self._slot_mask, i
        cdef const Slot* here
        if not self._present[mixed >> 22] >> (mixed >> 16 & 63) & 1:
            return True
        while self._slots[slot].count:                      # at most a quarter of the slots is used: it ends
            here = &self._slots[slot]
            if here.key == key and here.width == width:
                for i in range(here.first, here.first + here.count):
                    if self._equals(text, start, end, at, &self._entries[i]):
                        if not _push(hits, segment, self._entries[i].literal, at - self._entries[i].window - start):
                            return False
                return True
            slot = (slot + 1) & self._slot_mask
        return True

    cdef inline bint _equals(self, const uint8_t* text, Py_ssize_t start, Py_ssize_t end, Py_ssize_t at,
                             const Entry* entry) noexcept nogil:
        cdef Py_ssize_t begin = at - entry.window, i
        cdef const uint8_t* literal = self._pool + entry.start
        if begin < start or begin + entry.length > end:
            return False
        for i in range(entry.length):
            if _fold(text[begin + i]) != literal[i]:
                return False
        return True


cdef int _chosen_variant(str name) except -1:
    cdef int best = teddy_best_variant()
    if name == "auto":
        return best
    if name not in _VARIANTS:
        raise ConfigError(f"expected auto, {', '.join(_VARIANTS)}, got {name!r}", field="variant")
    if _VARIANTS[name] > best:
        raise UnsupportedError(f"this machine cannot run the {name} variant", source="literals")
    return _VARIANTS[name]


# How often a byte occurs in source code, roughly, in a thousand; both cases of a letter together; the rest: 1.
_COMMON = {
    " ": 170, "e": 75, "t": 65, "r": 48, "s": 48, "i": 46, "n": 46, "a": 45, "o": 42, "\n": 30, "\t": 30, "c": 28, "d": 28,
    "l": 28, "p": 22, "u": 20, "m": 18, "f": 17, "_": 15, "(": 12, ")": 12, "h": 16, "g": 14, "b": 11, ",": 11, "-": 12,
    "=": 9, ";": 9, "\"": 8, "*": 8, "/": 8, ".": 10, "0": 9, "y": 8, "x": 7, "v": 8, ">": 7, "w": 7, "k": 6, "1": 6,
    "'": 4, ":": 5, "2": 4, "{": 3, "}": 3, "<": 4, "+": 2, "#": 3, "\\": 2, "[": 2, "]": 2, "\0": 8,
}
_WEIGHTS = tuple(_COMMON.get(chr(byte).lower(), 1) / 1000 for byte in range(256))


def _rarest_window(bytes literal):
    """Return the offset of the four bytes, or fewer, that occur least often in source code; the first of equals."""
    last = max(0, len(literal) - TEDDY_WINDOW)
    return min(range(last + 1), key=lambda at: (_frequency([{byte} for byte in literal[at:at + TEDDY_WINDOW]]), at))


def _frequency(accepted):
    """Return the estimated share of positions whose bytes are in *accepted*, a set of bytes for each window byte."""
    share = 1.0
    for choices in accepted:
        share *= sum(_WEIGHTS[byte] for byte in choices)
    return share


def _nibble_closure(choices):
    """Return every byte that a bucket accepts once it accepts *choices*: nibbles are tested apart."""
    both = choices | {byte - 32 for byte in choices if 97 <= byte <= 122}
    lows, highs = {byte & 15 for byte in both}, {byte >> 4 for byte in both}
    return {high << 4 | low for high in highs for low in lows}


def _bucketed(windows):
    """Return the windows in eight lists; a window goes where it makes the filter leakier the least."""
    buckets = [[] for _ in range(8)]
    accepted = [[set() for _ in range(TEDDY_WINDOW)] for _ in range(8)]
    for number, window in enumerate(windows):
        if number >= 256:                       # so many literals leave no selective bucket: keep neighbours together
            buckets[number * 8 // len(windows)].append(window)
            continue
        best = min(range(8), key=lambda bucket: (_leak(accepted[bucket], window) - _leak(accepted[bucket], b""),
                                                 len(buckets[bucket])))
        buckets[best].append(window)
        accepted[best] = _joined(accepted[best], window)
    return buckets


def _joined(accepted, window):
    return [choices | ({window[k]} if k < len(window) else set(range(256)) if window else set())
            for k, choices in enumerate(accepted)]


def _leak(accepted, window):
    return _frequency([_nibble_closure(choices) for choices in _joined(accepted, window)])
