"""How one kernel inflates through another without sharing a class: a table of functions, carried by a capsule.

The capsule comes from ``siltstone._native.inflate.capsule(backend)``; its name is INFLATE_CAPSULE and the table lives as
long as the process.
"""
from libc.stdint cimport uint8_t

cdef enum:
    MAX_EXPANSION = 1032        # output bytes that one input byte of deflate can make at most (258 bytes from 2 bits)

cdef inline const char* inflate_capsule_name() noexcept nogil:
    return "siltstone._native.inflate.v1"

cdef struct InflateApi:
    void* (*open)() noexcept nogil              # one inflater, for one thread at a time; NULL: out of memory
    void (*close)(void*) noexcept nogil         # takes what open returned, or NULL
    # inflate exactly target_size bytes; returns the source bytes consumed, or a PackFault
    Py_ssize_t (*run)(void*, const uint8_t* source, Py_ssize_t source_size,
                      uint8_t* target, Py_ssize_t target_size) noexcept nogil

cdef inline bint is_plausible(Py_ssize_t size, Py_ssize_t compressed) noexcept nogil:
    """Whether *compressed* bytes can inflate to *size* bytes at all."""
    return size >= 0 and size // MAX_EXPANSION <= compressed
