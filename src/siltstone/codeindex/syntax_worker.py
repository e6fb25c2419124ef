"""A process that extracts: reads batches of files from stdin, writes their extractions to stdout, ends when stdin ends.

Frames (integers are little-endian): first ``limit u64``, the address space it may use in bytes, 0 for no limit.  A request
is ``count u32`` and per file ``language length u8, language, size u32, bytes``; an answer is ``count u32`` and per file
``status u8, size u32, bytes``: status 0 an encoded extraction, 1 the reason in UTF-8.
Run as ``python -P -m siltstone.codeindex.syntax_worker``.
"""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Sequence
from typing import BinaryIO

from siltstone.codeindex.syntax import extract
from siltstone.core.errors import SiltstoneError

EXTRACTED, REFUSED = 0, 1
Request = tuple[str, bytes]  # language, content
Answer = tuple[int, bytes]  # status, encoded extraction or reason


def extract_one(language: str, source: bytes) -> Answer:
    """Return the answer for one file; a file that is refused is an answer too."""
    try:
        return EXTRACTED, extract(language, source).encode()
    except (SiltstoneError, MemoryError, RecursionError) as error:
        return REFUSED, (str(error) or type(error).__name__).encode()


def encode_hello(memory_limit_bytes: int) -> bytes:
    """Return the first frame."""
    return struct.pack("<Q", memory_limit_bytes)


def encode_batch(batch: Sequence[Request]) -> bytes:
    """Return *batch* as a request frame."""
    parts = [struct.pack("<I", len(batch))]
    for language, source in batch:
        name = language.encode()
        parts += [struct.pack("<B", len(name)), name, struct.pack("<I", len(source)), source]
    return b"".join(parts)


def read_answers(stream: BinaryIO) -> list[Answer]:
    """Read an answer frame. Raises EOFError where the stream ends before it does."""
    (count,) = struct.unpack("<I", _exactly(stream, 4))
    answers = []
    for _ in range(count):
        status, size = struct.unpack("<BI", _exactly(stream, 5))
        answers.append((status, _exactly(stream, size)))
    return answers


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    (memory_limit_bytes,) = struct.unpack("<Q", _exactly(requests, 8))
    if memory_limit_bytes:
        _limit_memory(memory_limit_bytes)
    while True:
        try:
            (count,) = struct.unpack("<I", _exactly(requests, 4))
        except EOFError:
            return
        batch = []
        for _ in range(count):
            language = _exactly(requests, _exactly(requests, 1)[0]).decode()
            batch.append((language, _exactly(requests, struct.unpack("<I", _exactly(requests, 4))[0])))
        answers.write(struct.pack("<I", count))
        for language, source in batch:
            status, data = extract_one(language, source)
            answers.write(struct.pack("<BI", status, len(data)) + data)
        answers.flush()


def _limit_memory(limit_bytes: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def main() -> None:
    """Serve until stdin ends. Ctrl-C is for the parent, which closes our stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not write between frames
    try:
        _serve(requests, answers)
    except (BrokenPipeError, EOFError):
        os._exit(0)  # the parent went away


if __name__ == "__main__":
    main()
