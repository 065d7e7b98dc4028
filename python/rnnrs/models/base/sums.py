"""Sums of losses that do not depend on the other sequences of a batch, perplexities, and σ."""

from __future__ import annotations

import math

import numpy as np

from ...types import Array, Floats


def over_time(losses: Array) -> Floats:
    """Returns the sums over time of losses (T, B), added in the order of the steps: (B,), float64.

    NumPy's own `sum` adds in an order that depends on the memory layout, and so on B.
    """
    if not len(losses):
        return np.zeros(losses.shape[1:])
    return np.asarray(np.add.accumulate(losses, axis=0, dtype=np.float64)[-1])


def perplexity(loss: float) -> float:
    """Returns exp(loss) of a loss in nats per token; infinite where that is beyond float64."""
    return math.inf if loss >= 700 else math.exp(loss)


def sigmoid(x: Array) -> Array:
    """Returns 1 / (1 + exp(−x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
