"""Positions of roots, handed down all that the trees name, and the ways back from targets: rounds over the logs of readers."""
from libc.stdint cimport uint8_t, uint32_t

from cursor cimport Cursor
from tree_lists cimport TreeList
from tree_log cimport LoggedTree, replay_steps, take_logged
from tree_reader cimport LOGGED, TreeReader

cdef inline uint32_t never() noexcept nogil:
    """The position of what no root reaches; an enum would become -1 as a Python integer."""
    return 0xFFFFFFFF

cdef struct Solution:
    uint32_t* first             # by tree: the first root that reaches it
    const uint8_t* states       # by tree
    uint8_t* dirty              # by tree: it was lowered since its entries were looked at
    uint8_t* leads              # by tree: a target that its first root is the first to reach is in it or below it
    uint8_t* asked              # by position: some target is first reached there
    uint32_t* places            # by target
    Py_ssize_t waiting          # dirty trees; while leads are set: those set in this round

cdef inline void lower(Solution* solution, uint32_t tree, uint32_t position) noexcept nogil:
    if solution.first[tree] > position:
        solution.first[tree] = position
        if solution.states[tree] & LOGGED and not solution.dirty[tree]:
            solution.dirty[tree] = 1
            solution.waiting += 1

cdef inline void hand_down(Solution* solution, uint32_t number, const TreeList* items, const uint32_t* trees,
                           const uint32_t* targets) noexcept nogil:
    """Lower what a dirty tree names to its own position."""
    cdef uint32_t value, position = solution.first[number]
    cdef Py_ssize_t i
    solution.dirty[number] = 0
    solution.waiting -= 1
    for i in range(items.items):
        value = items.values[i] >> 1
        if not items.values[i] & 1:
            lower(solution, trees[value] if trees is not NULL else value, position)
        else:
            value = targets[value] if targets is not NULL else value
            if solution.places[value] > position:
                solution.places[value] = position

cdef inline void set_lead(Solution* solution, uint32_t number, const TreeList* items, const uint32_t* trees,
                          const uint32_t* targets) noexcept nogil:
    """Mark a tree that names a target of its own position, or a tree that leads to one."""
    cdef uint32_t value, position = solution.first[number]
    cdef Py_ssize_t i
    cdef bint found = False
    for i in range(items.items):
        value = items.values[i] >> 1
        if not items.values[i] & 1:
            value = trees[value] if trees is not NULL else value
            found = found or (solution.leads[value] and solution.first[value] == position)
        else:
            found = found or solution.places[targets[value] if targets is not NULL else value] == position
    solution.leads[number] = found
    solution.waiting += found

cdef inline bint concerns(const Solution* solution, uint32_t number, bint leading) noexcept nogil:
    if not leading:
        return solution.dirty[number]
    return solution.first[number] != never() and solution.asked[solution.first[number]] and not solution.leads[number]

cdef inline bint replay(TreeReader* reader, const uint32_t* trees, const uint32_t* targets, Solution* solution,
                        bint leading) noexcept nogil:
    """Go once through all that was read: positions down, or with *leading* leads up; False: out of memory.

    *trees* and *targets* turn the reader's numbers into those of the solution; NULL: they are the same.
    """
    cdef Cursor cursor
    cdef LoggedTree tree = LoggedTree(number=0, slot=0, base=0, steps=0)
    cdef TreeList* made = &reader.made
    cdef TreeList kept
    cdef uint32_t number
    cursor.here, cursor.end = reader.log.data, reader.log.data + reader.log.size
    while cursor.here < cursor.end:
        take_logged(&cursor, &tree)
        number = trees[tree.number] if trees is not NULL else <uint32_t>tree.number
        if tree.slot == 0 and not concerns(solution, number, leading):
            cursor.here += tree.steps
            continue
        if not replay_steps(&cursor, <Py_ssize_t>tree.steps, &reader.live[tree.base - 1].list if tree.base else NULL, made):
            return False
        if concerns(solution, number, leading):
            if leading:
                set_lead(solution, number, made, trees, targets)
            else:
                hand_down(solution, number, made, trees, targets)
        if tree.slot:
            kept = reader.live[tree.slot - 1].list
            reader.live[tree.slot - 1].list = made[0]
            made[0] = kept
    return True
