"""The records of a tree, read through a window: all of a tree in memory, or a buffer of fixed size that is refilled.

Before each record the window holds RECORD_MOST bytes and one more, or all that is left.  A record is judged by no more
than these, so what comes out does not depend on how the tree came in.
"""
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memmove

from arena cimport Arena, arena_read
from cursor cimport Cursor
from tree_record cimport RECORD_MOST, TREE_UNREADABLE, TreeRecord, take_record

cdef enum:
    SMALLEST_RING = 2 * RECORD_MOST     # bytes of the buffer of a window; half of it is new at each refill

# Copy 1 to *room* bytes from *position* on to *target*; return how many, or 0 where they cannot be had.
ctypedef Py_ssize_t (*window_fill_f)(void* source, int64_t position, uint8_t* target, Py_ssize_t room) noexcept nogil

cdef struct TreeWindow:
    Cursor cursor               # what is in the window and not yet read
    int64_t rest                # bytes of the tree that come after the window
    int64_t size                # bytes of the tree
    Py_ssize_t id_size          # 20 or 32
    uint8_t* ring               # lent by the holder; NULL where the window is the tree
    Py_ssize_t ring_size
    window_fill_f fill
    void* source                # of fill; lent by the holder
    int64_t place               # where the tree starts in the source

cdef inline void window_whole(TreeWindow* window, const uint8_t* data, Py_ssize_t size, Py_ssize_t id_size) noexcept nogil:
    """Read a tree that lies in memory, where it lies; NULL and 0 for the empty tree."""
    window.cursor.here = data
    window.cursor.end = data + size
    window.rest = 0
    window.size = size
    window.id_size = id_size
    window.ring = NULL
    window.ring_size = 0
    window.fill = NULL
    window.source = NULL
    window.place = 0

cdef inline void window_stream(TreeWindow* window, window_fill_f fill, void* source, int64_t place, int64_t size,
                               Py_ssize_t id_size, uint8_t* ring, Py_ssize_t ring_size) noexcept nogil:
    """Read a tree of *size* bytes through *ring*, which has SMALLEST_RING bytes or more."""
    window_whole(window, ring, 0, id_size)
    window.rest = size
    window.size = size
    window.fill = fill
    window.source = source
    window.place = place
    window.ring = ring
    window.ring_size = ring_size

cdef inline Py_ssize_t fill_from_memory(void* source, int64_t position, uint8_t* target, Py_ssize_t room) noexcept nogil:
    memcpy(target, <const uint8_t*>source + position, <size_t>room)
    return room

cdef inline Py_ssize_t fill_from_arena(void* source, int64_t position, uint8_t* target, Py_ssize_t room) noexcept nogil:
    """*source* is an `Arena`."""
    return room if arena_read(<Arena*>source, position, target, room) else 0

cdef inline int64_t window_offset(const TreeWindow* window) noexcept nogil:
    """Return how many bytes of the tree were read."""
    return window.size - window.rest - (window.cursor.end - window.cursor.here)

cdef inline bint window_at_end(const TreeWindow* window) noexcept nogil:
    return window.rest == 0 and window.cursor.here == window.cursor.end

cdef inline int window_refill(TreeWindow* window) noexcept nogil:
    """Move what is unread to the start of the buffer and fill it up; 0 or TREE_UNREADABLE."""
    cdef Py_ssize_t held = window.cursor.end - window.cursor.here, room, taken
    if held:
        memmove(window.ring, window.cursor.here, <size_t>held)
    while window.rest and held <= RECORD_MOST:
        room = window.ring_size - held
        if room > window.rest:
            room = <Py_ssize_t>window.rest
        taken = window.fill(window.source, window.place + window.size - window.rest, window.ring + held, room)
        if taken <= 0 or taken > room:
            break
        held += taken
        window.rest -= taken
    window.cursor.here = window.ring
    window.cursor.end = window.ring + held
    return TREE_UNREADABLE if window.rest and held <= RECORD_MOST else 0

cdef inline int window_ready(TreeWindow* window) noexcept nogil:
    """Have enough in the window for the next record, whatever it is; 0 or TREE_UNREADABLE."""
    if window.rest and window.cursor.end - window.cursor.here <= RECORD_MOST:
        return window_refill(window)
    return 0

cdef inline int window_take(TreeWindow* window, TreeRecord* record) noexcept nogil:
    """Read the next record: 1, 0 at the end of the tree, or a TreeFault, which leaves the window before the bad record.

    What *record* points to is valid until the next call for this window.
    """
    cdef int fault = window_ready(window)
    if fault == 0 and window.cursor.here < window.cursor.end:
        fault = take_record(&window.cursor, window.id_size, record)
        return fault if fault else 1
    return fault
