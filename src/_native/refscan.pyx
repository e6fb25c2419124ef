"""Store-path references in bytes: every place where one of many texts of 32 Nix base-32 digits occurs.

As Nix does (libstore/references.cc) a window of 32 bytes is tested from its end: the last byte that is no digit rules out all
windows that hold it, so most windows are never looked at.  Where a window is all digits, the run of digits is followed, and a
filter over the first 8 bytes rules out most windows of the run.

Measured in processor time on one shared core of a Zen 5 class machine (November 2026), 64 MiB, 100 parts, SSE2 and plain C:
random bytes 12 and 13 GB/s, source code 18 and 12, random letters 6.6 and 2.6, base 64 3.7 and 3.6, hexadecimal 1.7 and 1.3,
digits of base 32 alone, the worst case, 1.06 and 0.77.
"""
cimport cython
from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from cursor cimport Cursor, take_varint
from id_table cimport IdTable, table_add, table_find, table_grow, table_release
from keyed_hash cimport load_word

from siltstone.core.errors import ConfigError, CorruptDataError

cdef extern from "refscan.h" nogil:
    enum: REFSCAN_SSE2
    int refscan_is_digit(uint8_t byte)
    int refscan_last_other_plain(const uint8_t* window)
    int refscan_first_other_plain(const uint8_t* window)
    int refscan_last_other_sse2(const uint8_t* window)
    int refscan_first_other_sse2(const uint8_t* window)

cdef enum:
    PART_SIZE = 32              # digits of the hash in a store path
    MAX_PARTS = 1 << 20         # 48 MB of tables; the largest closures have some 100,000 paths
    BLOCK_HITS = 1024           # hits found before the GIL is taken to hand them over: 12 KiB of stack
    FILTER_BITS_LEAST = 16      # 8 KiB stay in the L1 cache; with more parts 16 bits each: one place in 16 passes at most

cdef array _OFFSETS = array("Q")    # templates of results; only their types are used
cdef array _NUMBERS = array("I")



def variants():
    """Return the names of the variants that this build can run, slowest first."""
    return ["scalar", "sse2"] if REFSCAN_SSE2 else ["scalar"]


cdef inline uint64_t _filter_place(const uint8_t* part, int shift) noexcept nogil:
    return (load_word(part) * <uint64_t>0x9E3779B97F4A7C15) >> shift


