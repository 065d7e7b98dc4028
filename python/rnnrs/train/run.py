"""The two sides of a training run: the model that is trained, and the run as callbacks see it."""

from __future__ import annotations

import os
from typing import Any, Protocol

from ..nn import Parameters
from .history import History


class Model(Protocol):
    """A model that can be trained.

    Optional members:

    - `checkpoint_contents() -> modelfile.ModelFile`: checkpoints are then files of the model's own kind.
    - `stochastic`: True if `loss` accepts `noise`, a whole number that differs at every step.
    - `loss_reduction`: "sum" if L is a sum over the scored positions; by default it is their mean.
    - `batch_weight(batch)`: the weight of a batch's mean among others; by default the number of scored
        positions.
    - `averages`: the arrays that `loss` updates along with the gradients (batch normalization's). They are
      restored if a step fails.

    For micro-batches, see `train.micro_batches`:

    - `divisible(batch)`: the batch as an object with `sequences` (B) and `part(index, count)`; by default the
      batch itself, or a `Batch` of a plain tuple.
    - `accepts_whole`: True if `loss` accepts `whole`, the batch of which its batch is a part, and then
      returns this part's share of the whole's loss; for a loss that is not a mean or a sum over positions.
    - `samplers`: objects whose `step` counts the batches that they sampled for.
    - `learn_runs`: all micro-batches by one pass through time, see `LanguageNetwork.learn_runs`.
    """

    @property
    def parameters(self) -> Parameters:
        """θ"""
        ...

    @property
    def gradients(self) -> Parameters:
        """∂L/∂θ, in the same layout."""
        ...

    def loss(self, batch: Any, state: Any = None, *, gradient: bool = True) -> tuple[float, Any]:
        """Returns (L, the state after the batch); with `gradient`, adds ∂L/∂θ to the gradients."""
        ...


class Run(Protocol):
    """A training run as a callback sees it; `Trainer` is one.

    Attributes:
        step: the number of steps taken.
        epoch: the epoch, counted from 0.
        seconds: the seconds of training so far.
        history: the course of the run.
        model: the model that is trained.
    """

    step: int
    epoch: int
    seconds: float
    history: History
    model: Model

    @property
    def progress(self) -> float:
        """The share of the run that is done, 0..1, by the nearest bound."""
        ...

    def stop(self, reason: str) -> None:
        """Ends the run after the current step."""
        ...

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint.

        Raises:
            OSError: if it cannot be written; an existing file is left unchanged.
        """
        ...
