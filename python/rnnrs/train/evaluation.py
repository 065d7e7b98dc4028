"""The loss of held-out data, whatever the division into batches and among processes."""

from __future__ import annotations

from collections.abc import Sequence

from ..data import Data
from .micro_batches import weight_of
from .run import Model
from .run_checks import loss_number


def batch_losses(model: Model, data: Data, first: int = 0, every: int = 1) -> list[tuple[float, float]]:
    """Returns (loss, weight) of every `every`-th batch, from batch `first` on.

    Data that carry their state are read as a whole: `every` is 1.
    """
    found, state = [], None
    with model.parameters.reading:
        batches = data.epoch(0)
        for i in range(first, len(batches), every):
            batch, L = batches[i], 0.0
            weight = weight_of(model, batch)
            if weight or data.carries_state:
                L, state = model.loss(batch, state, gradient=False)
            found.append((loss_number("Trainer.evaluate", L) if weight else 0.0, weight))
            state = state if data.carries_state else None
    return found


def in_turn(shares: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Returns the batches of several processes, each of which has every N-th one, in their order."""
    N = len(shares)
    return [shares[i % N][i // N] for i in range(sum(map(len, shares)))]


def reduced(model: Model, losses: Sequence[tuple[float, float]]) -> float:
    """Returns the loss of all batches, as the model reduces it: their mean by weights, or their sum.

    Raises:
        ValueError: if no position is scored.
    """
    sums, total, count = getattr(model, "loss_reduction", "mean") == "sum", 0.0, 0.0
    for L, weight in losses:
        if weight:
            total, count = total + (L if sums else L * weight), count + weight
    if not count:
        raise ValueError("Trainer.evaluate: data: expected at least one scored position, got none")
    return total if sums else total / count
