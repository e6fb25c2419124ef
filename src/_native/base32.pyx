"""Base 32 of Nix: its own alphabet, the last byte first, no padding (libutil/hash.cc, `printHash32` and `parse32`).

The plain variant is the two leaves below; the vector variants are in `base32_simd.h`.  A variant that this processor has, and
that agrees with the plain one on every size up to two blocks, is found once at import; which of them runs never shows in a
result.  Every fault is placed by the plain variant.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

from siltstone.core.errors import ConfigError, CorruptDataError

cdef extern from "Python.h":
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 largest)
    void* PyUnicode_DATA(object text)

cdef extern from "base32_simd.h" nogil:
    enum:
        BASE32_SCALAR
        BASE32_AVX2
        BASE32_VBMI
    const char* BASE32_DIGITS
    bint base32_runs(int variant)
    void base32_encode_vectors(int variant, const uint8_t* data, size_t count, size_t size, uint8_t* text)
    size_t base32_decode_vectors(int variant, const uint8_t* text, size_t count, size_t size, uint8_t* data)

cdef enum:
    NOT_A_DIGIT = 255
    WHOLE = -1                  # the text decodes without a fault
    LARGEST_TESTED = 100        # bytes: two blocks of the widest variant, and a rest
    LARGEST_VALUE = 1 << 30     # bytes of one value of a batch: no product of sizes overflows
    LONG = 1 << 15              # bytes, about 10 us: below, releasing the GIL costs more than it gives

_VARIANTS = {"scalar": BASE32_SCALAR, "avx2": BASE32_AVX2, "avx512-vbmi": BASE32_VBMI}     # slowest first


cdef void _encode(const uint8_t* data, Py_ssize_t size, uint8_t* text, Py_ssize_t length) noexcept nogil:
    """Write *length* digits, which hold all bits of *data*, from the last to the first."""
    cdef const uint8_t* alphabet = <const uint8_t*>BASE32_DIGITS
    cdef uint32_t bits = 0
    cdef int held = 0
    cdef Py_ssize_t i = 0
    while length > 0:
        if held < 5 and i < size:
            bits |= <uint32_t>data[i] << held
            held += 8
            i += 1
        length -= 1
        text[length] = alphabet[bits & 31]
        bits >>= 5
        held -= 5


cdef void _fill_values(uint8_t* values) noexcept nogil:
    cdef int value
    memset(values, NOT_A_DIGIT, 256)
    for value in range(32):
        values[<uint8_t>BASE32_DIGITS[value]] = <uint8_t>value


cdef Py_ssize_t _decode(
    const uint8_t* values, const uint8_t* text, Py_ssize_t length, uint8_t* data, Py_ssize_t size,
) noexcept nogil:
    """Read the digits from the last to the first; return WHOLE, or the index of the digit that is wrong."""
    cdef uint32_t bits = 0
    cdef int held = 0, value
    cdef Py_ssize_t i = 0
    while length > 0:
        length -= 1
        value = values[text[length]]
        if value == NOT_A_DIGIT:
            return length
        bits |= <uint32_t>value << held
        held += 5
        if held >= 8 and i < size:
            data[i] = bits & 0xFF
            bits >>= 8
            held -= 8
            i += 1
    return 0 if bits else WHOLE             # what is left belongs to the first digit


cdef inline Py_ssize_t _digits(Py_ssize_t size) noexcept nogil:
    return (size // 5) * 8 + ((size % 5) * 8 + 4) // 5


cdef void _encode_many(int variant, const uint8_t* data, Py_ssize_t count, Py_ssize_t size, uint8_t* text) noexcept nogil:
    """Encode *count* values of *size* bytes, one behind the other; size > 0."""
    cdef Py_ssize_t i, length = _digits(size)
    if variant != BASE32_SCALAR:
        base32_encode_vectors(variant, data, <size_t>count, <size_t>size, text)
        return
    for i in range(count):
        _encode(data + i * size, size, text + i * length, length)


cdef Py_ssize_t _decode_many(
    int variant, const uint8_t* text, Py_ssize_t count, Py_ssize_t size, uint8_t* data,
) noexcept nogil:
    """Decode likewise; return WHOLE, or the index in *text* of the digit that is wrong."""
    cdef uint8_t values[256]
    cdef Py_ssize_t i = 0, length = _digits(size), fault
    if variant != BASE32_SCALAR:
        i = <Py_ssize_t>base32_decode_vectors(variant, text, <size_t>count, <size_t>size, data)
        if i == count:
            return WHOLE
    _fill_values(values)
    while i < count:
        fault = _decode(values, text + i * length, length, data + i * size, size)
        if fault != WHOLE:
            return i * length + fault
        i += 1
    return WHOLE


cdef bint _agrees(int variant) noexcept nogil:
    """Whether *variant* gives what the plain one gives, for values of every size up to LARGEST_TESTED, and sees every fault."""
    cdef uint8_t data[3 * LARGEST_TESTED]
    cdef uint8_t back[3 * LARGEST_TESTED]
    cdef uint8_t expected[3 * 2 * LARGEST_TESTED]
    cdef uint8_t text[3 * 2 * LARGEST_TESTED]
    cdef Py_ssize_t size, i, length
    for i in range(3 * LARGEST_TESTED):
        data[i] = <uint8_t>((<uint32_t>i * <uint32_t>2654435761) >> 13)
    for size in range(1, LARGEST_TESTED + 1):
        length = _digits(size)
        _encode_many(BASE32_SCALAR, data, 3, size, expected)
        _encode_many(variant, data, 3, size, text)
        if memcmp(text, expected, 3 * length) != 0:
            return False
        if base32_decode_vectors(variant, text, 3, size, back) != 3 or memcmp(back, data, 3 * size) != 0:
            return False
        text[length + size % length] = b"u"
        if base32_decode_vectors(variant, text, 3, size, back) != 1:
            return False
    return True


_RUNNING = tuple([name for name, variant in _VARIANTS.items()
                  if variant == BASE32_SCALAR or (base32_runs(variant) and _agrees(variant))])
cdef int _BEST = _VARIANTS[_RUNNING[len(_RUNNING) - 1]]    # set here and never again


def variants():
    """Return the names of the variants that run here and agree with the plain one, slowest first."""
    return _RUNNING


cdef int _chosen(str kernel) except -1:
    if kernel is None or kernel == "auto":
        return _BEST
    if kernel not in _RUNNING:
        raise ConfigError(f"expected auto or one of {', '.join(_RUNNING)}, which run here, got {kernel!r}", field="kernel")
    return _VARIANTS[kernel]


cdef Py_ssize_t _count_of(Py_ssize_t total, Py_ssize_t size, bint as_digits) except -1:
    """Return how many values of *size* bytes are in *total* bytes, which are the values themselves or their digits."""
    cdef Py_ssize_t each
    if not 0 < size <= LARGEST_VALUE:
        raise ConfigError(f"a value has 1 to {LARGEST_VALUE:,} bytes, got {size}", field="size")
    each = _digits(size) if as_digits else size
    if total % each:
        raise CorruptDataError(f"the last value is cut short: {total % each} of {each} bytes", offset=total)
    return total // each


cdef int _refuse(const uint8_t* text, Py_ssize_t fault) except -1:
    if chr(text[fault]) in "0123456789abcdfghijklmnpqrsvwxyz":
        raise CorruptDataError("the first digit of a base 32 text has bits that no byte holds", offset=fault)
    raise CorruptDataError("not a digit of Nix's base 32", offset=fault)


cdef bytes _encoded(const uint8_t* source, Py_ssize_t count, Py_ssize_t size, int variant):
    cdef bytes text = PyBytes_FromStringAndSize(NULL, count * _digits(size))
    cdef uint8_t* digits = <uint8_t*>PyBytes_AS_STRING(text)
    if count * size < LONG:
        _encode_many(variant, source, count, size, digits)
    else:
        with nogil:
            _encode_many(variant, source, count, size, digits)
    return text


cdef bytes _decoded(const uint8_t* source, Py_ssize_t count, Py_ssize_t size, int variant):
    cdef bytes data = PyBytes_FromStringAndSize(NULL, count * size)
    cdef uint8_t* target = <uint8_t*>PyBytes_AS_STRING(data)
    cdef Py_ssize_t fault
    if count * size < LONG:
        fault = _decode_many(variant, source, count, size, target)
    else:
        with nogil:
            fault = _decode_many(variant, source, count, size, target)
    if fault != WHOLE:
        _refuse(source, fault)
    return data


def encode(const uint8_t[::1] data not None, str kernel=None):
    """Return *data* as ASCII digits: ``ceil(8 * size / 5)`` bytes. *kernel* is one of `variants()`."""
    cdef int variant = _chosen(kernel)
    return _encoded(&data[0], 1, data.shape[0], variant) if data.shape[0] else b""


def decode(const uint8_t[::1] text not None, str kernel=None):
    """Return the bytes that *text* stands for; exactly the texts that `encode` writes are accepted.

    Raises CorruptDataError with the offset of a symbol outside the alphabet, of the first digit where bits are left over
    that no byte holds, or of the end where no number of bytes has this many digits.
    """
    cdef Py_ssize_t length = text.shape[0], size = (length // 8) * 5 + ((length % 8) * 5) // 8
    cdef int variant = _chosen(kernel)
    if _digits(size) != length:
        raise CorruptDataError(f"no number of bytes has {length} digits in base 32", offset=length)
    return _decoded(&text[0], 1, size, variant) if length else b""


def encode_batch(const uint8_t[::1] data not None, Py_ssize_t size, str kernel=None):
    """Return the digits of values of *size* bytes that stand one behind the other in *data*, packed in the same way."""
    cdef Py_ssize_t count = _count_of(data.shape[0], size, False)
    cdef int variant = _chosen(kernel)
    return _encoded(&data[0], count, size, variant) if count else b""


def decode_batch(const uint8_t[::1] text not None, Py_ssize_t size, str kernel=None):
    """Return the values of *size* bytes whose digits stand one behind the other in *text*, packed in the same way.

    Raises CorruptDataError as `decode` does, with the offset in *text*.
    """
    cdef Py_ssize_t count = _count_of(text.shape[0], size, True)
    cdef int variant = _chosen(kernel)
    return _decoded(&text[0], count, size, variant) if count else b""


def encode_texts(const uint8_t[::1] data not None, Py_ssize_t size, str kernel=None):
    """Return the same digits as `encode_batch`, a list with a text for each value."""
    cdef Py_ssize_t count = _count_of(data.shape[0], size, False), length = _digits(size), i
    cdef bytes packed = _encoded(&data[0], count, size, _chosen(kernel)) if count else b""
    cdef const char* digits = PyBytes_AS_STRING(packed)
    cdef list texts = [None] * count
    cdef str text
    for i in range(count):
        text = PyUnicode_New(length, 127)
        memcpy(PyUnicode_DATA(text), digits + i * length, <size_t>length)
        texts[i] = text
    return texts
