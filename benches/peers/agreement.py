"""Checks results against the reference: only equal results are compared in time."""

from __future__ import annotations

import numpy as np
from tasks import Array, Arrays

#: Largest allowed difference, relative to the largest number of the expected result.
TOLERANCE = 1e-4


class Disagreement(Exception):
    """A library's result differs from the reference."""


def difference(actual: Array, expected: Array) -> float:
    """Returns max |actual − expected| / max |expected|.

    The result is infinite if the shapes differ or an actual number is NaN or infinite.
    """
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    scale = float(np.max(np.abs(expected), initial=0.0)) or 1.0
    return float(np.max(np.abs(actual.astype(np.float64) - expected), initial=0.0)) / scale


def check(who: str, result: Arrays, expected: Arrays, tolerance: float = TOLERANCE) -> float:
    """Returns the largest difference over all arrays.

    Args:
        who: the library's name, for the error message.
        result: the library's arrays.
        expected: the reference.
        tolerance: see `TOLERANCE`.

    Raises:
        Disagreement: if an array is missing, unknown, or differs by more than `tolerance`.
    """
    if result.keys() != expected.keys():
        raise Disagreement(f"{who}: expected {', '.join(sorted(expected))}; got {', '.join(sorted(result))}")
    differences = {name: difference(result[name], expected[name]) for name in expected}
    wrong = {name: d for name, d in differences.items() if d > tolerance}
    if wrong:
        each = ", ".join(f"{name} by {d:.1e}" for name, d in wrong.items())
        raise Disagreement(f"{who}: differs from the reference, relative to its largest number: {each}")
    return max(differences.values(), default=0.0)