@cython.final
cdef class ReferenceMatcher:
    """An immutable set of hash parts; threads may share it. The number of a part is its place in *parts*.

    *parts* are 32 digits each, end to end, no two of them equal; ConfigError otherwise.  *variant* forces one of `variants()`.
    """
    cdef IdTable _table         # owned: the parts and their numbers
    cdef uint64_t* _filter      # owned: a bit for the hash of the first 8 digits of each part
    cdef int _shift             # 64 less the logarithm of the number of bits
    cdef bint _plain            # whether the variant is plain C
    cdef readonly Py_ssize_t count

    def __cinit__(self, const uint8_t[::1] parts not None, str variant="auto"):
        cdef Py_ssize_t size = parts.shape[0], number, capacity = 16, bits = FILTER_BITS_LEAST, i
        cdef uint64_t place
        memset(&self._table, 0, sizeof(IdTable))
        if variant != "auto" and variant not in variants():
            raise ConfigError(f"expected auto, {', '.join(variants())}, got {variant!r}", field="variant")
        self._plain = variant == "scalar" or not REFSCAN_SSE2
        if size % PART_SIZE or size // PART_SIZE > MAX_PARTS:
            raise ConfigError(f"expected up to {MAX_PARTS} times {PART_SIZE} digits, got {size} bytes", field="parts")
        for i in range(size):
            if not refscan_is_digit(parts[i]):
                raise ConfigError(f"byte {i} is not a digit of Nix's base 32", field="parts")
        self.count = size // PART_SIZE
        while capacity < self.count:
            capacity *= 2
        while 1 << bits < 16 * self.count:
            bits += 1
        self._shift = <int>(64 - bits)
        self._table.id_size, self._table.seed = PART_SIZE, <uint64_t>hash("parts")
        self._filter = <uint64_t*>calloc(<size_t>1 << (bits - 6), sizeof(uint64_t))
        if self._filter is NULL or table_grow(&self._table, capacity) < 0:
            raise MemoryError
        for number in range(self.count):
            if table_add(&self._table, &parts[PART_SIZE * number]) != number:
                raise ConfigError(f"part {number} is there twice", field="parts")
            place = _filter_place(&parts[PART_SIZE * number], self._shift)
            self._filter[place >> 6] |= <uint64_t>1 << (place & 63)

    def __dealloc__(self):
        table_release(&self._table)
        free(self._filter)

    def __len__(self):
        return self.count

    @property
    def variant(self):
        """The name of the variant that runs."""
        return "scalar" if self._plain else "sse2"

    cdef inline int64_t _find(self, const uint8_t* text, Py_ssize_t size, Py_ssize_t* place) noexcept nogil:
        """Return the number of the next part at or after *place*, which moves there, or -1: then no window is left."""
        cdef Py_ssize_t here = place[0], last
        cdef uint64_t bit
        cdef int64_t number
        cdef int other, more
        while here + PART_SIZE <= size:
            other = refscan_last_other_plain(text + here) if self._plain else refscan_last_other_sse2(text + here)
            if other >= 0:
                here += other + 1
                continue
            more = PART_SIZE
            while more == PART_SIZE:            # as far as the run of digits goes on
                more = 0
                if here + 2 * PART_SIZE <= size:
                    more = (refscan_first_other_plain(text + here + PART_SIZE) if self._plain
                            else refscan_first_other_sse2(text + here + PART_SIZE))
                last = here + more
                while here <= last:
                    bit = _filter_place(text + here, self._shift)
                    if self._filter[bit >> 6] >> (bit & 63) & 1:
                        number = table_find(&self._table, text + here)
                        if number >= 0:
                            place[0] = here
                            return number
                    here += 1
                here = last                     # a window of digits that was looked at: the next run begins after it
            here += 1
        place[0] = here
        return -1

    cdef Py_ssize_t _mark(self, const uint8_t* text, Py_ssize_t size, uint8_t* seen) noexcept nogil:
        cdef Py_ssize_t fresh = 0, here = 0
        cdef int64_t number = self._find(text, size, &here)
        while number >= 0:
            fresh += not seen[number]
            seen[number] = 1
            here += 1                           # references may overlap
            number = self._find(text, size, &here)
        return fresh

    cdef Py_ssize_t _take(self, uint8_t* text, Py_ssize_t size, const uint8_t* placeholder, Py_ssize_t* here, uint64_t base,
                          uint64_t* offsets, uint32_t* numbers) noexcept nogil:
        """Replace up to BLOCK_HITS parts, each after the one before; return how many."""
        cdef Py_ssize_t count = 0
        cdef int64_t number
        while count < BLOCK_HITS:
            number = self._find(text, size, here)
            if number < 0:
                break
            memcpy(text + here[0], placeholder, PART_SIZE)
            offsets[count], numbers[count] = base + <uint64_t>here[0], <uint32_t>number
            count += 1
            here[0] += PART_SIZE
        return count

    def mark(self, const uint8_t[::1] data not None, uint8_t[::1] seen not None):
        """Set ``seen[number]`` to 1 for every part that occurs in *data*; return how many were 0 before."""
        cdef Py_ssize_t fresh = 0, size = data.shape[0]
        cdef const uint8_t* text
        cdef uint8_t* marks
        if seen.shape[0] != self.count:
            raise ConfigError(f"expected {self.count} bytes, got {seen.shape[0]}", field="seen")
        if size >= PART_SIZE and self.count:
            text, marks = &data[0], &seen[0]
            with nogil:
                fresh = self._mark(text, size, marks)
        return fresh

    def take(self, uint8_t[::1] data not None, const uint8_t[::1] placeholder not None, uint64_t base=0):
        """Write *placeholder*, 32 bytes, over every part in *data*, from the left, each after the one before.

        Returns ``(offsets, numbers, rest)``: ``array('Q')`` of *base* plus the index of each, ``array('I')`` of its number, and
        the index from which on a part may begin that *data* does not hold whole.
        """
        cdef uint64_t offset_block[BLOCK_HITS]
        cdef uint32_t number_block[BLOCK_HITS]
        cdef array offsets = clone(_OFFSETS, 0, False), numbers = clone(_NUMBERS, 0, False)
        cdef Py_ssize_t count = BLOCK_HITS, held = 0, size = data.shape[0]
        cdef uint8_t* text
        cdef const uint8_t* filling
        cdef Py_ssize_t here = 0
        if placeholder.shape[0] != PART_SIZE:
            raise ConfigError(f"expected {PART_SIZE} bytes, got {placeholder.shape[0]}", field="placeholder")
        if size < PART_SIZE:
            return offsets, numbers, self._tail(data, 0)
        text, filling = &data[0], &placeholder[0]
        while count == BLOCK_HITS:
            with nogil:
                count = self._take(text, size, filling, &here, base, offset_block, number_block)
            if count:
                offsets.extend(clone(_OFFSETS, count, False))
                numbers.extend(clone(_NUMBERS, count, False))
                memcpy(offsets.data.as_ulonglongs + held, offset_block, count * sizeof(uint64_t))
                memcpy(numbers.data.as_uints + held, number_block, count * sizeof(uint32_t))
                held += count
        return offsets, numbers, self._tail(data, min(here, size))

    cdef Py_ssize_t _tail(self, const uint8_t[::1] data, Py_ssize_t start):
        """Return the first index from *start* on after which there are only digits: a part may begin there."""
        cdef Py_ssize_t at = data.shape[0]
        while at > start and refscan_is_digit(data[at - 1]):
            at -= 1
        return at


