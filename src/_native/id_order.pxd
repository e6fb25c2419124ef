"""Object ids in ascending order: sorting numbers by their ids, finding an id among sorted ones."""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp

cdef inline bint id_precedes(const uint8_t* ids, Py_ssize_t id_size, uint32_t left, uint32_t right) noexcept nogil:
    return memcmp(ids + left * id_size, ids + right * id_size, id_size) < 0

cdef inline void sift_down(uint32_t* numbers, Py_ssize_t at, Py_ssize_t count, const uint8_t* ids, Py_ssize_t id_size) noexcept nogil:
    """Restore the heap (largest id first) below *at*."""
    cdef Py_ssize_t child = 2 * at + 1
    cdef uint32_t moved = numbers[at]
    while child < count:
        if child + 1 < count and id_precedes(ids, id_size, numbers[child], numbers[child + 1]):
            child += 1
        if not id_precedes(ids, id_size, moved, numbers[child]):
            break
        numbers[at] = numbers[child]
        at, child = child, 2 * child + 1
    numbers[at] = moved

cdef inline void heap_sort(uint32_t* numbers, Py_ssize_t count, const uint8_t* ids, Py_ssize_t id_size) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count // 2 - 1, -1, -1):
        sift_down(numbers, i, count, ids, id_size)
    for i in range(count - 1, 0, -1):
        numbers[0], numbers[i] = numbers[i], numbers[0]
        sift_down(numbers, 0, i, ids, id_size)

cdef inline void sort_by_id(uint32_t* numbers, Py_ssize_t count, const uint8_t* ids, Py_ssize_t id_size) noexcept nogil:
    """Sort *numbers* by the ids they stand for: in place, by the first byte, then by heaps.

    Ids are hashes, so 256 heaps of even size are the rule; ids that were all made to start alike cost one large heap,
    which is still n log n.
    """
    cdef Py_ssize_t ends[257]
    cdef Py_ssize_t here[256]
    cdef Py_ssize_t i, bucket
    cdef uint32_t number, other
    for i in range(257):
        ends[i] = 0
    for i in range(count):
        ends[ids[numbers[i] * id_size] + 1] += 1
    for i in range(256):
        here[i] = ends[i]
        ends[i + 1] += ends[i]
    for bucket in range(256):
        while here[bucket] < ends[bucket + 1]:
            number = numbers[here[bucket]]
            while ids[number * id_size] != bucket:
                i = ids[number * id_size]
                other = numbers[here[i]]
                numbers[here[i]] = number
                here[i] += 1
                number = other
            numbers[here[bucket]] = number
            here[bucket] += 1
    for bucket in range(256):
        heap_sort(numbers + ends[bucket], ends[bucket + 1] - ends[bucket], ids, id_size)

cdef inline Py_ssize_t lower_place(const uint8_t* ids, Py_ssize_t low, Py_ssize_t high, const uint8_t* id, Py_ssize_t id_size) noexcept nogil:
    """The first position in low .. high whose id is not below *id*; *high* where all are."""
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) >> 1
        if memcmp(ids + middle * id_size, id, id_size) < 0:
            low = middle + 1
        else:
            high = middle
    return low

cdef inline int64_t find_in_order(const uint8_t* ids, Py_ssize_t count, const uint8_t* id, Py_ssize_t id_size, Py_ssize_t* hint) noexcept nogil:
    """The position of *id* among ascending *ids*, or -1; *hint* is where the last search ended.

    Ids asked for in ascending order cost the logarithm of the gap between them, and their pages are met in order.
    """
    cdef Py_ssize_t low = hint[0], step = 1
    if low > count or (low and memcmp(ids + (low - 1) * id_size, id, id_size) >= 0):
        low = 0
    while low + step < count and memcmp(ids + (low + step) * id_size, id, id_size) < 0:
        low += step
        step <<= 1
    hint[0] = lower_place(ids, low, low + step + 1 if low + step < count else count, id, id_size)
    if hint[0] < count and memcmp(ids + hint[0] * id_size, id, id_size) == 0:
        return hint[0]
    return -1
