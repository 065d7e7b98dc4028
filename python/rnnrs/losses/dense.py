"""Losses over all outputs, in Rust: softmax cross-entropy, sigmoid cross-entropy, squared error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import as_array, as_ids
from ..errors import ShapeError
from ..nn.linear import Linear
from ..shown import short_repr
from ..types import Array


class Loss(Protocol):
    """A loss as models use it."""

    def __call__(self, o: Array, y: Any, /) -> tuple[float, Array]:
        """Returns (L, do): the loss of the outputs o (T, B, O) for the targets y, and ∂L/∂o (T, B, O)."""
        ...


class Evaluation(NamedTuple):
    """A loss in detail."""

    #: L, the reduced loss.
    total: float
    #: L_t of every position (…), unweighted; 0 where a position is ignored.
    positions: Array
    #: ∂L/∂o (…, O), or from `through` ∂L/∂h (…, H); None if not requested.
    gradient: Array | None

    def __repr__(self) -> str:
        return short_repr(self)


class Criterion(Protocol):
    """A loss fused with an output layer: o (…, O) is never stored as a whole."""

    def through(
        self,
        output: Any,
        h: Array,
        y: ArrayLike,
        weights: ArrayLike | None = None,
        gradient: bool = True,
    ) -> Evaluation:
        """Returns L for h (…, H) and ids y (…), and dh; `gradient` adds to the layer's gradients."""
        ...


class _Reduced(ABC):
    """A loss with a reduction over positions."""

    __repr__ = short_repr

    def __init__(self, reduction: str) -> None:
        self.reduction = self.check_reduction(type(self).__name__, reduction)

    @staticmethod
    def check_reduction(op: str, reduction: str) -> str:
        """Returns a known reduction.

        Raises:
            ValueError: if it is unknown.
        """
        if reduction not in ("mean", "sum"):
            raise ValueError(f"{op}: reduction: expected 'mean' or 'sum', got {reduction!r}")
        return reduction

    @property
    def _mean(self) -> bool:
        return self.reduction == "mean"

    def __call__(self, o: Array, y: ArrayLike, weights: ArrayLike | None = None) -> tuple[float, Array]:
        """Returns (L, do (…, O)): `evaluate` without the positions' losses."""
        total, _, do = self.evaluate(o, y, weights)
        assert do is not None  # gradient is True
        return total, do

    @abstractmethod
    def evaluate(
        self, o: Array, y: ArrayLike, weights: ArrayLike | None = None, gradient: bool = True
    ) -> Evaluation:
        """Returns L, each position's loss, and do (…, O) if `gradient` is set."""


