"""One record of a git tree: ``<mode in octal> <name>\\0<id>`` (git's fsck and tree-walk are the grammar)."""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp

from cursor cimport Cursor

cdef enum TreeFault:
    TREE_CUT = -1               # the bytes end inside a record
    TREE_MODE = -2              # the mode is empty or holds something else than octal digits
    TREE_MODE_WIDE = -3         # the mode needs more than 32 bits
    TREE_NAME_EMPTY = -4
    TREE_NAME_SLASH = -5        # a name is one step of a path

cdef struct TreeRecord:
    uint32_t mode               # as written, not canonical
    const uint8_t* name         # inside the tree's bytes, followed by a NUL
    Py_ssize_t name_size
    const uint8_t* id           # inside the tree's bytes

cdef inline int take_record(Cursor* cursor, Py_ssize_t id_size, TreeRecord* record) noexcept nogil:
    """Read one record of a cursor that is not at its end: 0, or a TreeFault; the cursor moves only on success."""
    cdef const uint8_t* here = cursor.here
    cdef const uint8_t* stop
    cdef uint32_t mode = 0
    cdef uint8_t digit
    while True:
        if here >= cursor.end:
            return TREE_CUT
        digit = here[0]
        here += 1
        if digit == 32:
            break
        if digit < 48 or digit > 55:
            return TREE_MODE
        if mode >> 29:
            return TREE_MODE_WIDE
        mode = (mode << 3) | (digit - 48)
    if here - cursor.here < 2:
        return TREE_MODE
    stop = <const uint8_t*>memchr(here, 0, cursor.end - here)
    if stop == NULL or cursor.end - stop - 1 < id_size:
        return TREE_CUT
    if stop == here:
        return TREE_NAME_EMPTY
    if memchr(here, 47, stop - here) != NULL:
        return TREE_NAME_SLASH
    record.mode = mode
    record.name = here
    record.name_size = stop - here
    record.id = stop + 1
    cursor.here = stop + 1 + id_size
    return 0

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
