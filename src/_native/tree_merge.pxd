"""What differs between two trees: one walk over two windows, resumable, the only one there is.

Whole trees, streams and spilled trees are windows (`tree_window.pxd`), so they cannot give different answers.  What two
trees have in common to their end is not looked at: a fault in it came with an older tree and is told there.
"""
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

from tree_record cimport (
    TREE_UNREADABLE, TreeRecord, canonical_mode, compare_names, take_record, tree_shared_size,
)
from tree_window cimport TreeWindow, window_offset, window_ready, window_take

cdef enum MergeStep:
    MERGE_END = 0
    MERGE_ADD = 1               # `after` is new
    MERGE_MODIFY = 2            # `before` and `after` have one name, and another id or canonical mode
    MERGE_DELETE = 3            # `before` is gone

cdef struct TreeMerge:
    TreeWindow old              # opened by the holder, as `new`, with the same id size
    TreeWindow new
    TreeRecord before           # valid after MERGE_MODIFY and MERGE_DELETE, until the next step
    TreeRecord after            # valid after MERGE_MODIFY and MERGE_ADD, until the next step
    bint has_before             # `before` was read and is still to be compared
    bint has_after
    bint fault_in_old           # after a TreeFault: which tree has it; else it is the new one
    int64_t fault_offset        # after a TreeFault: where the bad record starts

cdef inline void merge_start(TreeMerge* merge) noexcept nogil:
    """Begin, once both windows are open."""
    merge.has_before = merge.has_after = merge.fault_in_old = False
    merge.fault_offset = 0

cdef inline int merge_ready(TreeMerge* merge) noexcept nogil:
    """Have the next record of both trees in their windows; 0 or TREE_UNREADABLE."""
    merge.fault_in_old = False
    if window_ready(&merge.new) == 0:
        if window_ready(&merge.old) == 0:
            return 0
        merge.fault_in_old = True
    merge.fault_offset = window_offset(&merge.old if merge.fault_in_old else &merge.new)
    return TREE_UNREADABLE

cdef inline bint merge_rest_is_shared(TreeMerge* merge) noexcept nogil:
    """Whether all that is left of both trees is the same; reads them."""
    cdef Py_ssize_t left, right, size
    while merge_ready(merge) == 0:
        left = merge.old.cursor.end - merge.old.cursor.here
        right = merge.new.cursor.end - merge.new.cursor.here
        size = left if left < right else right
        if size == 0:
            return left == right
        if memcmp(merge.old.cursor.here, merge.new.cursor.here, <size_t>size) != 0:
            return False
        merge.old.cursor.here += size
        merge.new.cursor.here += size
    return False

cdef inline int merge_skip(TreeMerge* merge) noexcept nogil:
    """Pass the records that both trees have in common from here on; 0 or TREE_UNREADABLE.

    A mismatch is searched in plain bytes, and records are counted off up to it: trees of neighbours differ in one or two.
    """
    cdef Py_ssize_t left, right, shared
    cdef const uint8_t* start
    cdef const uint8_t* here
    cdef const uint8_t* stop
    cdef TreeRecord record
    while merge_ready(merge) == 0:
        left = merge.old.cursor.end - merge.old.cursor.here
        right = merge.new.cursor.end - merge.new.cursor.here
        start = merge.new.cursor.here
        shared = tree_shared_size(merge.old.cursor.here, start, left if left < right else right)
        stop = start + shared
        here = start
        if shared == left and shared == right and merge.old.rest == 0 and merge.new.rest == 0:
            merge.old.cursor.here += shared
            merge.new.cursor.here += shared
            return 0
        while here < stop and take_record(&merge.new.cursor, merge.new.id_size, &record) == 0:
            if merge.new.cursor.here > stop:
                merge.new.cursor.here = here
                break
            here = merge.new.cursor.here
        merge.old.cursor.here += here - start
        if here == start or (merge.old.rest == 0 and merge.new.rest == 0):
            return 0
    return TREE_UNREADABLE

cdef inline int merge_fault(TreeMerge* merge, int fault, bint in_old) noexcept nogil:
    """Note where a fault is; what both trees share to their end is no difference, whatever it holds."""
    cdef int64_t offset = window_offset(&merge.old if in_old else &merge.new)
    if fault != TREE_UNREADABLE and not in_old and not merge.has_before and merge_rest_is_shared(merge):
        return MERGE_END
    merge.fault_in_old = in_old
    merge.fault_offset = offset
    return fault

cdef inline int merge_load(TreeMerge* merge) noexcept nogil:
    """Read a record of each tree that has none waiting; 1, MERGE_END where both are at their end, or a TreeFault."""
    cdef int taken
    if not merge.has_before and not merge.has_after and merge_skip(merge) < 0:
        return TREE_UNREADABLE
    if not merge.has_after:
        taken = window_take(&merge.new, &merge.after)
        if taken < 0:
            return merge_fault(merge, taken, False)
        merge.has_after = taken
    if not merge.has_before:
        taken = window_take(&merge.old, &merge.before)
        if taken < 0:
            return merge_fault(merge, taken, True)
        merge.has_before = taken
    return 1 if merge.has_before or merge.has_after else MERGE_END

cdef inline int merge_next(TreeMerge* merge) noexcept nogil:
    """Go to the next entry that differs; a MergeStep, or a TreeFault, after which the walk is over.

    Entries come in git's order.  A tree and a file of one name are two entries.  Trees out of order give some answer, the
    same for every kind of window.
    """
    cdef int order, status
    while True:
        status = merge_load(merge)
        if status != 1:
            return status
        if not merge.has_before:
            order = 1
        elif not merge.has_after:
            order = -1
        else:
            order = compare_names(&merge.before, &merge.after)
        if order > 0:
            merge.has_after = False
            return MERGE_ADD
        merge.has_before = False
        if order < 0:
            return MERGE_DELETE
        merge.has_after = False
        if (canonical_mode(merge.before.mode) != canonical_mode(merge.after.mode)
                or memcmp(merge.before.id, merge.after.id, <size_t>merge.new.id_size) != 0):
            return MERGE_MODIFY

cdef inline tuple merge_change(const TreeMerge* merge, int step):
    """Return ``(name, old mode, new mode, old id, new id)`` of a step, modes canonical; 0 and None where it is not."""
    cdef bint has_old = step != MERGE_ADD, has_new = step != MERGE_DELETE
    cdef const TreeRecord* named = &merge.after if has_new else &merge.before
    cdef Py_ssize_t id_size = merge.new.id_size
    return (
        named.name[:named.name_size],
        canonical_mode(merge.before.mode) if has_old else 0,
        canonical_mode(merge.after.mode) if has_new else 0,
        merge.before.id[:id_size] if has_old else None,
        merge.after.id[:id_size] if has_new else None,
    )
