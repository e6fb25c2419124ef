"""Random reads of a pack: look a name up, read its chain of deltas, inflate and apply it, in one call.

A reader belongs to one pack and one thread at a time; the caller holds a lock around its calls.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from base_cache cimport BaseCache, CacheSlot, close_cache, find_cached, keep_cached, open_cache
from delta_ops cimport apply_delta, measure_delta
from inflate_api cimport InflateApi, inflate_capsule_name, is_plausible
from pack_entry cimport (
    HEADER_ROOM, Bytes, EntryHead, PackView, bounded, extent_of, find_name, grow, load_entry, parse_head,
    read_fully, view_pack,
)
from pack_faults cimport (
    BASE_ELSEWHERE, ENTRY_CYCLE, ENTRY_DEEP, ENTRY_IMPLAUSIBLE, NO_MEMORY, READ_FAILED, TOO_LARGE, fault_text,
)

from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

cdef enum:
    LONGEST_CHAIN = 1 << 14     # git writes 4,095 at most; a longer chain is an attack on the reader's time
    SCRATCH_KEPT = 4 << 20      # bytes of a scratch buffer that outlive a call
    COMPRESSED_ROOM = 1 << 16   # a stream may be longer than its content by its framing; what is beyond is not the stream's


cdef struct Decoded:
    uint8_t* data               # owned by the cache where cached, else by the holder
    Py_ssize_t size
    int kind
    bint cached


@cython.final
cdef class PackReader:
    """Entries of one pack by name. Arrays are borrowed views: names and fan-out, and offsets, order and ranks by entry."""

    cdef PackView _pack
    cdef object _keep           # what the pointers of _pack point into
    cdef InflateApi* _api
    cdef object _capsule
    cdef void* _inflater
    cdef BaseCache _cache
    cdef Bytes _compressed, _delta
    cdef int32_t* _chain
    cdef Py_ssize_t _chain_room
    cdef int32_t* _dead_ends    # by rank; NULL until a chain fails. 0: not known; a PackFault; else 1 + the last rank in the pack
    cdef Py_ssize_t _limit
    cdef Py_ssize_t _stand_in   # rank of the entry that the base from outside stands for; -1: of one that is no entry
    cdef bint _busy
    cdef uint8_t _nothing       # an address for content of size 0
    cdef Py_ssize_t _wanted     # after TOO_LARGE: the size that was asked for
    cdef uint8_t _base_id[32]   # after BASE_ELSEWHERE: what to look for

    def __cinit__(self, const uint8_t[::1] names not None, const uint32_t[::1] fanout not None,
                  const uint64_t[::1] offsets not None, const uint32_t[::1] order not None,
                  const uint32_t[::1] ranks not None, *, Py_ssize_t id_size, Py_ssize_t end, Py_ssize_t limit_bytes,
                  Py_ssize_t cache_bytes, inflate):
        """*end* is where the entries end; *limit_bytes* bounds one object, *cache_bytes* the bases kept; *inflate* is a
        capsule of `siltstone._native.inflate`."""
        if limit_bytes <= 0 or cache_bytes < 0:
            raise ConfigError("limits are positive", field="limit_bytes")
        if not view_pack(&self._pack, names, fanout, offsets, order, ranks, id_size, end):
            raise ConfigError("names, fan-out, offsets, order and ranks do not agree", field="names")
        self._keep = (names, fanout, offsets, order, ranks)
        self._api = <InflateApi*>PyCapsule_GetPointer(inflate, inflate_capsule_name())
        self._capsule = inflate
        self._limit = bounded(limit_bytes)
        self._inflater = self._api.open()
        if self._inflater is NULL or not open_cache(&self._cache, bounded(cache_bytes)):
            raise MemoryError

    def __dealloc__(self):
        if self._api is not NULL:
            self._api.close(self._inflater)
        close_cache(&self._cache)
        free(self._compressed.data)
        free(self._delta.data)
        free(self._chain)
        free(self._dead_ends)

    def __len__(self):
        return self._pack.count

    cdef Py_ssize_t _position(self, const uint8_t[::1] name) except -2:
        if name.shape[0] != self._pack.id_size:
            raise ConfigError(f"an object id has {self._pack.id_size} bytes here, got {name.shape[0]}", field="oid")
        return find_name(&self._pack, &name[0]) if self._pack.count else -1

    def find(self, const uint8_t[::1] name not None):
        """Return the position of an id in the index, or -1."""
        return self._position(name)

    def read(self, const uint8_t[::1] name not None, int descriptor, base=None, of=None):
        """Return ``(kind, content)`` of an object, or None where the pack has no such name, or the id of a base elsewhere.

        *descriptor* is the pack, open for reading.  Where a chain ends at a base outside the pack its id is returned as
        bytes; call again with *base*, its ``(kind, content)``.  With *of* the base stands for that entry of the pack, which
        is then not read: a copy from elsewhere of one that is damaged.  Raises CorruptDataError with the offset of the entry in
        the pack, and BudgetExceeded for an object larger than the limit.
        """
        cdef Py_ssize_t position = self._position(name)
        cdef Py_ssize_t rank
        cdef Decoded result
        cdef int status
        cdef Decoded outer
        cdef const uint8_t[::1] content
        cdef Py_ssize_t stand_in = -1 if of is None else self._position(of)
        if position < 0:
            return None
        outer = Decoded(data=NULL, size=0, kind=0, cached=True)
        if base is not None:
            content = base[1]
            outer.kind = base[0]
            outer.size = content.shape[0]
            outer.data = &self._nothing
            if content.shape[0]:
                outer.data = <uint8_t*>&content[0]
        rank = self._pack.ranks[position]
        self._enter_python()
        self._pack.descriptor = descriptor
        self._stand_in = self._pack.ranks[stand_in] if stand_in >= 0 else -1
        try:
            with nogil:
                status = self._resolve(rank, &outer, &result)
            self._trim()
            if status == BASE_ELSEWHERE:
                return PyBytes_FromStringAndSize(<char*>self._base_id, self._pack.id_size)
            if status < 0:
                raise self._failure(status, rank)
            return self._deliver(rank, &result)
        finally:
            self._busy = False

    def base(self, const uint8_t[::1] name not None, int descriptor):
        """Return the id of the entry of this pack that *name* is a delta against, or None where it is none."""
        cdef Py_ssize_t position = self._position(name)
        cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
        cdef uint8_t head_bytes[HEADER_ROOM]
        self._pack.descriptor = descriptor
        if position < 0 or self._read_head(self._pack.ranks[position], head_bytes, &head) != 0 or head.base < 0:
            return None
        position = self._pack.order[head.base]
        return PyBytes_FromStringAndSize(<char*>self._pack.names + position * self._pack.id_size, self._pack.id_size)

    cdef int _read_head(self, Py_ssize_t rank, uint8_t* room, EntryHead* head) noexcept nogil:
        """Read and interpret the header of an entry; as `parse_head`, or another PackFault."""
        cdef Py_ssize_t extent = extent_of(&self._pack, rank)
        if extent < 0:
            return <int>extent
        extent = min(extent, <Py_ssize_t>HEADER_ROOM)
        if not read_fully(self._pack.descriptor, room, extent, <int64_t>self._pack.offsets[rank]):
            return READ_FAILED
        return parse_head(&self._pack, rank, room, extent, head)

    def header(self, const uint8_t[::1] name not None, int descriptor):
        """Return ``(kind, size)`` of an object, None where it is absent, or the id of a base elsewhere. Cost: a `read`."""
        found = self.read(name, descriptor)
        return found if found is None or isinstance(found, bytes) else (found[0], len(found[1]))

    cdef int _enter_python(self) except -1:
        with cython.critical_section(self):
            if self._busy:
                raise ConfigError("a reader serves one thread at a time", field="reader")
            self._busy = True
        return 0

    cdef object _failure(self, int status, Py_ssize_t rank):
        if status == NO_MEMORY:
            return MemoryError()
        if status == TOO_LARGE:
            return BudgetExceeded("object", limit_bytes=self._limit, needed_bytes=self._wanted)
        return CorruptDataError((<bytes>fault_text(status)).decode(), offset=self._pack.offsets[rank])

    cdef object _deliver(self, Py_ssize_t rank, Decoded* result):
        """Copy the content out and keep the decoded buffer as a base for later reads."""
        kind = result.kind
        try:
            content = PyBytes_FromStringAndSize(<char*>result.data, result.size)
        finally:                # kept even where memory for the copy is refused: the buffer has no other owner
            if not result.cached:
                keep_cached(&self._cache, <uint64_t>rank, result.kind, result.data, result.size)
        return kind, content

    cdef void _trim(self) noexcept:
        if self._compressed.size > SCRATCH_KEPT:
            free(self._compressed.data)
            self._compressed = Bytes(data=NULL, size=0)
        if self._delta.size > SCRATCH_KEPT:
            free(self._delta.data)
            self._delta = Bytes(data=NULL, size=0)

    cdef int _resolve(self, Py_ssize_t rank, const Decoded* outer, Decoded* result) noexcept nogil:
        """Decode an entry: climb to a whole object or a kept base, then apply the deltas on the way back."""
        cdef Py_ssize_t depth = 0, at = rank
        cdef Decoded step
        cdef CacheSlot* kept
        cdef int status
        while True:
            kept = find_cached(&self._cache, <uint64_t>at)
            if kept is not NULL:
                result[0] = Decoded(data=kept.data, size=kept.size, kind=kept.kind, cached=True)
                break
            if at == self._stand_in:
                result[0] = outer[0]
                break
            if self._dead_ends is not NULL and self._dead_ends[at] < 0 and outer.data is NULL:
                return self._dead_ends[at]
            if self._dead_ends is not NULL and self._dead_ends[at] > 0 and outer.data is NULL:
                at = self._dead_ends[at] - 1
            status = self._climb(&at, depth, outer, result)
            if status < 0:
                return self._remember(status, depth) if outer.data is NULL else status
            if status == 0:
                break
            depth += 1
        while depth > 0:
            depth -= 1
            status = self._apply_entry(self._chain[depth], result, &step)
            if not result.cached:
                if depth + 1 < self._chain_room and status == 0:
                    keep_cached(&self._cache, <uint64_t>self._chain[depth + 1], result.kind, result.data, result.size)
                else:
                    free(result.data)
            if status < 0:
                return status
            result[0] = step
        return 0

    cdef int _remember(self, int status, Py_ssize_t depth) noexcept nogil:
        """Note for the whole chain where it ends, else chains that fail cost the square of their length; the fault."""
        cdef Py_ssize_t i
        cdef int32_t end = <int32_t>status
        if status == NO_MEMORY or status == READ_FAILED:
            return status
        if self._dead_ends is NULL:
            self._dead_ends = <int32_t*>calloc(<size_t>self._pack.count, sizeof(int32_t))
            if self._dead_ends is NULL:
                return status
        if status == BASE_ELSEWHERE or status == TOO_LARGE:
            end = self._chain[depth] + 1
        elif status == ENTRY_DEEP:
            for i in range(depth):
                if self._chain[i] == self._chain[depth]:
                    end = ENTRY_CYCLE
                    break
            else:               # entries further on are not too deep themselves
                depth = 0
        for i in range(depth + 1):
            self._dead_ends[self._chain[i]] = end
        return status if end > 0 else end

    cdef int _climb(self, Py_ssize_t* at, Py_ssize_t depth, const Decoded* outer, Decoded* result) noexcept nogil:
        """Look at one entry: 1 where it is a delta (*at* moves to its base), 0 where *result* now holds the root."""
        cdef uint8_t head_bytes[HEADER_ROOM]
        cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
        cdef int32_t* chain
        cdef Py_ssize_t room
        cdef int status
        if depth + 1 >= self._chain_room:
            if depth >= LONGEST_CHAIN:
                return ENTRY_DEEP
            room = 2 * self._chain_room + 64
            chain = <int32_t*>realloc(self._chain, <size_t>room * sizeof(int32_t))
            if chain is NULL:
                return NO_MEMORY
            self._chain = chain
            self._chain_room = room
        self._chain[depth] = <int32_t>at[0]
        status = self._read_head(at[0], head_bytes, &head)
        if status == BASE_ELSEWHERE:
            return self._use_outer(depth, &head, outer, result)
        if status < 0:
            return status
        if head.base < 0:
            return self._inflate_root(at[0], result)
        at[0] = head.base
        self._chain[depth + 1] = <int32_t>head.base
        return 1

    cdef int _use_outer(self, Py_ssize_t depth, EntryHead* head, const Decoded* outer, Decoded* result) noexcept nogil:
        if outer.data is NULL:
            memcpy(self._base_id, head.base_id, <size_t>self._pack.id_size)
            return BASE_ELSEWHERE
        # The base is not an entry: the chain's last entry is applied to it here, and stands as the root.
        return self._apply_entry(self._chain[depth], outer, result)

    cdef int _inflate(self, Py_ssize_t rank, Bytes* target, Py_ssize_t* size) noexcept nogil:
        """Inflate an entry into *target* (grown as needed); *size* is what it states."""
        cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
        cdef Py_ssize_t extent = 0, used
        cdef int status = load_entry(
            &self._pack, rank, self._limit + (self._limit >> 8) + COMPRESSED_ROOM, &self._compressed, &extent, &head)
        if status < 0 and status != BASE_ELSEWHERE:
            return status
        if <Py_ssize_t>head.size > self._limit:
            self._wanted = <Py_ssize_t>head.size
            return TOO_LARGE
        if not is_plausible(<Py_ssize_t>head.size, extent - head.length):
            return ENTRY_IMPLAUSIBLE
        size[0] = <Py_ssize_t>head.size
        if not grow(target, size[0] if size[0] else 1):
            return NO_MEMORY
        used = self._api.run(self._inflater, self._compressed.data + head.length, extent - head.length,
                             target.data, size[0])
        return head.kind if used >= 0 else <int>used

    cdef int _inflate_root(self, Py_ssize_t rank, Decoded* result) noexcept nogil:
        cdef Bytes target = Bytes(data=NULL, size=0)
        cdef Py_ssize_t size = 0
        cdef int kind = self._inflate(rank, &target, &size)
        if kind < 0:
            free(target.data)
            return kind
        result[0] = Decoded(data=target.data, size=size, kind=kind, cached=False)
        return 0

    cdef int _apply_entry(self, Py_ssize_t rank, const Decoded* base, Decoded* result) noexcept nogil:
        """Decode the delta at *rank* against *base*; *result* owns its memory."""
        cdef Py_ssize_t delta_size = 0, body = 0, size
        cdef int kind = self._inflate(rank, &self._delta, &delta_size)
        if kind < 0:
            return kind
        size = measure_delta(self._delta.data, delta_size, base.size, &body)
        if size < 0:
            return <int>size
        if size > self._limit:
            self._wanted = size
            return TOO_LARGE
        result[0] = Decoded(data=<uint8_t*>malloc(<size_t>size if size else 1), size=size, kind=base.kind, cached=False)
        if result.data is NULL:
            return NO_MEMORY
        apply_delta(base.data, base.size, self._delta.data, delta_size, body, result.data, size)
        return 0
