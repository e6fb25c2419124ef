"""The spill arena as leaves over one struct: decoded objects in a file without a name, found by id or by offset.

Append-only: an offset stays valid, and its bytes the same, until the arena is closed.  Every leaf may be called from
any thread without the GIL.  The struct belongs to `spill_arena.pyx`; other kernels get it by a capsule named
`arena_capsule_name()`, which they must hold while they use the pointer.
"""
from cpython.pythread cimport (
    PyThread_acquire_lock, PyThread_free_lock, PyThread_release_lock, PyThread_type_lock, WAIT_LOCK,
)
from libc.errno cimport EFBIG, ENOSPC, errno
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy

from keyed_hash cimport hash_id

cdef extern from "arena_file.h" nogil:
    int arena_file_open(const char* folder, int anonymous)
    int arena_file_reserve(int descriptor, int64_t offset, int64_t size)
    const uint8_t* arena_file_map(int descriptor, int64_t size)
    void arena_file_forget(const uint8_t* start, int64_t size)
    void arena_file_expect(int descriptor, int64_t offset, int64_t size)
    int arena_file_write(int descriptor, const uint8_t* data, int64_t size, int64_t offset)
    int arena_file_read(int descriptor, uint8_t* target, int64_t size, int64_t offset)
    int64_t arena_file_process()
    void arena_file_close(int descriptor, const uint8_t* start, int64_t size)

cdef enum:
    ARENA_REFUSED = -1          # no room, or the disk is full: the caller goes on without
    ARENA_HEAD = 48             # bytes before an object put under an id: its size, its kind, its id
    ARENA_STEP = 1 << 26        # bytes reserved on the disk at once: what a small spill takes of it
    ARENA_AROUND = 1 << 17      # pages that a fault may map besides the one that is missing, at both ends

cdef struct ArenaSlot:
    uint64_t tag                # the keyed hash of an id, and the kind
    uint64_t place              # offset of its content + 1; 0: free

cdef struct Arena:
    PyThread_type_lock lock     # around every field below `mask`
    char* folder                # owned
    bint anonymous              # use a file without a name where the system has such
    Py_ssize_t id_size          # 20 or 32
    int64_t size                # bytes the file may have
    int64_t step                # bytes reserved at once
    int64_t allowance           # bytes of the mapping that may be touched before all of it is given back
    uint64_t seed               # a secret of this process: places in the index cannot be chosen
    Py_ssize_t entries          # ids the index takes
    uint64_t mask               # slots - 1
    ArenaSlot* slots            # owned, never moves
    Py_ssize_t count            # ids in the index
    int descriptor              # -1 before the first put
    int64_t process             # who made the file: a fork of it may read, never write
    const uint8_t* start        # the mapping of the whole size
    int64_t reserved            # bytes the disk has promised
    int64_t used                # bytes handed out
    int64_t touched             # bytes of the mapping used since it was last given back
    int fault                   # errno of the last refusal by the system; 0: none
    bint stopped                # the system refused: no more is asked of it
    int64_t spilled_objects
    int64_t spilled_bytes
    int64_t reads
    int64_t refused             # objects that were not taken

cdef inline const char* arena_capsule_name() noexcept nogil:
    return "siltstone._native.spill_arena.v1"

cdef inline void arena_lock(Arena* arena) noexcept nogil:
    PyThread_acquire_lock(arena.lock, WAIT_LOCK)

cdef inline void arena_unlock(Arena* arena) noexcept nogil:
    PyThread_release_lock(arena.lock)

cdef inline bint arena_create(Arena* arena) noexcept nogil:
    """Open and map the file; the lock is held."""
    if arena.descriptor >= 0:
        return True
    arena.descriptor = arena_file_open(arena.folder, arena.anonymous)
    if arena.descriptor >= 0:
        arena.start = arena_file_map(arena.descriptor, arena.size)
        arena.process = arena_file_process()
        if arena.start is not NULL:
            return True
    arena.fault = errno
    arena.stopped = True
    arena_file_close(arena.descriptor, NULL, 0)
    arena.descriptor = -1
    return False

