"""The architecture, enforced: imports point downwards, heavy libraries have one door, and importing us is cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "siltstone"
KERNELS = ROOT / "src" / "_native"

RANKS = {
    "core": 0, "_native": 1, "native": 1, "content": 2, "gitobjects": 2, "detection": 3, "codeindex": 3, "graph": 4,
    "ingestion": 5, "fleet": 6, "integrations": 6, "cli": 7,
}

# third-party library -> the only modules that may import it
ADAPTERS = {
    "blake3": {"content/hashing.py"},
    "zstandard": {"content/codecs/zstd.py"},
    "lz4": {"content/codecs/lz4.py"},
    "nacl": {"content/signing.py"},
    "pygit2": {"gitobjects/clone.py"},
    "re2": {"detection/confirm.py"},
    "tree_sitter": {"codeindex/syntax.py"},
    "sqlite3": {"graph/store.py", "graph/schema.py", "graph/database.py"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_names(source: Path) -> Iterator[str]:
    """Yield each absolute module name that *source* imports, wherever the import stands."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_layers(names: Iterator[str]) -> set[str]:
    parts = (name.split(".") for name in names)
    return {words[1] for words in parts if words[0] == "siltstone" and len(words) > 1 and words[1] in RANKS}


@pytest.mark.parametrize("source", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(source: Path) -> None:
    layer = layer_of(source)
    if layer == "__init__":  # names every layer for type checkers; what it loads is looked at below
        return
    assert layer in RANKS, f"{source} belongs to no layer: put it into one, or add the layer to the map on purpose"
    for below in imported_layers(imported_names(source)) - {layer}:
        assert RANKS[below] < RANKS[layer], f"{source} (rank {RANKS[layer]}) imports {below} (rank {RANKS[below]})"


@pytest.mark.parametrize("source", sorted(KERNELS.glob("*.pyx")), ids=lambda path: path.name)
def test_kernels_import_only_errors_and_headers(source: Path) -> None:
    lines = re.findall(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", source.read_text("utf-8"), re.MULTILINE)
    headers = {header.stem for header in KERNELS.glob("*.pxd")}
    for first, second in lines:
        name = first or second
        allowed = name == "siltstone.core.errors" or name.split(".")[0] in {"libc", "cpython", "posix", "cython", *headers}
        assert allowed or name in {"array", "zlib"}, f"{source.name} imports {name}"


@pytest.mark.parametrize("source", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_third_party_libraries_have_one_door(source: Path) -> None:
    place = str(source.relative_to(PACKAGE))
    roots = {name.split(".")[0] for name in imported_names(source)}
    known = {*sys.stdlib_module_names, "siltstone", "numpy", "__future__", "_typeshed", ""}  # _typeshed: type checkers only
    for root in roots - known | roots & set(ADAPTERS):
        library = "tree_sitter" if root.startswith("tree_sitter") else root
        assert place in ADAPTERS.get(library, set()), f"{place} imports {root}"


@pytest.mark.parametrize("source", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_reads_the_environment_and_the_terminal(source: Path) -> None:
    if layer_of(source) == "cli":
        return
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {
                ("os", "environ"), ("os", "getenv"), ("os", "environb"), ("sys", "argv"), ("os", "get_terminal_size"),
            }, f"{source}:{node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "input", "eval", "exec"}, f"{source}:{node.lineno} calls {node.func.id}"


@pytest.mark.parametrize(("library", "places"), ADAPTERS.items(), ids=str)
def test_an_adapter_exists_and_imports_its_library(library: str, places: set[str]) -> None:
    roots = {name.split(".")[0] for place in places for name in imported_names(PACKAGE / place)}
    assert library in roots


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_importing_siltstone_loads_no_heavy_library() -> None:
    loaded = loaded_after("import siltstone")
    heavy = {"numpy", "pygit2", "tree_sitter", "asyncio", "re2", "blake3", "zstandard", "sqlite3", "subprocess", "nacl"}
    assert not loaded & heavy
    assert not {name for name in loaded if name.startswith("siltstone._native.")}


def test_asking_for_help_loads_no_heavy_library() -> None:
    loaded = loaded_after("import siltstone.cli.main as m; m.build_parser(only='')")
    assert not loaded & {"numpy", "pygit2", "tree_sitter", "asyncio", "re2"}
