"""The initial state of a recurrent layer, and its gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array
from ..errors import ShapeError
from ..types import Array
from .order import Order
from .recurrent_cache import RecurrentCache
from .recurrent_cell import RecurrentCell


def initial_state(
    cell: RecurrentCell, state: ArrayLike | None, shape: tuple[int, ...], order: Order | None
) -> Array | None:
    """Returns the state before the first step of each of the engine's sequences; None for zero.

    Raises:
        ShapeError: if `state` is not (B, S).
    """
    initial = cell.parameters["state"] if cell.learn_state else None
    name = type(cell).__name__
    given = None if state is None else as_array(name, "state", state)
    if order is None:
        if given is not None:
            return given
        return None if initial is None else np.tile(initial, (shape[1] if len(shape) > 1 else 1, 1))
    if given is not None and given.shape != (shape[1], cell.state_size):
        S = cell.state_size
        raise ShapeError(f"{name}: state: expected (B={shape[1]}, S={S}), got {given.shape}")
    given = None if given is None else given.astype(cell.dtype, copy=False)
    return order.begin(given, initial, cell.state_size, cell.dtype)


def initial_state_gradient(cell: RecurrentCell, cache: RecurrentCache, dfirst: Array) -> Array:
    """Returns the gradient of the state before the first step (B, S); adds the gradient of a learned one."""
    dstate, others = (dfirst, 0.0) if cache.order is None else cache.order.begin_gradient(dfirst)
    if cell.learn_state and cell.parameters.are_trained:
        cell.gradients["state"][...] += others if cache.given else others + dstate.sum(axis=0)
    return dstate
