"""The loss of a network that chooses words from its vocabulary or copies them from its source."""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import as_array, as_ids
from ..nn.linear import Linear
from ..shown import short_repr
from ..types import Array
from .dense import _Reduced


class CopyEvaluation(NamedTuple):
    """A `CopyCrossEntropy` in detail.

    Attributes:
        total: L, the reduced loss.
        positions: −ln P(y) of every position (…), unweighted; 0 where a position is ignored.
        gradient, dgate, dcopied: ∂L/∂h (…, H), ∂L/∂g (…) and ∂L/∂p (…); None if not requested.
    """

    total: float
    positions: Array
    gradient: Array | None
    dgate: Array | None
    dcopied: Array | None

    def __repr__(self) -> str:
        return short_repr(self)


class CopyCrossEntropy:
    """L = −ln P(y), P(y) = g P_V(y) + (1 − g) p: softmax over a vocabulary, mixed with copying.

    (See, Liu and Manning 2017, *Get to the point*, equation 9.) The gate g, and p, the attention to the
    places in the source that hold y, are given for each position. With r = g P_V(y) / P(y): do = r (ŷ − y),
    ∂L/∂g = −(P_V(y) − p) / P(y), ∂L/∂p = −(1 − g) / P(y). P is at least 1e-30, so that a word which neither
    part can produce has a finite loss.

    Labels are not smoothed: the share of the copies in the smoothing is undefined.

    Args:
        reduction: "mean" or "sum" over the positions that count.
        ignore_id: target of the positions that do not count: they are not scored and get no gradient. None:
            all count.

    Raises:
        ValueError: if the reduction is unknown.
    """

    __repr__ = short_repr

    def __init__(self, reduction: str = "mean", *, ignore_id: int | None = -1) -> None:
        self.reduction = _Reduced.check_reduction(type(self).__name__, reduction)
        self.ignore_id = ignore_id

    def through(
        self,
        output: Linear,
        h: Array,
        y: ArrayLike,
        gate: ArrayLike,
        copied: ArrayLike,
        weights: ArrayLike | None = None,
        gradient: bool = True,
    ) -> CopyEvaluation:
        """Computes the loss of o = c + V h mixed with copying; o (…, V) is never stored as a whole.

        Args:
            output: the output layer; `gradient` adds to its gradients dV, dc.
            h: states (…, H).
            y: ids (…) of the vocabulary; numbers from V on are words that only the source has.
            gate: g (…), 0..1.
            copied: p (…), 0..1.
            weights: (…), the weight of each position.
            gradient: whether to compute gradients.

        Raises:
            IndexError, ShapeError, DTypeError, ValueError: if an array is invalid, or there is no position
                for a mean.
        """
        p, g = output.parameters, output.gradients
        given = None if weights is None else as_array("CopyCrossEntropy.through", "weights", weights)
        into = (g["V"], g["c"]) if gradient else (None, None)
        (total, positions, dh), mixed = _rnnrs.linear_mixture_cross_entropy(
            as_array("CopyCrossEntropy.through", "h", h),
            p["V"],
            p["c"],
            as_ids("CopyCrossEntropy.through", "y", y),
            as_array("CopyCrossEntropy.through", "gate", gate),
            as_array("CopyCrossEntropy.through", "copied", copied),
            given,
            self.ignore_id,
            self.reduction == "mean",
            *into,
        )
        return CopyEvaluation(total, positions, dh, *(mixed or (None, None)))
