"""Findings as SARIF 2.1.0 (OASIS, 2020), within what GitHub code scanning takes.

GitHub reads at most 25,000 results of a run, compares runs by ``ruleId`` and ``partialFingerprints``, and wants relative
URIs.  A path is percent-encoded byte by byte, so any git path comes back from its URI unchanged (RFC 3986, section 2.5).
The log names the first finding of each place; it holds no secret and no line of source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_from_bytes

from siltstone.detection.findings import Finding
from siltstone.detection.rules import Rule, RuleSet
from siltstone.gitobjects.ledger import CoverageLedger

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 25_000
_LEVELS = {"low": "note", "medium": "warning", "high": "error", "critical": "error"}
_SECURITY_SEVERITY = {"low": "3.0", "medium": "5.5", "high": "8.0", "critical": "9.5"}  # GitHub's bands
_URI_SAFE = "/-._~"


def as_sarif(
    findings: Sequence[Finding], rules: RuleSet, *, version: str, ledger: CoverageLedger | None = None
) -> dict[str, Any]:
    """Return the SARIF log of *findings* as plain values.

    Of more than 25,000 findings the first of them in order are in it, and a notification says how many are not.
    """
    used = sorted({finding.rule_id for finding in findings})
    described = [_describe(rules.get(name)) for name in used]
    places = {name: place for place, name in enumerate(used)}
    notes = _notifications(len(findings), ledger)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "siltstone", "semanticVersion": version, "rules": described,
                "informationUri": "https://pypi.org/project/siltstone/",
            }},
            "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
            "originalUriBaseIds": {"ROOT": {"description": {"text": "the root of the repository"}}},
            "columnKind": "utf16CodeUnits",
            "results": [_result(finding, places[finding.rule_id]) for finding in findings[:MAX_RESULTS]],
        }],
    }


def path_uri(path: bytes) -> str:
    """Return a git path as a relative URI; ``urllib.parse.unquote_to_bytes`` gives the path back."""
    uri = quote_from_bytes(path, safe=_URI_SAFE)
    return "./" + uri if uri.startswith("/") else uri


def _describe(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.replace(".", "-").replace("_", "-").split("-")),
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": f"{rule.name} in the history of the repository"},
        "help": {"text": "Revoke the credential first; rewriting history does not take back what was published."},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["security", "secret"], "security-severity": _SECURITY_SEVERITY[rule.severity],
                       "precision": "medium" if rule.generic else "high"},
    }


def _result(finding: Finding, place: int) -> dict[str, Any]:
    # No column: SARIF counts UTF-16 units and the blob is not at hand to convert; the byte column is a property.
    uri = f"blobs/{finding.blob}" if finding.path is None else path_uri(finding.path)
    where = f"commit {finding.commit[:12]}" if finding.commit else "no reachable commit"
    properties: dict[str, Any] = {"blob": finding.blob, "commit": finding.commit, "byteColumn": finding.column}
    if finding.path is not None:
        properties["pathHex"] = finding.path.hex()
    return {
        "ruleId": finding.rule_id,
        "ruleIndex": place,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.rule_name} {finding.secret}, {where}"},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": "ROOT"},
            "region": {"startLine": finding.line},
        }}],
        "partialFingerprints": {"secretHash/v1": finding.fingerprint,
                                "place/v1": f"{finding.fingerprint[:32]}:{uri}:{finding.line}"},
        "properties": properties,
    }


def _notifications(count: int, ledger: CoverageLedger | None) -> list[dict[str, Any]]:
    notes = []
    if count > MAX_RESULTS:
        notes.append(_note(f"{count - MAX_RESULTS} of {count} findings are not in this log: its limit is {MAX_RESULTS}"))
    for reason, number in (ledger.counts() if ledger else {}).items():
        notes.append(_note(f"not read: {number} {reason}"))
    return notes


def _note(text: str) -> dict[str, Any]:
    return {"level": "warning", "message": {"text": text}}
