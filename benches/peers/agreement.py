"""Only equal results are compared in time."""

from __future__ import annotations

import numpy as np
from tasks import Array, Arrays

#: Largest difference allowed, relative to the largest number of the right result.
TOLERANCE = 1e-4


class Disagreement(Exception):
    """A library's result is not the right one."""


def difference(actual: Array, expected: Array) -> float:
    """max |actual − expected| / max |expected|; infinite where a number is missing, NaN or infinite."""
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    scale = float(np.max(np.abs(expected), initial=0.0)) or 1.0
    return float(np.max(np.abs(actual.astype(np.float64) - expected), initial=0.0)) / scale


def check(who: str, result: Arrays, expected: Arrays, tolerance: float = TOLERANCE) -> float:
    """The largest difference of all arrays.

    Args:
        who: for the message.
        result: what a library computed.
        expected: the reference.
        tolerance: see `TOLERANCE`.

    Raises:
        Disagreement: if an array is missing, unknown, or differs by more.
    """
    if result.keys() != expected.keys():
        raise Disagreement(f"{who}: expected {', '.join(sorted(expected))}; got {', '.join(sorted(result))}")
    differences = {name: difference(result[name], expected[name]) for name in expected}
    wrong = {name: d for name, d in differences.items() if d > tolerance}
    if wrong:
        each = ", ".join(f"{name} by {d:.1e}" for name, d in wrong.items())
        raise Disagreement(f"{who}: differs from the reference, relative to its largest number: {each}")
    return max(differences.values(), default=0.0)
