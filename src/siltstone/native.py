"""What the compiled kernels of this installation are: nothing here is a fallback, everything here is a report."""

from __future__ import annotations

from importlib import import_module
from typing import Any

KERNELS = (
    "absent_ids", "base32", "candidate_lines", "candidates", "commit_columns", "commit_order", "cpu", "csr", "delta",
    "gear", "gearhash", "inflate", "literals", "pack_read", "pack_table", "pack_walk", "refscan", "ronomon", "scip",
    "spill_arena", "spill_index", "tree_entries", "tree_graph", "tree_stream", "varint",
)


def native_status(kernel: str = "auto") -> dict[str, Any]:
    """Return ``mode`` (release, checked, sanitized), ``checked``, ``kernels``, ``cpu`` and which variants run.

    ``inflate``, ``literals``, ``base32`` and ``gear`` name what runs, ``gear_refused`` what does not, and why.  *kernel*
    forces a variant of ``literals`` and ``gear`` where it is one of theirs; ConfigError where it is one of neither.  Raises
    ImportError where a kernel is missing: the installation is incomplete, and no slower path hides it.
    """
    mode = import_module("siltstone._native._build_mode").MODE
    for name in KERNELS:
        import_module(f"siltstone._native.{name}")
    inflate = import_module("siltstone._native.inflate")
    literals = import_module("siltstone._native.literals")
    base32 = import_module("siltstone._native.base32")
    gear = import_module("siltstone._native.gear")
    forces_gear = kernel in gear.available()
    searched = "auto" if forces_gear and kernel not in literals.variants() else kernel
    return {
        "mode": mode, "checked": mode != "release", "kernels": list(KERNELS),
        "cpu": import_module("siltstone._native.cpu").cpu_features(), "inflate": inflate.backend(),
        "literals": literals.LiteralMatcher([b"any"], searched).variant, "base32": base32.variants()[-1],
        "gear": kernel if forces_gear else gear.available()[-1], "gear_refused": gear.refused(),
    }
