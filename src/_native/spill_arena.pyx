"""The door to the spill arena (`arena.pxd`): decoded objects that memory has no room for, in a file without a name.

The file is made at the first put.  A full disk, a limit of the system, a full file and a full index refuse an object,
which is counted and is no error: who spills must be able to go on without.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_New, PyCapsule_SetContext, PyCapsule_SetDestructor
from cpython.pythread cimport PyThread_allocate_lock
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, malloc
from libc.string cimport memcpy, memset

from arena cimport (
    ARENA_REFUSED, ARENA_STEP, Arena, ArenaSlot, arena_append, arena_at, arena_capsule_name, arena_expect,
    arena_find_kind, arena_put_kind, arena_read, arena_release,
)

from siltstone.core.errors import ConfigError, NotFoundError

cdef extern from "string.h" nogil:
    char* strerror(int number)

cdef int64_t LARGEST_FILE = <int64_t>1 << 46
cdef Py_ssize_t MOST_ENTRIES = <Py_ssize_t>1 << 32


def index_bytes(Py_ssize_t entries):
    """Return the memory that the index of an arena for *entries* ids takes: 21 to 43 bytes each."""
    return _slots_for(entries) * <Py_ssize_t>sizeof(ArenaSlot)


cdef Py_ssize_t _slots_for(Py_ssize_t entries) except -1:
    """Return the power of two that *entries* ids fill to three quarters at most."""
    cdef Py_ssize_t slots = 8
    if not 0 <= entries <= MOST_ENTRIES:
        raise ConfigError(f"an index of {entries} ids is out of range", field="entries")
    while slots - slots // 4 <= entries:
        slots *= 2
    return slots


cdef void _give_back(object capsule) noexcept:
    """A capsule died: the arena has one user less."""
    cdef SpillArena owner = <SpillArena>PyCapsule_GetContext(capsule)
    owner._leave()
    Py_DECREF(owner)


@cython.final
cdef class SpillArena:
    """Objects by id in an unlinked file of at most *size_bytes* in *folder*; threads may share it.

    *entries* ids fit the index, which is allocated at once and never grows.  *allowance_bytes* of mapped pages may be
    touched before all are given back.  *anonymous* False makes a name and removes it, as where the system has no files
    without one.
    """

    cdef Arena _arena
    cdef Py_ssize_t _users          # calls and capsules that use the file
    cdef bint _closing
    cdef cython.pymutex _gate       # around the two

    def __cinit__(self, bytes folder not None, *, int64_t size_bytes, Py_ssize_t entries, Py_ssize_t id_size,
                  int64_t allowance_bytes=8 << 20, int64_t step_bytes=ARENA_STEP, bint anonymous=True):
        memset(&self._arena, 0, sizeof(Arena))
        self._arena.descriptor = -1
        if id_size not in (20, 32):
            raise ConfigError(f"an object id has 20 or 32 bytes, not {id_size}", field="id_size")
        if not 0 < size_bytes <= LARGEST_FILE:
            raise ConfigError(f"{size_bytes} bytes are no size for a spill file", field="size_bytes")
        if allowance_bytes < 0 or step_bytes <= 0:
            raise ConfigError("an allowance and a step are positive", field="allowance_bytes")
        if b"\0" in folder:
            raise ConfigError("a folder holds no NUL", field="folder")
        self._arena.mask = <uint64_t>_slots_for(entries) - 1
        self._arena.entries, self._arena.id_size = entries, id_size
        self._arena.size, self._arena.step = size_bytes, step_bytes
        self._arena.allowance, self._arena.anonymous = allowance_bytes, anonymous
        # The interpreter's own hash of a text is keyed by a random secret.
        self._arena.seed = <uint64_t><int64_t>hash("siltstone: spilled objects")
        self._arena.lock = PyThread_allocate_lock()
        self._arena.slots = <ArenaSlot*>calloc(<size_t>self._arena.mask + 1, sizeof(ArenaSlot))
        self._arena.folder = <char*>malloc(<size_t>len(folder) + 1)
        if self._arena.lock is NULL or self._arena.slots is NULL or self._arena.folder is NULL:
            raise MemoryError
        memcpy(self._arena.folder, PyBytes_AS_STRING(folder), <size_t>len(folder) + 1)

    def __dealloc__(self):
        arena_release(&self._arena)

    cdef int _enter(self) except -1:
        with self._gate:
            if not self._closing:
                self._users += 1
                return 0
        raise NotFoundError("the spill arena is closed", name="spill arena")

    cdef void _leave(self) noexcept:
        cdef bint last
        with self._gate:
            self._users -= 1
            last = self._closing and self._users == 0
        if last:
            arena_release(&self._arena)

    def close(self):
        """Give file and memory back, at once or when the last capsule is gone; closing twice is harmless."""
        cdef bint last
        with self._gate:
            last = not self._closing and self._users == 0
            self._closing = True
        if last:
            arena_release(&self._arena)

    def capsule(self):
        """Return the `Arena` for another kernel; the arena lives at least as long as the capsule."""
        self._enter()
        try:
            capsule = PyCapsule_New(<void*>&self._arena, arena_capsule_name(), NULL)
        except BaseException:
            self._leave()
            raise
        Py_INCREF(self)
        PyCapsule_SetContext(capsule, <void*>self)
        PyCapsule_SetDestructor(capsule, _give_back)
        return capsule

    cdef const uint8_t* _checked(self, const uint8_t[::1] oid) except NULL:
        if oid.shape[0] != self._arena.id_size:
            raise ConfigError(f"an object id has {self._arena.id_size} bytes here, got {oid.shape[0]}", field="oid")
        return &oid[0]

    def put(self, const uint8_t[::1] oid not None, const uint8_t[::1] data not None, *, uint8_t kind=0):
        """Store an object under its id and *kind*, once; return whether it is there now."""
        cdef const uint8_t* id = self._checked(oid)
        cdef const uint8_t* content = &data[0] if data.shape[0] else id
        cdef int64_t offset
        self._enter()
        with nogil:
            offset = arena_put_kind(&self._arena, id, kind, content, data.shape[0])
        self._leave()
        return offset != ARENA_REFUSED

    def append(self, const uint8_t[::1] data not None):
        """Store bytes without an id; return their offset, or None where they are refused."""
        cdef const uint8_t* content = &data[0] if data.shape[0] else <const uint8_t*>self._arena.folder
        cdef int64_t offset
        self._enter()
        with nogil:
            offset = arena_append(&self._arena, content, data.shape[0])
        self._leave()
        return None if offset == ARENA_REFUSED else offset

    def find(self, const uint8_t[::1] oid not None, *, uint8_t kind=0):
        """Return ``(offset, size)`` of what was put under *oid* and *kind*, or None."""
        cdef const uint8_t* id = self._checked(oid)
        cdef int64_t offset = 0, size = 0
        cdef bint found
        self._enter()
        with nogil:
            found = arena_find_kind(&self._arena, id, kind, &offset, &size)
        self._leave()
        return (offset, size) if found else None

    def get(self, const uint8_t[::1] oid not None, *, uint8_t kind=0, bint mapped=False):
        """Return the content put under *oid* and *kind* (a copy), or None; *mapped* reads through the mapping.

        Raises OSError where the system cannot read what it stored.
        """
        place = self.find(oid, kind=kind)
        return None if place is None else self.read_at(place[0], place[1], mapped=mapped)

    def read_at(self, int64_t offset, int64_t size, *, bint mapped=False):
        """Return *size* bytes from *offset* on (a copy), all of them stored before; else ConfigError."""
        cdef bint done = True
        cdef uint8_t* target
        if not 0 <= offset <= self._arena.used or not 0 <= size <= self._arena.used - offset:
            raise ConfigError(f"nothing is stored in {size} bytes at {offset}", field="offset")
        content = PyBytes_FromStringAndSize(NULL, size)
        target = <uint8_t*>PyBytes_AS_STRING(content)
        self._enter()
        if size:
            with nogil:
                arena_expect(&self._arena, offset, size)
                if mapped:
                    memcpy(target, arena_at(&self._arena, offset, size), <size_t>size)
                else:
                    done = arena_read(&self._arena, offset, target, size)
        self._leave()
        if not done:
            raise OSError("the spill file cannot be read")
        return content

    def __len__(self):
        return self._arena.count

    def __contains__(self, oid):
        return self.find(oid) is not None

    @property
    def capacity_bytes(self):
        """Bytes the file may have."""
        return self._arena.size

    @property
    def used_bytes(self):
        """Bytes of the file that are taken."""
        return self._arena.used

    @property
    def reserved_bytes(self):
        """Bytes the disk has reserved for the file."""
        return self._arena.reserved

    @property
    def held_bytes(self):
        """Bytes of memory: the index and the allowance of mapped pages."""
        return (<Py_ssize_t>self._arena.mask + 1) * <Py_ssize_t>sizeof(ArenaSlot) + self._arena.allowance

    @property
    def spilled_objects(self):
        """Objects stored so far."""
        return self._arena.spilled_objects

    @property
    def spilled_bytes(self):
        """Bytes of content stored so far."""
        return self._arena.spilled_bytes

    @property
    def reads(self):
        """Reads of stored content so far."""
        return self._arena.reads

    @property
    def refused(self):
        """Objects that were not taken."""
        return self._arena.refused

    @property
    def refusal(self):
        """What the system said when it refused last, or an empty text."""
        return strerror(self._arena.fault).decode("utf-8", "replace") if self._arena.fault else ""
