"""What counts in a loss, for networks with any loss."""

from __future__ import annotations

import numpy as np

from ...checks import IGNORE, as_ids
from ...data import Batch
from ...losses import Loss
from ...types import Array


class ScoredByLoss:
    """What a network with any loss tells the trainer of its batches.

    Attributes:
        loss_function: the loss.
    """

    loss_function: Loss

    @property
    def loss_reduction(self) -> str:
        """How the loss reduces positions to a number: "mean" or "sum"; "mean" for a function."""
        return str(getattr(self.loss_function, "reduction", "mean"))

    def batch_weight(self, batch: Batch) -> float:
        """Returns the weight of a batch: the number of scored positions, or the sum of their weights."""
        return weight_of(self.loss_function, Batch(*batch).without_padding())


def counted(loss: Loss, batch: Batch) -> tuple[Array, dict[str, Array]]:
    """Returns a batch's targets, and weights as an argument of the loss where padding needs them.

    Args:
        loss: the loss.
        batch: a batch without padding (`Batch.without_padding`).
    """
    inside = batch.inside
    if inside is None or inside.all():
        return batch.targets, {}
    targets = as_ids("Batch", "targets", batch.targets)
    kind = targets.dtype if targets.dtype.kind == "f" else np.dtype(np.float64)
    if targets.ndim == 3:
        return targets, {"weights": inside.astype(kind)}
    if getattr(loss, "ignore_id", IGNORE) is None:
        return np.where(inside, targets, 0), {"weights": inside.astype(kind)}
    return targets if targets.shape != inside.shape else np.where(inside, targets, _ignored(loss)), {}


def weight_of(loss: Loss, batch: Batch) -> float:
    """Returns the sum of the weights of the positions that count: 1, or those of their classes.

    Args:
        loss: the loss.
        batch: a batch without padding.
    """
    classes, ignored = getattr(loss, "class_weights", None), getattr(loss, "ignore_id", IGNORE)
    if classes is None and ignored == IGNORE:
        return batch.positions
    targets = as_ids("Batch", "targets", batch.targets)
    if targets.dtype.kind not in "iu" or targets.ndim > 2:
        return batch.positions
    own = np.ones(targets.shape, np.bool_) if targets.ndim == 1 else batch.inside
    counts = np.ones(targets.shape, np.bool_) if own is None else own.copy()
    if ignored is not None:
        counts &= targets != ignored
    right = targets[batch.warm :][counts[batch.warm :]] if targets.ndim == 2 else targets[counts]
    if classes is None or (right.size and not 0 <= right.min() <= right.max() < len(classes)):
        return right.size  # the loss itself rejects ids out of range, by name
    return float(np.asarray(classes, np.float64)[right].sum())


def _ignored(loss: Loss) -> int:
    return int(getattr(loss, "ignore_id", IGNORE))
