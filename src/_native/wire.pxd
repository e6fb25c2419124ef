"""Protocol Buffers fields over memory that somebody else owns (protobuf.dev, "Encoding")."""
from libc.stdint cimport uint8_t, uint64_t

from cursor cimport TRUNCATED, Cursor, take_varint

cdef enum WireFault:
    BAD_TAG = -3                # field number 0, a tag of more than 32 bits, or wire type 6 or 7
    GROUP = -4                  # wire type 3 or 4: deprecated, in no schema that is read here

cdef enum WireType:
    VARINT = 0
    FIXED64 = 1
    LEN = 2
    FIXED32 = 5

cdef struct Field:
    uint64_t number             # 1 and up
    uint64_t wire               # a WireType
    uint64_t value              # of a VARINT field; the payload size of a LEN field
    const uint8_t* payload      # first byte after the tag (VARINT) or after the length (LEN); owned by the buffer
    const uint8_t* end          # one past the field

cdef inline int take_field(Cursor* cursor, Field* field) noexcept nogil:
    """Return 0, or a fault; the cursor moves past the field only on success.

    A LEN field that ends after the cursor is TRUNCATED with number, wire and value set and `payload` valid.
    """
    cdef Cursor ahead = cursor[0]
    cdef uint64_t tag = 0
    cdef int used
    field.number = 0
    used = take_varint(&ahead, &tag)
    if used < 0:
        return used
    if tag < 8 or tag > 0xFFFFFFFFULL:
        return BAD_TAG
    field.wire = tag & 7
    field.payload = ahead.here
    if field.wire == VARINT:
        used = take_varint(&ahead, &field.value)
        if used < 0:
            return used
    elif field.wire == LEN:
        used = take_varint(&ahead, &field.value)
        if used < 0:
            return used
        field.number = tag >> 3
        field.payload = ahead.here
        if field.value > <uint64_t>(ahead.end - ahead.here):
            return TRUNCATED
        ahead.here += field.value
    elif field.wire == FIXED64 or field.wire == FIXED32:
        field.value = 8 if field.wire == FIXED64 else 4
        if field.value > <uint64_t>(ahead.end - ahead.here):
            return TRUNCATED
        ahead.here += field.value
    else:
        return GROUP if field.wire == 3 or field.wire == 4 else BAD_TAG
    field.number = tag >> 3
    field.end = ahead.here
    cursor.here = ahead.here
    return 0
