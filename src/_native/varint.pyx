"""Integers of variable length: LEB128 (protobuf), and git's pack entry header and base distance."""
from libc.stdint cimport uint8_t, uint64_t

from cursor cimport OVERLONG, Cursor, take_base_offset, take_entry_header, take_varint

from siltstone.core.errors import CorruptDataError


cdef int _open(Cursor* cursor, const uint8_t[::1] data, Py_ssize_t offset, str what) except -1:
    if not 0 <= offset < data.shape[0]:
        raise CorruptDataError(f"{what} is missing", offset=offset)
    cursor.here = &data[offset]
    cursor.end = &data[0] + data.shape[0]
    return 0


cdef object _failure(int fault, str what, Py_ssize_t offset):
    return CorruptDataError(f"{what} exceeds 64 bits" if fault == OVERLONG else f"{what} is cut short", offset=offset)


def read_varint(const uint8_t[::1] data not None, Py_ssize_t offset=0):
    """Return ``(value, next_offset)`` of the LEB128 integer at *offset*; at most 10 bytes, at most 64 bits."""
    cdef Cursor cursor
    cdef uint64_t value = 0
    cdef int used
    _open(&cursor, data, offset, "varint")
    used = take_varint(&cursor, &value)
    if used < 0:
        raise _failure(used, "varint", offset)
    return value, offset + used


def read_entry_header(const uint8_t[::1] data not None, Py_ssize_t offset=0):
    """Return ``(type, size, next_offset)`` of the pack entry at *offset* (gitformat-pack, "pack-*.pack files")."""
    cdef Cursor cursor
    cdef uint64_t size = 0
    cdef int kind = 0, used
    _open(&cursor, data, offset, "entry header")
    used = take_entry_header(&cursor, &kind, &size)
    if used < 0:
        raise _failure(used, "entry size", offset)
    return kind, size, offset + used


def read_base_offset(const uint8_t[::1] data not None, Py_ssize_t offset=0):
    """Return ``(distance, next_offset)``: how far before its entry the base of an OFS_DELTA starts."""
    cdef Cursor cursor
    cdef uint64_t distance = 0
    cdef int used
    _open(&cursor, data, offset, "base offset")
    used = take_base_offset(&cursor, &distance)
    if used < 0:
        raise _failure(used, "base offset", offset)
    return distance, offset + used


def read_varints(const uint8_t[::1] data not None):
    """Return every LEB128 integer of *data* as a list, in order: the payload of a packed protobuf field."""
    cdef Cursor cursor
    cdef uint64_t value = 0
    cdef int used
    cdef list values = []
    if data.shape[0] == 0:
        return values
    cursor.here = &data[0]
    cursor.end = &data[0] + data.shape[0]
    while cursor.here < cursor.end:
        used = take_varint(&cursor, &value)
        if used < 0:
            raise _failure(used, "varint", cursor.here - &data[0])
        values.append(value)
    return values
