"""Documents of an index file: windows, concatenation, bad paths, budgets, truncation, and three real indexes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import siltstone
from siltstone._native._build_mode import MODE
from siltstone.codeindex.scip_reader import (
    Irregularity,
    PositionEncoding,
    ScipDocument,
    ScipMetadata,
    is_clean_path,
    read_scip,
)
from siltstone.core.budget import MIB, Budget
from siltstone.core.errors import BudgetExceeded, ConfigError, CorruptDataError
from siltstone.core.memory import available, peak_resident_bytes, reset_peak
from siltstone.gitobjects.ledger import CoverageLedger, Reason
from tests.reference.scip_schema import message_classes


def index(*documents: Any, tool: str = "scip-test", external: tuple[str, ...] = ()) -> Any:
    message = message_classes()["Index"](documents=documents)
    message.metadata.tool_info.name = tool
    message.metadata.tool_info.version = "1.2"
    message.metadata.project_root = "file:///x"
    for name in external:
        message.external_symbols.add(symbol=name, kind=21, display_name=name.upper())
    return message


def document(path: str, *names: str, **fields: Any) -> Any:
    message = message_classes()["Document"](relative_path=path, **fields)
    for line, name in enumerate(names):
        message.occurrences.add(range=[line, 0, 4], symbol=name, symbol_roles=1)
    return message


def write(path: Path, *messages: Any) -> Path:
    path.write_bytes(b"".join(one if isinstance(one, bytes) else one.SerializeToString() for one in messages))
    return path


def shape(documents: Iterator[ScipDocument]) -> list[tuple[Any, ...]]:
    return [(one.path, one.symbols, one.ranges.tolist(), one.offset, one.size) for one in documents]


def test_documents_come_in_the_order_of_the_file_with_all_they_hold(tmp_path: Path) -> None:
    made = document("src/a.py", "s a b c F#", "local 1", text="class F: é", language="python", position_encoding=3)
    made.occurrences[0].enclosing_range.extend([0, 0, 9, 1])
    info = made.symbols.add(symbol="s a b c F#", kind=7, display_name="F", documentation=["class F"])
    info.relationships.add(symbol="s a b c G#", is_implementation=True)
    file = write(tmp_path / "index.scip", index(made, document("b.py")))
    with siltstone.read_scip(file) as reader:
        first, second = reader
        assert reader.metadata == ScipMetadata("scip-test", "1.2", "file:///x")
        assert reader.size == file.stat().st_size
    with read_scip(str(file)) as reader:
        assert reader.read_text(next(reader)) == "class F: é".encode()
        assert reader.read_text(next(reader)) is None
    assert (first.path, first.language, first.encoding) == ("src/a.py", "python", PositionEncoding.UTF32)
    assert first.symbols == [b"s a b c F#", b"local 1", b"s a b c G#"]
    assert first.ranges.tolist() == [[0, 0, 0, 4], [1, 0, 1, 4]]
    assert first.enclosing_ranges.tolist() == [[0, 0, 9, 1], [-1, -1, -1, -1]]
    assert first.roles.tolist() == [1, 1]
    assert first.relationships.tolist() == [[0, 2, 2]]
    assert (first.info_kinds.tolist(), first.display_names, first.heads) == ([7], [b"F"], [b"class F"])
    assert (second.path, len(second.roles), second.text_offset) == ("b.py", 0, -1)


@pytest.mark.parametrize("window_bytes", [1, 7, 64, 1 << 20])
def test_the_window_does_not_change_the_documents(tmp_path: Path, window_bytes: int) -> None:
    made = [document(f"src/{i}.py", *(f"s a b c F{i}#m{j}()." for j in range(i % 7))) for i in range(40)]
    file = write(tmp_path / "index.scip", index(*made, external=("x", "y")))
    reader = read_scip(file, window_bytes=window_bytes)
    assert shape(reader) == shape(read_scip(file))
    assert reader.external_symbols.symbols == [b"x", b"y"]
    assert reader.external_symbols.kinds == [21, 21]
    assert reader.external_symbols.display_names == [b"X", b"Y"]
    assert len(reader.external_symbols) == 2
    assert reader.irregularities == ()


def test_indexes_end_to_end_are_one_index_and_each_names_its_tool(tmp_path: Path) -> None:
    file = write(tmp_path / "index.scip", index(document("a.py"), tool="scip-python"), index(document("b.x"), tool="other"))
    reader = read_scip(file)
    assert [(one.path, one.encoding) for one in reader] == [
        ("a.py", PositionEncoding.UTF16), ("b.x", PositionEncoding.UNKNOWN)]
    assert reader.metadata.tool_name == "scip-python"
    assert reader.irregularities == (Irregularity("repeated metadata", 1),)


def test_missing_metadata_and_unknown_fields_are_accepted_and_told(tmp_path: Path) -> None:
    bare = message_classes()["Index"](documents=[document("a.py")])
    reader = read_scip(write(tmp_path / "index.scip", b"\x7a\x02ab\x78\x05", bare))
    assert [one.path for one in reader] == ["a.py"]
    assert [one.what for one in reader.irregularities] == ["documents before the metadata", "no metadata", "unknown fields"]


def test_a_repeated_path_keeps_the_first_document(tmp_path: Path) -> None:
    ledger = CoverageLedger()
    file = write(tmp_path / "index.scip", index(document("a.py", "one"), document("a.py", "two")))
    assert [one.symbols for one in read_scip(file, ledger=ledger)] == [[b"one"]]
    assert ledger.counts() == {Reason.UNSUPPORTED: 1}


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../a", "a/../b", "a//b", "./a", "a/", ".", "..", "a\0b"])
def test_a_path_that_leaves_the_project_is_not_read(tmp_path: Path, path: str) -> None:
    ledger = CoverageLedger()
    file = write(tmp_path / "index.scip", index(document(path), document("..a/b..c/...d")))
    assert [one.path for one in read_scip(file, ledger=ledger)] == ["..a/b..c/...d"]
    assert ledger.counts() == {Reason.UNPARSABLE: 1}
    assert not is_clean_path(path.encode())
    assert not is_clean_path(b"\xff")


def test_dropped_occurrences_are_told(tmp_path: Path) -> None:
    made = document("a.py", "s")
    made.occurrences.add(range=[3, 2, 1], symbol="s")
    ledger = CoverageLedger()
    (only,) = read_scip(write(tmp_path / "index.scip", index(made)), ledger=ledger)
    assert (only.malformed, len(only.roles)) == (1, 1)
    assert not ledger.complete


def test_a_document_over_its_budget_is_told_or_refused(tmp_path: Path) -> None:
    large = document("big.py", *(f"name {i}" for i in range(400)))
    file = write(tmp_path / "index.scip", index(document("a.py"), large, document("b.py")))
    budget, ledger = Budget(scip_document=500), CoverageLedger()
    assert [one.path for one in read_scip(file, budget=budget, ledger=ledger, window_bytes=64)] == ["a.py", "b.py"]
    assert ledger.counts() == {Reason.OVERSIZE: 1}
    with pytest.raises(BudgetExceeded):
        list(read_scip(file, budget=budget, window_bytes=64))


def outcome(file: Path, window_bytes: int) -> tuple[str, int | None] | int:
    try:
        return len(list(read_scip(file, window_bytes=window_bytes)))
    except CorruptDataError as error:
        return error.source, error.offset


def test_every_truncation_is_an_error_that_names_its_place(tmp_path: Path) -> None:
    whole = index(document("a.py", "s a b c F#"), document("b.py", "t"), external=("x",)).SerializeToString()
    boundary, ends = 0, []
    for size in range(len(whole) + 1):
        file = write(tmp_path / "index.scip", whole[:size])
        found = outcome(file, 4096)
        if isinstance(found, int):
            boundary = size
            ends.append(size)
        assert found == outcome(file, 5)
        assert isinstance(found, int) or found == (str(file), boundary)
    assert len(ends) == 5  # before and after each of the four fields


def test_damage_inside_a_document_is_placed_in_the_file(tmp_path: Path) -> None:
    head = index().SerializeToString()
    file = write(tmp_path / "index.scip", head, b"\x12\x04\x0a\x01a\x0b")
    with pytest.raises(CorruptDataError) as caught:
        list(read_scip(file))
    assert (caught.value.source, caught.value.offset) == (str(file), len(head) + 5)


@given(st.binary(max_size=60))
def test_any_bytes_give_documents_or_a_corrupt_data_error_in_any_window(tmp_path: Path, data: bytes) -> None:
    file = write(tmp_path / "index.scip", data)
    assert outcome(file, 16) == outcome(file, 4096)


def test_an_empty_file_is_an_empty_index(tmp_path: Path) -> None:
    assert list(read_scip(write(tmp_path / "index.scip", b""))) == []


def test_a_missing_file_and_a_bad_window_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_scip(tmp_path / "none.scip")
    with pytest.raises(ConfigError):
        read_scip(write(tmp_path / "index.scip", b""), window_bytes=0)


# documents, occurrences, definitions, external symbols; counted by protobuf
REAL = {
    "django": (2096, 537_126, 116_565, 0),
    "click": (77, 36_272, 7_136, 465),
    "rxjs": (251, 19_200, 5_359, 0),
}


@pytest.mark.parametrize("name", REAL)
def test_real_indexes_hold_what_protobuf_counts(tmp_path: Path, shared: Path, name: str) -> None:
    import zstandard

    file = tmp_path / "index.scip"
    with open(shared / "data" / f"{name}.scip.zst", "rb") as packed, open(file, "wb") as plain:
        zstandard.ZstdDecompressor().copy_stream(packed, plain)
    reset_peak()
    before = peak_resident_bytes()
    documents = occurrences = definitions = 0
    reader = read_scip(file)
    for one in reader:
        documents += 1
        occurrences += len(one.roles)
        definitions += int((one.roles & 1).sum())
    assert (documents, occurrences, definitions, len(reader.external_symbols)) == REAL[name]
    assert reader.ledger.complete
    if available() and MODE == "release":  # a sanitizer multiplies what it watches
        assert peak_resident_bytes() - before < 32 * MIB  # of a file of 56 MB: windows, not the whole
