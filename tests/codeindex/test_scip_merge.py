"""A SCIP index and syntax together: covered files from the index, the others from syntax, one graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from siltstone.core.errors import CorruptDataError
from tests.codeindex.indexed import index
from tests.reference.scip_schema import message_classes

FILES = {
    "a.py": "def f():\n    return g()\n\n\ndef g():\n    return f\n",
    "b.py": "from a import f\n\n\ndef h():\n    f()\n    missing()\n",
}


def write_index(path: Path) -> Path:
    """Write what an indexer says of a.py: two functions, a call and a reference."""
    message = message_classes()["Index"]()
    message.metadata.tool_info.name = "scip-python"
    document = message.documents.add(relative_path="a.py", language="python")
    name = "scip-python python shop 1 a/{}()."
    for text, roles, place in (
        ("f", 1, [0, 4, 5]), ("g", 0, [1, 11, 12]), ("g", 1, [4, 4, 5]), ("f", 0, [5, 11, 12]),
    ):
        document.occurrences.add(symbol=name.format(text), symbol_roles=roles, range=place)
    for text in "fg":
        document.symbols.add(symbol=name.format(text))
    path.write_bytes(message.SerializeToString())
    return path


def test_covered_files_come_from_the_index_and_others_from_syntax(tmp_path: Path) -> None:
    found = index(FILES, scip=write_index(tmp_path / "index.scip"))
    assert found.summary.files_from_scip == 1
    assert found.relations() == {
        ("calls", "a.py:f", "a.py:g"), ("references", "a.py:g", "a.py:f"), ("imports", "b.py", "a.py"),
        ("calls", "b.py:h", "a.py:f"),
    }
    assert found.unresolved == {("calls", "b.py:h", "missing")}
    sources = {entity.name: entity.source.name for batch in found.sink.entities for entity in batch.rows()}
    assert sources == {"a.py": "SCIP", "f": "SCIP", "g": "SCIP", "b.py": "SYNTAX", "h": "SYNTAX"}


def test_the_span_of_a_covered_definition_comes_from_syntax_where_the_index_has_none(tmp_path: Path) -> None:
    found = index(FILES, scip=write_index(tmp_path / "index.scip"))
    assert found.entities["a.py:f"][0][2] == (0, 0, 1, 14)


def test_documents_of_files_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    found = index({"b.py": FILES["b.py"]}, scip=write_index(tmp_path / "index.scip"))
    assert found.summary.files_from_scip == 0
    assert set(found.entities) == {"b.py", "b.py:h"}


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.scip"
    bad.write_bytes(b"this is text, and no index at all")
    with pytest.raises(CorruptDataError):
        index(FILES, scip=bad)
