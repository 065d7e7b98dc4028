"""The masks of a recurrent layer: dropout of its input, state and weights, and zoneout."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..types import Array
from .noise import INPUT, RECURRENT, WEIGHTS, ZONEOUT, keys_of, place_seed, rows_of
from .order import Order
from .recurrent_cache import Drawn
from .recurrent_cell import RecurrentCell


def sample_masks(
    cell: RecurrentCell,
    noise: int | None,
    keys: ArrayLike | None,
    shape: tuple[int, ...],
    order: Order | None,
    gradient: bool,
) -> Drawn:
    """Samples the masks of one pass over a batch of shape (T, B, …).

    Raises:
        ValueError: if a backward pass is to follow through zoneout without noise.
        ShapeError, DTypeError: if the keys are not whole numbers (B,).
    """
    name, W, (zone_h, zone_c) = type(cell).__name__, cell.parameters["W"], cell.zoneout
    if noise is None:
        if gradient and (zone_h or zone_c):
            raise ValueError(
                f"{name}: noise: expected a number for a backward pass through zoneout, got None"
            )
        on_average = (zone_h, zone_c, None) if zone_h or zone_c else None
        return Drawn(None, None, W, (None, on_average, cell.normalization()))
    T, B = shape[:2]
    streams = keys_of(name, keys, B)
    sequences = streams if order is None else order.keys(streams)
    rows = weights = mask = zoneout = None
    if cell.input_dropout:
        own = rows_of(T, streams) if order is None else (streams[order.rows % B], order.steps)
        rows = (*own, place_seed(noise, INPUT))
    if cell.weight_drop:
        weights = place_seed(noise, WEIGHTS)
        W = drop_weights(cell, W, weights)
    if cell.recurrent_dropout:
        seed = place_seed(noise, RECURRENT)
        mask = _rnnrs.dropout_masks(sequences, cell.hidden_size, cell.recurrent_dropout, seed, W)
    if zone_h or zone_c:
        zoneout = (zone_h, zone_c, (place_seed(noise, ZONEOUT), sequences))
    return Drawn(rows, weights, W, (mask, zoneout, cell.normalization()))


def drop_input(cell: RecurrentCell, x: Array, drawn: Drawn) -> Array:
    """Applies input dropout to x or to its gradient: rows (T, B, I), or the engine's (N, I)."""
    if drawn.rows is None:
        return x
    flat = np.asarray(x, cell.dtype).reshape(-1, x.shape[-1])
    keys, steps, seed = drawn.rows
    return _rnnrs.apply_dropout(flat, keys, steps, cell.input_dropout, seed).reshape(x.shape)


def drop_weights(cell: RecurrentCell, W: Array, seed: int) -> Array:
    """Applies weight dropout to W or to its gradient."""
    return _rnnrs.apply_dropout(W, np.arange(len(W)), None, cell.weight_drop, seed)
