"""The loss of a network that may copy words from its source as well as choose them from its vocabulary."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..nn.linear import Linear
from ..types import Array
from .dense import _Reduced


class CopyEvaluation(NamedTuple):
    """A `CopyCrossEntropy` in detail.

    Attributes:
        total: L, the reduced loss.
        positions: −ln P(y) of every position (…), unweighted; 0 where a position is ignored.
        gradient, dgate, dcopied: ∂L/∂h (…, H), ∂L/∂g (…) and ∂L/∂p (…); None where they were not asked for.
    """

    total: float
    positions: Array
    gradient: Array | None
    dgate: Array | None
    dcopied: Array | None


class CopyCrossEntropy:
    """L = −ln P(y), P(y) = g P_V(y) + (1 − g) p: softmax over a vocabulary, mixed with what is copied.

    (See, Liu and Manning 2017, *Get to the point*, equation 9.) g, a gate, and p, how much attention goes to the
    places in the source where y stands, are given for each position. With r = g P_V(y) / P(y): do = r (ŷ − y), ∂L/∂g
    = −(P_V(y) − p) / P(y), ∂L/∂p = −(1 − g) / P(y). P is at least 1e-30, so a word to which nothing leads has a
    finite loss.

    Labels are not smoothed: there is no telling how much of them the copies are to take up.

    Args:
        reduction: "mean" or "sum" over the positions that count.
        ignore_id: positions with this target are not scored and get no gradient; None: there are none.

    Raises:
        ValueError: for an unknown reduction.
    """

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
        """The loss of o = c + V h and of what is copied, fused with the output layer: o (…, V) never exists as a whole.

        Args:
            output: the output layer; its gradients dV, dc are added to where `gradient` is set.
            h: states (…, H).
            y: ids (…): of the vocabulary, or numbers from V on for words that only the source has.
            gate: g (…), 0..1.
            copied: p (…), 0..1.
            weights: (…), a weight of each position.
            gradient: whether gradients are wanted.

        Raises:
            IndexError, ShapeError, DTypeError, ValueError: for arrays that do not fit, or a mean over no positions.
        """
        p, g = output.parameters, output.gradients
        given = None if weights is None else np.asarray(weights)
        into = (g["V"], g["c"]) if gradient else (None, None)
        (total, positions, dh), mixed = _rnnrs.linear_mixture_cross_entropy(
            h,
            p["V"],
            p["c"],
            np.asarray(y),
            np.asarray(gate),
            np.asarray(copied),
            given,
            self.ignore_id,
            self.reduction == "mean",
            *into,
        )
        return CopyEvaluation(total, positions, dh, *(mixed or (None, None)))
