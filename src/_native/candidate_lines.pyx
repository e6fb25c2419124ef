"""Candidates as JSON Lines: one object a row, straight from the columns."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc

from json_text cimport is_utf8, plain_size, put_base64, put_hex, put_string, put_text

from siltstone.core.errors import ConfigError

cdef enum:
    FIXED_ROOM = 160            # bytes of a row that are neither id nor path: 103 at most
    FIRST_ROOM = 1 << 16
    CHANGE_ADD = 1

cdef struct Columns:
    const int32_t* commits
    const int32_t* parents
    const uint8_t* changes
    const uint32_t* modes
    const int64_t* path_ends
    const uint8_t* blobs
    const uint8_t* paths
    const uint8_t* oids         # of the history, by row
    Py_ssize_t id_size
    Py_ssize_t count

cdef struct Text:
    uint8_t* data               # owned
    Py_ssize_t room
    Py_ssize_t used


cdef bint _reserve(Text* text, Py_ssize_t size) noexcept nogil:
    """Make room for *size* bytes more; False: out of memory."""
    cdef Py_ssize_t room
    cdef uint8_t* data
    if text.room - text.used >= size:
        return True
    room = max(2 * text.room, text.used + size + FIRST_ROOM)
    data = <uint8_t*>realloc(text.data, <size_t>room)
    if data is NULL:
        return False
    text.data = data
    text.room = room
    return True


cdef uint8_t* _put_mode(uint8_t* here, uint32_t mode) noexcept nogil:
    cdef int i
    for i in range(6):
        here[i] = <uint8_t>(48 + (mode >> (15 - 3 * i) & 7))
    return here + 6


cdef uint8_t* _put_row(uint8_t* here, const Columns* columns, Py_ssize_t row) noexcept nogil:
    """Write one line; the room for it was made."""
    cdef Py_ssize_t id_size = columns.id_size, start = columns.path_ends[row - 1] if row else 0
    cdef const uint8_t* path = columns.paths + start
    cdef Py_ssize_t size = columns.path_ends[row] - start
    here = put_text(here, b'{"blob":"', 9)
    here = put_hex(here, columns.blobs + row * id_size, id_size)
    here = put_text(here, b'","commit":"', 12)
    here = put_hex(here, columns.oids + <Py_ssize_t>columns.commits[row] * id_size, id_size)
    if columns.parents[row] < 0:
        here = put_text(here, b'","parent":null', 15)
    else:
        here = put_text(here, b'","parent":"', 12)
        here = put_hex(here, columns.oids + <Py_ssize_t>columns.parents[row] * id_size, id_size)
        here = put_text(here, b'"', 1)
    if columns.changes[row] == CHANGE_ADD:
        here = put_text(here, b',"change":"add","mode":"', 24)
    else:
        here = put_text(here, b',"change":"modify","mode":"', 27)
    here = _put_mode(here, columns.modes[row])
    if plain_size(path, size) == size or is_utf8(path, size):
        here = put_string(put_text(here, b'","path":', 9), path, size)
    else:
        here = put_base64(put_text(here, b'","path_b64":', 13), path, size)
    return put_text(here, b"}\n", 2)


cdef bint _put_rows(Text* text, const Columns* columns) noexcept nogil:
    """Write all lines; False: out of memory."""
    cdef Py_ssize_t row, size, start = 0
    for row in range(columns.count):
        size = columns.path_ends[row] - start
        start = columns.path_ends[row]
        if not _reserve(text, FIXED_ROOM + 6 * columns.id_size + 6 * size):
            return False
        text.used = _put_row(text.data + text.used, columns, row) - text.data
    return True


cdef int _check(Columns* columns, const int32_t[::1] commits, const int32_t[::1] parents, const int64_t[::1] path_ends,
                Py_ssize_t paths_size, Py_ssize_t oids_size) except -1:
    """Hold every number to what it points into."""
    cdef int64_t rows = oids_size // columns.id_size, end = 0
    cdef Py_ssize_t i
    for i in range(columns.count):
        if not 0 <= commits[i] < rows or parents[i] >= rows or not end <= path_ends[i] <= paths_size:
            raise ConfigError(f"row {i} points outside its columns", field="rows")
        end = path_ends[i]
    return 0


def encode_lines(const int32_t[::1] commits not None, const int32_t[::1] parents not None,
                 const uint8_t[::1] changes not None, const uint32_t[::1] modes not None,
                 const int64_t[::1] path_ends not None, const uint8_t[::1] blobs not None,
                 const uint8_t[::1] paths not None, const uint8_t[::1] oids not None, Py_ssize_t id_size):
    """Return one line of JSON for each row: blob, commit, parent, change, mode, and path or path_b64.

    The columns are those of a block of candidates, *oids* are the ids of the history end to end.
    """
    cdef Columns columns
    cdef Text text = Text(data=NULL, room=0, used=0)
    cdef bint done
    columns.count = commits.shape[0]
    columns.id_size = id_size
    if id_size != 20 and id_size != 32:
        raise ConfigError(f"an object id has 20 or 32 bytes, got {id_size}", field="id_size")
    if not (parents.shape[0] == changes.shape[0] == modes.shape[0] == path_ends.shape[0] == columns.count
            and blobs.shape[0] == columns.count * id_size and oids.shape[0] % id_size == 0):
        raise ConfigError("columns differ in length", field="rows")
    _check(&columns, commits, parents, path_ends, paths.shape[0], oids.shape[0])
    if columns.count == 0:
        return b""
    columns.commits, columns.parents, columns.changes = &commits[0], &parents[0], &changes[0]
    columns.modes, columns.path_ends, columns.blobs, columns.oids = &modes[0], &path_ends[0], &blobs[0], &oids[0]
    columns.paths = &paths[0] if paths.shape[0] else columns.blobs      # memcpy takes no NULL, not even for nothing
    try:
        with nogil:
            done = _put_rows(&text, &columns)
        if not done:
            raise MemoryError
        return PyBytes_FromStringAndSize(<char*>text.data, text.used)
    finally:
        free(text.data)
