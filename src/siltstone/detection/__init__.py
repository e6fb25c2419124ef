"""Finding secrets in bytes and in histories. Names are loaded when they are first used; the driver is `detection.scan.scan`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Engine": "engine",
    "Finding": "findings",
    "Match": "findings",
    "Rule": "rules",
    "RuleSet": "rules",
    "ScanResult": "scan",
    "ScanState": "scan_state",
    "as_document": "report",
    "as_sarif": "sarif",
    "default_rules": "rules",
    "iter_json_lines": "report",
    "load_rules": "rules",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'siltstone.detection' has no attribute {name!r}")
    value = getattr(import_module(f"siltstone.detection.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
