"""Bytes of SplitMix64 (Steele, Lea, Flood 2014), its words little-endian: the input of the vectors."""

import numpy as np


def splitmix_bytes(seed: int, size: int) -> bytes:
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, size // 8 + 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (state ^ (state >> np.uint64(31))).astype("<u8").tobytes()[:size]
