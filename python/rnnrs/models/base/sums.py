"""Sums that do not depend on what else is in a batch."""

from __future__ import annotations

import numpy as np

from ...types import Array, Floats


def over_time(losses: Array) -> Floats:
    """The sum over the steps of losses (T, B), one step after the other: (B,), float64.

    NumPy's own `sum` adds in an order that depends on the memory layout, and so on B.
    """
    if not len(losses):
        return np.zeros(losses.shape[1:])
    return np.asarray(np.add.accumulate(losses, axis=0, dtype=np.float64)[-1])
