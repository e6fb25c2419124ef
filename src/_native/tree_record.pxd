"""One record of a git tree: ``<mode in octal> <name>\\0<id>`` (git's fsck and tree-walk are the grammar)."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp

from cursor cimport Cursor

cdef extern from "tree_scan.h" nogil:
    Py_ssize_t tree_name_size(const uint8_t* here, const uint8_t* end)
    Py_ssize_t tree_shared_size(const uint8_t* left, const uint8_t* right, Py_ssize_t size)
    int tree_usual_mode(const uint8_t* here, const uint8_t* end, uint32_t* mode)

cdef enum:
    RECORD_MOST = 1 << 13       # bytes of a record: a path has 4,096 at most, and a window must hold a record whole

cdef enum TreeFault:
    TREE_CUT = -1               # the bytes end inside a record
    TREE_MODE = -2              # the mode is empty or holds something else than octal digits
    TREE_MODE_WIDE = -3         # the mode needs more than 32 bits
    TREE_NAME_EMPTY = -4
    TREE_NAME_SLASH = -5        # a name is one step of a path
    TREE_LONG = -6              # a record of more than RECORD_MOST bytes
    TREE_UNREADABLE = -7        # the source of a window refused to be read

cdef struct TreeRecord:
    uint32_t mode               # as written, not canonical
    const uint8_t* name         # inside the tree's bytes, followed by a NUL
    Py_ssize_t name_size
    const uint8_t* id           # inside the tree's bytes
    Py_ssize_t size             # bytes of the whole record: it ends where the id does

cdef inline const char* tree_fault_text(int fault) noexcept nogil:
    """Return the text of *fault* for a message."""
    if fault == TREE_CUT:
        return "tree record is cut short"
    if fault == TREE_MODE:
        return "tree record has no octal mode"
    if fault == TREE_MODE_WIDE:
        return "mode of a tree record exceeds 32 bits"
    if fault == TREE_NAME_EMPTY:
        return "tree record has an empty name"
    if fault == TREE_NAME_SLASH:
        return "name of a tree record holds a slash"
    if fault == TREE_LONG:
        return "tree record is longer than 8192 bytes"
    return "tree cannot be read"

cdef inline int take_mode(Cursor* cursor, const uint8_t* end, uint32_t* mode) noexcept nogil:
    """Read the mode and its space; 0 or a TreeFault."""
    cdef const uint8_t* here = cursor.here
    cdef uint32_t total = 0
    cdef uint8_t digit
    cdef int used = tree_usual_mode(here, end, mode)
    if used:
        cursor.here = here + used
        return 0
    while True:
        if here >= end:
            return TREE_CUT
        digit = here[0]
        here += 1
        if digit == 32:
            break
        if digit < 48 or digit > 55:
            return TREE_MODE
        if total >> 29:
            return TREE_MODE_WIDE
        total = (total << 3) | (digit - 48)
    if here - cursor.here < 2:
        return TREE_MODE
    cursor.here = here
    mode[0] = total
    return 0

cdef inline int take_record(Cursor* cursor, Py_ssize_t id_size, TreeRecord* record) noexcept nogil:
    """Read one record of a cursor that is not at its end: 0, or a TreeFault; the cursor moves only on success.

    Looks at RECORD_MOST bytes and at whether there are more, so windows of more bytes than that see what a whole tree does.
    """
    cdef bint longer = cursor.end - cursor.here > RECORD_MOST
    cdef const uint8_t* end = cursor.here + RECORD_MOST if longer else cursor.end
    cdef Cursor ahead = cursor[0]
    cdef int fault = take_mode(&ahead, end, &record.mode)
    cdef Py_ssize_t size
    if fault == 0:
        size = tree_name_size(ahead.here, end)
        if end - ahead.here - size <= id_size:
            fault = TREE_CUT
        elif ahead.here[size] != 0:
            fault = TREE_NAME_SLASH if name_ends(ahead.here + size, end, id_size) else TREE_CUT
        elif size == 0:
            fault = TREE_NAME_EMPTY
    if fault == 0:
        record.name = ahead.here
        record.name_size = size
        record.id = ahead.here + size + 1
        record.size = record.id + id_size - cursor.here
        cursor.here = record.id + id_size
        return 0
    return TREE_LONG if fault == TREE_CUT and longer else fault

cdef inline bint name_ends(const uint8_t* here, const uint8_t* end, Py_ssize_t id_size) noexcept nogil:
    """Whether a NUL and an id come before *end*."""
    cdef const uint8_t* stop = <const uint8_t*>memchr(here, 0, end - here)
    return stop is not NULL and end - stop > id_size

cdef inline bint is_tree_mode(uint32_t mode) noexcept nogil:
    return mode & 0o170000 == 0o040000

cdef inline uint32_t canonical_mode(uint32_t mode) noexcept nogil:
    """The mode git shows: 100644 or 100755 for a file, 120000, 40000, and 160000 for all else (git's canon_mode)."""
    cdef uint32_t kind = mode & 0o170000
    if kind == 0o100000:
        return 0o100755 if mode & 0o100 else 0o100644
    if kind == 0o120000 or kind == 0o040000:
        return kind
    return 0o160000

cdef inline int compare_names(const TreeRecord* left, const TreeRecord* right) noexcept nogil:
    """The order of records inside a tree: bytes of the name, where a tree's name ends with '/' (git's base_name_compare)."""
    cdef Py_ssize_t shared = left.name_size if left.name_size < right.name_size else right.name_size
    cdef int order = memcmp(left.name, right.name, shared)
    cdef int left_next, right_next
    if order != 0:
        return order
    left_next = left.name[shared] if shared < left.name_size else (47 if is_tree_mode(left.mode) else 0)
    right_next = right.name[shared] if shared < right.name_size else (47 if is_tree_mode(right.mode) else 0)
    return left_next - right_next
