"""How well labels were predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...types import Array


@dataclass(frozen=True)
class ClassificationEvaluation:
    """How well labels were predicted.

    Attributes:
        classes: the labels' names.
        confusion: (K, K), how often a label of the row was taken for that of the column.
        loss: the mean of −ln P(right label), in nats.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    loss: float

    @property
    def count(self) -> int:
        """How many labels were judged."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """The share of right ones, 0..1."""
        return float(np.trace(self.confusion)) / self.count

    @property
    def recall(self) -> Array:
        """(K,): of each class's own, the share that was found; NaN for a class that does not occur."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> Array:
        """(K,): of what was taken for each class, the share that was right; NaN for one that was never predicted."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def macro_f1(self) -> float:
        """The mean over the classes that occur of 2 TP / (2 TP + FP + FN), 0..1."""
        both = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        there = self.confusion.sum(axis=1) > 0
        return float(np.mean((2 * np.diag(self.confusion))[there] / both[there]))


def _ratio(above: Array, below: Array) -> Array:
    return np.where(below > 0, above / np.maximum(below, 1), np.nan)
