"""Whether SHA-256 runs on the processor's own SHA instructions, found out and not assumed.

`hashlib` takes OpenSSL's SHA-256, which chooses its code by the processor when it is loaded.  So two processes hash the same
bytes, one of them with the SHA bit hidden from OpenSSL (OPENSSL_ia32cap(3)): if hiding it makes it slower by more than
any noise, it was in use.  Measured on Zen 4: 1.83 against 0.55 GB/s.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from siltstone._native.cpu import cpu_features
from siltstone.core.errors import UnsupportedError

FASTER_AT_LEAST: Final = 1.5  # with against without; the instructions give 3 to 4 over AVX2, 5 and more over plain code
_HIDE_SHA: Final = ":~0x20000000"  # bit 29 of EBX of CPUID leaf 7: the SHA extensions
_TIMEOUT_SECONDS: Final = 60.0
# The best of 16 times 1 MiB: 10 ms with the instructions, 60 without.  Set before the library is loaded, hence the exec.
_MEASURE: Final = """\
import hashlib, time
data, best = bytes(1 << 20), 60.0
for _ in range(16):
    start = time.perf_counter()
    hashlib.sha256(data, usedforsecurity=False).digest()
    best = min(best, time.perf_counter() - start)
print(round(len(data) / best))
"""
_HIDE_AND_MEASURE: Final = """\
import os, sys
os.environ["OPENSSL_ia32cap"] = sys.argv[2]
os.execv(sys.executable, [sys.executable, "-I", "-c", sys.argv[1]])
"""


@dataclass(frozen=True, slots=True)
class ShaSupport:
    """What was found: who computes SHA-256, on what, and how fast with and without its SHA instructions, in bytes a second."""

    provider: str
    processor_has_instructions: bool
    bytes_per_second: int
    hidden_bytes_per_second: int

    @property
    def uses_instructions(self) -> bool:
        """Whether hiding the instructions made it slower by `FASTER_AT_LEAST`."""
        return self.bytes_per_second >= FASTER_AT_LEAST * self.hidden_bytes_per_second


def measure_sha_support() -> ShaSupport:
    """Return whether SHA-256 uses the processor's instructions, by measuring in two processes: takes about 0.2 s.

    Raises UnsupportedError where hiding them is not possible: another processor than x86-64, or a Python whose SHA-256 is
    not OpenSSL's.
    """
    provider = sha256_provider()
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise UnsupportedError(f"SHA instructions cannot be hidden on {platform.machine()}", source="sha256")
    if provider != "openssl":
        raise UnsupportedError("this Python computes SHA-256 without OpenSSL", source="sha256")
    plain, hidden = _speed(["-I", "-c", _MEASURE]), _speed(["-c", _HIDE_AND_MEASURE, _MEASURE, _HIDE_SHA])
    return ShaSupport(provider, cpu_features()["sha"], plain, hidden)


def sha256_provider() -> str:
    """Return ``openssl``, or ``python`` for the interpreter's own code, which uses no SHA instructions."""
    return "openssl" if type(hashlib.sha256()).__module__ == "_hashlib" else "python"


def _speed(words: list[str]) -> int:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, timeout=_TIMEOUT_SECONDS)
    return int(done.stdout)
