"""Values that a recurrent layer keeps from the forward pass for BPTT."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..shown import short_repr
from ..types import Array
from .embedding import EmbeddingCache
from .order import Order


class Drawn(NamedTuple):
    """The masks and the masked weights that a recurrent layer uses in one pass.

    Attributes:
        rows: for input dropout, the key and the step of every row of x, and the seed; None without it.
        weights: the seed of weight dropout; None without it.
        W: W after weight dropout.
        extras: for the engine: the mask of h_{t−1}, zoneout, layer normalization.
    """

    rows: tuple[Array, Array, int] | None
    weights: int | None
    W: Array
    extras: tuple[Any, Any, Any]

    def __repr__(self) -> str:
        return short_repr(self)


class RecurrentCache(NamedTuple):
    """The forward-pass values that BPTT needs.

    If `order` is set (lengths, resets or reversed sequences), the arrays hold the engine's rows (N, ·)
    instead of (T, B, ·).

    Attributes:
        x: (T, B, I); None if the pass read a table of projected embeddings.
        tokens: from `forward_tokens`, the embedding's cache with the ids (T, B); None from `forward`.
        first: the state before the first step (B, S); None for zero.
        h: (T, B, H).
        c: an LSTM's c (T, B, H); None for other cells.
        kept: a gated cell's gates at every step (T, B, 4H); None for other cells.
        state: the state after the last step (B, S).
        order: the order of the engine's rows; None if it is that of (T, B).
        given: whether the caller gave a state.
        drawn: the masks.
        normed: for layer normalization, x̂ (T, B, sums·H) and the scales (T, B, sums); None without it.
    """

    x: Array | None
    tokens: EmbeddingCache | None
    first: Array | None
    h: Array
    c: Array | None
    kept: Array | None
    state: Array
    order: Order | None
    given: bool
    drawn: Drawn
    normed: tuple[Array, Array] | None

    def __repr__(self) -> str:
        return short_repr(self)
