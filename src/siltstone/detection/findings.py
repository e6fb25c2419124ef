"""What was found: matches, findings, and how a secret is shown without being told.

Redaction happens here, once, where a match is made: no value of this module holds the secret, so no printer, log line,
`repr` or error can leak it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siltstone.core.errors import ConfigError
from siltstone.detection.rules import RuleSet
from siltstone.gitobjects.ids import ObjectId

if TYPE_CHECKING:
    from siltstone.gitobjects.attribution import Context

# The default key makes fingerprints equal on every machine.  A weak secret can then be guessed from its fingerprint by
# whoever has the report: pass a key of your own where reports travel.
DEFAULT_KEY = b"siltstone fingerprint key, version 1"
_MIN_KEY_BYTES = 8
_SHOWN_CHARACTERS = 4
_MIN_SHOWN_BYTES = 16  # a shorter secret shows nothing: four characters would be too much of it
_LENGTH_CLASSES = (16, 32, 64, 128, 256, 1024)


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """One secret at one place of one blob; `scan` keeps these between runs.

    *start* and *end* are the byte range of the secret in the blob; *line* and *column* are 1-based, the column in bytes.
    *secret* is the redacted text, *fingerprint* the keyed hash of rule and secret.
    """

    blob: ObjectId
    start: int
    end: int
    rule_id: str
    line: int
    column: int
    secret: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One secret at one place of the history: a match, its rule, and where its blob first appeared.

    *path* and *commit* are None for a blob that no reachable commit holds.
    """

    rule_id: str
    rule_name: str
    severity: str
    secret: str
    fingerprint: str
    blob: str
    path: bytes | None
    commit: str | None
    line: int
    column: int
    length: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; a path that is not UTF-8 has its odd bytes as ``\\xNN`` and is given whole in ``path_hex``."""
        fields: dict[str, Any] = {
            "rule": self.rule_id, "name": self.rule_name, "severity": self.severity, "secret": self.secret,
            "fingerprint": self.fingerprint, "blob": self.blob, "commit": self.commit,
            "path": None if self.path is None else self.path.decode("utf-8", "backslashreplace"),
            "line": self.line, "column": self.column, "length": self.length,
        }
        if self.path is not None and not _is_utf8(self.path):
            fields["path_hex"] = self.path.hex()
        return fields


def redact(secret: bytes) -> str:
    """Return what may be shown: the first four characters and a class of length; nothing of a short secret."""
    above = next((limit for limit in _LENGTH_CLASSES if len(secret) < limit), None)
    size = f"{_LENGTH_CLASSES[-1]} bytes or more" if above is None else f"under {above} bytes"
    if len(secret) < _MIN_SHOWN_BYTES:
        return f"**** ({size})"
    shown = "".join(chr(byte) if 33 <= byte < 127 else "?" for byte in secret[:_SHOWN_CHARACTERS])
    return f"{shown}**** ({size})"


def fingerprint(key: bytes, rule_id: str, secret: bytes) -> str:
    """Return hex HMAC-SHA-256 of the rule id, a zero byte and the secret: the same secret has one in every blob."""
    return hmac.digest(key, rule_id.encode() + b"\0" + secret, "sha256").hex()


def check_key(key: bytes) -> None:
    """Raise ConfigError for a key that is too short to protect anything."""
    if len(key) < _MIN_KEY_BYTES:
        raise ConfigError(f"a fingerprint key has at least {_MIN_KEY_BYTES} bytes", field="key")


def without_shadowed(matches: list[Match], rules: RuleSet) -> list[Match]:
    """Return *matches*, sorted, less those of generic rules whose bytes another rule names as well."""
    generic = {rule.id for rule in rules if rule.generic}
    kept: list[Match] = []
    specific: dict[ObjectId, list[tuple[int, int]]] = {}
    for match in matches:
        if match.rule_id not in generic:
            specific.setdefault(match.blob, []).append((match.start, match.end))
    named: dict[ObjectId, list[tuple[int, int]]] = {blob: list(spans) for blob, spans in specific.items()}
    for match in sorted(matches, key=lambda match: (match.blob, match.rule_id, match.start)):
        if match.rule_id in generic:
            spans = named.setdefault(match.blob, [])
            if any(start < match.end and match.start < end for start, end in spans):
                continue
            spans.append((match.start, match.end))
        kept.append(match)
    return sorted(kept)


def place_findings(
    matches: list[Match], rules: RuleSet, contexts: Mapping[ObjectId, Context]
) -> tuple[Finding, ...]:
    """Return findings sorted by path, line, column, rule, commit and blob; those without a path come last."""
    by_id = {rule.id: rule for rule in rules}
    found = []
    for match in matches:
        rule, context = by_id[match.rule_id], contexts.get(match.blob)
        found.append(Finding(
            rule.id, rule.name, rule.severity, match.secret, match.fingerprint, match.blob.hex(),
            context.path if context else None, context.commit.hex() if context else None,
            match.line, match.column, match.end - match.start))
    return tuple(sorted(found, key=lambda finding: (finding.path is None, finding.path or b"", finding.line,
                                                    finding.column, finding.rule_id, finding.commit or "",
                                                    finding.blob)))


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True
