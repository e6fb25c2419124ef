"""No compression, in the shape of a codec: content passes through."""

from __future__ import annotations

from siltstone.content.codecs import STEP_BYTES, FrameDecoder, FrameEncoder

NAME = "none"
SUFFIX = ""
LEVELS = range(1)
DEFAULT_LEVEL = 0
PADDING_BYTES = 0


def compress(data: bytes | memoryview, _level: int, /, *, checksum: bool = True) -> bytes:  # noqa: ARG001 - as every codec
    """Return *data*."""
    return bytes(data)


def new_encoder(_level: int, /, *, checksum: bool = True) -> FrameEncoder:  # noqa: ARG001 - as every codec
    """Return what passes its input on."""
    return _Copy()


def new_decoder(_window_bytes: int, /) -> FrameDecoder:
    """Return what passes its input on; the content has no end of its own."""
    return _Copy()


class _Copy:
    """Ends where the input ends, so it is never cut short and has no second frame."""

    eof = False
    unused_data = b""

    def __init__(self) -> None:
        self._waiting = memoryview(b"")

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    def decode(self, data: bytes | memoryview) -> bytes:
        if data:
            self._waiting = memoryview(bytes(self._waiting) + bytes(data))
        piece, self._waiting = bytes(self._waiting[:STEP_BYTES]), self._waiting[STEP_BYTES:]
        return piece

    def encode(self, data: bytes | memoryview) -> bytes:
        return bytes(data)

    def finish(self) -> bytes:
        return b""
