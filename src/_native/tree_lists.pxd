"""What a reader of trees keeps of a tree that is the base of others: where its records start, and what of them matters.

An item is a record that the reader cares about: a sub-tree or a target.  Both lists ascend, so a copy of bytes of the base
is a copy of one run of each.
"""
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, realloc

cdef enum:
    FIRST_ROOM = 64             # entries of a list that is made

cdef struct TreeList:
    uint32_t* starts            # owned: where each record starts
    uint32_t* places            # owned: the record of each item, by position among the starts
    uint32_t* values            # owned: what each item names
    Py_ssize_t records
    Py_ssize_t record_room
    Py_ssize_t items
    Py_ssize_t item_room

cdef inline Py_ssize_t list_bytes(const TreeList* list) noexcept nogil:
    return (list.record_room + 2 * list.item_room) * <Py_ssize_t>sizeof(uint32_t)

cdef inline void list_release(TreeList* list) noexcept nogil:
    free(list.starts)
    free(list.places)
    free(list.values)
    list[0] = TreeList(starts=NULL, places=NULL, values=NULL, records=0, record_room=0, items=0, item_room=0)

cdef inline bint room_for_records(TreeList* list, Py_ssize_t more) noexcept nogil:
    """Make room for *more* records; False: out of memory, and nothing changed."""
    cdef Py_ssize_t room = list.records + more
    cdef uint32_t* starts
    if room <= list.record_room:
        return True
    room += (room >> 1) + FIRST_ROOM
    starts = <uint32_t*>realloc(list.starts, <size_t>room * sizeof(uint32_t))
    if starts is NULL:
        return False
    list.starts = starts
    list.record_room = room
    return True

cdef inline bint room_for_items(TreeList* list, Py_ssize_t more) noexcept nogil:
    """Make room for *more* items; False: out of memory, and nothing that counts changed."""
    cdef Py_ssize_t room = list.items + more
    cdef uint32_t* grown
    if room <= list.item_room:
        return True
    room += (room >> 1) + FIRST_ROOM
    grown = <uint32_t*>realloc(list.places, <size_t>room * sizeof(uint32_t))
    if grown is NULL:
        return False
    list.places = grown
    grown = <uint32_t*>realloc(list.values, <size_t>room * sizeof(uint32_t))
    if grown is NULL:
        return False
    list.values = grown
    list.item_room = room
    return True

cdef inline Py_ssize_t first_at_least(const uint32_t* ascending, Py_ssize_t low, Py_ssize_t count,
                                      uint64_t bound) noexcept nogil:
    """Return the first place from *low* on whose number is at least *bound*; steps double, as answers lie near *low*."""
    cdef Py_ssize_t step = 1, high = low, middle
    while high < count and ascending[high] < bound:
        low = high + 1
        high += step
        step <<= 1
    high = min(high, count)
    while low < high:
        middle = (low + high) >> 1
        if ascending[middle] < bound:
            low = middle + 1
        else:
            high = middle
    return low

cdef inline void copy_shifted(uint32_t* target, const uint32_t* source, Py_ssize_t count, uint32_t shift) noexcept nogil:
    """Copy numbers with *shift* added modulo 2**32: it may stand for a step back."""
    cdef Py_ssize_t i
    for i in range(count):
        target[i] = source[i] + shift
