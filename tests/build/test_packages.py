"""Sdist, wheel and editable install hold the kernels; building prints no performance hint."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "src" / "siltstone"
KERNELS = sorted(path.stem for path in (ROOT / "src" / "_native").glob("*.pyx"))
pytestmark = pytest.mark.timeout(600)


def run(*words: str, folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=580, check=False)
    log = done.stdout + done.stderr
    assert done.returncode == 0, log[-4000:]
    return log


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files git would hand out: nothing left over from an earlier build can leak in."""
    copy = tmp_path_factory.mktemp("tree") / "siltstone"
    ignored = shutil.ignore_patterns(
        "dist", "*.so", "*.egg-info", ".git", ".tox", ".venv", ".siltstone", "__pycache__", "_build_mode.py",
    )
    shutil.copytree(ROOT, copy, ignore=ignored)
    shutil.rmtree(copy / "build", ignore_errors=True)
    return copy


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """(sdist, wheel built from the unpacked sdist, build log)."""
    out = tmp_path_factory.mktemp("dist")
    log = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree), folder=out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel, log


def test_sdist_holds_every_source_of_the_kernels(built: tuple[Path, Path, str]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    patterns = ("*.pyx", "*.pxd", "*.pyi", "*.h", "*.scm", "*.json", "py.typed")
    wanted = {str(path.relative_to(ROOT)) for pattern in patterns for path in (ROOT / "src").rglob(pattern)}
    assert {name for name in wanted if "egg-info" not in name} <= names
    assert "LICENSE" in names
    assert not [name for name in names if name.endswith(".so")]


def test_wheel_from_the_sdist_holds_every_kernel_and_stub(built: tuple[Path, Path, str]) -> None:
    names = zipfile.ZipFile(built[1]).namelist()
    libraries = sorted(name.split("/")[-1].split(".")[0] for name in names if name.endswith(".so"))
    assert libraries == KERNELS
    for kernel in KERNELS:
        assert f"siltstone/_native/{kernel}.pyi" in names
    assert "siltstone/py.typed" in names
    data = {str(path.relative_to(ROOT / "src")) for pattern in ("*.scm", "*.json") for path in PACKAGE.rglob(pattern)}
    assert data
    assert data <= set(names)
    assert not [name for name in names if name.endswith((".pyx", ".c"))], "generated or source files are not for the wheel"


def test_the_build_prints_no_performance_hint(built: tuple[Path, Path, str]) -> None:
    assert "performance hint" not in built[2].lower()
    assert "warning: src/_native" not in built[2]


def import_all(python: Path, folder: Path) -> None:
    code = f"import importlib; [importlib.import_module('siltstone._native.' + name) for name in {KERNELS!r}]"
    run(str(python), "-P", "-c", code, folder=folder)


def environment(folder: Path) -> Path:
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    return folder / "bin" / "python"


def test_wheel_installs_and_imports(built: tuple[Path, Path, str], tmp_path: Path) -> None:
    python = environment(tmp_path / "env")
    run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(built[1]), folder=tmp_path)
    import_all(python, tmp_path)


def test_editable_install_imports(tree: Path, tmp_path: Path) -> None:
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--prefix", str(tmp_path / "prefix"))
    run(sys.executable, "-m", "pip", "install", *options, "--editable", str(tree), folder=tmp_path)
    (site,) = (tmp_path / "prefix").rglob("site-packages")
    code = f"import site; site.addsitedir({str(site)!r}); import importlib; import siltstone.core; print(siltstone.__file__)\n"
    code += f"[importlib.import_module('siltstone._native.' + name) for name in {KERNELS!r}]"
    told = run(sys.executable, "-P", "-c", code, folder=tmp_path)
    assert str(tree) in told
    shutil.rmtree(tree / "build", ignore_errors=True)
