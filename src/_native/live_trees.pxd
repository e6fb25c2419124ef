"""The trees that later ones are made from: kept in slots while their children are awaited, and one tree read after another."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport realloc

from tree_lists cimport TreeList, list_bytes, list_release
from tree_log cimport FIRST_LOG_BYTES, HEAD_ROOM, begin_steps, end_run, write_tree
from tree_reader cimport (
    LOGGED, MOST_LIVE, NO_FIT, OUT_OF_MEMORY, OVER_LIMIT, READ, LiveTree, TreeReader, read_made, read_whole, reader_bytes,
    tree_number,
)

cdef struct TreeInput:
    const uint8_t* id
    const uint8_t* data
    Py_ssize_t size
    int64_t object              # its number within the part
    int64_t base                # that of the tree it is made from; -1: none that was handed out
    int64_t children            # how many trees to come are made from it
    const uint8_t* delta        # instructions, without the two sizes
    Py_ssize_t delta_size

cdef inline Py_ssize_t find_live(const TreeReader* reader, int64_t object) noexcept nogil:
    """Return the place of an object on the path, or -1; the walk is depth first, so it is near the end."""
    cdef Py_ssize_t i = reader.path_count - 1
    while i >= 0 and reader.live[reader.path[i]].object != object:
        i -= 1
    return i

cdef inline void leave_base(TreeReader* reader, Py_ssize_t place) noexcept nogil:
    """One child of the base at *place* of the path is done; after the last one its slot is spare."""
    cdef int32_t slot = reader.path[place]
    cdef Py_ssize_t i
    reader.live[slot].waiting -= 1
    if reader.live[slot].waiting > 0:
        return
    reader.path_count -= 1
    for i in range(place, reader.path_count):
        reader.path[i] = reader.path[i + 1]
    reader.spare[reader.live_count - reader.path_count - 1] = slot

cdef inline int take_slot(TreeReader* reader) noexcept nogil:
    """Return a spare slot, now at the end of the path, or -1 where memory ends.

    With all slots in use the oldest base gives way: its children are read whole.
    """
    cdef Py_ssize_t spares = reader.live_count - reader.path_count
    if spares == 0 and reader.live_count == MOST_LIVE:
        reader.live[reader.path[0]].waiting = 0
        leave_base(reader, 0)
        spares = 1
    elif spares == 0:
        if not add_slot(reader):
            return -1
        spares = 1
    reader.path[reader.path_count] = reader.spare[spares - 1]
    reader.path_count += 1
    return reader.path[reader.path_count - 1]

cdef inline bint add_slot(TreeReader* reader) noexcept nogil:
    """Make one more slot while all are in use, as the only spare one; False: out of memory."""
    cdef size_t count = <size_t>(reader.live_count + 1)
    cdef void* grown = realloc(reader.live, count * sizeof(LiveTree))
    if grown is NULL:
        return False
    reader.live = <LiveTree*>grown
    grown = realloc(reader.path, count * sizeof(int32_t))
    if grown is NULL:
        return False
    reader.path = <int32_t*>grown
    grown = realloc(reader.spare, count * sizeof(int32_t))
    if grown is NULL:
        return False
    reader.spare = <int32_t*>grown
    reader.live[reader.live_count].list = TreeList(
        starts=NULL, places=NULL, values=NULL, records=0, record_room=0, items=0, item_room=0)
    reader.spare[0] = <int32_t>reader.live_count
    reader.live_count += 1
    return True

cdef inline void empty_spares(TreeReader* reader) noexcept nogil:
    """Give back the lists of all slots that are not in use."""
    cdef Py_ssize_t i
    for i in range(reader.live_count - reader.path_count):
        reader.list_bytes -= list_bytes(&reader.live[reader.spare[i]].list)
        list_release(&reader.live[reader.spare[i]].list)

cdef inline int keep_made(TreeReader* reader, const TreeInput* tree) noexcept nogil:
    """Keep the lists of the tree that was just read; its slot, or -1: its children are read whole."""
    cdef TreeList made = reader.made
    cdef int slot
    cdef LiveTree* live
    if reader.list_bytes + list_bytes(&made) > reader.list_limit:
        empty_spares(reader)
        if reader.list_bytes + list_bytes(&made) > reader.list_limit:
            return -1
    slot = take_slot(reader)
    if slot < 0:
        return -1
    live = &reader.live[slot]
    reader.list_bytes += list_bytes(&made) - list_bytes(&live.list)
    reader.made = live.list
    live.list = made
    live.object, live.waiting, live.size = tree.object, tree.children, tree.size
    return slot

cdef inline int begin_tree(TreeReader* reader, bint keep) noexcept nogil:
    reader.keep = keep
    reader.made.records = reader.made.items = 0
    begin_steps(&reader.steps)
    return 0

cdef inline int read_tree(TreeReader* reader, const TreeInput* tree) noexcept nogil:
    """Enter one tree; a fault of its records leaves it as never read, other faults are final."""
    cdef int64_t number = tree_number(reader, tree.id)
    cdef Py_ssize_t place = -1
    cdef int fault = NO_FIT, slot = -1, base = -1
    if number < 0:
        return <int>number
    if tree.base >= 0:
        place = find_live(reader, tree.base)
        base = reader.path[place] if place >= 0 else -1
    begin_tree(reader, tree.children > 0 and tree.size < <Py_ssize_t>1 << 32)
    if base >= 0 and tree.delta is not NULL:
        fault = read_made(reader, tree.data, tree.size, &reader.live[base], tree.delta, tree.delta_size)
    if fault == NO_FIT:
        begin_tree(reader, reader.keep)
        base = -1
        fault = read_whole(reader, tree.data, tree.size)
    if fault == 0 and not end_run(&reader.steps):
        fault = OUT_OF_MEMORY
    if place >= 0:
        leave_base(reader, place)
    if fault == 0 and reader.keep:
        slot = keep_made(reader, tree)
    if fault < 0:
        return fault
    return log_tree(reader, number, slot, base)

cdef inline int log_tree(TreeReader* reader, int64_t number, int slot, int base) noexcept nogil:
    """Write the tree that was just read; one without items, or that was read before, has nothing to add."""
    cdef Py_ssize_t needed = HEAD_ROOM + reader.steps.bytes.size
    if reader.steps.bytes.size and (slot >= 0 or not reader.states[number] & LOGGED):
        if reader.log.size + needed > reader.log.room and (
                reader_bytes(reader) + needed + (reader.log.room >> 3) + FIRST_LOG_BYTES > reader.limit):
            return OVER_LIMIT
        if not write_tree(&reader.log, <uint64_t>number, <uint64_t>(slot + 1), <uint64_t>(base + 1), &reader.steps):
            return OUT_OF_MEMORY
        reader.states[number] |= LOGGED
    reader.states[number] |= READ
    return 0
