"""Reading trees for their sub-trees and targets, and of a tree made by a delta only what the delta brings.

What a copy takes over whole from the base needs no reading: a record follows from its first byte on, so records of the base
that lie inside the copy, and start where a record of the new tree starts, are records of the new tree too.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from cursor cimport Cursor
from delta_ops cimport take_copy
from id_table cimport IdTable, table_add, table_bytes, table_find, table_grow, table_release
from tree_lists cimport (
    TreeList, copy_shifted, first_at_least, list_bytes, list_release, room_for_items, room_for_records,
)
from tree_log cimport ByteLog, Steps, add_run, add_value
from tree_record cimport TreeRecord, canonical_mode, is_tree_mode, take_record

cdef enum:
    FILTER_BITS = 18            # 32 KiB, stays in the first cache; turns away nearly every id that is no target
    OUT_OF_MEMORY = -100
    OVER_LIMIT = -101
    NO_FIT = -102               # the delta does not make this tree from that base
    READ = 1                    # states of a tree
    LOGGED = 2                  # it names something, so it is in the log
    MOST_LIVE = 1_024           # bases kept at once; chains of git have 50, at most 4,095

cdef struct LiveTree:           # a slot: a tree that later ones are made from
    TreeList list
    int64_t object              # its number within the part
    int64_t waiting             # how many trees to come are made from it
    Py_ssize_t size

cdef struct TreeReader:
    IdTable trees
    IdTable targets
    uint8_t* filter             # owned: (1 << FILTER_BITS) >> 3 bytes
    uint8_t* states              # owned: the state of each tree
    LiveTree* live              # owned: live_count slots
    int32_t* path               # owned: the slots in use, in order of keeping
    int32_t* spare              # owned: the slots not in use
    Py_ssize_t live_count
    Py_ssize_t path_count
    Py_ssize_t list_bytes       # of all slots
    Py_ssize_t list_limit
    Py_ssize_t limit
    TreeList made               # the tree that is being read
    bint keep                   # whether its lists are wanted
    Steps steps
    ByteLog log

cdef inline Py_ssize_t reader_bytes(const TreeReader* reader) noexcept nogil:
    """The memory that the reader holds."""
    return (table_bytes(&reader.trees, reader.trees.capacity) + reader.trees.capacity
            + table_bytes(&reader.targets, reader.targets.capacity) + ((1 << FILTER_BITS) >> 3)
            + reader.list_bytes + list_bytes(&reader.made) + reader.steps.bytes.room + reader.log.room)

cdef inline void reader_release(TreeReader* reader) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(reader.live_count):
        list_release(&reader.live[i].list)
    list_release(&reader.made)
    table_release(&reader.trees)
    table_release(&reader.targets)
    free(reader.filter)
    free(reader.states)
    free(reader.live)
    free(reader.path)
    free(reader.spare)
    free(reader.steps.bytes.data)
    free(reader.log.data)

cdef inline uint32_t filter_bit(const uint8_t* id) noexcept nogil:
    return (<uint32_t>id[0] << 10 | <uint32_t>id[1] << 2 | <uint32_t>id[2] >> 6) & ((1 << FILTER_BITS) - 1)

cdef inline int grow_trees(TreeReader* reader, Py_ssize_t capacity) noexcept nogil:
    cdef uint8_t* states
    cdef Py_ssize_t extra = capacity - reader.trees.capacity
    if capacity > (<Py_ssize_t>1 << 31) or reader_bytes(reader) + table_bytes(&reader.trees, extra) + extra > reader.limit:
        return OVER_LIMIT
    states = <uint8_t*>realloc(reader.states, <size_t>capacity)
    if states is NULL:
        return OUT_OF_MEMORY
    memset(states + reader.trees.capacity, 0, <size_t>extra)
    reader.states = states
    return OUT_OF_MEMORY if table_grow(&reader.trees, capacity) < 0 else 0

cdef inline int64_t tree_number(TreeReader* reader, const uint8_t* id) noexcept nogil:
    """The number of a tree, entered when new, or a fault below zero."""
    cdef int fault
    if reader.trees.count == reader.trees.capacity:
        fault = grow_trees(reader, 2 * reader.trees.capacity)
        if fault < 0:
            return fault
    return table_add(&reader.trees, id)

cdef inline int64_t item_value(TreeReader* reader, const TreeRecord* record) noexcept nogil:
    """Twice the number of a sub-tree, twice that of a target and one; -1: neither; or a fault."""
    cdef int64_t number
    cdef uint32_t bit
    if is_tree_mode(record.mode):
        number = tree_number(reader, record.id)
        return number if number < 0 else 2 * number
    bit = filter_bit(record.id)
    if not reader.filter[bit >> 3] >> (bit & 7) & 1:
        return -1
    number = table_find(&reader.targets, record.id)
    if number < 0 or canonical_mode(record.mode) == 0o160000:
        return -1                           # a submodule names a commit of another repository
    return 2 * number + 1

cdef inline int read_record(TreeReader* reader, Cursor* cursor, const uint8_t* tree) noexcept nogil:
    """Read the record at the cursor into the tree being made; 0 or a fault."""
    cdef TreeRecord record
    cdef TreeList* made = &reader.made
    cdef Py_ssize_t start = cursor.here - tree
    cdef int64_t value
    cdef int fault = take_record(cursor, reader.trees.id_size, &record)
    if fault < 0:
        return fault
    value = item_value(reader, &record)
    if value < -1:
        return <int>value
    if value >= 0 and not add_value(&reader.steps, <uint64_t>value):
        return OUT_OF_MEMORY
    if not reader.keep:
        return 0
    if not room_for_records(made, 1) or not room_for_items(made, 1):
        return OUT_OF_MEMORY
    if value >= 0:
        made.places[made.items] = <uint32_t>made.records
        made.values[made.items] = <uint32_t>value
        made.items += 1
    made.starts[made.records] = <uint32_t>start
    made.records += 1
    return 0

cdef inline int read_whole(TreeReader* reader, const uint8_t* tree, Py_ssize_t size) noexcept nogil:
    """Read every record; 0 or a fault."""
    cdef Cursor cursor
    cdef int fault
    cursor.here, cursor.end = tree, tree + size
    while cursor.here < cursor.end:
        fault = read_record(reader, &cursor, tree)
        if fault < 0:
            return fault
    return 0

cdef inline Py_ssize_t take_over(TreeReader* reader, const LiveTree* base, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t at,
                                 Py_ssize_t* hint) noexcept nogil:
    """Take over the records of *base* from *start* that end at *stop* or before, to *at* of the new tree.

    Returns the bytes they have; 0 where no record starts there or none ends in time; OUT_OF_MEMORY.
    """
    cdef const TreeList* old = &base.list
    cdef TreeList* made = &reader.made
    cdef Py_ssize_t first, last, low, high, i, end
    first = first_at_least(old.starts, hint[0] if hint[0] < old.records and old.starts[hint[0]] <= start else 0,
                           old.records, <uint64_t>start)
    if first == old.records or <Py_ssize_t>old.starts[first] != start:
        return 0
    last = old.records
    if stop < base.size:
        last = first_at_least(old.starts, first, old.records, <uint64_t>stop + 1) - 1
    hint[0] = last
    if last <= first:
        return 0
    end = base.size if last == old.records else <Py_ssize_t>old.starts[last]
    low = first_at_least(old.places, 0, old.items, <uint64_t>first)
    high = first_at_least(old.places, low, old.items, <uint64_t>last)
    if high > low and not add_run(&reader.steps, low, high - low):
        return OUT_OF_MEMORY
    if reader.keep:
        if not room_for_records(made, last - first) or not room_for_items(made, high - low):
            return OUT_OF_MEMORY
        copy_shifted(made.places + made.items, old.places + low, high - low, <uint32_t>(made.records - first))
        copy_shifted(made.values + made.items, old.values + low, high - low, 0)
        copy_shifted(made.starts + made.records, old.starts + first, last - first, <uint32_t>(at - start))
        made.items += high - low
        made.records += last - first
    return end - start

cdef inline int read_made(TreeReader* reader, const uint8_t* tree, Py_ssize_t size, const LiveTree* base,
                          const uint8_t* delta, Py_ssize_t delta_size) noexcept nogil:
    """Read a tree that the instructions *delta* make from *base*; 0 or a fault."""
    cdef Cursor steps, cursor
    cdef uint64_t start = 0, count = 0
    cdef Py_ssize_t at = 0, stop, used, hint = 0
    cdef uint8_t opcode
    cdef int fault
    steps.here, steps.end = delta, delta + delta_size
    cursor.here, cursor.end = tree, tree + size
    while steps.here < steps.end:
        opcode = steps.here[0]
        steps.here += 1
        if opcode & 0x80:
            if take_copy(&steps, opcode, &start, &count) < 0 or start + count > <uint64_t>base.size:
                return NO_FIT
        else:
            count = opcode
            if count == 0 or steps.end - steps.here < opcode:
                return NO_FIT
            steps.here += opcode
        if <Py_ssize_t>count > size - at:
            return NO_FIT
        stop = at + <Py_ssize_t>count
        while cursor.here - tree < stop:
            if opcode & 0x80 and cursor.here - tree >= at:
                used = take_over(reader, base, <Py_ssize_t>start + (cursor.here - tree - at),
                                 <Py_ssize_t>(start + count), cursor.here - tree, &hint)
                if used < 0:
                    return OUT_OF_MEMORY
                if used:
                    cursor.here += used
                    continue
            fault = read_record(reader, &cursor, tree)
            if fault < 0:
                return fault
        at = stop
    return 0 if at == size else NO_FIT
