"""Findings as text: JSON Lines, one JSON document, rows of a table.  SARIF is in `siltstone.detection.sarif`.

Nothing is redacted here: what arrives holds no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from siltstone.detection.findings import Finding
from siltstone.detection.scan import ScanResult

_SEVERITY_ORDER = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_COMMIT_DIGITS = 10


def iter_json_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield one JSON object a finding, without line ends."""
    for finding in findings:
        yield json.dumps(finding.as_dict(), ensure_ascii=False)


def summary_of(result: ScanResult) -> dict[str, Any]:
    """Return the counts of a scan and its coverage as plain values."""
    by_rule: dict[str, int] = {}
    for finding in result.findings:
        by_rule[finding.rule_id] = by_rule.get(finding.rule_id, 0) + 1
    return {
        "blobs_total": result.blobs_total, "blobs_scanned": result.blobs_scanned, "blobs_reused": result.blobs_reused,
        "bytes_scanned": result.bytes_scanned, "findings": len(result.findings),
        "secrets": len({finding.fingerprint for finding in result.findings}),
        "by_rule": dict(sorted(by_rule.items())), "coverage": result.ledger.as_dict(),
    }


def as_document(result: ScanResult) -> dict[str, Any]:
    """Return ``summary`` and ``findings`` as one value for JSON."""
    return {"summary": summary_of(result), "findings": [finding.as_dict() for finding in result.findings]}


def table_rows(findings: Sequence[Finding]) -> list[tuple[str, str, str, str, str]]:
    """Return a heading and one row a secret: severity, rule, secret, where it first stands, how many places.

    Equal secrets (rule and fingerprint) share a row, which shows the first place in order.
    """
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule_id, finding.fingerprint), []).append(finding)
    ranked = sorted(groups.values(), key=lambda group: (_SEVERITY_ORDER[group[0].severity], group[0].rule_id))
    rows = [("severity", "rule", "secret", "first place", "places")]
    for group in ranked:
        first = group[0]
        rows.append((first.severity, first.rule_id, first.secret, _place(first), f"{len(group):,}"))
    return rows


def _place(finding: Finding) -> str:
    if finding.path is None:
        return f"blob {finding.blob[:_COMMIT_DIGITS]}:{finding.line} (in no reachable commit)"
    path = finding.path.decode("utf-8", "backslashreplace")
    return f"{path}:{finding.line} ({(finding.commit or '')[:_COMMIT_DIGITS]})"
