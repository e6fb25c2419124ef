"""Trees by id, from all packs of a database, as leaves over one struct that belongs to one thread.

A chain of deltas is climbed to the nearest tree that is kept, and every tree on the way back is kept too: the trees of one
folder at neighbouring commits lie on one chain.  A tree that leaves although many steps made it goes to the arena, where
it is read in place of the chain: whole, or through a buffer where it is large.  What no pack gives (loose, based in another pack, damaged, missing) is
asked for through a function.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from arena cimport Arena, arena_find, arena_put, arena_read, ARENA_REFUSED
from delta_ops cimport apply_delta, measure_delta
from inflate_api cimport InflateApi, is_plausible
from pack_entry cimport Bytes, EntryHead, HEADER_ROOM, PackView, extent_of, find_name, grow, load_entry, parse_head, read_fully
from pack_faults cimport BASE_UNREADABLE, ENTRY_DEEP, ENTRY_IMPLAUSIBLE, NO_MEMORY, READ_FAILED, TOO_LARGE
from tree_cache cimport TreeCache, TreeSlot, close_tree_cache, drop_tree, find_tree, keep_tree, leaving_tree
from tree_window cimport SMALLEST_RING, TreeWindow, fill_from_arena, window_stream, window_whole

cdef enum:
    TREE_KIND = 2
    LONGEST_CHAIN = 1 << 14     # git writes 4,095 at most; a longer chain is an attack on the reader's time
    SCRATCH_KEPT = 4 << 20      # bytes of a scratch buffer that outlive a tree
    COMPRESSED_ROOM = 1 << 16   # a stream may be longer than its content by its framing
    SPILL_STEPS = 8             # a tree that fewer entries made is made again, which is cheaper than to write and read it
    NO_TREE = -60               # nothing gives this tree; the asker has told so
    NOT_A_TREE = -61            # the pack holds another kind of object under this id
    STOPPED = -62               # the asker wants no more
    IN_ARENA = -63              # a tree of more than the limit, which the asker has put into the arena
    NOT_KEPT = -1               # no fault: the tree is read where it lies, or is the empty one

# A copy of a tree from malloc, of any size, owned by the caller: 0, NO_TREE, IN_ARENA, NO_MEMORY or STOPPED.
ctypedef int (*AskTree)(void* asker, const uint8_t* id, uint8_t** data, Py_ssize_t* size) noexcept nogil

cdef struct TreeSource:
    PackView* packs             # owned; what they point to is kept alive by the door
    Py_ssize_t pack_count
    Py_ssize_t last_pack        # which answered last: asked first
    Py_ssize_t id_size
    InflateApi* api
    void* inflater              # owned
    TreeCache cache
    Bytes compressed            # scratch
    Bytes delta                 # scratch
    int32_t* chain              # scratch: ranks, from what is asked for towards the root
    Py_ssize_t chain_room
    Py_ssize_t limit            # bytes of one tree that is decoded here; for a larger one the asker is asked
    Arena* arena                # lent by the door; NULL: none
    Py_ssize_t stream_size      # a spilled tree of more bytes is read through a buffer
    AskTree ask
    void* asker
    int64_t reads               # trees that were asked for
    int64_t hits                # of those, kept ones
    int64_t inflated            # entries
    int64_t asked               # trees that no pack gave
    int64_t spilled             # trees that went to the arena
    int64_t spill_reads         # trees that came back from there, whole
    int64_t streamed            # trees that were read there through a buffer

cdef inline void close_source(TreeSource* source) noexcept nogil:
    """Free everything."""
    if source.api is not NULL:
        source.api.close(source.inflater)
    close_tree_cache(&source.cache)
    free(source.packs)
    free(source.compressed.data)
    free(source.delta.data)
    free(source.chain)
    memset(source, 0, sizeof(TreeSource))

cdef inline const uint8_t* id_at(const PackView* pack, Py_ssize_t rank) noexcept nogil:
    return pack.names + <Py_ssize_t>pack.order[rank] * pack.id_size

cdef inline void spill_tree(TreeSource* source, int32_t at) noexcept nogil:
    """Put a tree that leaves into the arena where that is worth it; where there is no room it is made again."""
    cdef TreeSlot* slot = &source.cache.slots[at]
    if source.arena is NULL or slot.spilled or slot.steps < SPILL_STEPS:
        return
    if arena_put(source.arena, slot.id, slot.data, slot.size) != ARENA_REFUSED:
        source.spilled += 1

cdef inline int32_t store_tree(TreeSource* source, const uint8_t* id, uint8_t* data, Py_ssize_t size,
                               int32_t steps) noexcept nogil:
    """Keep a tree whose memory is handed over, and make room for it first; return its slot."""
    cdef int32_t leaving = leaving_tree(&source.cache, size)
    while leaving >= 0:
        spill_tree(source, leaving)
        drop_tree(&source.cache, leaving)
        leaving = leaving_tree(&source.cache, size)
    return keep_tree(&source.cache, id, data, size, steps)

cdef inline int32_t recall_tree(TreeSource* source, const uint8_t* id) noexcept nogil:
    """Return the slot of a tree that is kept or that the arena gives back, or -1."""
    cdef int64_t offset = 0, size = 0
    cdef uint8_t* data
    cdef int32_t at = find_tree(&source.cache, id)
    if at >= 0 or source.arena is NULL or not arena_find(source.arena, id, &offset, &size) or size > source.limit:
        return at
    data = <uint8_t*>malloc(<size_t>size + 1)
    if data is NULL or not arena_read(source.arena, offset, data, size):
        free(data)
        return -1
    source.spill_reads += 1
    at = store_tree(source, id, data, <Py_ssize_t>size, 0)
    source.cache.slots[at].spilled = True
    return at

cdef inline bint room_in_chain(TreeSource* source, Py_ssize_t length) noexcept nogil:
    cdef int32_t* chain
    cdef Py_ssize_t room
    if length < source.chain_room:
        return True
    room = 2 * source.chain_room + 64
    chain = <int32_t*>realloc(source.chain, <size_t>room * sizeof(int32_t))
    if chain is NULL:
        return False
    source.chain = chain
    source.chain_room = room
    return True

cdef inline int load_tree_entry(TreeSource* source, const PackView* pack, Py_ssize_t rank, EntryHead* head,
                                Py_ssize_t* extent) noexcept nogil:
    """Read a whole entry into the scratch; 0 or a PackFault."""
    return load_entry(pack, rank, source.limit + (source.limit >> 8) + COMPRESSED_ROOM, &source.compressed, extent, head)

cdef inline int peek_entry(const PackView* pack, Py_ssize_t rank, EntryHead* head) noexcept nogil:
    """Read only the header of an entry; 0 or a PackFault."""
    cdef uint8_t bytes[HEADER_ROOM]
    cdef Py_ssize_t extent = extent_of(pack, rank)
    cdef int status
    if extent < 0:
        return <int>extent
    extent = min(extent, <Py_ssize_t>HEADER_ROOM)
    if not read_fully(pack.descriptor, bytes, extent, <int64_t>pack.offsets[rank]):
        return READ_FAILED
    status = parse_head(pack, rank, bytes, extent, head)
    head.base_id = NULL                             # it pointed into what ends here
    return status

cdef inline Py_ssize_t inflate_tree_entry(TreeSource* source, const EntryHead* head, Py_ssize_t extent,
                                          Bytes* target) noexcept nogil:
    """Inflate the entry in the scratch into *target*; its size, or a PackFault."""
    cdef Py_ssize_t size = <Py_ssize_t>head.size, used
    if size > source.limit:
        return TOO_LARGE
    if not is_plausible(size, extent - head.length):
        return ENTRY_IMPLAUSIBLE
    if not grow(target, size + 1):
        return NO_MEMORY
    used = source.api.run(source.inflater, source.compressed.data + head.length, extent - head.length, target.data, size)
    source.inflated += 1
    return size if used >= 0 else used

cdef inline int make_root(TreeSource* source, const EntryHead* head, Py_ssize_t extent, const uint8_t* id) noexcept nogil:
    """Decode a whole entry; its slot, or a fault."""
    cdef Bytes whole = Bytes(data=NULL, size=0)
    cdef Py_ssize_t size
    if head.kind != TREE_KIND:
        return NOT_A_TREE
    size = inflate_tree_entry(source, head, extent, &whole)
    if size < 0:
        free(whole.data)
        return <int>size
    return store_tree(source, id, whole.data, size, 1)

cdef inline int make_from_base(TreeSource* source, const EntryHead* head, Py_ssize_t extent, const uint8_t* id,
                               int32_t base, int32_t steps) noexcept nogil:
    """Decode the delta in the scratch against the tree at *base*; the slot of the result, or a fault."""
    cdef Py_ssize_t body = 0, size = inflate_tree_entry(source, head, extent, &source.delta)
    cdef uint8_t* data
    cdef int32_t made
    if size < 0:
        return <int>size
    size = measure_delta(source.delta.data, <Py_ssize_t>head.size, source.cache.slots[base].size, &body)
    if size < 0:
        return <int>size
    if size > source.limit:
        return TOO_LARGE
    data = <uint8_t*>malloc(<size_t>size + 1)
    if data is NULL:
        return NO_MEMORY
    apply_delta(source.cache.slots[base].data, source.cache.slots[base].size, source.delta.data,
                <Py_ssize_t>head.size, body, data, size)
    source.cache.slots[base].pins += 1
    made = store_tree(source, id, data, size, steps)
    source.cache.slots[base].pins -= 1
    return made

cdef inline int climb_chain(TreeSource* source, const PackView* pack, Py_ssize_t rank, EntryHead* head,
                            Py_ssize_t* extent, int32_t* base) noexcept nogil:
    """Follow bases until one is kept or the entry is whole; the depth reached, or a fault.

    *base* is the kept tree, or -1.  At depth 0 the whole entry is in the scratch: most bases are kept.
    """
    cdef Py_ssize_t depth = 0
    cdef int status
    while True:
        if not room_in_chain(source, depth):
            return NO_MEMORY
        source.chain[depth] = <int32_t>rank
        status = load_tree_entry(source, pack, rank, head, extent) if depth == 0 else peek_entry(pack, rank, head)
        if status < 0:
            return status
        base[0] = -1
        if head.base < 0:
            return <int>depth
        base[0] = recall_tree(source, id_at(pack, head.base))
        if base[0] >= 0:
            return <int>depth
        if depth >= LONGEST_CHAIN:
            return ENTRY_DEEP
        rank = head.base
        depth += 1

cdef inline int resolve_tree(TreeSource* source, const PackView* pack, Py_ssize_t rank) noexcept nogil:
    """Decode the tree of one entry; its slot, or a fault."""
    cdef EntryHead head = EntryHead(kind=0, size=0, base=-1, length=0, base_id=NULL)
    cdef Py_ssize_t extent = 0, expected = -1
    cdef int32_t slot = -1, steps = 0
    cdef int status, depth = climb_chain(source, pack, rank, &head, &extent, &slot)
    cdef bint loaded = depth == 0
    if depth < 0:
        return depth
    while depth >= 0:
        rank = source.chain[depth]
        if not loaded:
            status = load_tree_entry(source, pack, rank, &head, &extent)
            if status < 0:
                return status
        if expected >= 0 and head.base != expected:     # the file changed meanwhile
            return BASE_UNREADABLE
        steps += 1
        if slot < 0:
            slot = make_root(source, &head, extent, id_at(pack, rank))
        else:
            slot = make_from_base(source, &head, extent, id_at(pack, rank), slot, steps if depth == 0 else 0)
        if slot < 0:
            return slot
        expected = rank
        loaded = False
        depth -= 1
    return slot

cdef inline void trim_scratch(TreeSource* source) noexcept nogil:
    if source.compressed.size > SCRATCH_KEPT:
        free(source.compressed.data)
        source.compressed = Bytes(data=NULL, size=0)
    if source.delta.size > SCRATCH_KEPT:
        free(source.delta.data)
        source.delta = Bytes(data=NULL, size=0)

cdef inline int read_tree(TreeSource* source, const uint8_t* id) noexcept nogil:
    """Return the slot that holds the tree *id*, or NO_TREE, IN_ARENA, NO_MEMORY or STOPPED.

    The slot stays as it is until the next call; pin it to keep it longer.
    """
    cdef Py_ssize_t i, at, position, size = 0
    cdef uint8_t* data = NULL
    cdef int slot = recall_tree(source, id)
    if slot >= 0:
        return slot
    for i in range(source.pack_count):
        at = (source.last_pack + i) % source.pack_count
        position = find_name(&source.packs[at], id)
        if position < 0:
            continue
        slot = resolve_tree(source, &source.packs[at], source.packs[at].ranks[position])
        trim_scratch(source)
        if slot >= 0:
            source.last_pack = at
            return slot
        if slot == NO_MEMORY:
            return slot
        break                                           # another copy may be whole: the asker knows
    source.asked += 1
    slot = source.ask(source.asker, id, &data, &size)
    return slot if slot < 0 else store_tree(source, id, data, size, 1)

cdef inline bint stream_tree(TreeSource* source, const uint8_t* id, int64_t start, int64_t least, TreeWindow* window,
                             uint8_t* ring) noexcept nogil:
    """Open a window over a tree of more than *least* bytes that the arena has; False where it has none such."""
    cdef int64_t offset = 0, size = 0
    if source.arena is NULL or not arena_find(source.arena, id, &offset, &size) or size <= least:
        return False
    source.streamed += 1
    start = min(start, size)
    window_stream(window, fill_from_arena, source.arena, offset + start, size - start, source.id_size, ring, SMALLEST_RING)
    return True

cdef inline int open_tree(TreeSource* source, const uint8_t* id, int64_t start, TreeWindow* window, uint8_t* ring) noexcept nogil:
    """Open a window over the tree *id* from byte *start* on; the slot that is now pinned, NOT_KEPT, or a fault.

    *ring* has SMALLEST_RING bytes, for a large tree that lies in the arena.  A tree that is shorter than when it was read
    to *start* (two packs can give one id to two contents) is at its end.
    """
    cdef int slot = find_tree(&source.cache, id)
    source.reads += 1
    if slot >= 0:
        source.hits += 1
    elif stream_tree(source, id, start, source.stream_size, window, ring):
        return NOT_KEPT
    else:
        slot = read_tree(source, id)
    if slot == IN_ARENA:
        return NOT_KEPT if stream_tree(source, id, start, -1, window, ring) else NO_TREE
    if slot >= 0:
        source.cache.slots[slot].pins += 1
        start = min(start, <int64_t>source.cache.slots[slot].size)
        window_whole(window, source.cache.slots[slot].data + start, source.cache.slots[slot].size - <Py_ssize_t>start,
                     source.id_size)
    return slot

cdef inline void close_tree(TreeSource* source, int slot) noexcept nogil:
    """End the use of what `open_tree` returned."""
    if slot >= 0:
        source.cache.slots[slot].pins -= 1
