"""Finding secrets in bytes and in histories. Names are loaded when they are first used; the driver is `detection.scan.scan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siltstone.core.lazy import lazy_names

if TYPE_CHECKING:
    from siltstone.detection.engine import Engine as Engine
    from siltstone.detection.findings import Finding as Finding
    from siltstone.detection.findings import Match as Match
    from siltstone.detection.report import as_document as as_document
    from siltstone.detection.report import iter_json_lines as iter_json_lines
    from siltstone.detection.rules import (
        Rule as Rule,
    )
    from siltstone.detection.rules import (
        RuleSet as RuleSet,
    )
    from siltstone.detection.rules import (
        default_rules as default_rules,
    )
    from siltstone.detection.rules import (
        load_rules as load_rules,
    )
    from siltstone.detection.sarif import as_sarif as as_sarif
    from siltstone.detection.scan import ScanResult as ScanResult
    from siltstone.detection.scan_state import ScanState as ScanState

_HOMES = {
    "Engine": "siltstone.detection.engine",
    "Finding": "siltstone.detection.findings",
    "Match": "siltstone.detection.findings",
    "Rule": "siltstone.detection.rules",
    "RuleSet": "siltstone.detection.rules",
    "ScanResult": "siltstone.detection.scan",
    "ScanState": "siltstone.detection.scan_state",
    "as_document": "siltstone.detection.report",
    "as_sarif": "siltstone.detection.sarif",
    "default_rules": "siltstone.detection.rules",
    "iter_json_lines": "siltstone.detection.report",
    "load_rules": "siltstone.detection.rules",
}

__all__ = [*_HOMES]

__getattr__ = lazy_names(__name__, _HOMES)