def put(
    uint8_t[::1] data not None, const uint64_t[::1] offsets not None, const uint32_t[::1] numbers not None, Py_ssize_t first,
    const uint8_t[::1] parts not None, const uint8_t[::1] placeholder not None, uint64_t base=0,
):
    """Write the parts back where `take` found them, for the bytes of a stream that begin at offset *base*.

    *offsets* ascend by 32 at least. Starts with hit *first* and returns the first one that does not end in *data*; a hit may
    lie over the border of two buffers.  Raises CorruptDataError where *data* does not hold the *placeholder* there.
    """
    cdef Py_ssize_t count = offsets.shape[0], size = data.shape[0], known = parts.shape[0] // PART_SIZE, next_hit = first
    cdef int64_t fault
    cdef uint8_t* text
    cdef const uint8_t* source
    cdef const uint8_t* expected
    cdef const uint64_t* places
    cdef const uint32_t* which
    if placeholder.shape[0] != PART_SIZE or parts.shape[0] % PART_SIZE:
        raise ConfigError(f"a part and a placeholder have {PART_SIZE} bytes", field="parts")
    if numbers.shape[0] != count or not 0 <= first <= count:
        raise ConfigError("offsets and numbers differ in length, or first is outside", field="first")
    if first == count or not size or not known:
        return first
    text, source, expected, places, which = &data[0], &parts[0], &placeholder[0], &offsets[0], &numbers[0]
    with nogil:
        fault = _put(text, size, base, places, which, count, &next_hit, source, known, expected)
    if fault >= 0:
        raise CorruptDataError("a reference is to be restored where none was taken", offset=base + fault)
    return next_hit


cdef int64_t _put(
    uint8_t* text, Py_ssize_t size, uint64_t base, const uint64_t* offsets, const uint32_t* numbers, Py_ssize_t count,
    Py_ssize_t* hit, const uint8_t* parts, Py_ssize_t known, const uint8_t* placeholder,
) noexcept nogil:
    """Return the index in *text* where something else than the placeholder stands, or -1."""
    cdef uint64_t offset
    cdef uint32_t number
    cdef Py_ssize_t start, skip, length
    while hit[0] < count:
        offset, number = offsets[hit[0]], numbers[hit[0]]
        if offset + PART_SIZE <= base:                  # only where the caller's columns do not ascend
            return 0
        if offset >= base + <uint64_t>size:
            return -1
        start = 0 if offset < base else <Py_ssize_t>(offset - base)
        skip = <Py_ssize_t>(base - offset) if offset < base else 0
        length = min(PART_SIZE - skip, size - start)
        if number >= <uint32_t>known or memcmp(text + start, placeholder + skip, length) != 0:
            return start
        memcpy(text + start, parts + PART_SIZE * <Py_ssize_t>number + skip, length)
        if skip + length < PART_SIZE:
            return -1
        hit[0] += 1
    return -1


