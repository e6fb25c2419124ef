"""Build the compiled kernels; everything static is in pyproject.toml."""

import os
import platform
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

CHECKED = os.environ.get("SILTSTONE_CHECKED_BUILD") == "1"  # bounds checks on, for tests and fuzzing
SANITIZED = os.environ.get("SILTSTONE_SANITIZE") == "1"  # ASan and UBSan, for `tox -e sanitize`
MODE = "sanitized" if SANITIZED else "checked" if CHECKED else "release"

SOURCES = sorted(Path("src/_native").glob("*.pyx"))
if not SOURCES:
    raise SystemExit("src/_native/*.pyx is missing: incomplete source tree")

RELEASE_FLAGS = ["-O3", "-g0", "-fvisibility=hidden"]
CHECKED_FLAGS = ["-O1", "-g0", "-fvisibility=hidden"]  # built to be tested, not to be fast: half the time in the compiler
SANITIZE_FLAGS = ["-O1", "-g1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def libdeflate_flags() -> tuple[list[str], list[str]]:
    """Return (compile, link) flags that bind libdeflate at build time, or none: then it is loaded by name at run time.

    SILTSTONE_LIBDEFLATE names the prefix that holds ``include/libdeflate.h`` and the library; "none" refuses to link.
    """
    prefix = os.environ.get("SILTSTONE_LIBDEFLATE", "/usr")
    if not (Path(prefix) / "include" / "libdeflate.h").exists():
        return [], []
    if prefix == "/usr":
        return ["-DSILTSTONE_LINKS_LIBDEFLATE=1"], ["-ldeflate"]
    folders = sorted({str(library.parent) for library in Path(prefix).glob("lib*/**/libdeflate.*")})
    return ["-DSILTSTONE_LINKS_LIBDEFLATE=1", f"-I{prefix}/include"], [*(f"-L{folder}" for folder in folders), "-ldeflate"]


def extension(source: Path) -> Extension:
    """Return the build description of one kernel."""
    define, link = libdeflate_flags() if source.stem == "inflate" else ([], [])
    system = [] if platform.system() == "Darwin" else ["-ldl"]
    flags = SANITIZE_FLAGS if SANITIZED else CHECKED_FLAGS if CHECKED else RELEASE_FLAGS
    return Extension(
        f"siltstone._native.{source.stem}",
        [str(source)],
        depends=[str(header) for header in (*source.parent.glob("*.pxd"), *source.parent.glob("*.h"))],
        include_dirs=["src/_native"],
        extra_compile_args=[*flags, *define],
        extra_link_args=[*(SANITIZE_FLAGS[3:4] if SANITIZED else []), *link, *system],
    )


def write_build_mode() -> bool:
    """Record the mode, so that `native_status()` reports what was compiled; return whether it changed since the last build."""
    target = Path("src/_native/_build_mode.py")
    text = f'"""Written by setup.py: how these kernels were compiled."""\n\nMODE = "{MODE}"\n'
    if target.exists() and target.read_text() == text:
        return False
    target.write_text(text)
    return True


MODE_CHANGED = write_build_mode()
setup(
    packages=[*find_packages("src", include=["siltstone*"]), "siltstone._native"],
    # A folder for each mode: a library left over from a checked build would be taken for the release's.
    options={"build": {"build_base": f"build/{MODE}"}, "build_ext": {"parallel": os.cpu_count() or 1, "force": MODE_CHANGED}},
    package_dir={"": "src", "siltstone._native": "src/_native"},
    include_package_data=False,  # MANIFEST.in is for the sdist: a wheel holds no sources of the kernels
    package_data={"siltstone": ["py.typed", "**/*.scm", "**/*.json"], "siltstone._native": ["*.pyi"]},
    ext_modules=cythonize(
        [extension(source) for source in SOURCES],
        include_path=["src/_native"],
        build_dir=f"build/{MODE}/cython",
        force=MODE_CHANGED,  # never reuse a translation of another mode
        compiler_directives={
            "language_level": "3",
            "boundscheck": CHECKED or SANITIZED,
            "wraparound": False,
            "initializedcheck": CHECKED or SANITIZED,
            "cdivision": True,
            "embedsignature": True,
            "freethreading_compatible": True,
        },
    ),
)