class SoftmaxCrossEntropy(_Reduced):
    """L_t = −log softmax(o_t)[y_t], for one correct class y_t out of O.

    With ŷ = softmax(o), do = ŷ − y (Goodfellow et al., equation 10.18), times the position's weight.

    Args:
        reduction: "mean" or "sum" over the positions that count.
        ignore_id: target of the positions that do not count: they are not scored and get no gradient. None:
            all count.
        label_smoothing: ε in 0 ≤ ε < 1: the target is 1 − ε on y and ε spread evenly over all O classes
            (Szegedy et al. 2016).
        class_weights: (O,), the weight of a position by its correct class. With label smoothing, too, the
            weight applies to the position as a whole.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self,
        reduction: str = "mean",
        *,
        ignore_id: int | None = -1,
        label_smoothing: float = 0.0,
        class_weights: ArrayLike | None = None,
    ) -> None:
        super().__init__(reduction)
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(
                f"SoftmaxCrossEntropy: label_smoothing: expected 0 ≤ ε < 1, got {label_smoothing}"
            )
        self.ignore_id = ignore_id
        self.label_smoothing = float(label_smoothing)
        self.class_weights = (
            None if class_weights is None else as_array("SoftmaxCrossEntropy", "class_weights", class_weights)
        )
        if self.class_weights is not None and self.class_weights.ndim != 1:
            raise ShapeError(
                f"SoftmaxCrossEntropy: class_weights: expected (O,), got {self.class_weights.shape}"
            )

    def evaluate(
        self, o: Array, y: ArrayLike, weights: ArrayLike | None = None, gradient: bool = True
    ) -> Evaluation:
        """Returns L, each position's loss, and do (…, O) if `gradient` is set.

        Args:
            o: scores (…, O); usually (T, B, O).
            y: ids (…), from 0 to O − 1, or `ignore_id`.
            weights: (…), the weight of each position.
            gradient: whether to compute do.

        Raises:
            IndexError: if an id is out of range.
            ShapeError: if the shapes do not match.
            ValueError: if there is no position for a mean.
        """
        y = as_ids("SoftmaxCrossEntropy.evaluate", "y", y)
        weighting = self._weights(y, as_array("SoftmaxCrossEntropy.evaluate", "o", o).shape[-1:], weights)
        result = _rnnrs.softmax_cross_entropy(
            o, y, weighting, self.ignore_id, self.label_smoothing, self._mean, gradient
        )
        return Evaluation(*result)

    def through(
        self,
        output: Linear,
        h: Array,
        y: ArrayLike,
        weights: ArrayLike | None = None,
        gradient: bool = True,
    ) -> Evaluation:
        """Computes the loss of o = c + V h, fused with the output layer.

        o (T, B, O) is never stored as a whole: the output layer, softmax, cross-entropy and their gradients
        process the rows in chunks that stay in the cache.

        Args:
            output: the output layer; `gradient` adds to its gradients dV, dc.
            h: states (…, H).
            y: ids (…).
            weights: (…), the weight of each position.
            gradient: whether to compute gradients.

        Returns:
            L, each position's loss, and dh (…, H) or None.

        Raises:
            IndexError, ShapeError, ValueError: as `evaluate`.
        """
        h, y = as_array("SoftmaxCrossEntropy.through", "h", h), as_ids("SoftmaxCrossEntropy.through", "y", y)
        p, g = output.parameters, output.gradients
        weighting = self._weights(y, (output.output_size,), weights)
        into = (g["V"], g["c"]) if gradient else (None, None)
        result = _rnnrs.linear_softmax_cross_entropy(
            h, p["V"], p["c"], y, weighting, self.ignore_id, self.label_smoothing, self._mean, *into
        )
        return Evaluation(*result)

    def _weights(self, y: Array, classes: tuple[int, ...], weights: ArrayLike | None) -> Array | None:
        """Returns the positions' weights: the given ones, times those of their correct classes."""
        given = None if weights is None else as_array("SoftmaxCrossEntropy", "weights", weights)
        if self.class_weights is None:
            return given
        if self.class_weights.shape != classes:
            raise ShapeError(
                f"SoftmaxCrossEntropy: class_weights: expected {classes}, got {self.class_weights.shape}"
            )
        if y.dtype.kind not in "iu":
            return given  # the loss itself rejects these targets, by name
        # The loss also rejects ids out of range; here they only must not break the lookup.
        by_answer: Array = self.class_weights[np.clip(y, 0, classes[0] - 1)]
        return by_answer if given is None else np.multiply(by_answer, given)


class _Elementwise(_Reduced):
    """A loss with one term for each output, added over the outputs of a position."""

    #: (o, y, weights, mean, gradient) -> (L, losses of the positions, do)
    _compute: Callable[[Array, Array, Array | None, bool, bool], tuple[float, Array, Array | None]]

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def evaluate(
        self, o: Array, y: ArrayLike, weights: ArrayLike | None = None, gradient: bool = True
    ) -> Evaluation:
        """Returns L, each position's loss, and do if `gradient` is set.

        Args:
            o: outputs (…, O); usually (T, B, O).
            y: targets (…, O).
            weights: (…), the weight of each position.
            gradient: whether to compute do.

        Raises:
            ShapeError: if the shapes do not match.
            ValueError: if there is no position for a mean.
        """
        op = f"{type(self).__name__}.evaluate"
        given = None if weights is None else as_array(op, "weights", weights)
        as_array(op, "o", o)  # masks
        return Evaluation(*type(self)._compute(o, as_ids(op, "y", y), given, self._mean, gradient))


class SigmoidCrossEntropy(_Elementwise):
    """Cross-entropy of independent labels y_i in 0..1; do = σ(o) − y.

    L_t = −Σ_i y_i log σ(o_i) + (1 − y_i) log(1 − σ(o_i)).

    Args:
        reduction: "mean" or "sum" over positions; the labels of a position are always added.
    """

    _compute = staticmethod(_rnnrs.sigmoid_cross_entropy)


class SquaredError(_Elementwise):
    """L_t = Σ_i (o_i − y_i)²; do = 2 (o − y).

    Args:
        reduction: "mean" or "sum" over positions; the outputs of a position are always added.
    """

    _compute = staticmethod(_rnnrs.squared_error)
