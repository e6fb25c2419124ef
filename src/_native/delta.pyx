"""Apply git's binary deltas: a base and a list of copies and inserts make an object."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from delta_ops cimport apply_delta, measure_delta
from pack_faults cimport fault_text

from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError

cdef uint8_t _NOTHING = 0           # a readable byte where a buffer is empty and has no address


cdef inline const uint8_t* _start(const uint8_t[::1] data) noexcept:
    return &data[0] if data.shape[0] else &_NOTHING


def result_size(const uint8_t[::1] base not None, const uint8_t[::1] delta not None):
    """Return the size in bytes of what *delta* makes of *base*, after proving every instruction.

    Raises CorruptDataError where the delta is cut, copies from outside the base, holds the reserved instruction, or
    states sizes that are not those of the base and of the result.
    """
    cdef const uint8_t* program = _start(delta)
    cdef Py_ssize_t body = 0, size
    with nogil:
        size = measure_delta(program, delta.shape[0], base.shape[0], &body)
    if size < 0:
        raise CorruptDataError((<bytes>fault_text(<int>size)).decode(), offset=0)
    return size


def apply(const uint8_t[::1] base not None, const uint8_t[::1] delta not None, Py_ssize_t limit_bytes=1 << 30):
    """Return what *delta* makes of *base* (a copy); strict, as git is.

    Cost: a copy of the delta, one pass to prove it, one to copy.

    Raises CorruptDataError as `result_size` does, and BudgetExceeded where the result is larger than *limit_bytes*:
    seven bytes of delta can ask for 16 MiB.
    """
    cdef const uint8_t* source = _start(base)
    cdef const uint8_t* given = _start(delta)
    cdef Py_ssize_t body = 0, size, delta_size = delta.shape[0]
    cdef uint8_t* target
    cdef uint8_t* program
    if limit_bytes < 0:
        raise ConfigError(f"a limit is not negative, got {limit_bytes}", field="limit_bytes")
    program = <uint8_t*>malloc(<size_t>(delta_size if delta_size else 1))
    if program is NULL:
        raise MemoryError
    try:
        with nogil:
            memcpy(program, given, <size_t>delta_size)      # what is proved must not change before it is carried out
            size = measure_delta(program, delta_size, base.shape[0], &body)
        if size < 0:
            raise CorruptDataError((<bytes>fault_text(<int>size)).decode(), offset=0)
        if size > limit_bytes:
            raise BudgetExceeded("object", limit_bytes=limit_bytes, needed_bytes=size)
        result = PyBytes_FromStringAndSize(NULL, size)
        target = <uint8_t*>PyBytes_AS_STRING(result)
        with nogil:
            apply_delta(source, base.shape[0], program, delta_size, body, target, size)
        return result
    finally:
        free(program)
