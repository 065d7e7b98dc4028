"""The quality of predicted labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...shown import short_repr
from ...types import Array


@dataclass(frozen=True)
class ClassificationEvaluation:
    """The quality of predicted labels.

    Attributes:
        classes: the labels' names.
        confusion: (K, K), the number of labels of the row that were predicted as the label of the column.
        loss: the mean of −ln P(correct label), in nats.

    Example:
        >>> result = ClassificationEvaluation(("a", "b"), np.array([[3, 1], [0, 4]]), 0.3)
        >>> result.count, result.accuracy
        (8, 0.875)
        >>> result.recall
        array([0.75, 1.  ])
    """

    classes: tuple[str | int | bool, ...]
    confusion: NDArray[np.int64]
    loss: float

    __repr__ = short_repr

    @property
    def count(self) -> int:
        """The number of labels."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """The share of correct predictions, 0..1."""
        return float(np.trace(self.confusion)) / self.count

    @property
    def recall(self) -> Array:
        """(K,): the share of each class's members that was found; NaN for a class that does not occur."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> Array:
        """(K,): the share of each class's predictions that is correct; NaN for a class never predicted."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def macro_f1(self) -> float:
        """The mean of 2 TP / (2 TP + FP + FN) over the classes that occur, 0..1."""
        both = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        there = self.confusion.sum(axis=1) > 0
        return float(np.mean((2 * np.diag(self.confusion))[there] / both[there]))


def _ratio(above: Array, below: Array) -> Array:
    return np.where(below > 0, above / np.maximum(below, 1), np.nan)
