"""Decoded trees by id, the least recently used one leaving first; memory owned by the cache, no Python objects."""
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from keyed_hash cimport hash_id

cdef enum:
    FEWEST_TREES = 64           # however small the limit
    MOST_TREES = 1 << 15        # 4 MB of slots and buckets
    BYTES_PER_TREE = 1 << 11    # of the limit; half of all trees are smaller

cdef struct TreeSlot:
    uint8_t id[32]
    uint8_t* data               # owned; NULL: the slot is free
    Py_ssize_t size
    int32_t next                # in its bucket, or in the free list; -1: last
    int32_t newer               # towards the most recently used; -1: none
    int32_t older
    int32_t pins                # while not 0 the slot stays
    int32_t steps               # of a tree that was asked for: entries that were inflated in a row to make it
    bint spilled                # the arena has it

cdef struct TreeCache:
    TreeSlot* slots
    int32_t* buckets            # twice as many as slots
    int32_t count               # slots
    int shift                   # brings the top bits of a hash down to a bucket
    int32_t unused              # first slot of the free list
    int32_t newest
    int32_t oldest
    Py_ssize_t held             # bytes of trees now held
    Py_ssize_t peak             # the most that were ever held
    Py_ssize_t limit            # bytes of trees held at most
    Py_ssize_t id_size
    uint64_t seed

cdef inline Py_ssize_t slots_of(Py_ssize_t limit) noexcept nogil:
    """Return how many trees a cache of *limit* bytes may hold."""
    cdef Py_ssize_t count = FEWEST_TREES
    while count < MOST_TREES and count * BYTES_PER_TREE < limit:
        count *= 2
    return count

cdef inline bint open_tree_cache(TreeCache* cache, Py_ssize_t limit, Py_ssize_t id_size, uint64_t seed) noexcept nogil:
    """Make an empty cache; False: out of memory."""
    cdef int32_t i
    cache.count = <int32_t>slots_of(limit)
    cache.shift = 63
    while <int32_t>1 << (63 - cache.shift) < cache.count:
        cache.shift -= 1
    cache.slots = <TreeSlot*>calloc(<size_t>cache.count, sizeof(TreeSlot))
    cache.buckets = <int32_t*>calloc(<size_t>cache.count * 2, sizeof(int32_t))
    if cache.slots is NULL or cache.buckets is NULL:
        return False
    for i in range(2 * cache.count):
        cache.buckets[i] = -1
    for i in range(cache.count):
        cache.slots[i].next = i + 1 if i + 1 < cache.count else -1
    cache.unused = 0
    cache.newest = cache.oldest = -1
    cache.held = cache.peak = 0
    cache.limit = limit
    cache.id_size = id_size
    cache.seed = seed
    return True

cdef inline int32_t* tree_bucket(TreeCache* cache, const uint8_t* id) noexcept nogil:
    return &cache.buckets[hash_id(id, cache.id_size, cache.seed) >> cache.shift]

cdef inline void unlink_tree(TreeCache* cache, int32_t at) noexcept nogil:
    cdef TreeSlot* slot = &cache.slots[at]
    if slot.newer >= 0:
        cache.slots[slot.newer].older = slot.older
    else:
        cache.newest = slot.older
    if slot.older >= 0:
        cache.slots[slot.older].newer = slot.newer
    else:
        cache.oldest = slot.newer

cdef inline void make_newest_tree(TreeCache* cache, int32_t at) noexcept nogil:
    cache.slots[at].newer = -1
    cache.slots[at].older = cache.newest
    if cache.newest >= 0:
        cache.slots[cache.newest].newer = at
    else:
        cache.oldest = at
    cache.newest = at

cdef inline int32_t find_tree(TreeCache* cache, const uint8_t* id) noexcept nogil:
    """Return the slot of *id*, now the most recently used, or -1."""
    cdef int32_t at = tree_bucket(cache, id)[0]
    while at >= 0:
        if memcmp(cache.slots[at].id, id, <size_t>cache.id_size) == 0:
            if cache.newest != at:
                unlink_tree(cache, at)
                make_newest_tree(cache, at)
            return at
        at = cache.slots[at].next
    return -1

cdef inline int32_t leaving_tree(TreeCache* cache, Py_ssize_t size) noexcept nogil:
    """Return the slot that leaves next so that *size* bytes more fit; -1: they fit, or everything held is in use."""
    cdef int32_t at = cache.oldest
    if cache.unused >= 0 and cache.held + size <= cache.limit:
        return -1
    while at >= 0 and cache.slots[at].pins:
        at = cache.slots[at].newer
    return at

cdef inline void drop_tree(TreeCache* cache, int32_t at) noexcept nogil:
    cdef TreeSlot* slot = &cache.slots[at]
    cdef int32_t* link = tree_bucket(cache, slot.id)
    while link[0] != at:
        link = &cache.slots[link[0]].next
    link[0] = slot.next
    unlink_tree(cache, at)
    cache.held -= slot.size
    free(slot.data)
    slot.data = NULL
    slot.next = cache.unused
    cache.unused = at

cdef inline int32_t keep_tree(TreeCache* cache, const uint8_t* id, uint8_t* data, Py_ssize_t size,
                              int32_t steps) noexcept nogil:
    """Take ownership of *data* under an id that is not held, and return its slot; there is a free one."""
    cdef int32_t at = cache.unused
    cdef int32_t* bucket = tree_bucket(cache, id)
    cdef TreeSlot* slot = &cache.slots[at]
    cache.unused = slot.next
    memcpy(slot.id, id, <size_t>cache.id_size)
    slot.data = data
    slot.size = size
    slot.pins = 0
    slot.steps = steps
    slot.spilled = False
    slot.next = bucket[0]
    bucket[0] = at
    make_newest_tree(cache, at)
    cache.held += size
    cache.peak = max(cache.peak, cache.held)
    return at

cdef inline void close_tree_cache(TreeCache* cache) noexcept nogil:
    """Free everything."""
    if cache.slots is not NULL and cache.buckets is not NULL:
        while cache.oldest >= 0:
            drop_tree(cache, cache.oldest)
    free(cache.slots)
    free(cache.buckets)
    cache.slots = NULL
    cache.buckets = NULL
