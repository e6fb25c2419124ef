"""Compressed sparse rows: build them from an edge list, walk them breadth first, find strongly connected components.

Row r owns the positions offsets[r] .. offsets[r + 1] of ``neighbours`` and ``kinds``.  A `Csr` checks that once, when it
is made, and demands buffers that are read-only, so threads may walk at once.  Who changes the memory under such a view
gets a wrong walk; it never leaves the columns.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memcpy, memset

from siltstone.core.errors import ConfigError, CorruptDataError

cdef enum:
    KINDS = 32                  # an edge kind is a bit of a uint32 mask


cdef Py_ssize_t _first_bad(const int32_t* rows, Py_ssize_t count, Py_ssize_t limit) noexcept nogil:
    """Return the first position whose row is not in 0 .. limit - 1, or -1."""
    cdef Py_ssize_t i
    for i in range(count):
        if rows[i] < 0 or rows[i] >= limit:
            return i
    return -1


cdef void _scatter(
    const int32_t* rows, const int32_t* order, int32_t* target, Py_ssize_t count, int64_t* starts,
) noexcept nogil:
    """Put each position of *order* behind the others of its row: one stable pass of a counting sort."""
    cdef Py_ssize_t i
    cdef int32_t position
    for i in range(count):
        position = order[i]
        target[starts[rows[position]]] = position
        starts[rows[position]] += 1


cdef void _count_starts(const int32_t* rows, Py_ssize_t count, int64_t* starts, Py_ssize_t row_count) noexcept nogil:
    """Fill *starts* (row_count + 1 values) with the first position of each row."""
    cdef Py_ssize_t i
    memset(starts, 0, <size_t>(row_count + 1) * sizeof(int64_t))
    for i in range(count):
        starts[rows[i] + 1] += 1
    for i in range(row_count):
        starts[i + 1] += starts[i]


cdef void _order_by_kind(const uint8_t* kinds, Py_ssize_t count, int32_t* order) noexcept nogil:
    cdef int64_t starts[KINDS + 1]
    cdef Py_ssize_t i
    memset(starts, 0, sizeof(starts))
    for i in range(count):
        starts[kinds[i] + 1] += 1
    for i in range(KINDS):
        starts[i + 1] += starts[i]
    for i in range(count):
        order[starts[kinds[i]]] = <int32_t>i
        starts[kinds[i]] += 1


cdef Py_ssize_t _sort_edges(
    const int32_t* sources, const int32_t* targets, const uint8_t* kinds, Py_ssize_t count, Py_ssize_t row_count,
    int64_t* starts, int32_t* first, int32_t* second, int32_t* keys,
) noexcept nogil:
    """Leave the order in *first* and the row offsets in *starts*; -1, or an edge that another thread made wrong.

    Each column is read once, into *keys*, and held to its bounds there: counting sorts write where their keys say.
    """
    cdef Py_ssize_t bad
    memcpy(keys, kinds, <size_t>count)
    for bad in range(count):
        if (<uint8_t*>keys)[bad] >= KINDS:
            return bad
    _order_by_kind(<uint8_t*>keys, count, first)
    memcpy(keys, targets, <size_t>count * sizeof(int32_t))
    bad = _first_bad(keys, count, row_count)
    if bad >= 0:
        return bad
    _count_starts(keys, count, starts, row_count)
    _scatter(keys, first, second, count, starts)
    memcpy(keys, sources, <size_t>count * sizeof(int32_t))
    bad = _first_bad(keys, count, row_count)
    if bad >= 0:
        return bad
    _count_starts(keys, count, starts, row_count)
    _scatter(keys, second, first, count, starts)
    _count_starts(keys, count, starts, row_count)
    return -1


def build_csr(
    Py_ssize_t row_count, const int32_t[::1] sources not None, const int32_t[::1] targets not None,
    const uint8_t[::1] kinds not None,
):
    """Return ``(offsets, order)``: int64 and int32 as bytes; *order* lists the edges by source, then target, then kind.

    ``neighbours`` is ``targets`` taken in that order.  Three counting sorts: linear in rows and edges.
    Raises CorruptDataError where an edge names a row that does not exist or a kind above 31.
    """
    cdef Py_ssize_t count = sources.shape[0], bad = -1, i
    cdef bytes offsets, order
    cdef const int32_t* from_rows
    cdef const int32_t* to_rows
    cdef const uint8_t* kind_of
    cdef int32_t* first
    cdef int32_t* second
    cdef int32_t* keys
    cdef int64_t* starts
    if not 0 <= row_count < INT32_MAX or count >= INT32_MAX:
        raise ConfigError(f"at most {INT32_MAX - 1} rows and edges, got {row_count} and {count}", field="row_count")
    if targets.shape[0] != count or kinds.shape[0] != count:
        raise ConfigError("sources, targets and kinds differ in length", field="targets")
    offsets = PyBytes_FromStringAndSize(NULL, (row_count + 1) * <Py_ssize_t>sizeof(int64_t))
    order = PyBytes_FromStringAndSize(NULL, count * <Py_ssize_t>sizeof(int32_t))
    memset(PyBytes_AS_STRING(offsets), 0, <size_t>(row_count + 1) * sizeof(int64_t))
    if count == 0:
        return offsets, order
    from_rows, to_rows, kind_of = &sources[0], &targets[0], &kinds[0]
    for i in range(count):
        if kind_of[i] >= KINDS:
            raise CorruptDataError(f"edge kind {kind_of[i]} is above {KINDS - 1}", offset=i)
    bad = _first_bad(from_rows, count, row_count)
    if bad < 0:
        bad = _first_bad(to_rows, count, row_count)
    if bad >= 0:
        raise CorruptDataError(f"an edge names a row outside the {row_count} there are", offset=bad)
    starts = <int64_t*>PyBytes_AS_STRING(offsets)
    first = <int32_t*>PyBytes_AS_STRING(order)
    second = <int32_t*>malloc(<size_t>count * sizeof(int32_t))
    keys = <int32_t*>malloc(<size_t>count * sizeof(int32_t))
    if second is NULL or keys is NULL:
        free(second)
        free(keys)
        raise MemoryError
    with nogil:
        bad = _sort_edges(from_rows, to_rows, kind_of, count, row_count, starts, first, second, keys)
    free(second)
    free(keys)
    if bad >= 0:
        raise CorruptDataError("an edge was changed while it was sorted", offset=bad)
    return offsets, order


cdef struct Graph:
    const int64_t* offsets      # row_count + 1 values, ascending
    const int32_t* neighbours
    const uint8_t* kinds
    Py_ssize_t rows
    int64_t edges

cdef struct Walk:
    uint8_t* seen               # one byte per row
    int32_t* rows               # every row at most once, so rows long
    int32_t* distances          # by row
    int64_t* entries            # by row: the position of the edge it was reached by, -1 for a seed
    int32_t* parents            # by row: the row it was reached from
    Py_ssize_t count            # rows in the result
    Py_ssize_t cut              # rows found, and left out by the limit
    bint deeper                 # whether the depth limit hides at least one row

cdef struct Tarjan:
    int32_t* numbers            # order of discovery, from 1; 0: not discovered
    int32_t* lows
    int32_t* components         # -1: on the stack or not discovered
    int32_t* stack
    int32_t* path               # the rows being visited, instead of recursion
    int64_t* positions          # by place on the path: the next edge to look at


cdef int _compare_rows(const void* left, const void* right) noexcept nogil:
    cdef int32_t a = (<const int32_t*>left)[0], b = (<const int32_t*>right)[0]
    return (a > b) - (a < b)


cdef Py_ssize_t _expand(Graph* graph, Walk* walk, Py_ssize_t start, Py_ssize_t end, uint32_t mask, int32_t depth) noexcept nogil:
    """Append the unseen neighbours of rows[start:end], sorted; return the new end."""
    cdef Py_ssize_t place, last = end
    cdef int64_t position, stop
    cdef int32_t row, neighbour
    for place in range(start, end):
        row = walk.rows[place]
        stop = min(graph.offsets[row + 1], graph.edges)
        for position in range(max(graph.offsets[row], 0), stop):
            neighbour = graph.neighbours[position]
            if not 0 <= neighbour < graph.rows or walk.seen[neighbour] or not (mask >> (graph.kinds[position] & 31)) & 1:
                continue
            walk.seen[neighbour] = 1
            walk.distances[neighbour] = depth
            walk.entries[neighbour] = position
            walk.parents[neighbour] = row
            walk.rows[last] = neighbour
            last += 1
    if last - end > 1:
        qsort(walk.rows + end, <size_t>(last - end), sizeof(int32_t), _compare_rows)
    return last


cdef void _reach(Graph* graph, Walk* walk, Py_ssize_t seed_count, uint32_t mask, int32_t depth, Py_ssize_t limit) noexcept nogil:
    """Walk breadth first from the seeds, which are the first rows; *limit* counts the rows beside the seeds."""
    cdef Py_ssize_t start = 0, end = seed_count, last
    cdef int32_t level = 1
    while start < end:
        last = _expand(graph, walk, start, end, mask, level)
        if level > depth:
            walk.deeper = last > end
            break
        if last - seed_count > limit:
            walk.cut = last - seed_count - limit
            end = seed_count + limit
            break
        start, end = end, last
        level += 1
    walk.count = end - seed_count


cdef int32_t _components(Graph* graph, Tarjan* t, uint32_t mask) noexcept nogil:
    """Number the strongly connected components in the order they close; return how many there are."""
    cdef int32_t root, row, neighbour, number = 0, component = 0
    cdef Py_ssize_t depth, stacked = 0
    for root in range(<int32_t>graph.rows):
        if t.numbers[root]:
            continue
        depth = 0
        row = root
        while True:
            if not t.numbers[row]:
                number += 1
                t.numbers[row] = t.lows[row] = number
                t.path[depth] = row
                t.positions[depth] = max(graph.offsets[row], 0)
                t.stack[stacked] = row
                stacked += 1
            if t.positions[depth] < min(graph.offsets[row + 1], graph.edges):
                neighbour = graph.neighbours[t.positions[depth]]
                if not 0 <= neighbour < graph.rows or not (mask >> (graph.kinds[t.positions[depth]] & 31)) & 1:
                    t.positions[depth] += 1
                elif not t.numbers[neighbour]:
                    t.positions[depth] += 1
                    depth += 1
                    row = neighbour
                else:
                    if t.components[neighbour] < 0 and t.numbers[neighbour] < t.lows[row]:
                        t.lows[row] = t.numbers[neighbour]
                    t.positions[depth] += 1
                continue
            if t.lows[row] == t.numbers[row]:
                neighbour = -1
                while neighbour != row:
                    stacked -= 1
                    neighbour = t.stack[stacked]
                    t.components[neighbour] = component
                component += 1
            if depth == 0:
                break
            depth -= 1
            if t.lows[row] < t.lows[t.path[depth]]:
                t.lows[t.path[depth]] = t.lows[row]
            row = t.path[depth]
    return component


cdef bytes _gather(const int32_t* values, const int32_t* rows, Py_ssize_t count):
    """Return values[rows[i]] for each i, or the rows themselves where *values* is NULL, as int32 bytes."""
    cdef bytes result = PyBytes_FromStringAndSize(NULL, count * <Py_ssize_t>sizeof(int32_t))
    cdef int32_t* target = <int32_t*>PyBytes_AS_STRING(result)
    cdef Py_ssize_t i
    for i in range(count):
        target[i] = rows[i] if values is NULL else values[rows[i]]
    return result


@cython.final
cdef class Csr:
    """A graph in compressed sparse rows over buffers of the caller, which must be read-only."""

    cdef const int64_t[::1] _offsets
    cdef const int32_t[::1] _neighbours
    cdef const uint8_t[::1] _kinds

    def __cinit__(self, offsets, neighbours, kinds):
        """Check and keep the columns. Raises CorruptDataError where they are not rows of a graph."""
        for name, buffer in (("offsets", offsets), ("neighbours", neighbours), ("kinds", kinds)):
            if not memoryview(buffer).readonly:
                raise ConfigError("the buffer can be changed; pass a read-only array", field=name)
        self._offsets, self._neighbours, self._kinds = offsets, neighbours, kinds
        self._check(self._offsets, self._neighbours, self._kinds)

    cdef int _check(
        self, const int64_t[::1] offsets, const int32_t[::1] neighbours, const uint8_t[::1] kinds,
    ) except -1:
        cdef Py_ssize_t rows = offsets.shape[0] - 1, count = neighbours.shape[0], i
        if rows < 0 or rows >= INT32_MAX or offsets[0] != 0 or offsets[rows] != count or kinds.shape[0] != count:
            raise CorruptDataError("offsets, neighbours and kinds do not fit together")
        for i in range(rows):
            if offsets[i] > offsets[i + 1]:
                raise CorruptDataError("row offsets fall", offset=i)
        if count and (i := _first_bad(&neighbours[0], count, rows)) >= 0:
            raise CorruptDataError("a neighbour is not a row", offset=i)
        for i in range(count):
            if kinds[i] >= KINDS:
                raise CorruptDataError(f"edge kind {kinds[i]} is above {KINDS - 1}", offset=i)
        return 0

    cdef int _open(self, Graph* graph) except -1:
        graph.offsets = &self._offsets[0]
        graph.rows = self._offsets.shape[0] - 1
        graph.edges = self._neighbours.shape[0]
        graph.neighbours = &self._neighbours[0] if self._neighbours.shape[0] else NULL
        graph.kinds = &self._kinds[0] if self._kinds.shape[0] else NULL
        return 0

    def reach(self, const int32_t[::1] seeds not None, uint32_t mask, int32_t depth, Py_ssize_t limit):
        """Return ``(rows, distances, entries, parents, cut, deeper)`` of what edges of *mask* reach from *seeds*.

        The seeds are not in the result.  Order: by distance, then by row.  *rows*, *distances*, *parents* are int32,
        *entries* (the position of the edge a row was first reached by) int64, all as bytes.  *cut*: rows of the next
        distance that *limit* left out.  *deeper*: whether there is more beyond *depth*.  Memory: 21 bytes per row of
        the graph, touched only where the walk comes.
        """
        cdef Graph graph
        cdef Walk walk
        cdef Py_ssize_t i, given = seeds.shape[0], seed_count = 0
        cdef int32_t seed
        self._open(&graph)
        if depth < 0 or depth == INT32_MAX or limit < 0:
            raise ConfigError(f"must not be negative, got {depth} and {limit}", field="depth and limit")
        if given and _first_bad(&seeds[0], given, graph.rows) >= 0:
            raise ConfigError(f"a seed is not one of the {graph.rows} rows", field="seeds")
        if given == 0:
            return b"", b"", b"", b"", 0, False
        memset(&walk, 0, sizeof(walk))
        walk.seen = <uint8_t*>calloc(graph.rows, 1)
        walk.rows = <int32_t*>malloc(graph.rows * sizeof(int32_t))
        walk.distances = <int32_t*>malloc(graph.rows * sizeof(int32_t))
        walk.parents = <int32_t*>malloc(graph.rows * sizeof(int32_t))
        walk.entries = <int64_t*>malloc(graph.rows * sizeof(int64_t))
        try:
            if walk.seen is NULL or walk.rows is NULL or walk.distances is NULL or walk.parents is NULL or walk.entries is NULL:
                raise MemoryError
            for i in range(given):
                seed = seeds[i]
                if 0 <= seed < graph.rows and not walk.seen[seed]:
                    walk.seen[seed] = 1
                    walk.rows[seed_count] = seed
                    seed_count += 1
            qsort(walk.rows, seed_count, sizeof(int32_t), _compare_rows)
            with nogil:
                _reach(&graph, &walk, seed_count, mask, depth, limit)
            return self._result(&walk, seed_count)
        finally:
            free(walk.seen)
            free(walk.rows)
            free(walk.distances)
            free(walk.parents)
            free(walk.entries)

    cdef tuple _result(self, Walk* walk, Py_ssize_t seed_count):
        cdef const int32_t* found = walk.rows + seed_count
        cdef bytes entries = PyBytes_FromStringAndSize(NULL, walk.count * <Py_ssize_t>sizeof(int64_t))
        cdef int64_t* target = <int64_t*>PyBytes_AS_STRING(entries)
        cdef Py_ssize_t i
        for i in range(walk.count):
            target[i] = walk.entries[found[i]]
        return (_gather(NULL, found, walk.count), _gather(walk.distances, found, walk.count), entries,
                _gather(walk.parents, found, walk.count), walk.cut, bool(walk.deeper))

    def components(self, uint32_t mask):
        """Return ``(component of each row as int32 bytes, count)`` over edges of *mask* (Tarjan 1972, without recursion).

        A component's number is larger than those of the components it leads to.  Memory: 28 bytes per row.
        """
        cdef Graph graph
        cdef Tarjan t
        cdef bytes result
        cdef int32_t count
        self._open(&graph)
        result = PyBytes_FromStringAndSize(NULL, graph.rows * <Py_ssize_t>sizeof(int32_t))
        if graph.rows == 0:
            return result, 0
        t.components = <int32_t*>PyBytes_AS_STRING(result)
        memset(t.components, 0xFF, graph.rows * sizeof(int32_t))
        t.numbers = <int32_t*>calloc(graph.rows, sizeof(int32_t))
        t.lows = <int32_t*>malloc(graph.rows * sizeof(int32_t))
        t.stack = <int32_t*>malloc(graph.rows * sizeof(int32_t))
        t.path = <int32_t*>malloc(graph.rows * sizeof(int32_t))
        t.positions = <int64_t*>malloc(graph.rows * sizeof(int64_t))
        try:
            if t.numbers is NULL or t.lows is NULL or t.stack is NULL or t.path is NULL or t.positions is NULL:
                raise MemoryError
            with nogil:
                count = _components(&graph, &t, mask)
            return result, count
        finally:
            free(t.numbers)
            free(t.lows)
            free(t.stack)
            free(t.path)
            free(t.positions)
