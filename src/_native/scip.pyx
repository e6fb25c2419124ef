"""SCIP indexes on the wire (scip.proto v0.9): top-level fields of an Index, and one Document as columns.

Unknown fields, and known ones with another wire type, are skipped as protobuf does; groups are refused.  Text is not
decoded and not validated here: strings are handed over as bytes.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT32_MAX, int32_t, uint8_t, uint64_t
from libc.string cimport memset

from cursor cimport OVERLONG, TRUNCATED, Cursor, take_varint
from scip_columns cimport NO_MEMORY, Column, Columns, free_columns, intern_symbol, push, push_range
from wire cimport BAD_TAG, GROUP, LEN, VARINT, Field, take_field

from siltstone.core.errors import ConfigError, CorruptDataError, UnsupportedError

cdef enum:
    HEAD_BYTES = 96             # of a signature or documentation: enough for the keyword that tells an interface from a class

cdef struct RangeParts:
    int32_t plain[4]            # the deprecated repeated int32
    int32_t typed[4]            # of the typed message that came last
    int count                   # integers seen in the plain form; above 4 it is malformed
    uint64_t member             # field number of the typed message, 0 where there is none


cdef inline int _fail(Columns* columns, int fault, const uint8_t* at) noexcept nogil:
    if columns.fault_at is NULL:
        columns.fault_at = at
    return fault


cdef inline void _add_plain(RangeParts* parts, uint64_t value) noexcept nogil:
    if parts.count < 4:
        parts.plain[parts.count] = <int32_t>value           # the low 32 bits, as protobuf reads an int32
    if parts.count < 5:
        parts.count += 1


cdef int _take_plain(Columns* columns, Field* field, RangeParts* parts) noexcept nogil:
    """Packed or not, in one piece or several."""
    cdef Cursor cursor
    cdef uint64_t value = 0
    cdef int used
    if field.wire == VARINT:
        _add_plain(parts, field.value)
        return 0
    if field.wire != LEN:
        return 0
    cursor.here = field.payload
    cursor.end = field.end
    while cursor.here < cursor.end:
        used = take_varint(&cursor, &value)
        if used < 0:
            return _fail(columns, used, cursor.here)
        _add_plain(parts, value)
    return 0


cdef int _take_typed(Columns* columns, Field* message, RangeParts* parts, uint64_t count) noexcept nogil:
    """A SingleLineRange (*count* 3) or MultiLineRange (4): the last member of the oneof wins, a repeated one merges."""
    cdef Cursor cursor
    cdef Field field
    cdef int fault
    if message.wire != LEN:
        return 0
    if parts.member != message.number:
        memset(&parts.typed, 0, sizeof(parts.typed))
        parts.member = message.number
    cursor.here = message.payload
    cursor.end = message.end
    while cursor.here < cursor.end:
        fault = take_field(&cursor, &field)
        if fault < 0:
            return _fail(columns, fault, cursor.here)
        if field.wire == VARINT and field.number <= count:
            parts.typed[field.number - 1] = <int32_t>field.value
    return 0


cdef bint _settle(RangeParts* parts, bint single, int32_t* out) noexcept nogil:
    """Write start line, start column, end line, end column; false where the range is absent or malformed."""
    cdef int32_t* values = parts.plain
    cdef int i
    if parts.member:
        values = parts.typed
    elif parts.count < 3 or parts.count > 4:
        return False
    else:
        single = parts.count == 3
    out[0] = values[0]
    out[1] = values[1]
    out[2] = values[0] if single else values[2]
    out[3] = values[2] if single else values[3]
    for i in range(4):
        if out[i] < 0:
            return False
    return out[0] < out[2] or (out[0] == out[2] and out[1] <= out[3])


cdef int _take_occurrence(Columns* columns, Field* message) noexcept nogil:
    cdef Cursor cursor
    cdef Field field
    cdef RangeParts place, enclosing
    cdef int32_t symbol = -1, roles = 0
    cdef int32_t[4] settled
    cdef int fault
    memset(&place, 0, sizeof(place))
    memset(&enclosing, 0, sizeof(enclosing))
    cursor.here = message.payload
    cursor.end = message.end
    while cursor.here < cursor.end:
        fault = take_field(&cursor, &field)
        if fault < 0:
            return _fail(columns, fault, cursor.here)
        if field.number == 1:
            fault = _take_plain(columns, &field, &place)
        elif field.number == 2 and field.wire == LEN:
            fault = intern_symbol(columns, field.payload, field.end - field.payload, &symbol)
        elif field.number == 3 and field.wire == VARINT:
            roles = <int32_t>field.value
        elif field.number == 7:
            fault = _take_plain(columns, &field, &enclosing)
        elif field.number == 8 or field.number == 9:
            fault = _take_typed(columns, &field, &place, field.number - 5)
        elif field.number == 10 or field.number == 11:
            fault = _take_typed(columns, &field, &enclosing, field.number - 7)
        if fault < 0:
            return fault
    if not _settle(&place, place.member == 8, settled):
        columns.malformed += 1
        return 0
    if push_range(&columns.ranges, settled) < 0 or push(&columns.roles, roles) < 0 or push(&columns.symbols, symbol) < 0:
        return NO_MEMORY
    if not _settle(&enclosing, enclosing.member == 10, settled):
        memset(&settled, 0xFF, sizeof(settled))             # -1 four times: not known
    return push_range(&columns.enclosing, settled)


cdef int _take_relationship(Columns* columns, Field* message, int32_t row) noexcept nogil:
    cdef Cursor cursor
    cdef Field field
    cdef int32_t target = -1, flags = 0, bit
    cdef int fault
    cursor.here = message.payload
    cursor.end = message.end
    while cursor.here < cursor.end:
        fault = take_field(&cursor, &field)
        if fault < 0:
            return _fail(columns, fault, cursor.here)
        if field.number == 1 and field.wire == LEN:
            if intern_symbol(columns, field.payload, field.end - field.payload, &target) < 0:
                return NO_MEMORY
        elif 2 <= field.number <= 5 and field.wire == VARINT:
            bit = 1 << (field.number - 2)
            flags = (flags | bit) if field.value else (flags & ~bit)
    if push(&columns.relationships, row) < 0 or push(&columns.relationships, target) < 0:
        return NO_MEMORY
    return push(&columns.relationships, flags)


cdef int _signature_text(Columns* columns, Field* message, Field* text) noexcept nogil:
    """Signature.text, where there is one."""
    cdef Cursor cursor
    cdef Field field
    cdef int fault
    cursor.here = message.payload
    cursor.end = message.end
    while cursor.here < cursor.end:
        fault = take_field(&cursor, &field)
        if fault < 0:
            return _fail(columns, fault, cursor.here)
        if field.number == 5 and field.wire == LEN:
            text[0] = field
    return 0


cdef int _push_slice(Columns* columns, Column* column, Field* field, Py_ssize_t limit) noexcept nogil:
    cdef Py_ssize_t size = 0 if field.payload is NULL else field.end - field.payload
    if push(column, <int32_t>(field.payload - columns.base) if size else 0) < 0:
        return NO_MEMORY
    return push(column, <int32_t>(size if size < limit else limit))


cdef int _take_symbol(Columns* columns, Field* message) noexcept nogil:
    cdef Cursor cursor
    cdef Field field, name, documentation, signature
    cdef int32_t row = <int32_t>columns.infos.size, symbol = -1, kind = 0
    cdef int fault
    memset(&name, 0, sizeof(name))
    memset(&documentation, 0, sizeof(documentation))
    memset(&signature, 0, sizeof(signature))
    cursor.here = message.payload
    cursor.end = message.end
    while cursor.here < cursor.end:
        fault = take_field(&cursor, &field)
        if fault < 0:
            return _fail(columns, fault, cursor.here)
        if field.number == 5 and field.wire == VARINT:
            kind = <int32_t>field.value
        elif field.wire != LEN:
            continue
        elif field.number == 1:
            fault = intern_symbol(columns, field.payload, field.end - field.payload, &symbol)
        elif field.number == 3 and documentation.payload is NULL:
            documentation = field
        elif field.number == 4:
            fault = _take_relationship(columns, &field, row)
        elif field.number == 6:
            name = field
        elif field.number == 7:
            fault = _signature_text(columns, &field, &signature)
        if fault < 0:
            return fault
    if push(&columns.infos, symbol) < 0 or push(&columns.kinds, kind) < 0:
        return NO_MEMORY
    if _push_slice(columns, &columns.names, &name, INT32_MAX) < 0:
        return NO_MEMORY
    return _push_slice(columns, &columns.heads, &documentation if signature.payload is NULL else &signature, HEAD_BYTES)


cdef inline void _set_slice(Columns* columns, Py_ssize_t* place, Field* field) noexcept nogil:
    place[0] = field.payload - columns.base
    place[1] = field.end - field.payload


cdef int _take_document(Columns* columns, Cursor cursor) noexcept nogil:
    cdef Field field
    cdef int fault
    while cursor.here < cursor.end:
        fault = take_field(&cursor, &field)
        if fault < 0:
            return _fail(columns, fault, cursor.here)
        if field.number == 6 and field.wire == VARINT:
            columns.encoding = <int32_t>field.value
        elif field.wire != LEN:
            continue
        elif field.number == 1:
            _set_slice(columns, columns.path, &field)
        elif field.number == 2:
            fault = _take_occurrence(columns, &field)
        elif field.number == 3:
            fault = _take_symbol(columns, &field)
        elif field.number == 4:
            _set_slice(columns, columns.language, &field)
        elif field.number == 5:
            _set_slice(columns, columns.text, &field)
        if fault < 0:
            return fault
    return 0


cdef object _failure(int fault, Py_ssize_t offset):
    if fault == NO_MEMORY:
        return MemoryError()
    problems = {TRUNCATED: "a field is cut short", OVERLONG: "an integer exceeds 64 bits", GROUP: "a group is not allowed",
                BAD_TAG: "no such field tag"}
    return CorruptDataError(problems[fault], offset=offset)


cdef bytes _column(Column* column):
    return PyBytes_FromStringAndSize(<const char*>column.items, column.size * sizeof(int32_t))


cdef list _texts(const uint8_t* base, Column* slices):
    return [PyBytes_FromStringAndSize(<const char*>base + slices.items[2 * i], slices.items[2 * i + 1])
            for i in range(slices.size // 2)]


cdef object _slice(Py_ssize_t* place):
    return None if place[0] < 0 else (place[0], place[0] + place[1])


cdef dict _as_dict(Columns* columns):
    return {
        "ranges": _column(&columns.ranges), "enclosing_ranges": _column(&columns.enclosing),
        "roles": _column(&columns.roles), "occurrence_symbols": _column(&columns.symbols),
        "symbols": _texts(columns.base, &columns.slices),
        "info_symbols": _column(&columns.infos), "info_kinds": _column(&columns.kinds),
        "display_names": _texts(columns.base, &columns.names), "heads": _texts(columns.base, &columns.heads),
        "relationships": _column(&columns.relationships),
        "path": _slice(columns.path), "language": _slice(columns.language), "text": _slice(columns.text),
        "position_encoding": columns.encoding, "malformed": columns.malformed,
    }


def read_document(const uint8_t[::1] data not None, Py_ssize_t start=0, Py_ssize_t end=-1):
    """Return the Document whose payload is ``data[start:end]`` as columns (bytes of native int32) and copied strings.

    An occurrence without a valid range is dropped and counted in ``malformed``; an enclosing range that is absent or
    malformed is -1 four times.  A symbol is a number in ``symbols``, by first appearance, -1 where it is empty.
    ``relationships`` has three numbers a row: row of the symbol information, target symbol, flags (1 reference,
    2 implementation, 4 type definition, 8 definition).  ``heads`` are the first 96 bytes of the signature text, else of
    the first documentation.  ``path``, ``language`` and ``text`` are (start, end) in *data*, or None.

    Raises CorruptDataError with the offset in *data* of the field that cannot be read.
    """
    cdef Columns columns
    cdef Cursor cursor
    cdef int fault
    if end == -1:
        end = data.shape[0]
    if not 0 <= start <= end <= data.shape[0]:
        raise ConfigError(f"{start}:{end} is outside {data.shape[0]} bytes", field="start, end")
    if end > INT32_MAX:
        raise UnsupportedError("a SCIP document of more than 2 GiB")
    memset(&columns, 0, sizeof(columns))
    columns.path[0] = columns.language[0] = columns.text[0] = -1
    columns.seed = <uint64_t>hash(b"siltstone")
    if start < end:
        columns.base = &data[0]
        cursor.here = columns.base + start
        cursor.end = columns.base + end
    try:
        if start < end:
            with nogil:
                fault = _take_document(&columns, cursor)
            if fault < 0:
                raise _failure(fault, columns.fault_at - columns.base if columns.fault_at is not NULL else start)
        return _as_dict(&columns)
    finally:
        free_columns(&columns)


def split_fields(const uint8_t[::1] data not None, Py_ssize_t start=0):
    """Return ``(fields, next_offset, pending_number, pending_size)`` of the message bytes ``data[start:]``, a window.

    A field is (number, field start, payload start, end); only LEN fields are listed, scalars are passed over.  Where
    the window ends inside a field, *next_offset* is its start; *pending_size* is its size with the header and
    *pending_number* its number, or both 0 where the header itself is cut.  Raises CorruptDataError for a bad tag.
    """
    cdef Cursor cursor
    cdef Field field
    cdef const uint8_t* base
    cdef const uint8_t* before
    cdef int fault
    cdef list fields = []
    if not 0 <= start <= data.shape[0]:
        raise ConfigError(f"{start} is outside {data.shape[0]} bytes", field="start")
    if start == data.shape[0]:
        return fields, start, 0, 0
    base = &data[0]
    cursor.here = base + start
    cursor.end = base + data.shape[0]
    while cursor.here < cursor.end:
        before = cursor.here
        fault = take_field(&cursor, &field)
        if fault == TRUNCATED:
            if field.number == 0:
                return fields, before - base, 0, 0
            return fields, before - base, field.number, int(field.value) + (field.payload - before)
        if fault < 0:
            raise _failure(fault, before - base)
        if field.wire == LEN:
            fields.append((field.number, before - base, field.payload - base, field.end - base))
    return fields, cursor.here - base, 0, 0
