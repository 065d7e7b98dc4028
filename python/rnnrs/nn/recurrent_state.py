"""The initial state of a recurrent layer, and its gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

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
    if order is None:
        if state is not None:
            return np.asarray(state)
        return None if initial is None else np.tile(initial, (shape[1] if len(shape) > 1 else 1, 1))
    if state is not None and np.shape(state) != (shape[1], cell.state_size):
        name, S = type(cell).__name__, cell.state_size
        raise ShapeError(f"{name}: state: expected (B={shape[1]}, S={S}), got {np.shape(state)}")
    given = None if state is None else np.asarray(state, cell.dtype)
    return order.begin(given, initial, cell.state_size, cell.dtype)


def initial_state_gradient(cell: RecurrentCell, cache: RecurrentCache, dfirst: Array) -> Array:
    """Returns the gradient of the state before the first step (B, S); adds the gradient of a learned one."""
    dstate, others = (dfirst, 0.0) if cache.order is None else cache.order.begin_gradient(dfirst)
    if cell.learn_state:
        cell.gradients["state"][...] += others if cache.given else others + dstate.sum(axis=0)
    return dstate
