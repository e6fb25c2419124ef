"""How large blocks are and how many may be on their way: fixed, or smaller while the system is short of memory.

Under pressure the number of blocks is halved down to one, then the blocks themselves; each calm sample afterwards undoes
one step.  Results never change, except where a packer joins several chunks of one block: its groups end with the block.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from siltstone.core.memory_pressure import MemoryState, PressureLimits, read_memory_state

FIXED, ADAPTIVE = "fixed", "adaptive"
STRATEGIES = (FIXED, ADAPTIVE)
_SAMPLE_SECONDS = 0.25  # reading the state costs 0.1 ms
_HALVINGS_OF_BLOCKS = 4  # below a sixteenth what Python costs for each block begins to show
_SMALLEST_BLOCK = 64 << 10


class BufferPlan:
    """Says what the reader may do next; asks the system at most four times a second."""

    def __init__(self, strategy: str, *, block_bytes: int, blocks: int,
                 limits: PressureLimits | None = None, read_state: Callable[[], MemoryState] = read_memory_state,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._adaptive = strategy == ADAPTIVE
        self._largest_block, self._most_blocks = block_bytes, blocks
        self._limits, self._read_state, self._clock = limits or PressureLimits(), read_state, clock
        self._next_sample = 0.0
        self._steps = 0
        self._count_steps = blocks.bit_length() - 1
        self.block_bytes, self.blocks = block_bytes, blocks
        self.reductions = 0  # how often it shrank

    @property
    def is_reduced(self) -> bool:
        """Whether pressure keeps the plan below what was asked for."""
        return self._steps > 0

    def update(self) -> None:
        """Look at the system, if it is time to, and take or undo one step."""
        if not self._adaptive:
            return
        now = self._clock()
        if now < self._next_sample:
            return
        self._next_sample = now + _SAMPLE_SECONDS
        if self._limits.are_passed_by(self._read_state()):
            if self._steps < self._count_steps + _HALVINGS_OF_BLOCKS:
                self._steps += 1
                self.reductions += 1
        elif self._steps:
            self._steps -= 1
        self._apply()

    def _apply(self) -> None:
        self.blocks = max(1, self._most_blocks >> min(self._steps, self._count_steps))
        smaller = self._largest_block >> max(0, self._steps - self._count_steps)
        self.block_bytes = max(smaller, min(_SMALLEST_BLOCK, self._largest_block))
