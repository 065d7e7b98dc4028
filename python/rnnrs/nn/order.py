"""The order of the engine's rows when sequences differ in length: longest first, without padding."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _rnnrs
from ..checks import as_array
from ..errors import DTypeError, ShapeError
from ..shown import short_repr
from ..types import Array

#: An order for the engine: `Order.counts`, `sequences`, `rows` and `shape`.
EngineOrder: TypeAlias = tuple[Array, int, Array, tuple[int, int]]


class Order:
    """The order in which the engine processes a batch (T, B) with lengths, resets or reversed sequences.

    A stream with resets is several sequences, each with its own start; a reversed sequence is one with its
    steps in the opposite order. The engine therefore needs neither concept: it processes sequences of
    different lengths, longest first, and at each step the rows of those that are still active.

    Attributes:
        counts: (T′,), the number of active sequences at each step.
        sequences: the number of sequences.
        rows: (N,), for every row of the engine, its index among the T·B rows of the batch.
        places: (T·B,), for every row of the batch, its index among the engine's rows; −1 for padding.
        stream, first: (sequences,), the stream of each sequence, and its first step there.
        last: (B,), each stream's last sequence.
        goes_on: (sequences,), whether a sequence continues from the state before the batch.
    """

    __repr__ = short_repr

    def __init__(
        self, shape: tuple[int, int], stream: Array, first: Array, length: Array, reverse: bool
    ) -> None:
        self.shape = shape
        self.sequences = len(stream)
        found = _rnnrs.order_sequences(shape, stream, first, length, reverse)
        longest, self.counts, self.rows, self.places, self.last = found
        self.stream, self.first = stream[longest], first[longest]
        self.goes_on = self.first == 0  # from the state before the batch

    @property
    def steps(self) -> Array:
        """The time step of every row of the engine."""
        return self.rows // self.shape[1]

    def pack(self, x: Array) -> Array:
        """Returns the engine's rows (N, …) of an array (T, B, …)."""
        flat = x.reshape(self.shape[0] * self.shape[1], *x.shape[2:])
        if x.ndim == 3 and x.dtype in (np.float32, np.float64):
            return _rnnrs.embedding_forward(self.rows, flat)
        return flat[self.rows]

    def keys(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns a key for each sequence from the streams' keys (B,); it changes at every reset."""
        return np.asarray(keys[self.stream] + self.first * np.int64(0x1E3779B97F4A7C15))

    def unpack(self, x: Array) -> Array:
        """Returns the array (T, B, …) of the engine's rows (N, …); padding is zero."""
        return _rnnrs.unpack_rows(self.places, x).reshape(*self.shape, x.shape[1])

    def begin(self, state: Array | None, otherwise: Array | None, width: int, dtype: Any) -> Array | None:
        """Returns the state before each sequence (sequences, S): its stream's (B, S), or `otherwise` (S,)."""
        if state is None and otherwise is None:
            return None
        whole = np.zeros((self.sequences, width), dtype)
        if otherwise is not None:
            whole[...] = otherwise
        if state is not None:
            whole[self.goes_on] = state[self.stream[self.goes_on]]
        return whole

    def begin_gradient(self, dfirst: Array) -> tuple[Array, Array]:
        """Returns the gradients of `begin`'s inputs: `state` (B, S) and `otherwise` (S,)."""
        whole = np.zeros((self.shape[1], dfirst.shape[1]), dfirst.dtype)
        whole[self.stream[self.goes_on]] = dfirst[self.goes_on]
        return whole, dfirst[~self.goes_on].sum(axis=0)

    def end(self, last: Array) -> Array:
        """Returns the state after each stream (B, S), from those after each sequence (sequences, S)."""
        return np.asarray(last[self.last])

    def end_gradient(self, dstate: Array | None) -> Array | None:
        """Returns the gradient of the states after each sequence (sequences, S), given that of `end`."""
        if dstate is None:
            return None
        whole = np.zeros((self.sequences, dstate.shape[1]), dstate.dtype)
        whole[self.last] = dstate
        return whole


def engine_order(order: Order | None) -> EngineOrder | None:
    """Returns an order in the form that the engine takes."""
    return None if order is None else (order.counts, order.sequences, order.rows, order.shape)


def order_of(
    op: str, shape: tuple[int, ...], lengths: ArrayLike | None, resets: ArrayLike | None, reverse: bool
) -> Order | None:
    """Returns the order of a batch (T, B, …); None if that is the batch in place.

    Raises:
        ShapeError: if lengths are not (B,), or resets not (T, B).
        DTypeError: if lengths are not whole numbers, or resets not booleans.
        ValueError: if a length is below 0 or above T, or there are resets in reversed sequences.
    """
    if lengths is None and resets is None and not reverse:
        return None
    T, B = shape[:2]
    length = np.full(B, T) if lengths is None else check_lengths(op, lengths, T, B)
    if resets is None:
        return Order((T, B), np.arange(B), np.zeros(B, np.int64), length, reverse)
    if reverse:
        raise ValueError(f"{op}: resets: expected None with reverse=True, got an array")
    return _with_resets((T, B), length, _resets(op, resets, T, B))


def _with_resets(shape: tuple[int, int], length: Array, resets: Array) -> Order:
    """Returns the order in which every stream is several sequences, each from one reset to the next."""
    T, B = shape
    begins = np.zeros((max(T, 1), B), bool)
    begins[:T] = resets & (np.arange(T)[:, None] < length)
    fresh = begins[0].copy()
    begins[0] = True
    stream, first = np.nonzero(begins.T)
    until = np.append(first[1:], 0)
    until[np.append(stream[1:] != stream[:-1], True)] = length
    order = Order(shape, stream, first, until - first, False)
    order.goes_on &= ~fresh[order.stream]
    return order


def check_lengths(op: str, lengths: ArrayLike, T: int, B: int) -> NDArray[np.int64]:
    """Checks the lengths of B sequences of at most T steps.

    Raises:
        ShapeError: if they are not (B,).
        DTypeError: if they are not whole numbers.
        ValueError: if one is below 0 or above T.
    """
    array = as_array(op, "lengths", lengths)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{op}: lengths: expected whole numbers, got {array.dtype}")
    if array.shape != (B,):
        raise ShapeError(f"{op}: lengths: expected (B={B},), got {array.shape}")
    if B and not (array.min() >= 0 and array.max() <= T):
        wrong = int(np.flatnonzero((array < 0) | (array > T))[0])
        raise ValueError(f"{op}: lengths: expected from 0 to T={T}, got {array[wrong]} for sequence {wrong}")
    return array.astype(np.int64)


def _resets(op: str, resets: ArrayLike, T: int, B: int) -> NDArray[np.bool_]:
    """Checks resets (T, B)."""
    array = as_array(op, "resets", resets)
    if array.dtype != np.bool_:
        raise DTypeError(f"{op}: resets: expected booleans, got {array.dtype}")
    if array.shape != (T, B):
        raise ShapeError(f"{op}: resets: expected (T={T}, B={B}), got {array.shape}")
    return array
