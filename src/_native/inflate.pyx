"""Inflate a zlib stream whose size is known, with the fastest library this process can reach.

libdeflate where it was linked at build; else libdeflate, then zlib, loaded by name; else the standard library's zlib,
which takes the GIL inside.  The tables are filled once at import and never change; a caller names a backend per call.
No header of either library is needed to build: the few types of their stable interfaces are declared here.
"""
import zlib as _python_zlib

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free
from posix.dlfcn cimport RTLD_LOCAL, RTLD_NOW, dlclose, dlopen, dlsym

from inflate_api cimport InflateApi, inflate_capsule_name, is_plausible
from pack_faults cimport NO_MEMORY, STREAM_CUT, STREAM_DAMAGED, STREAM_LONG, STREAM_SHORT, fault_text

from siltstone.core.errors import ConfigError, CorruptDataError

cdef extern from *:
    """
    #include <stddef.h>
    typedef void *(*siltstone_alloc)(void);
    typedef void (*siltstone_free)(void *);
    typedef int (*siltstone_decompress)(void *, const void *, size_t, void *, size_t, size_t *, size_t *);
    #ifdef SILTSTONE_LINKS_LIBDEFLATE
    extern void *libdeflate_alloc_decompressor(void);
    extern void libdeflate_free_decompressor(void *);
    extern int libdeflate_zlib_decompress_ex(void *, const void *, size_t, void *, size_t, size_t *, size_t *);
    enum { SILTSTONE_LINKED = 1 };
    #define SILTSTONE_ALLOC libdeflate_alloc_decompressor
    #define SILTSTONE_FREE libdeflate_free_decompressor
    #define SILTSTONE_DECOMPRESS libdeflate_zlib_decompress_ex
    #else
    enum { SILTSTONE_LINKED = 0 };
    #define SILTSTONE_ALLOC ((siltstone_alloc)0)
    #define SILTSTONE_FREE ((siltstone_free)0)
    #define SILTSTONE_DECOMPRESS ((siltstone_decompress)0)
    #endif
    """
    int SILTSTONE_LINKED
    ctypedef void* (*siltstone_alloc)() noexcept nogil
    ctypedef void (*siltstone_free)(void*) noexcept nogil
    ctypedef int (*siltstone_decompress)(
        void*, const void*, size_t, void*, size_t, size_t*, size_t*) noexcept nogil
    siltstone_alloc SILTSTONE_ALLOC
    siltstone_free SILTSTONE_FREE
    siltstone_decompress SILTSTONE_DECOMPRESS

cdef struct ZStream:                # z_stream of zlib.h, the same since 1.0
    const uint8_t* next_in
    unsigned int avail_in
    unsigned long total_in
    uint8_t* next_out
    unsigned int avail_out
    unsigned long total_out
    const char* msg
    void* state
    void* zalloc
    void* zfree
    void* opaque
    int data_type
    unsigned long adler
    unsigned long reserved

ctypedef const char* (*zlib_version_f)() noexcept nogil
ctypedef int (*zlib_init_f)(ZStream*, const char*, int) noexcept nogil
ctypedef int (*zlib_inflate_f)(ZStream*, int) noexcept nogil
ctypedef int (*zlib_stream_f)(ZStream*) noexcept nogil

cdef struct Libdeflate:
    siltstone_alloc alloc
    siltstone_free free
    siltstone_decompress decompress

cdef struct Zlib:
    zlib_version_f version
    zlib_init_f init
    zlib_inflate_f inflate
    zlib_stream_f reset
    zlib_stream_f end

cdef enum:
    LIBDEFLATE_SUCCESS = 0
    LIBDEFLATE_SHORT_OUTPUT = 2
    LIBDEFLATE_INSUFFICIENT_SPACE = 3
    Z_OK = 0
    Z_STREAM_END = 1
    Z_MEM_ERROR = -4
    Z_BUF_ERROR = -5
    ZLIB_PIECE = 1 << 30            # avail_in and avail_out are 32-bit

# Filled once by _load, at import; only read afterwards, so threads share them freely.
cdef Libdeflate _libdeflate
cdef Zlib _zlib
cdef InflateApi _libdeflate_api, _zlib_api, _python_api
cdef dict _AVAILABLE = {}           # backend name -> its place in the order of preference

cdef tuple _LIBDEFLATE_FILES = (b"libdeflate.so.0", b"libdeflate.0.dylib")
cdef tuple _ZLIB_FILES = (b"libz.so.1", b"libz.1.dylib")


# --- libdeflate

