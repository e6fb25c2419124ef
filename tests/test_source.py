"""House rules that a reader relies on: modules stay small, stubs stand beside kernels, nothing unfinished is hidden."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path for pattern in ("*.py", "*.pyx", "*.pxd", "*.h") for path in (ROOT / "src").rglob(pattern)
    if "egg-info" not in str(path)
)
TEXTS = sorted(
    path for folder in ("src", "tests", "docs", "benchmarks", "fuzz", ".ci", ".github")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.suffix in {".py", ".pyx", ".pxd", ".pyi", ".h", ".md", ".yml", ".json", ".scm", ""}
)
LINES_AT_MOST = 400
# module -> why it may be longer; a number alone is no reason
LONGER: dict[str, str] = {}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_holds_one_concept(path: Path) -> None:
    count = len(path.read_text("utf-8").splitlines())
    assert count <= LINES_AT_MOST or name_of(path) in LONGER, f"{count} lines"


def test_exceptions_to_the_module_size_are_still_needed() -> None:
    for name, reason in LONGER.items():
        assert reason
        assert len((ROOT / name).read_text("utf-8").splitlines()) > LINES_AT_MOST, name


@pytest.mark.parametrize("path", sorted((ROOT / "src" / "_native").glob("*.pyx")), ids=name_of)
def test_a_kernel_has_a_stub_a_twin_a_test_and_a_benchmark(path: Path) -> None:
    twin = path.stem if path.stem != "pack_walk" else "pack_read"
    assert path.with_suffix(".pyi").exists()
    assert (ROOT / "tests" / "reference" / f"{twin}.py").exists()
    assert (ROOT / "tests" / "native" / f"test_{path.stem}.py").exists()
    assert (ROOT / "benchmarks" / "benchmarks" / f"native_{path.stem}.py").exists()


def test_every_layer_has_a_benchmark() -> None:
    suites = {path.stem.partition("_")[0] for path in (ROOT / "benchmarks" / "benchmarks").glob("*.py")}
    layers = {path.parent.name for path in (ROOT / "src" / "siltstone").glob("*/__init__.py")}
    assert layers - suites <= {"cli"}  # what a command costs is in `imports`


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "_build_mode.py"], ids=name_of)
def test_every_module_says_what_lives_in_it(path: Path) -> None:
    if path.suffix == ".h":
        assert path.read_text("utf-8").lstrip().startswith("/*")
    else:
        assert re.match(r'(#.*\n)*\s*r?"""', path.read_text("utf-8")), "no docstring"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_left_unfinished(path: Path) -> None:
    words = re.findall(r"\b(?:TODO|FIXME|XXX|raise NotImplementedError)\b", path.read_text("utf-8"))
    assert not words


def test_no_path_of_a_machine_is_written_down() -> None:
    pattern = re.compile(r"(?<![\w./<])/(?:work|home|root|Users)/\w")
    for path in TEXTS:
        assert not pattern.search(path.read_text("utf-8")), path


def test_kernels_are_listed_where_users_ask_for_them() -> None:
    from siltstone.native import KERNELS

    assert sorted(KERNELS) == [path.stem for path in sorted((ROOT / "src" / "_native").glob("*.pyx"))]


def test_native_status_tells_the_build_that_was_asked_for(request: pytest.FixtureRequest) -> None:
    from siltstone import native_status

    status = native_status()
    assert status["mode"] == (request.config.getoption("--build-mode") or status["mode"])
    assert json.dumps(status)


@pytest.mark.parametrize("path", [path for path in SOURCES if not path.stem.startswith("_")], ids=name_of)
def test_the_map_names_every_module(path: Path) -> None:
    name = path.name if path.suffix in {".pxd", ".h"} else path.stem
    assert f"`{name}`" in (ROOT / "docs/architecture.md").read_text("utf-8")


def test_the_map_names_no_module_that_is_gone() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = text[text.index("## Rooms") : text.index("## Three storeys")].splitlines()
    rows = [line.split("|")[2] for line in table if line.count("|") > 3]
    named = {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}
    there = {path.name if path.suffix in {".pxd", ".h"} else path.stem for path in SOURCES}
    assert named <= there
