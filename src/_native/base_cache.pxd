"""Decoded objects by key, the least recently used one leaving first; memory owned by the cache, no Python objects."""
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free

cdef enum:
    FEWEST_SLOTS = 64           # live objects, however small the limit
    MOST_SLOTS = 1 << 14        # live objects at most: 0.9 MB of slots and buckets
    BYTES_PER_SLOT = 1 << 12    # of the limit; trees and commits are about this large

cdef struct CacheSlot:
    uint64_t key
    uint8_t* data               # owned
    Py_ssize_t size
    int kind
    int32_t next                # in its bucket, or in the free list; -1: last
    int32_t newer               # towards the most recently used; -1: none
    int32_t older

cdef struct BaseCache:
    CacheSlot* slots
    int32_t* buckets            # twice as many as slots
    int shift                   # brings the top bits of a mixed key down to a bucket
    int32_t unused              # first slot of the free list
    int32_t newest
    int32_t oldest
    Py_ssize_t held             # bytes of data now held
    Py_ssize_t limit            # bytes of data held at most

cdef inline bint open_cache(BaseCache* cache, Py_ssize_t limit) noexcept nogil:
    """Make an empty cache; False: out of memory."""
    cdef int32_t i
    cdef int32_t count = FEWEST_SLOTS
    cache.shift = 64 - 7
    while count < MOST_SLOTS and count * <Py_ssize_t>BYTES_PER_SLOT < limit:
        count *= 2
        cache.shift -= 1
    cache.slots = <CacheSlot*>calloc(<size_t>count, sizeof(CacheSlot))
    cache.buckets = <int32_t*>calloc(<size_t>count * 2, sizeof(int32_t))
    if cache.slots is NULL or cache.buckets is NULL:
        return False
    for i in range(2 * count):
        cache.buckets[i] = -1
    for i in range(count):
        cache.slots[i].next = i + 1 if i + 1 < count else -1
    cache.unused = 0
    cache.newest = -1
    cache.oldest = -1
    cache.held = 0
    cache.limit = limit
    return True

cdef inline int32_t* bucket_of(BaseCache* cache, uint64_t key) noexcept nogil:
    return &cache.buckets[(key * <uint64_t>0x9E3779B97F4A7C15) >> cache.shift]

cdef inline void unlink_slot(BaseCache* cache, int32_t at) noexcept nogil:
    cdef CacheSlot* slot = &cache.slots[at]
    if slot.newer >= 0:
        cache.slots[slot.newer].older = slot.older
    else:
        cache.newest = slot.older
    if slot.older >= 0:
        cache.slots[slot.older].newer = slot.newer
    else:
        cache.oldest = slot.newer

cdef inline void make_newest(BaseCache* cache, int32_t at) noexcept nogil:
    cache.slots[at].newer = -1
    cache.slots[at].older = cache.newest
    if cache.newest >= 0:
        cache.slots[cache.newest].newer = at
    else:
        cache.oldest = at
    cache.newest = at

cdef inline CacheSlot* find_cached(BaseCache* cache, uint64_t key) noexcept nogil:
    """Return the slot of *key*, now the most recently used, or NULL; it stays valid until the next `keep_cached`."""
    cdef int32_t at = bucket_of(cache, key)[0]
    while at >= 0:
        if cache.slots[at].key == key:
            if cache.newest != at:
                unlink_slot(cache, at)
                make_newest(cache, at)
            return &cache.slots[at]
        at = cache.slots[at].next
    return NULL

cdef inline void drop_oldest(BaseCache* cache) noexcept nogil:
    cdef int32_t at = cache.oldest
    cdef CacheSlot* slot = &cache.slots[at]
    cdef int32_t* link = bucket_of(cache, slot.key)
    while link[0] != at:
        link = &cache.slots[link[0]].next
    link[0] = slot.next
    unlink_slot(cache, at)
    cache.held -= slot.size
    free(slot.data)
    slot.data = NULL
    slot.next = cache.unused
    cache.unused = at

cdef inline void keep_cached(BaseCache* cache, uint64_t key, int kind, uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Take ownership of *data* under a key that is not in the cache; what is too large for it is freed at once."""
    cdef int32_t at
    cdef int32_t* bucket
    if size > cache.limit >> 2:
        free(data)
        return
    while cache.oldest >= 0 and (cache.held + size > cache.limit or cache.unused < 0):
        drop_oldest(cache)
    at = cache.unused
    cache.unused = cache.slots[at].next
    bucket = bucket_of(cache, key)
    cache.slots[at].key = key
    cache.slots[at].kind = kind
    cache.slots[at].data = data
    cache.slots[at].size = size
    cache.slots[at].next = bucket[0]
    bucket[0] = at
    make_newest(cache, at)
    cache.held += size

cdef inline void close_cache(BaseCache* cache) noexcept nogil:
    """Free everything."""
    if cache.slots is not NULL and cache.buckets is not NULL:
        while cache.oldest >= 0:
            drop_oldest(cache)
    free(cache.slots)
    free(cache.buckets)
    cache.slots = NULL
    cache.buckets = NULL