cdef inline bint arena_promise(Arena* arena, int64_t end) noexcept nogil:
    """Have the disk reserved up to *end*; the lock is held."""
    cdef int64_t target = end + arena.step - 1
    if end <= arena.reserved:
        return True
    if arena.stopped or end > arena.size or not arena_create(arena):
        return False
    target -= target % arena.step
    if target > arena.size:
        target = arena.size
    arena.fault = arena_file_reserve(arena.descriptor, arena.reserved, target - arena.reserved)
    if arena.fault and target > end:        # less than a whole step may be left
        target = end
        arena.fault = arena_file_reserve(arena.descriptor, arena.reserved, target - arena.reserved)
    if arena.fault:
        arena.stopped = True
        return False
    arena.reserved = target
    return True

cdef inline int64_t arena_take(Arena* arena, int64_t size) noexcept nogil:
    """Return the offset of *size* reserved bytes that are nobody else's, or ARENA_REFUSED."""
    cdef int64_t offset
    arena_lock(arena)
    offset = arena.used
    if arena.descriptor >= 0 and arena.process != arena_file_process():
        arena.refused += 1
        offset = ARENA_REFUSED
    elif size < 0 or size > arena.size - offset or not arena_promise(arena, offset + size):
        arena.refused += 1
        offset = ARENA_REFUSED
    else:
        arena.used = offset + size
    arena_unlock(arena)
    return offset

cdef inline bint arena_written(Arena* arena, int fault, int64_t size) noexcept nogil:
    """Count an object that was written, or, with an errno, was not."""
    arena_lock(arena)
    if fault:
        arena.fault = fault
        arena.stopped = arena.stopped or fault == ENOSPC or fault == EFBIG
        arena.refused += 1
    else:
        arena.spilled_objects += 1
        arena.spilled_bytes += size
    arena_unlock(arena)
    return fault == 0

cdef inline int64_t arena_append(Arena* arena, const uint8_t* data, int64_t size) noexcept nogil:
    """Store bytes without an id; return their offset, or ARENA_REFUSED."""
    cdef int64_t offset = arena_take(arena, size)
    if offset == ARENA_REFUSED:
        return ARENA_REFUSED
    return offset if arena_written(arena, arena_file_write(arena.descriptor, data, size, offset), size) else ARENA_REFUSED

cdef inline uint64_t arena_tag(const Arena* arena, const uint8_t* id, int64_t kind) noexcept nogil:
    return hash_id(id, arena.id_size, arena.seed) ^ (<uint64_t>kind << 56)

cdef inline int64_t arena_lookup(Arena* arena, const uint8_t* id, int64_t kind, int64_t* size) noexcept nogil:
    """Return the offset of an object, or ARENA_REFUSED. Its id in the file decides, never the hash alone."""
    cdef uint64_t tag = arena_tag(arena, id, kind), place
    cdef uint64_t slot = tag & arena.mask
    cdef uint8_t head[ARENA_HEAD]
    while True:
        arena_lock(arena)
        while arena.slots[slot].place and arena.slots[slot].tag != tag:
            slot = (slot + 1) & arena.mask
        place = arena.slots[slot].place
        arena_unlock(arena)
        if place == 0:
            return ARENA_REFUSED
        if arena_file_read(arena.descriptor, head, ARENA_HEAD, <int64_t>place - 1 - ARENA_HEAD) != 0:
            return ARENA_REFUSED
        if memcmp(head + 8, &kind, 8) == 0 and memcmp(head + 16, id, <size_t>arena.id_size) == 0:
            memcpy(size, head, 8)
            return <int64_t>place - 1
        slot = (slot + 1) & arena.mask

cdef inline bint arena_find_kind(Arena* arena, const uint8_t* id, int64_t kind, int64_t* offset,
                                 int64_t* size) noexcept nogil:
    """Whether an object was put under *id* and *kind*; if so, where."""
    if arena.count == 0:                    # no lock: a put that is just happening need not be seen
        return False
    offset[0] = arena_lookup(arena, id, kind, size)
    return offset[0] != ARENA_REFUSED

cdef inline bint arena_find(Arena* arena, const uint8_t* id, int64_t* offset, int64_t* size) noexcept nogil:
    """Whether an object was put under *id* without a kind; if so, where."""
    return arena_find_kind(arena, id, 0, offset, size)

