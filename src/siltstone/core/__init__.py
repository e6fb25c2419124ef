"""Errors, budgets, metrics, progress and whole files: what every layer stands on. Imports only the standard library."""

from siltstone.core.budget import DEFAULT_LIMITS, GIB, KIB, MIB, Budget
from siltstone.core.errors import (
    BudgetExceeded,
    Cancelled,
    ConfigError,
    CorruptDataError,
    IncompleteError,
    NotFoundError,
    SiltstoneError,
    StoreError,
    UnsupportedError,
)
from siltstone.core.latency import LatencyHistogram, LatencyWatch
from siltstone.core.memory_pressure import PressureLimits
from siltstone.core.metrics import NO_METRICS, Metrics
from siltstone.core.progress import NO_PROGRESS, Progress, ProgressState
from siltstone.core.tracing import TraceEvent, Tracer

__all__ = [
    "DEFAULT_LIMITS",
    "GIB",
    "KIB",
    "MIB",
    "NO_METRICS",
    "NO_PROGRESS",
    "Budget",
    "BudgetExceeded",
    "Cancelled",
    "ConfigError",
    "CorruptDataError",
    "IncompleteError",
    "LatencyHistogram",
    "LatencyWatch",
    "Metrics",
    "NotFoundError",
    "PressureLimits",
    "Progress",
    "ProgressState",
    "SiltstoneError",
    "StoreError",
    "TraceEvent",
    "Tracer",
    "UnsupportedError",
]
