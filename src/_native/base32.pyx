"""Base 32 of Nix: its own alphabet, the last byte first, no padding (libutil/hash.cc, `printHash32` and `parse32`)."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from siltstone.core.errors import CorruptDataError

cdef enum:
    NOT_A_DIGIT = 255
    WHOLE = -1                  # the text decodes without a fault

cdef const uint8_t* ALPHABET = b"0123456789abcdfghijklmnpqrsvwxyz"     # no e o u t


cdef void _encode(const uint8_t* data, Py_ssize_t size, uint8_t* text, Py_ssize_t length) noexcept nogil:
    """Write *length* digits, which hold all bits of *data*, from the last to the first."""
    cdef uint32_t bits = 0
    cdef int held = 0
    cdef Py_ssize_t i = 0
    while length > 0:
        if held < 5 and i < size:
            bits |= <uint32_t>data[i] << held
            held += 8
            i += 1
        length -= 1
        text[length] = ALPHABET[bits & 31]
        bits >>= 5
        held -= 5


cdef Py_ssize_t _decode(const uint8_t* text, Py_ssize_t length, uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Read the digits from the last to the first; return WHOLE, or the index of the digit that is wrong."""
    cdef uint8_t values[256]
    cdef uint32_t bits = 0
    cdef int held = 0, value
    cdef Py_ssize_t i = 0
    memset(values, NOT_A_DIGIT, 256)
    for value in range(32):
        values[ALPHABET[value]] = <uint8_t>value
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


def encode(const uint8_t[::1] data not None):
    """Return *data* as ASCII digits: ``ceil(8 * size / 5)`` bytes."""
    cdef Py_ssize_t size = data.shape[0], length = (size // 5) * 8 + ((size % 5) * 8 + 4) // 5
    cdef bytes text = PyBytes_FromStringAndSize(NULL, length)
    cdef uint8_t* digits = <uint8_t*>PyBytes_AS_STRING(text)
    cdef const uint8_t* source
    if size:
        source = &data[0]
        with nogil:
            _encode(source, size, digits, length)
    return text


def decode(const uint8_t[::1] text not None):
    """Return the bytes that *text* stands for; exactly the texts that `encode` writes are accepted.

    Raises CorruptDataError with the offset of a symbol outside the alphabet, of the first digit where bits are left over
    that no byte holds, or of the end where no number of bytes has this many digits.
    """
    cdef Py_ssize_t length = text.shape[0], size = (length // 8) * 5 + ((length % 8) * 5) // 8, fault
    cdef bytes data
    cdef uint8_t* target
    cdef const uint8_t* source
    if (size // 5) * 8 + ((size % 5) * 8 + 4) // 5 != length:
        raise CorruptDataError(f"no number of bytes has {length} digits in base 32", offset=length)
    data = PyBytes_FromStringAndSize(NULL, size)
    target = <uint8_t*>PyBytes_AS_STRING(data)
    if length:
        source = &text[0]
        with nogil:
            fault = _decode(source, length, target, size)
        if fault != WHOLE:
            if fault == 0 and text[0] in b"0123456789abcdfghijklmnpqrsvwxyz":
                raise CorruptDataError("the first digit of a base 32 text has bits that no byte holds", offset=0)
            raise CorruptDataError("not a digit of Nix's base 32", offset=fault)
    return data
