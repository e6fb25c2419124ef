"""Where the time of a pipeline went: busy and waiting seconds of each stage, and which stage the others waited for.

The thread that runs the pipeline reads, cuts, takes the digest of whole streams, and puts; workers compress and, unless all
of them are busy with that, hash.  Times are taken once for each block and added up by that thread alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from siltstone.core.latency import LatencyHistogram

STAGES = ("read", "cut", "digest", "hash", "compress", "put")
_BALANCED_SHARE = 0.75  # workers and runner both busy above this share of the time: nothing waits, so all of it counts

_SUGGESTIONS = {
    "read": "the source is the limit: give larger reads, a faster device, or a buffer that is in memory already",
    "cut": "cutting is the limit: use a faster kernel, a larger minimum chunk, or run several sources at once",
    "digest": "hashing whole streams is the limit: leave stream_digest out where the digests of the chunks suffice",
    "hash": "hashing is the limit: add workers, or use blake3 where the format allows it",
    "compress": "compressing is the limit: add workers, lower the level, or choose a faster codec",
    "put": "the sink is the limit: let it write larger pieces, or to a faster device",
    "": "nothing was done",
}
_STALLED = "; the memory budget stopped the reader {:.0%} of the time: raise its soft limit, or take smaller blocks"


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage: *wait_seconds* is what its blocks waited for it, ready, in sum; *share* is of the busy time of all stages."""

    name: str
    blocks: int
    size: int
    busy_seconds: float
    wait_seconds: float
    share: float
    latency: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "blocks": self.blocks, "bytes": self.size, "busy_seconds": round(self.busy_seconds, 6),
            "wait_seconds": round(self.wait_seconds, 6), "share": round(self.share, 4), "latency": self.latency,
        }


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """What one run did and what held it up; *stalled_seconds* are those in which the budget kept the reader waiting."""

    stages: tuple[StageReport, ...]
    seconds: float
    workers: int
    stalled_seconds: float
    peak_bytes: int
    bottleneck: str
    suggestion: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, the stages by name."""
        return {
            "seconds": round(self.seconds, 6), "workers": self.workers, "stalled_seconds": round(self.stalled_seconds, 6),
            "peak_bytes": self.peak_bytes, "bottleneck": self.bottleneck, "suggestion": self.suggestion,
            "stages": {stage.name: stage.as_dict() for stage in self.stages},
        }


class StageTimes:
    """Adds up what the blocks of one stage took, *worker_seconds* of it in workers. One thread."""

    __slots__ = ("busy_seconds", "histogram", "size", "wait_seconds", "worker_seconds")

    def __init__(self) -> None:
        self.busy_seconds = self.wait_seconds = self.worker_seconds = 0.0
        self.size = 0
        self.histogram = LatencyHistogram()

    def add(self, seconds: float, size: int, waited: float = 0.0, *, by_worker: bool = False) -> None:
        """Count one block of *size* bytes."""
        self.busy_seconds += seconds
        self.wait_seconds += max(waited, 0.0)
        if by_worker:
            self.worker_seconds += seconds
        self.size += size
        self.histogram.record(seconds)


def report_of(times: dict[str, StageTimes], *, seconds: float, workers: int, stalled_seconds: float,
              peak_bytes: int) -> PipelineReport:
    """Return the report of a run of *seconds* over *workers* threads beside the one that runs it; 0 is none."""
    whole = sum(stage.busy_seconds for stage in times.values())
    stages = tuple(
        StageReport(name, stage.histogram.count, stage.size, stage.busy_seconds, stage.wait_seconds,
                    stage.busy_seconds / whole if whole else 0.0, stage.histogram.as_dict())
        for name, stage in times.items()
    )
    bottleneck = find_bottleneck(times, seconds, workers)
    suggestion = _SUGGESTIONS[bottleneck]
    if seconds and stalled_seconds / seconds > 1 - _BALANCED_SHARE:
        suggestion += _STALLED.format(stalled_seconds / seconds)
    return PipelineReport(stages, seconds, workers, stalled_seconds, peak_bytes, bottleneck, suggestion)


def find_bottleneck(times: dict[str, StageTimes], seconds: float, workers: int) -> str:
    """Return the stage that took most of what was scarce: the workers' time, the runner's, or, of neither, any; "" for none."""
    by_workers = {name: stage.worker_seconds for name, stage in times.items()}
    by_runner = {name: stage.busy_seconds - stage.worker_seconds for name, stage in times.items()}
    if workers and seconds:
        of_workers, of_runner = sum(by_workers.values()) / workers / seconds, sum(by_runner.values()) / seconds
        if min(of_workers, of_runner) < _BALANCED_SHARE:
            return _largest(by_workers if of_workers > of_runner else by_runner)
    return _largest({name: stage.busy_seconds for name, stage in times.items()})


def _largest(busy: dict[str, float]) -> str:
    name = max(busy, key=busy.__getitem__)
    return name if busy[name] > 0 else ""
