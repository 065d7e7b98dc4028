"""Checks of a training run: settings, data, callbacks' states, computed numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import check_number, check_repeatable
from ..data import Batch, Data
from ..data.batches import ListData
from ..errors import NonFiniteError
from ..modelfile import plain
from .callbacks import Callback
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
