"""Trees read through a buffer of fixed size, from memory, the spill arena or a function, and what differs between two.

A stream belongs to one thread at a time; on free-threaded Python its calls take turns.
"""
cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from arena cimport Arena, arena_capsule_name, arena_expect
from tree_merge cimport MERGE_END, TreeMerge, merge_change, merge_next, merge_start
from tree_record cimport TREE_UNREADABLE, TreeRecord, tree_fault_text
from tree_window cimport (
    SMALLEST_RING, TreeWindow, fill_from_arena, fill_from_memory, window_offset, window_stream, window_take, window_whole,
)

from siltstone.core.errors import ConfigError, CorruptDataError

RING_BYTES = SMALLEST_RING      # what a stream takes unless told otherwise, and the least it can do with


cdef Py_ssize_t _fill_from_function(void* source, int64_t position, uint8_t* target, Py_ssize_t room) noexcept with gil:
    """Ask the reader of a stream; what it raises is kept for who asked the stream."""
    cdef TreeStream stream = <TreeStream>source
    cdef const uint8_t[::1] piece
    try:
        given = stream._reader(position, room)
        if given is None:
            raise TypeError("a reader gave None for the bytes of a tree")
        piece = given
        if not 1 <= piece.shape[0] <= room:
            raise ConfigError(f"asked for 1 to {room} bytes, a reader gave {piece.shape[0]}", field="reader")
        memcpy(target, &piece[0], <size_t>piece.shape[0])
        return piece.shape[0]
    except BaseException as error:
        stream._failure = error
        return 0


@cython.final
cdef class TreeStream:
    """The records of one tree, in its order, as ``(mode, name, id)``, modes as written; takes *ring_bytes* of memory.

    Iterating raises CorruptDataError with the offset of the record that does not follow the format, and OSError where
    the source cannot be read.
    """

    cdef TreeWindow _window
    cdef uint8_t* _ring             # owned
    cdef const uint8_t[::1] _data
    cdef object _reader, _capsule, _failure
    cdef bint _lent                 # a comparison reads it now
    cdef bint _busy                 # a reader may call us back

    def __cinit__(self, source, Py_ssize_t id_size, *, int64_t offset=0, size=None, Py_ssize_t ring_bytes=SMALLEST_RING):
        """Read the tree in *source*: a buffer; a capsule of a `SpillArena`, with *offset* and *size*; or a function of
        (position, most) that returns 1 to *most* bytes of the *size* bytes of the tree."""
        memset(&self._window, 0, sizeof(TreeWindow))
        if id_size != 20 and id_size != 32:
            raise ConfigError(f"an object id has 20 or 32 bytes, got {id_size}", field="id_size")
        if ring_bytes < SMALLEST_RING:
            raise ConfigError(f"a stream needs {SMALLEST_RING} bytes or more, got {ring_bytes}", field="ring_bytes")
        if source is None:
            raise TypeError("the source of a tree is None")
        if (size is not None and size < 0) or offset < 0:
            raise ConfigError("offset and size are not negative", field="size")
        self._ring = <uint8_t*>malloc(<size_t>ring_bytes)
        if self._ring is NULL:
            raise MemoryError
        if callable(source):
            self._open_reader(source, _stated(size), id_size, ring_bytes)
        elif type(source).__name__ == "PyCapsule":
            self._open_arena(source, offset, _stated(size), id_size, ring_bytes)
        else:
            self._open_memory(source, id_size, ring_bytes)

    cdef int _open_reader(self, source, int64_t size, Py_ssize_t id_size, Py_ssize_t ring_bytes) except -1:
        self._reader = source
        window_stream(&self._window, _fill_from_function, <void*>self, 0, size, id_size, self._ring, ring_bytes)
        return 0

    cdef int _open_arena(self, source, int64_t offset, int64_t size, Py_ssize_t id_size, Py_ssize_t ring_bytes) except -1:
        cdef Arena* arena = <Arena*>PyCapsule_GetPointer(source, arena_capsule_name())
        self._capsule = source
        if size > arena.used or offset > arena.used - size:
            raise ConfigError(f"nothing is stored in {size} bytes at {offset}", field="offset")
        arena_expect(arena, offset, size)
        window_stream(&self._window, fill_from_arena, <void*>arena, offset, size, id_size, self._ring, ring_bytes)
        return 0

    cdef int _open_memory(self, source, Py_ssize_t id_size, Py_ssize_t ring_bytes) except -1:
        self._data = source
        window_stream(&self._window, fill_from_memory, <void*>&self._data[0] if self._data.shape[0] else NULL, 0,
                      self._data.shape[0], id_size, self._ring, ring_bytes)
        return 0

    def __dealloc__(self):
        free(self._ring)

    def __iter__(self):
        return self

    @cython.critical_section
    def __next__(self):
        cdef TreeRecord record
        cdef int taken
        self._check()
        self._busy = True
        taken = window_take(&self._window, &record)
        self._busy = False
        if taken == 1:
            return record.mode, record.name[:record.name_size], record.id[:self._window.id_size]
        if taken == 0:
            raise StopIteration
        raise _error(self, taken, window_offset(&self._window))

    cdef int _check(self) except -1:
        if self._lent or self._busy:
            raise ConfigError("a comparison or a call before this one reads this stream now", field="stream")
        return 0

    cdef TreeWindow _lend(self):
        """Let a comparison read the rest."""
        self._lent = True
        return self._window

    @property
    def size(self):
        """Bytes of the tree."""
        return self._window.size

    @property
    def held_bytes(self):
        """Bytes of memory the stream takes."""
        return self._window.ring_size


