"""Cross-entropy through an adaptive softmax: only the clusters that occur are computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import as_array, as_ids
from ..errors import DTypeError, ShapeError
from ..nn.adaptive import AdaptiveSoftmax, no_bias
from ..shown import short_repr
from ..types import Array
from .dense import Evaluation


class AdaptiveCrossEntropy:
    """L_t = −ln P(y_t) of an `nn.AdaptiveSoftmax`.

    For y_t in a cluster, this is −ln P(cluster of y_t) − ln P(y_t within it). The head processes all
    positions; a cluster only those with a target in it, gathered into one small product.

    Args:
        reduction: "mean" or "sum" over the positions that count.
        ignore_id: target of the positions that do not count: they are not scored and get no gradient. None:
            all count.

    Raises:
        ValueError: if the reduction is unknown.
    """

    __repr__ = short_repr

    def __init__(self, reduction: str = "mean", *, ignore_id: int | None = -1) -> None:
        if reduction not in ("mean", "sum"):
            raise ValueError(f"AdaptiveCrossEntropy: reduction: expected 'mean' or 'sum', got {reduction!r}")
        self.reduction, self.ignore_id = reduction, ignore_id

    def through(
        self,
        output: AdaptiveSoftmax,
        h: Array,
        y: ArrayLike,
        weights: ArrayLike | None = None,
        gradient: bool = True,
    ) -> Evaluation:
        """Computes the loss of the states h, fused with the output layer.

        Args:
            output: the output layer; `gradient` adds to its gradients.
            h: states (…, H).
            y: ids (…), from 0 to O − 1, or `ignore_id`.
            weights: (…), the weight of each position.
            gradient: whether to compute gradients.

        Returns:
            L, each position's loss, and dh (…, H) or None.

        Raises:
            IndexError, ShapeError, DTypeError: if an array has the wrong shape or dtype, or an id is out of
                range.
            ValueError: if there is no position for a mean.
        """
        h, y = (
            as_array("AdaptiveCrossEntropy.through", "h", h),
            as_ids("AdaptiveCrossEntropy.through", "y", y),
        )
        counts = self._check(output, y, h.shape[:-1])
        w = self._weights(counts, weights)
        bounds = output.bounds
        cluster = np.searchsorted(bounds, np.where(counts, y, 0), side="right")  # 0: the head itself
        answer = np.where(cluster == 0, y, bounds[0] + cluster - 1)
        p, g = output.parameters, output.gradients
        into = (g["head.V"], g["head.c"]) if gradient else (None, None)
        L, positions, dh = _rnnrs.linear_softmax_cross_entropy(
            h, p["head.V"], p["head.c"], np.where(counts, answer, -1), w, -1, 0.0, False, *into
        )
        flat = np.ascontiguousarray(h, output.dtype).reshape(-1, output.input_size)
        for k in range(1, output.clusters + 1):
            rows = np.flatnonzero(counts & (cluster == k))
            if not rows.size:
                continue
            total, own, dx = _through_tail(
                output,
                k,
                _rnnrs.embedding_forward(rows, flat),
                y.reshape(-1)[rows],
                w.reshape(-1)[rows],
                gradient,
            )
            L += total
            positions.reshape(-1)[rows] += own
            if dh is not None and dx is not None:
                _rnnrs.embedding_backward(rows, dx, dh.reshape(-1, output.input_size))
        return Evaluation(L, positions, dh)

    def _check(self, output: AdaptiveSoftmax, y: Array, shape: tuple[int, ...]) -> Array:
        """Returns the mask of the positions that count (…); rejects invalid targets."""
        op, last = "AdaptiveCrossEntropy.through: y", output.output_size - 1
        if y.dtype.kind not in "iu":
            raise DTypeError(f"{op}: expected an array of whole numbers (token ids), got {y.dtype}")
        if y.shape != shape:
            raise ShapeError(f"{op}: expected {shape}, got {y.shape}")
        counts = np.ones(y.shape, np.bool_) if self.ignore_id is None else y != self.ignore_id
        outside = counts & ((y < 0) | (y > last))
        if outside.any():
            place = int(outside.argmax())
            raise IndexError(f"{op}: expected ids from 0 to {last}, got {y.flat[place]} at position {place}")
        return np.asarray(counts)

    def _weights(self, counts: Array, weights: ArrayLike | None) -> Array:
        """Returns the factor of each position's loss (…).

        It is the position's weight, 0 if the position does not count; for a mean, divided by the sum of the
        weights.
        """
        op = "AdaptiveCrossEntropy.through"
        given = (
            np.ones(counts.shape) if weights is None else as_array("AdaptiveCrossEntropy", "weights", weights)
        )
        if given.dtype.kind not in "fiub":
            raise DTypeError(f"{op}: weights: expected an array of real numbers, got {given.dtype}")
        if given.shape != counts.shape:
            raise ShapeError(f"{op}: weights: expected {counts.shape}, got {given.shape}")
        w = np.where(counts, given, 0.0).astype(np.float64)
        if self.reduction == "sum":
            return w
        total = w.sum()
        if not total > 0.0 and not np.isnan(total):
            raise ValueError(
                f"{op}: y: expected at least one position that counts (a mean over none has no value), "
                f"got {counts.size} positions whose weights add up to {total}"
            )
        return np.asarray(w / total)


def _through_tail(
    output: AdaptiveSoftmax, k: int, h: Array, y: Array, w: Array, gradient: bool
) -> tuple[float, Array, Array | None]:
    """Computes the loss of the positions with targets in tail k.

    Args:
        output: the output layer; `gradient` adds to its gradients.
        k: the tail, from 1.
        h: states (n, H).
        y: ids (n,).
        w: the factor of each position's loss (n,).
        gradient: whether to compute gradients.

    Returns:
        (L, the positions' losses (n,), dh (n, H) or None).
    """
    P, V, c = output.tail(k)
    z = _rnnrs.linear_forward(h, P, no_bias(P))
    within = y - output.bounds[k - 1]
    if not gradient:
        L, positions, _ = _rnnrs.linear_softmax_cross_entropy(z, V, c, within, w, None, 0.0, False)
        return L, positions, None
    dP, dV, dc = output.tail(k, gradients=True)
    L, positions, dz = _rnnrs.linear_softmax_cross_entropy(z, V, c, within, w, None, 0.0, False, dV, dc)
    assert dz is not None  # dV and dc are given
    return L, positions, _rnnrs.linear_backward(h, P, dz, dP, no_bias(P), True)
