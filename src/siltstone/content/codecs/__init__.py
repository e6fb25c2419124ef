"""One adapter module a compression library, all of one shape, so that frames are handled without knowing whose they are.

A codec is a module: `Codec` says what stands in it.  Adapters translate the library's errors into ours; limits over several
frames, detection and files are the business of the modules above.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

STEP_BYTES = 128 << 10  # no decoder returns more from one call; the block of zstd, so none has to be cut


class FrameSpan(NamedTuple):
    """Where a frame ends in a buffer, and how much it may hold, told without decoding it.

    *content_bytes* is what its header states, None where it states nothing; *most_bytes* is what its blocks can hold at
    most: a header that states more is lying.
    """

    end: int
    content_bytes: int | None
    most_bytes: int


class FrameDecoder(Protocol):
    """Reads exactly one frame, fed in pieces."""

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether `decode` needs more bytes to go on; False while output waits."""

    @property
    def unused_data(self) -> bytes | memoryview:
        """What was fed beyond the end of the frame."""

    def decode(self, data: bytes | memoryview) -> bytes:
        """Take *data* and return the next content: at most `STEP_BYTES`; nothing where more input is needed."""


class FrameEncoder(Protocol):
    """Writes one frame."""

    def encode(self, data: bytes | memoryview) -> bytes:
        """Take *data*; return what is ready of the frame, often nothing."""

    def finish(self) -> bytes:
        """Return the rest of the frame; the encoder is used up."""


class Codec(Protocol):
    """What an adapter module holds."""

    NAME: str
    SUFFIX: str
    LEVELS: range
    DEFAULT_LEVEL: int
    PADDING_BYTES: int  # frames may be followed by zeros in multiples of this; 0: by nothing but another frame

    def compress(self, data: bytes | memoryview, level: int, /, *, checksum: bool = True) -> bytes:
        """Return *data* as one frame, which states its content size where the format can."""

    def new_encoder(self, level: int, /, *, checksum: bool = True) -> FrameEncoder:
        """Return an encoder of one frame of unknown size."""

    def new_decoder(self, window_bytes: int, /) -> FrameDecoder:
        """Return a decoder that refuses a frame which needs more than *window_bytes* of history."""
