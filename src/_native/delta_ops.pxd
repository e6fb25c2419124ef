"""Git's delta format (gitformat-pack, "Deltified representation"): prove first, copy second."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cursor cimport Cursor, take_varint
from pack_faults cimport DELTA_BASE_SIZE, DELTA_CUT, DELTA_OUTSIDE, DELTA_RESERVED, DELTA_RESULT_SIZE

cdef enum:
    COPY_SIZE_ZERO = 0x10000    # a copy of size 0 means this many bytes
    SHORT_PIECE = 32            # pieces up to this size are copied as a whole register pair where there is room

cdef inline int take_copy(Cursor* cursor, uint8_t opcode, uint64_t* start, uint64_t* size) noexcept nogil:
    """Read the operands of a copy; the cursor is after the opcode. Returns 0 or DELTA_CUT."""
    cdef uint64_t place = 0, length = 0
    cdef int bit
    for bit in range(4):
        if opcode & (1 << bit):
            if cursor.here >= cursor.end:
                return DELTA_CUT
            place |= <uint64_t>cursor.here[0] << (8 * bit)
            cursor.here += 1
    for bit in range(3):
        if opcode & (0x10 << bit):
            if cursor.here >= cursor.end:
                return DELTA_CUT
            length |= <uint64_t>cursor.here[0] << (8 * bit)
            cursor.here += 1
    start[0] = place
    size[0] = length if length else <uint64_t>COPY_SIZE_ZERO
    return 0

cdef inline Py_ssize_t measure_delta(const uint8_t* delta, Py_ssize_t delta_size, Py_ssize_t base_size,
                                     Py_ssize_t* body) noexcept nogil:
    """Return the size of the result, after proving every instruction, or a PackFault; *body* is where they start.

    After success `apply_delta` cannot leave the base, the delta or a result of that size.
    """
    cdef Cursor cursor
    cdef uint64_t stated_base = 0, stated_result = 0, start = 0, size = 0, made = 0
    cdef uint8_t opcode
    cursor.here = delta
    cursor.end = delta + delta_size
    if take_varint(&cursor, &stated_base) < 0 or take_varint(&cursor, &stated_result) < 0:
        return DELTA_CUT
    body[0] = cursor.here - delta
    if stated_base != <uint64_t>base_size:
        return DELTA_BASE_SIZE
    while cursor.here < cursor.end:
        opcode = cursor.here[0]
        cursor.here += 1
        if opcode & 0x80:
            if take_copy(&cursor, opcode, &start, &size) < 0:
                return DELTA_CUT
            if start + size > stated_base:
                return DELTA_OUTSIDE
            made += size
        elif opcode:
            if cursor.end - cursor.here < opcode:
                return DELTA_CUT
            cursor.here += opcode
            made += opcode
        else:
            return DELTA_RESERVED
        if made > stated_result:
            return DELTA_RESULT_SIZE
    if made != stated_result or made > (<uint64_t>1 << 62):
        return DELTA_RESULT_SIZE
    return <Py_ssize_t>made

cdef inline void copy_piece(uint8_t* target, const uint8_t* target_end, const uint8_t* source,
                            const uint8_t* source_end, Py_ssize_t size) noexcept nogil:
    # Most pieces are short: a fixed-size copy is two register moves; it may write past the piece, never past the result.
    if size <= SHORT_PIECE and source_end - source >= SHORT_PIECE and target_end - target >= SHORT_PIECE:
        memcpy(target, source, SHORT_PIECE)
    else:
        memcpy(target, source, <size_t>size)

cdef inline void apply_delta(const uint8_t* base, Py_ssize_t base_size, const uint8_t* delta, Py_ssize_t delta_size,
                             Py_ssize_t body, uint8_t* target, Py_ssize_t target_size) noexcept nogil:
    """Carry out a delta that `measure_delta` accepted for a base of *base_size*; *target_size* is what it returned."""
    cdef Cursor cursor
    cdef uint64_t start = 0, size = 0
    cdef const uint8_t* base_end = base + base_size
    cdef const uint8_t* target_end = target + target_size
    cdef uint8_t opcode
    cursor.here = delta + body
    cursor.end = delta + delta_size
    while cursor.here < cursor.end:
        opcode = cursor.here[0]
        cursor.here += 1
        if opcode & 0x80:
            take_copy(&cursor, opcode, &start, &size)
            copy_piece(target, target_end, base + start, base_end, <Py_ssize_t>size)
            target += size
        else:
            copy_piece(target, target_end, cursor.here, cursor.end, opcode)
            cursor.here += opcode
            target += opcode
