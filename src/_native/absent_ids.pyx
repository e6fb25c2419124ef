"""Which objects do trees name that a database does not hold: a set of known ids, and the check of whole blocks of trees.

Trees that follow each other in a pack share most of their records, so a small cache of ids that were found known answers
most questions from the L2 cache, and the hash table, tens of megabytes, is rarely touched: 5.8 GB of trees in 2.1 s (git/git).
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from cursor cimport Cursor
from id_table cimport IdTable, table_add, table_bytes, table_find, table_grow, table_release
from tree_record cimport TreeRecord, is_tree_mode, take_record

from siltstone.core.errors import BudgetExceeded, ConfigError

cdef enum:
    CACHE_SLOTS = 16_384        # 512 KiB; a power of two, at most 65,536
    CACHE_STRIDE = 32           # room for the longest id
    GITLINK = 0o160000


@cython.final
cdef class KnownIds:
    """Ids that a database holds, and those found absent.  Calls from several threads are serial."""
    cdef IdTable _known, _absent
    cdef uint8_t* _cache        # owned: CACHE_SLOTS ids of _known, all zero where empty
    cdef uint8_t* _filled       # owned: one flag a slot
    cdef Py_ssize_t _limit_bytes
    cdef cython.pymutex _lock

    def __cinit__(self, Py_ssize_t id_size, *, Py_ssize_t limit_bytes=1 << 30):
        if id_size not in (20, 32):
            raise ConfigError(f"an id has 20 or 32 bytes, got {id_size}", field="id_size")
        self._limit_bytes = limit_bytes
        self._known.id_size = self._absent.id_size = id_size
        self._known.seed = self._absent.seed = <uint64_t><int64_t>hash("known ids")
        self._cache = <uint8_t*>malloc(CACHE_SLOTS * CACHE_STRIDE)
        self._filled = <uint8_t*>malloc(CACHE_SLOTS)
        if self._cache is NULL or self._filled is NULL:
            raise MemoryError
        memset(self._filled, 0, CACHE_SLOTS)
        self._reserve(&self._known, 1_024)
        self._reserve(&self._absent, 64)

    def __dealloc__(self):
        table_release(&self._known)
        table_release(&self._absent)
        free(self._cache)
        free(self._filled)

    def __len__(self):
        return self._known.count

    cdef int _reserve(self, IdTable* table, Py_ssize_t count) except -1:
        cdef Py_ssize_t capacity = table.capacity or 64
        cdef Py_ssize_t needed
        while capacity < count:
            capacity *= 2
        if capacity == table.capacity:
            return 0
        needed = table_bytes(&self._known, capacity)
        if needed > self._limit_bytes or capacity > <Py_ssize_t>1 << 31:
            raise BudgetExceeded("history", limit_bytes=self._limit_bytes, needed_bytes=needed)
        if table_grow(table, capacity) != 0:
            raise MemoryError
        return 0

    def add_many(self, const uint8_t[::1] packed not None):
        """Enter ids that lie end to end in *packed*."""
        cdef const uint8_t* ids
        cdef Py_ssize_t size = self._known.id_size, i, count = packed.shape[0] // size
        if packed.shape[0] % size:
            raise ConfigError(f"{packed.shape[0]} bytes are no whole number of ids", field="packed")
        if count == 0:
            return
        ids = &packed[0]
        with self._lock:
            self._reserve(&self._known, self._known.count + count)
            with nogil:
                for i in range(count):
                    table_add(&self._known, ids + i * size)

    def find_many(self, const uint8_t[::1] packed not None):
        """Return one byte for each id in *packed*: 1 where it is known, else 0."""
        cdef Py_ssize_t size = self._known.id_size, i, count = packed.shape[0] // size
        cdef bytes flags
        cdef uint8_t* marks
        cdef const uint8_t* ids
        if packed.shape[0] % size:
            raise ConfigError(f"{packed.shape[0]} bytes are no whole number of ids", field="packed")
        flags = PyBytes_FromStringAndSize(NULL, count)
        marks = <uint8_t*>PyBytes_AS_STRING(flags)
        if count:
            ids = &packed[0]
            with self._lock, nogil:
                for i in range(count):
                    marks[i] = table_find(&self._known, ids + i * size) >= 0
        return flags

    def check_trees(self, const uint8_t[::1] data not None, const int64_t[::1] starts not None,
                    const int64_t[::1] ends not None, *, bint subtrees=False):
        """Return the ids, end to end, of blobs that the trees ``data[starts[i]:ends[i]]`` name and that are not known.

        An id is returned once, by the first call that meets it. Submodules are passed over, and trees unless *subtrees*; a
        damaged tree counts up to its damage.
        """
        cdef Py_ssize_t count = starts.shape[0], size = data.shape[0], i, before
        cdef const uint8_t* text
        cdef const int64_t* begin
        cdef const int64_t* stop
        if ends.shape[0] != count:
            raise ConfigError("starts and ends differ in length", field="segments")
        for i in range(count):
            if not 0 <= starts[i] <= ends[i] <= size:
                raise ConfigError(f"segment {i} is not inside {size} bytes of data", field="segments")
        if size == 0 or count == 0:
            return b""
        text, begin, stop, i = &data[0], &starts[0], &ends[0], 0
        with self._lock:
            before = self._absent.count
            while i < count:
                with nogil:
                    i = self._check_from(text, size, begin, stop, i, count, subtrees)
                if i < count:                           # the absent ids ran out of room; the tree is looked at again
                    self._reserve(&self._absent, 2 * self._absent.capacity)
            return (<char*>self._absent.ids)[before * self._absent.id_size:self._absent.count * self._absent.id_size]

    cdef Py_ssize_t _check_from(self, const uint8_t* text, Py_ssize_t size, const int64_t* starts, const int64_t* ends,
                                Py_ssize_t first, Py_ssize_t count, bint subtrees) noexcept nogil:
        """Return the first tree that was not finished."""
        cdef Cursor cursor
        cdef TreeRecord record
        cdef Py_ssize_t i
        cdef int64_t start, end
        for i in range(first, count):
            start, end = starts[i], ends[i]
            if not 0 <= start <= end <= size:           # changed by another thread since they were checked
                continue
            cursor.here, cursor.end = text + start, text + end
            while cursor.here < cursor.end and take_record(&cursor, self._known.id_size, &record) == 0:
                if (is_tree_mode(record.mode) and not subtrees) or record.mode & 0o170000 == GITLINK:
                    continue
                if not self._is_known(record.id):
                    if self._absent.count == self._absent.capacity:
                        return i
                    table_add(&self._absent, record.id)
        return count

    cdef inline bint _is_known(self, const uint8_t* id) noexcept nogil:
        cdef uint32_t slot = (<uint32_t>id[0] << 8 | id[1]) & <uint32_t>(CACHE_SLOTS - 1)
        cdef uint8_t* cached = self._cache + <Py_ssize_t>slot * CACHE_STRIDE
        if self._filled[slot] and memcmp(cached, id, self._known.id_size) == 0:
            return True
        if table_find(&self._known, id) < 0:
            return False
        memcpy(cached, id, self._known.id_size)
        self._filled[slot] = 1
        return True