def pack_hits(const uint64_t[::1] offsets not None, const uint32_t[::1] numbers not None):
    """Return the hits of `take` as LEB128 integers: for each the gap after the one before, then its number.

    Raises ConfigError where the offsets do not ascend by 32 at least.
    """
    cdef Py_ssize_t count = offsets.shape[0], size, written
    cdef const uint64_t* places
    cdef const uint32_t* which
    cdef uint8_t* target
    cdef bytes packed
    if numbers.shape[0] != count:
        raise ConfigError("offsets and numbers differ in length", field="numbers")
    if not count:
        return b""
    places, which = &offsets[0], &numbers[0]
    with nogil:
        size = _pack(places, which, count, NULL, 0)
    if size >= 0:
        packed = PyBytes_FromStringAndSize(NULL, size)
        target = <uint8_t*>PyBytes_AS_STRING(packed)
        with nogil:
            written = _pack(places, which, count, target, size)
        if written == size:                             # else another thread changed the columns meanwhile
            return packed
    raise ConfigError("the offsets do not ascend by 32 at least", field="offsets")


def unpack_hits(const uint8_t[::1] data not None, Py_ssize_t count, uint32_t known, uint64_t size):
    """Return ``(offsets, numbers)`` of the *count* hits in *data*, for *known* parts and a stream of *size* bytes.

    Raises CorruptDataError for anything that `pack_hits` does not write for such a stream.
    """
    cdef array offsets, numbers
    cdef Cursor cursor
    cdef bint whole = True
    if count < 0 or count > data.shape[0] // 2:         # each takes two bytes at least: nothing is allocated for more
        raise CorruptDataError(f"{count} references do not fit into {data.shape[0]} bytes", offset=0)
    offsets, numbers = clone(_OFFSETS, count, False), clone(_NUMBERS, count, False)
    if data.shape[0]:
        cursor.here = &data[0]
        cursor.end = cursor.here + data.shape[0]
        with nogil:
            whole = _unpack(&cursor, count, known, size, <uint64_t*>offsets.data.as_ulonglongs,
                            <uint32_t*>numbers.data.as_uints)
        if not whole or cursor.here != cursor.end:
            raise CorruptDataError("the places of references do not follow their format", offset=cursor.here - &data[0])
    return offsets, numbers


cdef inline Py_ssize_t _write_varint(uint64_t value, uint8_t* target) noexcept nogil:
    """Return the bytes that *value* takes; *target* has room for 10."""
    cdef Py_ssize_t used = 0
    while value > 0x7F:
        target[used] = <uint8_t>(value & 0x7F | 0x80)
        value >>= 7
        used += 1
    target[used] = <uint8_t>value
    return used + 1


cdef Py_ssize_t _pack(
    const uint64_t* offsets, const uint32_t* numbers, Py_ssize_t count, uint8_t* target, Py_ssize_t room,
) noexcept nogil:
    """Return the size of the packed hits, or -1; writes them where there is a target, *room* bytes at most."""
    cdef uint8_t one[20]
    cdef Py_ssize_t used = 0, length, i
    cdef uint64_t end = 0, offset
    for i in range(count):
        offset = offsets[i]
        if offset < end or offset > <uint64_t>-1 - PART_SIZE:
            return -1
        length = _write_varint(offset - end, one)
        length += _write_varint(numbers[i], one + length)
        end = offset + PART_SIZE
        if target is not NULL:
            if length > room - used:
                return -1
            memcpy(target + used, one, length)
        used += length
    return used


cdef inline bint _take_shortest(Cursor* cursor, uint64_t* value) noexcept nogil:
    """Read an integer; False where it is cut short, too long, or has zeros that nobody writes."""
    cdef int used = take_varint(cursor, value)
    return used > 0 and (used == 1 or (cursor.here - 1)[0] != 0)


cdef bint _unpack(
    Cursor* cursor, Py_ssize_t count, uint32_t known, uint64_t size, uint64_t* offsets, uint32_t* numbers,
) noexcept nogil:
    cdef uint64_t end = 0, gap = 0, number = 0
    cdef Py_ssize_t i
    for i in range(count):
        if not _take_shortest(cursor, &gap) or not _take_shortest(cursor, &number):
            return False
        if size - end < PART_SIZE or gap > size - end - PART_SIZE or number >= known:
            return False
        offsets[i], numbers[i] = end + gap, <uint32_t>number
        end += gap + PART_SIZE
    return True
