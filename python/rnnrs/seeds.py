"""Independent random streams from one seed."""

from __future__ import annotations


def derive_seed(seed: int, stream: int) -> int:
    """Returns the seed of one of several independent streams (splitmix64's step and finalizer).

    Raises:
        ValueError: if the seed is negative or above 2⁶⁴ − 1.
    """
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed: expected a whole number from 0 to 2**64 - 1, got {seed}")
    mask = (1 << 64) - 1
    z = (seed + 0x9E3779B97F4A7C15 * (stream + 1)) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)