cdef int64_t _stated(size) except -1:
    if size is None:
        raise ConfigError("a tree that is not in memory has a size", field="size")
    return size


cdef object _error(TreeStream stream, int fault, int64_t offset):
    if fault != TREE_UNREADABLE:
        return CorruptDataError(tree_fault_text(fault).decode(), offset=offset)
    if stream is None or stream._failure is None:
        return OSError("the source of a tree cannot be read")
    return stream._failure


@cython.final
cdef class TreeDiffStream:
    """What differs between two trees, entry by entry, each as `diff_entries` tells it; None is the empty tree.

    A fault of the trees is a CorruptDataError whose ``source`` is "old tree" or "new tree".  The streams cannot be read
    by anybody else any more.
    """

    cdef TreeMerge _merge
    cdef TreeStream _old, _new
    cdef bint _over, _busy

    def __cinit__(self, TreeStream old, TreeStream new, Py_ssize_t id_size):
        for stream in (old, new):
            if stream is not None:
                (<TreeStream>stream)._check()
                if (<TreeStream>stream)._window.id_size != id_size:
                    raise ConfigError("both trees have ids of one size", field="id_size")
        if old is not None and old is new:
            raise ConfigError("a stream can be read once", field="new")
        self._old, self._new = old, new
        window_whole(&self._merge.old, NULL, 0, id_size)
        window_whole(&self._merge.new, NULL, 0, id_size)
        if old is not None:
            self._merge.old = old._lend()
        if new is not None:
            self._merge.new = new._lend()
        merge_start(&self._merge)

    cdef object _fault(self, int fault):
        cdef bint in_old = self._merge.fault_in_old
        error = _error(self._old if in_old else self._new, fault, self._merge.fault_offset)
        return error.within("old tree" if in_old else "new tree") if isinstance(error, CorruptDataError) else error

    def __iter__(self):
        return self

    @cython.critical_section
    def __next__(self):
        cdef TreeMerge* merge = &self._merge
        cdef int step
        if self._busy:
            raise ConfigError("a reader of this comparison asks it for more", field="stream")
        self._busy = True
        step = MERGE_END if self._over else merge_next(merge)
        self._busy = False
        self._over = step <= MERGE_END
        if step == MERGE_END:
            raise StopIteration
        if step < 0:
            raise self._fault(step)
        return merge_change(merge, step)
