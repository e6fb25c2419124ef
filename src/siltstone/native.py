"""What the compiled kernels of this installation are: nothing here is a fallback, everything here is a report."""

from __future__ import annotations

from importlib import import_module
from typing import Any

KERNELS = (
    "absent_ids", "base32", "csr", "delta", "gear", "gearhash", "inflate", "literals", "pack_read", "pack_walk",
    "ronomon", "refscan", "scip", "spill_index", "tree_entries", "tree_graph", "varint",
)


def native_status(kernel: str = "auto") -> dict[str, Any]:
    """Return ``mode`` (release, checked, sanitized), ``checked``, ``kernels``, and what runs of inflate, literals and base32.

    *kernel* forces a variant of the literal search; ConfigError where it cannot run.  Raises ImportError where a kernel is
    missing: the installation is incomplete, and no slower path hides it.
    """
    mode = import_module("siltstone._native._build_mode").MODE
    for name in KERNELS:
        import_module(f"siltstone._native.{name}")
    inflate = import_module("siltstone._native.inflate")
    literals = import_module("siltstone._native.literals")
    base32 = import_module("siltstone._native.base32")
    return {
        "mode": mode, "checked": mode != "release", "kernels": list(KERNELS), "inflate": inflate.backend(),
        "literals": literals.LiteralMatcher([b"any"], kernel).variant, "base32": base32.variants()[-1],
    }