cdef void* _open_libdeflate() noexcept nogil:
    return _libdeflate.alloc()


cdef void _close_libdeflate(void* inflater) noexcept nogil:
    if inflater is not NULL:
        _libdeflate.free(inflater)


cdef Py_ssize_t _run_libdeflate(
    void* inflater, const uint8_t* source, Py_ssize_t source_size, uint8_t* target, Py_ssize_t target_size
) noexcept nogil:
    cdef size_t used = 0
    # No place for the actual output size: libdeflate then insists on filling the target exactly.
    cdef int result = _libdeflate.decompress(
        inflater, source, <size_t>source_size, target, <size_t>target_size, &used, NULL)
    if result == LIBDEFLATE_SUCCESS:
        return <Py_ssize_t>used
    if result == LIBDEFLATE_SHORT_OUTPUT:
        return STREAM_SHORT
    return STREAM_LONG if result == LIBDEFLATE_INSUFFICIENT_SPACE else STREAM_DAMAGED


# --- zlib, loaded by name

cdef void* _open_zlib() noexcept nogil:
    cdef ZStream* stream = <ZStream*>calloc(1, sizeof(ZStream))
    if stream is not NULL and _zlib.init(stream, _zlib.version(), <int>sizeof(ZStream)) != Z_OK:
        free(stream)
        return NULL
    return stream


cdef void _close_zlib(void* inflater) noexcept nogil:
    if inflater is not NULL:
        _zlib.end(<ZStream*>inflater)
        free(inflater)


cdef Py_ssize_t _run_zlib(
    void* inflater, const uint8_t* source, Py_ssize_t source_size, uint8_t* target, Py_ssize_t target_size
) noexcept nogil:
    cdef ZStream* stream = <ZStream*>inflater
    cdef Py_ssize_t taken = 0, made = 0, piece_in, piece_out
    cdef uint8_t beyond             # one byte past the stated size shows a stream that is too long
    cdef int result
    if _zlib.reset(stream) != Z_OK:
        return STREAM_DAMAGED
    while True:
        piece_in = min(source_size - taken, <Py_ssize_t>ZLIB_PIECE)
        piece_out = min(target_size - made, <Py_ssize_t>ZLIB_PIECE)
        stream.next_in = source + taken
        stream.avail_in = <unsigned int>piece_in
        stream.next_out = target + made if piece_out else &beyond
        stream.avail_out = <unsigned int>piece_out if piece_out else 1
        result = _zlib.inflate(stream, 0)
        taken += piece_in - <Py_ssize_t>stream.avail_in
        if piece_out == 0 and stream.avail_out == 0:
            return STREAM_LONG
        if piece_out:
            made += piece_out - <Py_ssize_t>stream.avail_out
        if result == Z_STREAM_END:
            return taken if made == target_size else STREAM_SHORT
        if result == Z_BUF_ERROR or (result == Z_OK and taken == source_size and stream.avail_out):
            return STREAM_CUT
        if result != Z_OK:
            return NO_MEMORY if result == Z_MEM_ERROR else STREAM_DAMAGED


# --- the standard library

cdef void* _open_python() noexcept nogil:
    return <void*>&_python_api      # no state: anything that is not NULL


cdef void _close_python(void* inflater) noexcept nogil:
    pass


cdef Py_ssize_t _run_python(
    void* inflater, const uint8_t* source, Py_ssize_t source_size, uint8_t* target, Py_ssize_t target_size
) noexcept with gil:
    cdef bytes content
    cdef const uint8_t* start
    cdef Py_ssize_t i
    try:
        engine = _python_zlib.decompressobj()
        content = engine.decompress((<const char*>source)[:source_size], target_size + 1)
        if len(content) > target_size:
            return STREAM_LONG
        if not engine.eof:
            return STREAM_CUT
        if len(content) < target_size:
            return STREAM_SHORT
        start = <const uint8_t*>PyBytes_AS_STRING(content)
        for i in range(target_size):
            target[i] = start[i]
        return source_size - <Py_ssize_t>len(engine.unused_data)
    except MemoryError:
        return NO_MEMORY
    except BaseException:               # zlib.error; nothing may be lost here, or the target would pass for filled
        return STREAM_DAMAGED


# --- choosing

cdef void* _open_library(tuple names) noexcept:
    cdef void* library = NULL
    for name in names:
        library = dlopen(<const char*>PyBytes_AS_STRING(name), RTLD_NOW | RTLD_LOCAL)
        if library is not NULL:
            break
    return library


