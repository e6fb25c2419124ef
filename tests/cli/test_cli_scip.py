"""``silt scip`` as a person and a program see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from siltstone.cli.main import main
from tests.reference.scip_schema import message_classes


@pytest.fixture
def index(tmp_path: Path) -> Path:
    message = message_classes()["Index"]()
    message.metadata.tool_info.name, message.metadata.tool_info.version = "scip-test\x1b[31m", "1.2"
    document = message.documents.add(relative_path="a.py", language="python")
    for symbol, roles in (("s a b c F#", 1), ("s a b c F#", 0), ("local 1", 1), ("s a b c G#", 0)):
        document.occurrences.add(symbol=symbol, range=[1, 0, 2], symbol_roles=roles)
    document.occurrences.add(symbol="s a b c F#", range=[1, 2, 0])
    document.occurrences[0].enclosing_range.extend([0, 0, 9, 0])
    info = document.symbols.add(symbol="s a b c F#")
    info.relationships.add(symbol="s a b c G#", is_implementation=True)
    info.relationships.add(symbol="s a b c G#", is_reference=True)
    message.documents.add(relative_path="../outside.py")
    message.external_symbols.add(symbol="s a b c G#")
    file = tmp_path / "index.scip"
    file.write_bytes(message.SerializeToString())
    return file


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["scip", *words])
    return code, *capsys.readouterr()


EXPECTED = {
    "documents": 1, "occurrences": 5, "definitions": 2, "global_definitions": 1, "global_symbols": 2, "local_occurrences": 1,
    "symbols": 1, "relationships": 2, "implementations": 1, "enclosing_ranges": 1, "malformed_occurrences": 1,
    "external_symbols": 1, "languages": {"python": 1}, "encodings": {"unknown": 1},
}


def test_json_holds_every_count_and_what_was_not_read(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, str(index), "--json", "--quiet")
    found = json.loads(out)
    assert code == 0
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert found["tool"]["version"] == "1.2"
    assert found["coverage"]["counts"] == {"unparsable": 2}
    assert found["bytes"] == index.stat().st_size
    assert found["seconds"] > 0


def test_a_person_reads_the_counts_and_the_gaps(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, progress = ask(capsys, str(index))
    assert code == 0
    assert "\x1b" not in out
    assert "occurrences                        5" in out
    assert "not read: unparsable 2" in out
    assert progress.splitlines()[-1] == "PROGRESS:100 done"


def test_what_is_no_index_ends_with_its_place_and_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "not.scip"
    file.write_bytes(b"\x12\x05ab")
    code, out, message = ask(capsys, str(file), "--json")
    assert code == 2
    assert json.loads(out)["error"]["offset"] == 0
    assert "cut short" in message
    assert ask(capsys, str(tmp_path / "none.scip"))[0] == 4


# documents, occurrences, definitions, distinct global, local occurrences, symbols, implementations, enclosing ranges
REAL = {
    "django": (2_096, 537_126, 116_565, 80_850, 167_029, 135_396, 8_694, 28_563),
    "click": (77, 36_272, 7_136, 5_229, 8_257, 7_872, 257, 1_863),
    "rxjs": (251, 19_200, 5_359, 2_345, 4_529, 5_359, 198, 1_076),
}
FIELDS = ("documents", "occurrences", "definitions", "global_definitions", "local_occurrences", "symbols", "implementations",
          "enclosing_ranges")


@pytest.mark.parametrize("name", REAL)
def test_real_indexes_are_counted_as_protobuf_counts_them(
    tmp_path: Path, shared: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import zstandard

    file = tmp_path / "index.scip"
    with open(shared / "data" / f"{name}.scip.zst", "rb") as packed, open(file, "wb") as plain:
        zstandard.ZstdDecompressor().copy_stream(packed, plain)
    found: dict[str, Any] = json.loads(ask(capsys, str(file), "--json", "--quiet")[1])
    assert tuple(found[field] for field in FIELDS) == REAL[name]
