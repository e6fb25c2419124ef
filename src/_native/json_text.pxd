"""Bytes as JSON text: hexadecimal digits, base 64, and strings that are UTF-8 (RFC 8259, RFC 4648, RFC 3629)."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

cdef inline uint8_t hex_digit(uint8_t value) noexcept nogil:
    return value + 48 if value < 10 else value + 87

cdef inline uint8_t* put_hex(uint8_t* here, const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Write two digits a byte; return the place after them."""
    cdef Py_ssize_t i
    for i in range(size):
        here[2 * i] = hex_digit(data[i] >> 4)
        here[2 * i + 1] = hex_digit(data[i] & 15)
    return here + 2 * size

cdef inline uint8_t* put_text(uint8_t* here, const char* text, Py_ssize_t size) noexcept nogil:
    memcpy(here, text, <size_t>size)
    return here + size

cdef inline Py_ssize_t plain_size(const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Return how many bytes at the start are ASCII that JSON takes as it is."""
    cdef Py_ssize_t i = 0
    while i < size and 32 <= data[i] < 128 and data[i] != 34 and data[i] != 92:
        i += 1
    return i

cdef inline Py_ssize_t sequence_size(const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Return the length of the UTF-8 sequence at the start, 0 where there is none; *size* is at least 1."""
    cdef uint8_t first = data[0], low = 0x80, high = 0xBF
    cdef Py_ssize_t length, i
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    length = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if first == 0xE0:
        low = 0xA0                  # no overlong form
    elif first == 0xED:
        high = 0x9F                 # no surrogate
    elif first == 0xF0:
        low = 0x90
    elif first == 0xF4:
        high = 0x8F                 # nothing above U+10FFFF
    if size < length or not low <= data[1] <= high:
        return 0
    for i in range(2, length):
        if data[i] & 0xC0 != 0x80:
            return 0
    return length

cdef inline bint is_utf8(const uint8_t* data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at = 0, length
    while at < size:
        length = sequence_size(data + at, size - at)
        if length == 0:
            return False
        at += length
    return True

cdef inline uint8_t* put_escape(uint8_t* here, uint8_t byte) noexcept nogil:
    """Write the escape of a control character, a quote or a backslash: at most 6 bytes."""
    here[0] = 92
    if byte == 34 or byte == 92:
        here[1] = byte
    elif byte == 8:
        here[1] = 98
    elif byte == 9:
        here[1] = 116
    elif byte == 10:
        here[1] = 110
    elif byte == 12:
        here[1] = 102
    elif byte == 13:
        here[1] = 114
    else:
        return put_hex(put_text(here, b"\\u00", 4), &byte, 1)
    return here + 2

cdef inline uint8_t* put_string(uint8_t* here, const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Write UTF-8 between quotes, at most 6 bytes for each and 2; return the place after it."""
    cdef Py_ssize_t i, plain = plain_size(data, size)
    here[0] = 34
    memcpy(here + 1, data, <size_t>plain)
    here += 1 + plain
    for i in range(plain, size):
        if data[i] < 32 or data[i] == 34 or data[i] == 92:
            here = put_escape(here, data[i])
        else:
            here[0] = data[i]
            here += 1
    here[0] = 34
    return here + 1

cdef inline uint8_t base64_digit(uint32_t value) noexcept nogil:
    if value < 26:
        return <uint8_t>(65 + value)
    if value < 52:
        return <uint8_t>(71 + value)
    if value < 62:
        return <uint8_t>(value - 4)
    return 43 if value == 62 else 47

cdef inline uint8_t* put_base64(uint8_t* here, const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Write base 64 with padding between quotes, at most 4 bytes for each 3, rounded up, and 2."""
    cdef Py_ssize_t at = 0, i, taken
    cdef uint32_t group
    here[0] = 34
    here += 1
    while at < size:
        taken = min(size - at, <Py_ssize_t>3)
        group = 0
        for i in range(3):
            group = group << 8 | (data[at + i] if i < taken else 0)
        for i in range(4):
            here[i] = base64_digit(group >> (18 - 6 * i) & 63) if i <= taken else 61
        here += 4
        at += taken
    here[0] = 34
    return here + 1
