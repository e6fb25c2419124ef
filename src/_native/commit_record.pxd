"""What a history needs of one commit object: tree, parents, committer time, read as git's commit.c reads them."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t
from libc.string cimport memchr, memcmp

from cursor cimport Cursor

cdef enum CommitFault:
    COMMIT_NO_TREE = -1         # the object does not start with "tree <id>\n"
    COMMIT_BAD_PARENT = -2      # a parent line holds no id

cdef inline int hex_value(uint8_t digit) noexcept nogil:
    """The value of one hexadecimal digit in either case, or -1."""
    if 48 <= digit <= 57:
        return digit - 48
    digit |= 32
    return digit - 87 if 97 <= digit <= 102 else -1

cdef inline bint take_id(Cursor* cursor, const char* label, Py_ssize_t label_size, Py_ssize_t id_size, uint8_t* id) noexcept nogil:
    """Read ``<label><hexadecimal id>\\n`` into *id*; the cursor moves only on success."""
    cdef const uint8_t* digits = cursor.here + label_size
    cdef Py_ssize_t i
    cdef int high, low
    if cursor.end - cursor.here < label_size + 2 * id_size + 1 or memcmp(cursor.here, label, label_size) != 0:
        return False
    for i in range(id_size):
        high, low = hex_value(digits[2 * i]), hex_value(digits[2 * i + 1])
        if high < 0 or low < 0:
            return False
        id[i] = <uint8_t>(high << 4 | low)
    if digits[2 * id_size] != 10:
        return False
    cursor.here = digits + 2 * id_size + 1
    return True

cdef inline int take_parent(Cursor* cursor, Py_ssize_t id_size, uint8_t* id) noexcept nogil:
    """1 and the next parent in *id*, 0 where there is none, or COMMIT_BAD_PARENT."""
    if take_id(cursor, b"parent ", 7, id_size, id):
        return 1
    if cursor.end - cursor.here >= 7 and memcmp(cursor.here, b"parent ", 7) == 0:
        return COMMIT_BAD_PARENT
    return 0

cdef inline int64_t number_at(const uint8_t* here, const uint8_t* end) noexcept nogil:
    """The decimal number at *here*, behind blanks, cut off at 64 bits; 0 where there is none."""
    cdef int64_t total = 0
    cdef bint negative
    while here < end and (here[0] == 32 or 9 <= here[0] <= 13):
        here += 1
    negative = here < end and here[0] == 45
    here += negative
    while here < end and 48 <= here[0] <= 57:
        if total > (INT64_MAX - 9) // 10:
            total = INT64_MAX
            break
        total = 10 * total + (here[0] - 48)
        here += 1
    return -total if negative else total

cdef inline int64_t committer_time(const uint8_t* here, const uint8_t* end) noexcept nogil:
    """The time of the ``committer`` line that follows the ``author`` line at *here*; 0 where one of the two is malformed.

    The time stands behind the last ``>`` of the line, as names with such a sign exist.
    """
    cdef const uint8_t* line
    if end - here < 6 or memcmp(here, b"author", 6) != 0:
        return 0
    here = <const uint8_t*>memchr(here, 10, end - here)
    if here == NULL or end - here < 10 or memcmp(here + 1, b"committer", 9) != 0:
        return 0
    line = here + 10
    here = <const uint8_t*>memchr(line, 10, end - line)
    if here == NULL:
        return 0
    end = here
    while here > line and (here - 1)[0] != 62:
        here -= 1
    return 0 if here == line else number_at(here, end)
