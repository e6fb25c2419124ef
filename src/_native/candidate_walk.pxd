"""Candidates of a range of commits: their trees against those of their parents, as leaves over one struct.

The walk stops where the rows are full and goes on from there at the next call.  Only the trees of the folder at hand are
pinned: the folders above are read again, nearly always from the cache, when it is done.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy

from candidate_rows cimport (
    CHANGE_ADD, CHANGE_MODIFY, MOST_PATH, NOTE_LIMIT, NOTE_NEW_DAMAGED, NOTE_OLD_DAMAGED, NOTE_SUBMODULE, Rows, add_note,
    add_row, rows_have_room,
)
from tree_merge cimport (
    MERGE_ADD, MERGE_DELETE, MERGE_END, MERGE_MODIFY, TreeMerge, merge_next, merge_start,
)
from tree_record cimport TreeRecord, canonical_mode, is_tree_mode
from tree_source cimport NO_TREE, NOT_KEPT, TreeSource, close_tree, open_tree
from tree_window cimport SMALLEST_RING, window_offset, window_whole

cdef enum:
    MOST_FOLDERS = 256          # levels; what other readers of untrusted trees allow
    WALK_DONE = 0
    ROWS_FULL = 1
    GITLINK = 0o160000

cdef struct Folder:
    uint8_t old_id[32]
    uint8_t new_id[32]
    bint has_old
    int64_t old_at              # bytes of the old tree that are done
    int64_t new_at
    Py_ssize_t path_size        # of its path, the last slash included

cdef struct Walk:
    TreeSource source
    Rows rows
    Folder* folders             # owned: MOST_FOLDERS + 1 of them
    Py_ssize_t depth            # folders that are under way
    uint8_t path[MOST_PATH + 1]
    TreeMerge merge             # of the folder at hand
    uint8_t* rings              # owned: 2 * SMALLEST_RING, for the trees of the folder at hand
    const uint8_t* trees        # of the history: root ids by row
    const int64_t* parents      # of the history: rows, below 0 where there is none to follow
    const int64_t* parent_starts
    const int64_t* commits      # rows to compare, in this order
    Py_ssize_t commit_count
    Py_ssize_t commit_at        # commits that are done or under way
    Py_ssize_t parent_at        # of the commit at hand: parents that are done or under way
    bint all_parents
    int32_t commit              # what is under way: row, parent's row or -1, parent's index
    int32_t parent
    int32_t index
    int64_t diffs               # pairs of trees compared

cdef inline void close_walk(Walk* walk) noexcept nogil:
    free(walk.folders)
    free(walk.rings)
    walk.folders = NULL
    walk.rings = NULL

cdef inline void enter_folder(Walk* walk, const uint8_t* old_id, const uint8_t* new_id, Py_ssize_t path_size) noexcept nogil:
    cdef Folder* folder = &walk.folders[walk.depth]
    folder.has_old = old_id is not NULL
    if folder.has_old:
        memcpy(folder.old_id, old_id, <size_t>walk.source.id_size)
    memcpy(folder.new_id, new_id, <size_t>walk.source.id_size)
    folder.old_at = folder.new_at = 0
    folder.path_size = path_size
    walk.depth += 1

cdef inline bint next_pair(Walk* walk) noexcept nogil:
    """Begin the next comparison of root trees; False after the last one."""
    cdef Py_ssize_t first, last, id_size = walk.source.id_size
    cdef int64_t row, parent
    while walk.commit_at < walk.commit_count:
        row = walk.commits[walk.commit_at]
        first = walk.parent_starts[row]
        last = walk.parent_starts[row + 1]
        parent = next_parent(walk, first, last)
        if parent == -2:
            walk.commit_at += 1
            walk.parent_at = 0
            continue
        walk.commit = <int32_t>row
        walk.parent = <int32_t>parent
        walk.diffs += 1
        if parent < 0:
            enter_folder(walk, NULL, walk.trees + row * id_size, 0)
            return True
        if memcmp(walk.trees + row * id_size, walk.trees + parent * id_size, <size_t>id_size) != 0:
            enter_folder(walk, walk.trees + parent * id_size, walk.trees + row * id_size, 0)
            return True
    return False

cdef inline int64_t next_parent(Walk* walk, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Return the row of the next parent to compare with, -1 for none at all, -2 after the last one.

    With the first parent only, one that cannot be followed counts as none; with all, it is passed over while another can.
    """
    cdef Py_ssize_t at = walk.parent_at
    walk.index = 0
    if not walk.all_parents:
        walk.parent_at = 1
        if at:
            return -2
        return walk.parents[first] if first < last and walk.parents[first] >= 0 else -1
    while first + at < last:
        walk.parent_at = at + 1
        if walk.parents[first + at] >= 0:
            walk.index = <int32_t>at
            return walk.parents[first + at]
        at += 1
    if walk.parent_at > last - first:
        return -2
    walk.parent_at = last - first + 1
    while first < last:
        if walk.parents[first] >= 0:
            return -2
        first += 1
    return -1

