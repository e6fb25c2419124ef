"""The compiled kernels: arithmetic over byte buffers, and nothing else.

Contract of every door function here:

- Input is any C-contiguous buffer of bytes; it is only read, and must not be resized while a call runs.
- Bad bytes raise `CorruptDataError` with the offset where they start; a wrong argument raises `ConfigError`.  A kernel
  never reads past its buffer and never trusts a length that it did not check.
- Work that takes longer than about 10 microseconds runs without the GIL; calls share no state, so threads may call at once.
- Sizes and offsets are in bytes.  Returned offsets and views refer to the input: nothing is copied unless the name says so.

Each module has a pure twin in ``tests/reference`` and a test that holds them equal.
"""
