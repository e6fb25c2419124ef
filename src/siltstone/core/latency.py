"""How long single pieces of work take: a histogram with fixed buckets, and a warning where one takes too long.

Buckets are the same on every machine and in every run, a quarter of a power of two wide, so histograms add up and two
reports can be laid side by side; a quantile is known to within 19 percent.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any

from siltstone.core.errors import ConfigError

_FIRST_SECONDS = 1e-6
_STEPS_PER_DOUBLING = 4
_DOUBLINGS = 32  # to 4,295 seconds; what lasts longer is counted in the last bucket, and told exactly by `maximum`
BOUNDS = tuple(_FIRST_SECONDS * 2 ** (step / _STEPS_PER_DOUBLING) for step in range(_DOUBLINGS * _STEPS_PER_DOUBLING + 1))
_LOGGER = logging.getLogger("siltstone.latency")


class LatencyHistogram:
    """Durations in seconds, counted by bucket; the number of buckets never grows. The caller holds a lock, if one is needed."""

    __slots__ = ("_buckets", "count", "maximum", "total")

    def __init__(self) -> None:
        self._buckets = [0] * (len(BOUNDS) + 1)
        self.count = 0
        self.total = 0.0
        self.maximum = 0.0

    def record(self, seconds: float) -> None:
        """Count one duration; a negative one, from a clock that was set, counts as 0."""
        seconds = max(seconds, 0.0)
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self.count += 1
        self.total += seconds
        self.maximum = max(self.maximum, seconds)

    def merge(self, other: LatencyHistogram) -> None:
        """Add what *other* counted."""
        self._buckets = [mine + theirs for mine, theirs in zip(self._buckets, other._buckets, strict=True)]
        self.count += other.count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def quantile(self, share: float) -> float:
        """Return the upper bound of the bucket in which *share* (0 to 1) of all durations is reached; 0.0 without any."""
        if not 0.0 <= share <= 1.0:
            raise ConfigError(f"expected 0 to 1, got {share!r}", field="share")
        wanted, seen = share * self.count, 0
        for bucket, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return min(BOUNDS[bucket], self.maximum) if bucket < len(BOUNDS) else self.maximum
        return 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return count, total, p50, p90, p99 and max, in seconds."""
        quantiles = {f"p{percent}": round(self.quantile(percent / 100), 6) for percent in (50, 90, 99)}
        return {"count": self.count, "total": round(self.total, 6), **quantiles, "max": round(self.maximum, 6)}


class LatencyWatch:
    """Warns through `logging` where a named piece of work takes longer than its threshold; threads may share it.

    Each threshold warns at once when it is first passed, then at most once every *interval_seconds*, with the number of
    times that were kept back in between.
    """

    def __init__(self, thresholds: Mapping[str, float], *, interval_seconds: float = 60.0,
                 clock: Callable[[], float] = time.monotonic, logger: logging.Logger = _LOGGER) -> None:
        for name, seconds in thresholds.items():
            if seconds <= 0:
                raise ConfigError(f"a threshold is a positive number of seconds, got {seconds!r}", field=name)
        self._thresholds = dict(thresholds)
        self._interval, self._clock, self._logger = interval_seconds, clock, logger
        self._next_time: dict[str, float] = {}
        self._kept_back = dict.fromkeys(self._thresholds, 0)
        self._lock = threading.Lock()

    def check(self, name: str, seconds: float) -> bool:
        """Return whether *seconds* passes the threshold of *name*; a name without one passes nothing."""
        threshold = self._thresholds.get(name)
        if threshold is None or seconds <= threshold:
            return False
        now = self._clock()
        with self._lock:
            if now < self._next_time.get(name, now):
                self._kept_back[name] += 1
                return True
            self._next_time[name] = now + self._interval
            kept_back, self._kept_back[name] = self._kept_back[name], 0
        more = f"; {kept_back} more since the last warning" if kept_back else ""
        self._logger.warning("%s took %.3f seconds, more than %.3f%s", name, seconds, threshold, more)
        return True
