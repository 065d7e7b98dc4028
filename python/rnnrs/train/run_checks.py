"""Checks of a training run: settings, data, callbacks' states, computed numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import check_number, check_repeatable, check_size
from ..data import Batch, Data
from ..data.batches import ListData
from ..errors import NonFiniteError
from ..modelfile import plain
from .callbacks import Callback
from .ranks import Ranks
from .run import Model


def check_states(op: str, callbacks: Sequence[Callback]) -> None:
    """Checks that a checkpoint can hold the callbacks' states, before there is work to lose.

    Raises:
        TypeError: for a state that is not a dictionary of JSON types, or of dictionaries of arrays.
    """
    for i, callback in enumerate(callbacks):
        place, state = f"{op}: callbacks[{i}]: {type(callback).__name__}.state", callback.state()
        if not isinstance(state, dict):
            raise TypeError(f"{place}: expected a dictionary, got {type(state).__name__}")
        for name, value in state.items():
            plain(f"{place}[{name!r}]", value, arrays=True)


def as_data(op: str, data: Data | Sequence[Batch]) -> Data:
    check_repeatable(f"Trainer.{op}", "data", data)
    given: Data = data if hasattr(data, "epoch") else ListData(data)  # type: ignore[assignment]
    if len(given) == 0:
        raise ValueError(f"Trainer.{op}: data: expected at least one batch, got none")
    return given


def above_zero(op: str, name: str, value: float | None) -> float | None:
    return None if value is None else check_number(op, name, value, "a number above 0", lambda x: x > 0)


def check_bounds(
    epochs: int | None, max_steps: int | None, time_limit: float | None
) -> tuple[float, float, float]:
    """Returns the bounds of a run, infinite for None.

    Raises:
        ValueError, TypeError: for a bound that is not above 0, or without any.
    """
    op, whole = "Trainer.fit", {"epochs": epochs, "max_steps": max_steps}
    for name, count in whole.items():
        above_zero(op, name, count)
    counts = [None if n is None else check_size(op, name, n) for name, n in whole.items()]
    seconds = above_zero(op, "time_limit", time_limit)
    if epochs is None and max_steps is None and time_limit is None:
        raise ValueError(f"{op}: expected epochs, max_steps or time_limit, got none of them")
    first, second, third = (math.inf if b is None else float(b) for b in (*counts, seconds))
    return first, second, third


def check_same_ranks(ranks: Ranks, trainer: Any, validation: Data | None) -> None:
    """Checks that all ranks begin with the same: otherwise they would wait for each other, or learn nonsense.

    Raises:
        ValueError: if something differs; on all ranks.
    """
    if ranks.size == 1:
        return
    model = trainer.model
    held_out = None if validation is None else len(validation)
    for name, value in (
        ("micro_batches", trainer.micro_batches),
        ("data", (trainer.data_fingerprint, held_out, trainer.validation_fingerprint)),
        ("bounds", trainer._bounds),
        ("model", (model.parameters.size, model.parameters._vector.checksum)),
        ("optimizer", trainer.optimizer.to_config()),
        ("step", (trainer.step, trainer.epoch, trainer.position, trainer.seed)),
        ("gradient_precision", ranks.precision),
        ("clipping", (trainer.clip_norm, trainer.clip_value)),
        ("learning", model.parameters.learning),
    ):
        ranks.check_same(name, repr(value))


def loss_number(op: str, L: Any) -> float:
    return check_number(op, "the model's loss", L, "a number", lambda _: True)


def non_finite(step: int, L: float, model: Model) -> NonFiniteError:
    """Returns the error, which names the step and the parameter."""
    for what, arrays in (("gradient of", model.gradients), ("parameter", model.parameters)):
        names = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if names:
            others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            message = f"step {step}: loss {L}: the {what} {names[0]}{others} is not finite"
            break
    else:
        names, message = [], f"step {step}: the loss is {L}, though gradients and parameters are finite"
    if step > 1:
        advice = "; this step changed nothing. A lower learning rate or gradient clipping may help"
    else:
        advice = "; nothing was trained, and no checkpoint is written. The data or initial parameters are too large"
    quantity = "gradient" if math.isfinite(L) else "loss"
    parameter = names[0] if names else None
    return NonFiniteError(message + advice, step=step, parameter=parameter, quantity=quantity)
