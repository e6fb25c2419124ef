"""Rows of candidates as columns of a fixed room, and what was left out beside them."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef enum:
    CHANGE_ADD = 1
    CHANGE_MODIFY = 2
    NOTE_SUBMODULE = 1          # a gitlink that was added or changed
    NOTE_LIMIT = 2              # a path that is too long or too deep
    NOTE_OLD_DAMAGED = 3        # a record of the old tree does not follow the format
    NOTE_NEW_DAMAGED = 4
    NOTE_ROOM = 1 << 10         # notes in one block
    MOST_PATH = 4096            # bytes of a path; PATH_MAX of Linux
    ROW_BYTES = 4 + 4 + 4 + 1 + 4 + 8   # of a row's columns, besides its blob id and its path

cdef struct Note:
    int kind
    int detail                  # of a damaged tree: the TreeFault
    int64_t offset              # of a damaged tree: of the record
    uint8_t id[32]              # of a submodule its commit, of a damaged tree its own
    Py_ssize_t path_start       # in note_paths
    Py_ssize_t path_size

cdef struct Rows:
    Py_ssize_t room             # rows
    Py_ssize_t path_room        # bytes
    Py_ssize_t id_size
    Py_ssize_t count
    Py_ssize_t path_used
    int32_t* commits            # row of the history
    int32_t* parents            # row of the history, -1: compared with nothing
    int32_t* indexes            # which parent, from 0
    uint8_t* changes
    uint32_t* modes             # canonical
    int64_t* path_ends
    uint8_t* blobs              # id_size bytes each
    uint8_t* paths
    Note* notes
    uint8_t* note_paths         # NOTE_ROOM * MOST_PATH would be too much: NOTE_PATH_ROOM
    Py_ssize_t note_count
    Py_ssize_t note_used

cdef enum:
    NOTE_PATH_ROOM = 1 << 18

cdef inline bint open_rows(Rows* rows, Py_ssize_t room, Py_ssize_t path_room, Py_ssize_t id_size) noexcept nogil:
    """Allocate; False: out of memory. *path_room* is at least MOST_PATH."""
    rows.room = room
    rows.path_room = path_room
    rows.id_size = id_size
    rows.count = rows.path_used = rows.note_count = rows.note_used = 0
    rows.commits = <int32_t*>malloc(<size_t>room * sizeof(int32_t))
    rows.parents = <int32_t*>malloc(<size_t>room * sizeof(int32_t))
    rows.indexes = <int32_t*>malloc(<size_t>room * sizeof(int32_t))
    rows.changes = <uint8_t*>malloc(<size_t>room)
    rows.modes = <uint32_t*>malloc(<size_t>room * sizeof(uint32_t))
    rows.path_ends = <int64_t*>malloc(<size_t>room * sizeof(int64_t))
    rows.blobs = <uint8_t*>malloc(<size_t>(room * id_size))
    rows.paths = <uint8_t*>malloc(<size_t>path_room)
    rows.notes = <Note*>malloc(NOTE_ROOM * sizeof(Note))
    rows.note_paths = <uint8_t*>malloc(NOTE_PATH_ROOM)
    return (rows.commits is not NULL and rows.parents is not NULL and rows.indexes is not NULL
            and rows.changes is not NULL and rows.modes is not NULL and rows.path_ends is not NULL
            and rows.blobs is not NULL and rows.paths is not NULL and rows.notes is not NULL
            and rows.note_paths is not NULL)

cdef inline void close_rows(Rows* rows) noexcept nogil:
    free(rows.commits)
    free(rows.parents)
    free(rows.indexes)
    free(rows.changes)
    free(rows.modes)
    free(rows.path_ends)
    free(rows.blobs)
    free(rows.paths)
    free(rows.notes)
    free(rows.note_paths)

cdef inline bint rows_have_room(const Rows* rows) noexcept nogil:
    """Whether one more row and one more note of any length fit."""
    return (rows.count < rows.room and rows.path_room - rows.path_used >= MOST_PATH and rows.note_count < NOTE_ROOM
            and NOTE_PATH_ROOM - rows.note_used >= MOST_PATH)

cdef inline void add_row(Rows* rows, int32_t commit, int32_t parent, int32_t index, uint8_t change, uint32_t mode,
                         const uint8_t* blob, const uint8_t* prefix, Py_ssize_t prefix_size, const uint8_t* name,
                         Py_ssize_t name_size) noexcept nogil:
    """Append a row; there is room, and prefix and name have at most MOST_PATH bytes."""
    cdef Py_ssize_t at = rows.count
    rows.commits[at] = commit
    rows.parents[at] = parent
    rows.indexes[at] = index
    rows.changes[at] = change
    rows.modes[at] = mode
    memcpy(rows.blobs + at * rows.id_size, blob, <size_t>rows.id_size)
    memcpy(rows.paths + rows.path_used, prefix, <size_t>prefix_size)
    memcpy(rows.paths + rows.path_used + prefix_size, name, <size_t>name_size)
    rows.path_used += prefix_size + name_size
    rows.path_ends[at] = rows.path_used
    rows.count = at + 1

cdef inline void add_note(Rows* rows, int kind, int detail, int64_t offset, const uint8_t* id, const uint8_t* prefix,
                          Py_ssize_t prefix_size, const uint8_t* name, Py_ssize_t name_size) noexcept nogil:
    """Append a note; there is room. A longer path is cut."""
    cdef Note* note = &rows.notes[rows.note_count]
    prefix_size = min(prefix_size, <Py_ssize_t>MOST_PATH)
    name_size = min(name_size, MOST_PATH - prefix_size)
    note.kind = kind
    note.detail = detail
    note.offset = offset
    memcpy(note.id, id, <size_t>rows.id_size)
    note.path_start = rows.note_used
    note.path_size = prefix_size + name_size
    memcpy(rows.note_paths + rows.note_used, prefix, <size_t>prefix_size)
    memcpy(rows.note_paths + rows.note_used + prefix_size, name, <size_t>name_size)
    rows.note_used += note.path_size
    rows.note_count += 1
