"""What Linux says of the processor."""

from pathlib import Path

NAMES = {"avx2": "avx2", "avx512f": "avx512f", "avx512bw": "avx512bw", "avx512vbmi": "avx512vbmi", "sha": "sha_ni"}


def cpu_features() -> dict[str, bool]:
    """Return the features of the first processor in ``/proc/cpuinfo``."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next(line for line in lines if line.startswith(("flags", "Features"))).partition(":")[2].split()
    arm = "asimd" in flags
    found = {name: flag in flags for name, flag in NAMES.items()}
    return {**found, "sha": "sha2" in flags, "neon": True} if arm else {**found, "neon": False}
