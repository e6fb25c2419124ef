"""Reports: what each form holds, and that no form holds a secret."""

from __future__ import annotations

import json
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siltstone.core.errors import CorruptDataError, UnsupportedError
from siltstone.detection.engine import Engine
from siltstone.detection.findings import Finding, Match, place_findings, without_shadowed
from siltstone.detection.report import as_document, iter_json_lines, table_rows
from siltstone.detection.rules import default_rules
from siltstone.detection.sarif import MAX_RESULTS, as_sarif, path_uri
from siltstone.detection.scan import ScanResult
from siltstone.detection.scan_state import ScanState, key_check_of
from siltstone.gitobjects.attribution import Context
from siltstone.gitobjects.ledger import CoverageLedger, Reason

RULES = default_rules()
BLOB, COMMIT = b"\x01" * 20, b"\x02" * 20
ODD_PATH = b"dir/na\xefve %2f #?\n.txt"

# The part of the SARIF 2.1.0 schema (OASIS) that our log uses; extra properties are refused, so a typing error shows.
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
NOTE = {"type": "object", "required": ["message"], "additionalProperties": False,
        "properties": {"level": {"enum": ["none", "note", "warning", "error"]}, "message": TEXT}}
RESULT = {
    "type": "object", "additionalProperties": False,
    "required": ["ruleId", "ruleIndex", "message", "locations", "partialFingerprints"],
    "properties": {
        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"enum": ["none", "note", "warning", "error"]}, "message": TEXT, "properties": {"type": "object"},
        "partialFingerprints": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
        "locations": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {
            "type": "object", "required": ["physicalLocation"], "properties": {"physicalLocation": {
                "type": "object", "required": ["artifactLocation", "region"], "properties": {
                    "artifactLocation": {"type": "object", "required": ["uri"], "properties": {
                        "uri": {"type": "string", "pattern": "^[A-Za-z0-9._~/%-]+$"}, "uriBaseId": {"type": "string"}}},
                    "region": {"type": "object", "additionalProperties": False,
                               "properties": {"startLine": {"type": "integer", "minimum": 1}}}}}}}},
    },
}
LOG_SCHEMA = {
    "type": "object", "required": ["version", "runs"], "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string"}, "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "maxItems": 20, "items": {
            "type": "object", "required": ["tool", "results"], "additionalProperties": False,
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                    "type": "object", "required": ["name", "rules"], "properties": {"rules": {
                        "type": "array", "uniqueItems": True, "items": {
                            "type": "object", "required": ["id", "shortDescription", "help"],
                            "properties": {"shortDescription": TEXT, "fullDescription": TEXT, "help": TEXT}}}}}}},
                "invocations": {"type": "array", "items": {
                    "type": "object", "required": ["executionSuccessful"],
                    "properties": {"toolExecutionNotifications": {"type": "array", "items": NOTE}}}},
                "originalUriBaseIds": {"type": "object"}, "columnKind": {"enum": ["utf16CodeUnits"]},
                "results": {"type": "array", "maxItems": MAX_RESULTS, "items": RESULT}}}},
    },
}


def found(path=ODD_PATH, rules=RULES):
    """Findings of every rule, in one blob."""
    text = b"\n".join(text.encode() for rule in RULES for text in rule.positive)
    matches = without_shadowed(Engine(rules).search(text, BLOB), rules)
    contexts = {} if path is None else {BLOB: Context(COMMIT, path)}
    return text, matches, place_findings(matches, rules, contexts)


def result_of(findings, ledger=None):
    state = ScanState({}, b"", (), 20, "")
    return ScanResult(findings, state, 1, 1, 0, 10, ledger or CoverageLedger())


def every_output(findings, ledger=None):
    result = result_of(findings, ledger)
    yield "\n".join(iter_json_lines(findings))
    yield json.dumps(as_document(result))
    yield json.dumps(as_sarif(findings, RULES, version="1", ledger=result.ledger))
    yield "\n".join("  ".join(row) for row in table_rows(findings))
    yield repr(findings)
    yield repr(result)


