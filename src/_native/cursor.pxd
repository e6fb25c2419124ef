"""Bounded reads over memory that somebody else owns; a pointer travels with its end."""
from libc.stdint cimport uint8_t, uint64_t

cdef enum Fault:
    TRUNCATED = -1              # the input ends inside a value
    OVERLONG = -2               # the value needs more than 64 bits

cdef struct Cursor:
    const uint8_t* here         # next byte to read
    const uint8_t* end          # one past the last readable byte

cdef inline int take_varint(Cursor* cursor, uint64_t* value) noexcept nogil:
    """LEB128: return the bytes used, or a Fault; the cursor moves only on success."""
    cdef uint64_t total = 0
    cdef uint8_t byte
    cdef int used = 0
    while cursor.here + used < cursor.end:
        byte = cursor.here[used]
        if used == 9 and byte > 1:
            return OVERLONG
        total |= <uint64_t>(byte & 0x7F) << (7 * used)
        used += 1
        if byte < 0x80:
            value[0] = total
            cursor.here += used
            return used
    return TRUNCATED

cdef inline int take_entry_header(Cursor* cursor, int* kind, uint64_t* size) noexcept nogil:
    """Pack entry header (gitformat-pack): type in bits 4-6 of the first byte, size in 4 + 7n bits; bytes used or a Fault."""
    cdef uint64_t total
    cdef uint8_t byte
    cdef int used = 1
    cdef int shift = 4
    if cursor.here >= cursor.end:
        return TRUNCATED
    byte = cursor.here[0]
    total = byte & 0x0F
    kind[0] = (byte >> 4) & 7
    while byte & 0x80:
        if cursor.here + used >= cursor.end:
            return TRUNCATED
        byte = cursor.here[used]
        if shift >= 64 or (shift > 57 and (byte & 0x7F) >> (64 - shift)):
            return OVERLONG
        total |= <uint64_t>(byte & 0x7F) << shift
        shift += 7
        used += 1
    size[0] = total
    cursor.here += used
    return used

cdef inline int take_base_offset(Cursor* cursor, uint64_t* distance) noexcept nogil:
    """OFS_DELTA distance (gitformat-pack): big-endian groups of 7, each continuation adds one; bytes used or a Fault."""
    cdef uint64_t total
    cdef uint8_t byte
    cdef int used = 1
    if cursor.here >= cursor.end:
        return TRUNCATED
    byte = cursor.here[0]
    total = byte & 0x7F
    while byte & 0x80:
        if cursor.here + used >= cursor.end:
            return TRUNCATED
        if total >= (<uint64_t>1 << 57) - 1:
            return OVERLONG
        byte = cursor.here[used]
        total = ((total + 1) << 7) | (byte & 0x7F)
        used += 1
    distance[0] = total
    cursor.here += used
    return used