cdef inline void arena_enter(Arena* arena, uint64_t tag, int64_t offset) noexcept nogil:
    """Publish an object that is written; its place in the index was set aside before."""
    cdef uint64_t slot = tag & arena.mask
    arena_lock(arena)
    while arena.slots[slot].place:
        slot = (slot + 1) & arena.mask
    arena.slots[slot] = ArenaSlot(tag=tag, place=<uint64_t>offset + 1)
    arena_unlock(arena)

cdef inline bint arena_has_slot(Arena* arena) noexcept nogil:
    """Set one place of the index aside; False where it is full."""
    cdef bint free_slot
    arena_lock(arena)
    free_slot = arena.count < arena.entries
    if free_slot:
        arena.count += 1
    else:
        arena.refused += 1
    arena_unlock(arena)
    return free_slot

cdef inline int64_t arena_put_kind(Arena* arena, const uint8_t* id, int64_t kind, const uint8_t* data,
                                   int64_t size) noexcept nogil:
    """Store an object under its id and kind (any number); return the offset of its content, or ARENA_REFUSED.

    What is there already is not stored again.  Two threads that put one object at once may both store it; either copy
    is right.  A damaged index can name one object by the id of another: who relies on the kind stores it.
    """
    cdef uint8_t head[ARENA_HEAD]
    cdef int64_t offset = ARENA_REFUSED, known_size = 0
    cdef int fault
    if arena.count:
        offset = arena_lookup(arena, id, kind, &known_size)
    if offset != ARENA_REFUSED:
        return offset
    if not arena_has_slot(arena):
        return ARENA_REFUSED
    offset = arena_take(arena, ARENA_HEAD + size if size >= 0 else size)
    if offset != ARENA_REFUSED:
        memcpy(head, &size, 8)
        memcpy(head + 8, &kind, 8)
        memcpy(head + 16, id, <size_t>arena.id_size)
        fault = arena_file_write(arena.descriptor, head, ARENA_HEAD, offset)
        offset += ARENA_HEAD
        if fault == 0:
            fault = arena_file_write(arena.descriptor, data, size, offset)
        if not arena_written(arena, fault, size):
            offset = ARENA_REFUSED
    if offset != ARENA_REFUSED:
        arena_enter(arena, arena_tag(arena, id, kind), offset)
    else:
        arena_lock(arena)
        arena.count -= 1
        arena_unlock(arena)
    return offset

cdef inline int64_t arena_put(Arena* arena, const uint8_t* id, const uint8_t* data, int64_t size) noexcept nogil:
    """Store an object under its id, without a kind; as `arena_put_kind`."""
    return arena_put_kind(arena, id, 0, data, size)

cdef inline bint arena_read(Arena* arena, int64_t offset, uint8_t* target, int64_t size) noexcept nogil:
    """Copy stored bytes out; False where the system refuses. Touches no page of the mapping."""
    arena_lock(arena)
    arena.reads += 1
    arena_unlock(arena)
    return arena_file_read(arena.descriptor, target, size, offset) == 0

cdef inline const uint8_t* arena_at(Arena* arena, int64_t offset, int64_t size) noexcept nogil:
    """Return stored bytes where they are mapped, valid until the arena is closed. For bytes that are read once, and soon:
    the pages count as memory of this process until more than the allowance was asked for."""
    arena_lock(arena)
    arena.reads += 1
    arena.touched += size + ARENA_AROUND
    if arena.touched > arena.allowance:
        arena_file_forget(arena.start, arena.size)
        arena.touched = size + ARENA_AROUND
    arena_unlock(arena)
    return arena.start + offset

cdef inline void arena_expect(Arena* arena, int64_t offset, int64_t size) noexcept nogil:
    """Tell the system that an object will be read from start to end, where it is long enough to matter."""
    if size >= ARENA_AROUND:
        arena_file_expect(arena.descriptor, offset, size)

cdef inline void arena_release(Arena* arena) noexcept:
    """Close the file and free what the struct owns; the struct is then empty."""
    arena_file_close(arena.descriptor, arena.start, arena.size)
    arena.descriptor = -1
    arena.start = NULL
    free(arena.slots)
    arena.slots = NULL
    free(arena.folder)
    arena.folder = NULL
    if arena.lock is not NULL:
        PyThread_free_lock(arena.lock)
        arena.lock = NULL
