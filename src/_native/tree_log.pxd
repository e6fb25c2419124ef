"""The items of many trees as a log: each tree's list as runs of the list of its base and numbers of its own.

A log is written once and replayed from its start, as often as needed.  Lists that later trees refer to are kept in numbered
slots, which the writer chooses: a replay that keeps the same slots finds every list it is referred to.

A tree:   number, slot + 1 (0: not kept), base slot + 1 (0: no base), bytes of steps, steps
A step:   2 * count of a run, then where it starts less where the last one ended (zigzag); or 2 * value + 1
All numbers are LEB128.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from cursor cimport Cursor, take_varint
from tree_lists cimport TreeList, room_for_items

cdef enum:
    STEP_ROOM = 16              # bytes that one step takes at most
    HEAD_ROOM = 40
    FIRST_LOG_BYTES = 1 << 12

cdef struct ByteLog:
    uint8_t* data               # owned
    Py_ssize_t size
    Py_ssize_t room

cdef struct Steps:              # the steps of the tree that is being read
    ByteLog bytes
    Py_ssize_t run_start        # a run that may still grow
    Py_ssize_t run_count
    Py_ssize_t last_end         # where the last written run ended

cdef struct LoggedTree:
    uint64_t number
    uint64_t slot
    uint64_t base
    uint64_t steps              # bytes

cdef inline bint room_for_bytes(ByteLog* log, Py_ssize_t more) noexcept nogil:
    cdef Py_ssize_t room = log.size + more
    cdef uint8_t* data
    if room <= log.room:
        return True
    room += (room >> 3) + FIRST_LOG_BYTES
    data = <uint8_t*>realloc(log.data, <size_t>room)
    if data is NULL:
        return False
    log.data = data
    log.room = room
    return True

cdef inline void put_varint(ByteLog* log, uint64_t value) noexcept nogil:
    """Append a number; the caller made room."""
    while value >= 0x80:
        log.data[log.size] = <uint8_t>(value | 0x80)
        log.size += 1
        value >>= 7
    log.data[log.size] = <uint8_t>value
    log.size += 1

cdef inline void begin_steps(Steps* steps) noexcept nogil:
    steps.bytes.size = 0
    steps.run_start = steps.run_count = steps.last_end = 0

cdef inline bint end_run(Steps* steps) noexcept nogil:
    """Write the run that was growing; False: out of memory."""
    cdef int64_t distance = steps.run_start - steps.last_end
    if steps.run_count == 0:
        return True
    if not room_for_bytes(&steps.bytes, 2 * STEP_ROOM):
        return False
    put_varint(&steps.bytes, <uint64_t>steps.run_count << 1)
    put_varint(&steps.bytes, (<uint64_t>distance << 1) ^ <uint64_t>(distance >> 63))
    steps.last_end = steps.run_start + steps.run_count
    steps.run_count = 0
    return True

cdef inline bint add_run(Steps* steps, Py_ssize_t start, Py_ssize_t count) noexcept nogil:
    if steps.run_count and steps.run_start + steps.run_count == start:
        steps.run_count += count
        return True
    if not end_run(steps):
        return False
    steps.run_start = start
    steps.run_count = count
    return True

cdef inline bint add_value(Steps* steps, uint64_t value) noexcept nogil:
    if not end_run(steps) or not room_for_bytes(&steps.bytes, STEP_ROOM):
        return False
    put_varint(&steps.bytes, value << 1 | 1)
    return True

cdef inline bint write_tree(ByteLog* log, uint64_t number, uint64_t slot, uint64_t base, const Steps* steps) noexcept nogil:
    """Append one tree whose last run was ended; False: out of memory."""
    if not room_for_bytes(log, HEAD_ROOM + steps.bytes.size):
        return False
    put_varint(log, number)
    put_varint(log, slot)
    put_varint(log, base)
    put_varint(log, <uint64_t>steps.bytes.size)
    memcpy(log.data + log.size, steps.bytes.data, <size_t>steps.bytes.size)
    log.size += steps.bytes.size
    return True

cdef inline void take_logged(Cursor* cursor, LoggedTree* tree) noexcept nogil:
    """Read the head of the next tree of a log that `write_tree` wrote."""
    take_varint(cursor, &tree.number)
    take_varint(cursor, &tree.slot)
    take_varint(cursor, &tree.base)
    take_varint(cursor, &tree.steps)

cdef inline bint replay_steps(Cursor* cursor, Py_ssize_t size, const TreeList* base, TreeList* made) noexcept nogil:
    """Fill the values of *made* from the steps at the cursor, which moves past them; False: out of memory."""
    cdef const uint8_t* stop = cursor.here + size
    cdef uint64_t head = 0, distance = 0
    cdef Py_ssize_t start = 0, count
    made.items = 0
    while cursor.here < stop:
        take_varint(cursor, &head)
        if head & 1:
            if not room_for_items(made, 1):
                return False
            made.values[made.items] = <uint32_t>(head >> 1)
            made.items += 1
            continue
        take_varint(cursor, &distance)
        start += <int64_t>(distance >> 1) ^ -<int64_t>(distance & 1)
        count = <Py_ssize_t>(head >> 1)
        if not room_for_items(made, count):
            return False
        memcpy(made.values + made.items, base.values + start, <size_t>count * sizeof(uint32_t))
        made.items += count
        start += count
    return True
