"""What a walk hands out and what it may take: how many workers, how large their blocks, how many bytes of bases."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from siltstone._native.spill_arena import SpillArena
from siltstone._native.spill_index import SpillIndex
from siltstone.core.budget import KIB, MIB, Budget
from siltstone.core.errors import ConfigError
from siltstone.core.metrics import Metrics
from siltstone.core.progress import Progress
from siltstone.gitobjects.ids import Kind
from siltstone.gitobjects.ledger import CoverageLedger

WalkOrder = Literal["pack", "any"]

FOREST_BYTES = 7  # of tables per entry, reserved from the budget "pack_index"
PLAN_BYTES = 20  # with the plan of a walk, at its largest
CHILDREN_BYTES = 4  # more with deltas
SEQUENCE_BYTES = 4  # of a plan once it is made, for each entry that it walks

_LARGEST_BLOCK = 4 * MIB
_SMALLEST_BLOCK = 64 * KIB
_MOST_WORKERS = 16  # reading and copying saturate memory long before
_MOST_LIVE = 64 * MIB  # bytes of bases for each worker: chains of 50 objects of 1 MB; longer ones spill
_BLOCKS_OF_A_WORKER = 4  # in the making, two that wait, in use


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """What to hand out, what it may take, and where to tell about it."""

    kinds: frozenset[Kind]
    skip: SpillIndex | None
    deltas: bool
    workers: int
    block_bytes: int
    live_bytes: int  # of bases, for each worker
    worker_bytes: int  # all that is reserved for each worker
    segment_bytes: int  # of content that a worker takes on at once
    arena: SpillArena | None  # for bases that do not fit
    budget: Budget
    ledger: CoverageLedger
    progress: Progress
    metrics: Metrics


def choose_options(
    kinds: Collection[Kind], *, skip: SpillIndex | None, deltas: bool, workers: int | None, block_bytes: int | None,
    arena: SpillArena | None, budget: Budget, ledger: CoverageLedger, progress: Progress, metrics: Metrics, may_lower: bool,
    largest_pack: int,
) -> WalkOptions:  # fmt: skip
    """Return options that fit what the budget ``objects`` has left; *may_lower*: with fewer workers than asked for.

    Where all names are bounded together the tables for *largest_pack* entries come first, and of the rest the walk takes
    half: whoever uses what it gives needs memory too.
    """
    if workers is not None and workers <= 0:
        raise ConfigError(f"a walk has at least one worker, got {workers}", field="threads")
    if block_bytes is not None and not 0 < block_bytes <= budget.limit("objects"):
        raise ConfigError("a block lies within the budget 'objects'", field="block_bytes")
    room = budget.available("objects")
    if budget.total_bytes is not None:
        room = min(room, max(0, budget.available("pack_index") - largest_pack * plan_bytes(deltas)) // 2)
    count = workers or min(available_cores(), _MOST_WORKERS)
    if may_lower:
        smallest = min(block_bytes or _SMALLEST_BLOCK, MIB)
        count = max(1, min(count, room // (2 * _BLOCKS_OF_A_WORKER * smallest)))
    share = room // count
    block = block_bytes or max(_SMALLEST_BLOCK, min(_LARGEST_BLOCK, share // (2 * _BLOCKS_OF_A_WORKER)))
    live = max(0, min(_MOST_LIVE, (share - _BLOCKS_OF_A_WORKER * block) // 2))
    return WalkOptions(
        kinds=frozenset(kinds), skip=skip, deltas=deltas, workers=count, block_bytes=block, live_bytes=live,
        worker_bytes=min(live + _BLOCKS_OF_A_WORKER * block, max(share, block)), segment_bytes=4 * block, arena=arena,
        budget=budget, ledger=ledger, progress=progress, metrics=metrics)


def plan_bytes(deltas: bool) -> int:
    """Return what the tables of a walk take for each entry of a pack while they are made."""
    return PLAN_BYTES + CHILDREN_BYTES if deltas else PLAN_BYTES


def planned_bytes(deltas: bool) -> int:
    """Return what the tables of a walk take for each entry of a pack once they are made, beside the sequence."""
    return FOREST_BYTES + 1 + (CHILDREN_BYTES if deltas else 0)


def available_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