cdef bint _load_libdeflate() noexcept:
    global _libdeflate_api
    cdef void* library
    if SILTSTONE_LINKED:
        _libdeflate.alloc = SILTSTONE_ALLOC
        _libdeflate.free = SILTSTONE_FREE
        _libdeflate.decompress = SILTSTONE_DECOMPRESS
    else:
        library = _open_library(_LIBDEFLATE_FILES)
        if library is NULL:
            return False
        _libdeflate.alloc = <siltstone_alloc>dlsym(library, "libdeflate_alloc_decompressor")
        _libdeflate.free = <siltstone_free>dlsym(library, "libdeflate_free_decompressor")
        _libdeflate.decompress = <siltstone_decompress>dlsym(library, "libdeflate_zlib_decompress_ex")
        if _libdeflate.alloc is NULL or _libdeflate.free is NULL or _libdeflate.decompress is NULL:
            dlclose(library)
            return False
    _libdeflate_api = InflateApi(open=_open_libdeflate, close=_close_libdeflate, run=_run_libdeflate)
    return True


cdef bint _load_zlib() noexcept:
    global _zlib_api
    cdef void* library = _open_library(_ZLIB_FILES)
    if library is NULL:
        return False
    _zlib.version = <zlib_version_f>dlsym(library, "zlibVersion")
    _zlib.init = <zlib_init_f>dlsym(library, "inflateInit_")
    _zlib.inflate = <zlib_inflate_f>dlsym(library, "inflate")
    _zlib.reset = <zlib_stream_f>dlsym(library, "inflateReset")
    _zlib.end = <zlib_stream_f>dlsym(library, "inflateEnd")
    if (_zlib.version is NULL or _zlib.init is NULL or _zlib.inflate is NULL
            or _zlib.reset is NULL or _zlib.end is NULL):
        dlclose(library)
        return False
    _zlib_api = InflateApi(open=_open_zlib, close=_close_zlib, run=_run_zlib)
    return True


cdef InflateApi* _api_of(object name) except NULL:
    if name is not None and name not in _AVAILABLE:
        raise ConfigError(f"inflate backend {name!r} is not available; there are {', '.join(_AVAILABLE)}", field="backend")
    chosen = next(iter(_AVAILABLE)) if name is None else name
    if chosen == "python":
        return &_python_api
    return &_zlib_api if chosen == "zlib" else &_libdeflate_api


def backends():
    """Return the names of all backends this process can use, the preferred one first."""
    return tuple(_AVAILABLE)


def backend():
    """Return the name of the backend that is used where none is asked for."""
    return next(iter(_AVAILABLE))


def capsule(name=None):
    """Return the functions of a backend for another kernel (`inflate_api.pxd`). Raises ConfigError for one that is absent."""
    return PyCapsule_New(<void*>_api_of(name), inflate_capsule_name(), NULL)


def inflate_exact(const uint8_t[::1] data not None, Py_ssize_t size, Py_ssize_t offset=0, *, backend=None):
    """Return ``(content, consumed)`` of the zlib stream at *offset*, which must inflate to exactly *size* bytes (a copy).

    Bytes after the stream are not looked at; *consumed* counts the compressed bytes.  Raises CorruptDataError where the
    stream is damaged, cut, longer or shorter; ConfigError where *backend* is not available.
    """
    cdef InflateApi* api = _api_of(backend)
    cdef Py_ssize_t available, consumed
    cdef const uint8_t* source
    cdef uint8_t* target
    cdef void* inflater
    if size < 0:
        raise ConfigError(f"a size is not negative, got {size}", field="size")
    if not 0 <= offset < data.shape[0]:
        raise CorruptDataError("compressed data is missing", offset=offset)
    available = data.shape[0] - offset
    if not is_plausible(size, available):
        raise CorruptDataError("stated size cannot come from that little data", offset=offset)
    content = PyBytes_FromStringAndSize(NULL, size)
    target = <uint8_t*>PyBytes_AS_STRING(content)
    source = &data[offset]
    with nogil:
        inflater = api.open()
        consumed = NO_MEMORY if inflater is NULL else api.run(inflater, source, available, target, size)
        api.close(inflater)
    if consumed == NO_MEMORY:
        raise MemoryError
    if consumed < 0:
        raise CorruptDataError((<bytes>fault_text(<int>consumed)).decode(), offset=offset)
    return content, consumed


if _load_libdeflate():
    _AVAILABLE["libdeflate"] = 0
if _load_zlib():
    _AVAILABLE["zlib"] = 1
_AVAILABLE["python"] = 2
_python_api = InflateApi(open=_open_python, close=_close_python, run=_run_python)
