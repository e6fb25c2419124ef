"""After the first calls of a thread, zstd into a caller's buffer takes no memory: counted below malloc, in a fresh process."""

import json
import os
import shutil
import subprocess
import sys

import pytest

COUNTER = r"""
#include <stdatomic.h>
#include <stddef.h>
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
static atomic_int armed;
static atomic_long large;
static void note(size_t size) { if (atomic_load(&armed) && size >= 1024) atomic_fetch_add(&large, 1); }
void *malloc(size_t size) { note(size); return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { note(count * size); return __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { note(size); return __libc_realloc(old, size); }
void count_start(void) { atomic_store(&large, 0); atomic_store(&armed, 1); }
long count_stop(void) { atomic_store(&armed, 0); return atomic_load(&large); }
"""

PROGRAM = r"""
import ctypes, json, random
from siltstone.content.compression import compress, compress_into, decompress_into
counter = ctypes.CDLL(None)
counter.count_stop.restype = ctypes.c_long
data = random.Random(1).randbytes(3000) + b"layers of silt, " * 3000
out, back = bytearray(len(data) + 1024), bytearray(len(data))
size = compress_into(data, out)
frame = memoryview(out)[:size]
packed = memoryview(bytes(frame))
works = {
    "compress_into": lambda: compress_into(data, out),
    "decompress_into": lambda: decompress_into(packed, back),
    "compress": lambda: compress(data),
}
found = {}
for name, work in works.items():
    for _ in range(10):
        work()
    counter.count_start()
    for _ in range(990):
        work()
    found[name] = counter.count_stop()
assert back == data
print(json.dumps(found))
"""


@pytest.fixture
def preload(tmp_path):
    """A library that counts what malloc is asked for, loaded before all others."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc to build the counter with")
    source, library = tmp_path / "counter.c", tmp_path / "counter.so"
    source.write_text(COUNTER)
    done = subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source], capture_output=True, text=True,
                          check=False)
    if done.returncode or "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip(f"the counter needs glibc's malloc: {done.stderr[:100]}")
    return library


@pytest.mark.skipif(sys.platform != "linux", reason="the counter stands in for glibc's malloc")
def test_into_a_buffer_no_large_memory_is_taken_after_the_first_calls(preload):
    done = subprocess.run([sys.executable, "-P", "-c", PROGRAM], env={**os.environ, "LD_PRELOAD": str(preload)},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["compress_into"] == found["decompress_into"] == 0
    assert found["compress"] >= 990  # the result itself: the counter does count