cdef inline void take_new(Walk* walk, Folder* folder, const TreeRecord* before, const TreeRecord* after) noexcept nogil:
    """Handle a record that is new (*before* NULL) or has another id: a folder to enter, a row, or a note."""
    cdef Py_ssize_t size = folder.path_size + after.name_size
    cdef bint below = is_tree_mode(after.mode)
    if size > MOST_PATH or (below and walk.depth > MOST_FOLDERS):
        add_note(&walk.rows, NOTE_LIMIT, 0, 0, after.id, walk.path, folder.path_size, after.name, after.name_size)
    elif below:
        memcpy(walk.path + folder.path_size, after.name, <size_t>after.name_size)
        walk.path[size] = 47
        enter_folder(walk, before.id if before is not NULL else NULL, after.id, size + 1)
    elif canonical_mode(after.mode) == GITLINK:
        add_note(&walk.rows, NOTE_SUBMODULE, 0, 0, after.id, walk.path, folder.path_size, after.name, after.name_size)
    else:
        add_row(&walk.rows, walk.commit, walk.parent, walk.index, CHANGE_ADD if before is NULL else CHANGE_MODIFY,
                canonical_mode(after.mode), after.id, walk.path, folder.path_size, after.name, after.name_size)

cdef inline void note_damage(Walk* walk, Folder* folder, int fault) noexcept nogil:
    cdef bint in_old = walk.merge.fault_in_old
    add_note(&walk.rows, NOTE_OLD_DAMAGED if in_old else NOTE_NEW_DAMAGED, fault,
             walk.merge.fault_offset + (folder.old_at if in_old else folder.new_at),
             &folder.old_id[0] if in_old else &folder.new_id[0], walk.path, 0, walk.path, 0)

cdef inline int compare_folder(Walk* walk, Folder* folder) noexcept nogil:
    """Go on in the folder at hand until it is done or a folder below is entered (0), or the rows are full."""
    cdef Py_ssize_t depth = walk.depth, id_size = walk.source.id_size
    cdef int found, status = WALK_DONE
    merge_start(&walk.merge)
    while walk.depth == depth:
        if not rows_have_room(&walk.rows):
            status = ROWS_FULL
            break
        found = merge_next(&walk.merge)
        if found == MERGE_ADD:
            take_new(walk, folder, NULL, &walk.merge.after)
        elif found == MERGE_MODIFY:
            if memcmp(walk.merge.before.id, walk.merge.after.id, <size_t>id_size) != 0:
                take_new(walk, folder, &walk.merge.before, &walk.merge.after)
        elif found != MERGE_DELETE:
            if found != MERGE_END:
                note_damage(walk, folder, found)
            walk.depth -= 1
    if walk.depth >= depth:     # what was read but not yet compared is read again
        folder.old_at += window_offset(&walk.merge.old) - (walk.merge.before.size if walk.merge.has_before else 0)
        folder.new_at += window_offset(&walk.merge.new) - (walk.merge.after.size if walk.merge.has_after else 0)
    return status

cdef inline int step_folder(Walk* walk) noexcept nogil:
    """Read the trees of the folder at hand and compare; 0, ROWS_FULL, NO_MEMORY or STOPPED."""
    cdef Folder* folder = &walk.folders[walk.depth - 1]
    cdef int old_slot = NOT_KEPT, new_slot = NO_TREE, status
    if folder.has_old:
        old_slot = open_tree(&walk.source, folder.old_id, folder.old_at, &walk.merge.old, walk.rings)
    else:
        window_whole(&walk.merge.old, NULL, 0, walk.source.id_size)
    if old_slot >= NOT_KEPT:
        new_slot = open_tree(&walk.source, folder.new_id, folder.new_at, &walk.merge.new, walk.rings + SMALLEST_RING)
    if old_slot >= NOT_KEPT and new_slot >= NOT_KEPT:
        status = compare_folder(walk, folder)
    else:
        status = old_slot if old_slot < NOT_KEPT else new_slot
        status = 0 if status == NO_TREE else status
        walk.depth -= 1
    close_tree(&walk.source, old_slot)
    close_tree(&walk.source, new_slot)
    return status

cdef inline int run_walk(Walk* walk) noexcept nogil:
    """Compare until the commits end (WALK_DONE) or the rows are full (ROWS_FULL); or NO_MEMORY or STOPPED."""
    cdef int status
    while walk.depth or next_pair(walk):
        status = step_folder(walk)
        if status != 0:
            return status
    return WALK_DONE