def test_no_output_holds_a_secret_or_the_inside_of_one():
    text, matches, findings = found()
    assert len(findings) > len(RULES)
    state = ScanState(RULES.digests, BLOB, tuple(matches), 20, "x").encode().decode("latin-1")
    outputs = [*every_output(findings), repr(matches), state]
    for match in matches:
        secret = text[match.start : match.end].decode("latin-1")
        for output in outputs:
            assert secret not in output
            assert secret[4:14] not in output
            assert secret[-10:] not in output


@pytest.mark.oracle
def test_sarif_log_has_the_shape_that_code_scanning_takes():
    jsonschema = pytest.importorskip("jsonschema")
    ledger = CoverageLedger()
    ledger.add(Reason.MISSING, "x")
    for findings in (found()[2], found(path=None)[2], ()):
        log = as_sarif(findings, RULES, version="0.1.0", ledger=ledger)
        jsonschema.validate(json.loads(json.dumps(log)), LOG_SCHEMA)
        run = log["runs"][0]
        assert [run["tool"]["driver"]["rules"][entry["ruleIndex"]]["id"] for entry in run["results"]] == [
            entry["ruleId"] for entry in run["results"]]
        assert "missing" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_sarif_log_stops_at_the_limit_and_says_so():
    finding = found()[2][0]
    log = as_sarif([finding] * (MAX_RESULTS + 3), RULES, version="1")
    assert len(log["runs"][0]["results"]) == MAX_RESULTS
    assert "3 of 25003" in log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


@given(st.lists(st.binary(min_size=1, max_size=8).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_")),
                min_size=1, max_size=4).map(b"/".join))
def test_path_survives_its_uri(path):
    uri = path_uri(path)
    assert unquote_to_bytes(uri) == path
    assert not uri.startswith("/")
    assert ":" not in uri


def test_fingerprints_separate_places_and_join_secrets():
    finding = found()[2][0]
    other = Finding(**{name: getattr(finding, name) for name in Finding.__slots__} | {"line": finding.line + 1})
    first, second = (as_sarif([one], RULES, version="1")["runs"][0]["results"][0]["partialFingerprints"]
                     for one in (finding, other))
    assert first["secretHash/v1"] == second["secretHash/v1"]
    assert first["place/v1"] != second["place/v1"]


def test_json_keeps_a_path_that_is_not_text():
    finding = found()[2][0].as_dict()
    assert bytes.fromhex(finding["path_hex"]) == ODD_PATH
    assert "path_hex" not in found(path=b"a/b.txt")[2][0].as_dict()
    assert found(path=None)[2][0].as_dict()["path"] is None


def test_table_puts_equal_secrets_into_one_row():
    findings = found(path=b"a.txt")[2]
    rows = table_rows([*findings, *findings])
    assert len(rows) == 1 + len({finding.fingerprint for finding in findings})
    assert rows[1][0] == "critical"
    assert all(row[4] == "2" for row in rows[1:])


def match(rule, start, end, blob=BLOB):
    return Match(blob, start, end, rule, 1, 1, "****", "f")


def test_generic_match_yields_to_another_rule_and_to_an_earlier_generic_one():
    specific, generic = match("npm-token", 10, 20), match("generic-secret", 5, 12)
    assert without_shadowed([generic, specific], RULES) == [specific]
    assert without_shadowed([generic], RULES) == [generic]
    apart = match("generic-secret", 20, 30)
    assert without_shadowed([specific, apart], RULES) == [specific, apart]
    elsewhere = match("generic-secret", 10, 20, b"\x09" * 20)
    assert without_shadowed([specific, elsewhere], RULES) == [specific, elsewhere]
    second = match("generic-env-secret", 5, 12)
    assert without_shadowed([generic, second], RULES) == [second]


def test_scan_state_comes_back_from_bytes_and_damage_is_noticed():
    state = ScanState(RULES.digests, BLOB + COMMIT, tuple(found()[1]), 20, key_check_of(b"k" * 8))
    data = state.encode()
    assert ScanState.decode(data) == state
    assert ScanState.decode(data).encode() == data
    for at in range(0, len(data), 97):
        with pytest.raises(CorruptDataError):
            ScanState.decode(data[:at])
        flipped = bytearray(data)
        flipped[at] ^= 4
        with pytest.raises((CorruptDataError, UnsupportedError)):
            ScanState.decode(bytes(flipped))
