"""How the sequences of a batch lie when they are not all equally long: longest first, without padding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _rnnrs
from ..errors import DTypeError, ShapeError
from ..types import Array


class Order:
    """The order in which the engine goes through a batch (T, B) with lengths, resets, or backwards.

    A stream with resets is several sequences, each from its own beginning; a sequence that is read backwards is one
    whose steps come in the opposite order. So the engine needs to know of neither: it sees sequences of different
    lengths, longest first, and for each step the rows of those that are still going on.

    Attributes:
        counts: (T′,), how many sequences are going on at each step.
        sequences: how many there are.
        rows: (N,), of every row of the engine, which of the T·B rows of the batch it is.
        places: (T·B,), of every row of the batch, which row of the engine it is; −1 for padding.
        stream, first: (sequences,), of which stream each sequence is, and from which step on.
        last: (B,), the streams' last sequences.
        goes_on: (sequences,), whether it goes on from a state before the batch.
    """

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
        """The rows (N, …) of an array (T, B, …)."""
        flat = x.reshape(self.shape[0] * self.shape[1], *x.shape[2:])
        if x.ndim == 3 and x.dtype in (np.float32, np.float64):
            return _rnnrs.embedding_forward(self.rows, flat)
        return flat[self.rows]

    def keys(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """A key for each sequence, of those of the streams (B,): another one after every reset."""
        return np.asarray(keys[self.stream] + self.first * np.int64(0x1E3779B97F4A7C15))

    def unpack(self, x: Array) -> Array:
        """The array (T, B, …) of rows (N, …): zero where there is only padding."""
        return _rnnrs.unpack_rows(self.places, x).reshape(*self.shape, x.shape[1])

    def begin(self, state: Array | None, otherwise: Array | None, width: int, dtype: Any) -> Array | None:
        """The state before each sequence (sequences, S): of its stream (B, S), or `otherwise` (S,)."""
        if state is None and otherwise is None:
            return None
        whole = np.zeros((self.sequences, width), dtype)
        if otherwise is not None:
            whole[...] = otherwise
        if state is not None:
            whole[self.goes_on] = state[self.stream[self.goes_on]]
        return whole

    def begin_gradient(self, dfirst: Array) -> tuple[Array, Array]:
        """Of the gradient of `begin`'s result: the streams' part (B, S), and the other sequences' sum (S,)."""
        whole = np.zeros((self.shape[1], dfirst.shape[1]), dfirst.dtype)
        whole[self.stream[self.goes_on]] = dfirst[self.goes_on]
        return whole, dfirst[~self.goes_on].sum(axis=0)

    def end(self, last: Array) -> Array:
        """The state (B, S) after each stream, of the states (sequences, S) after each sequence."""
        return np.asarray(last[self.last])

    def end_gradient(self, dstate: Array | None) -> Array | None:
        """The gradient (sequences, S) of the states after each sequence, of that of `end`'s result."""
        if dstate is None:
            return None
        whole = np.zeros((self.sequences, dstate.shape[1]), dstate.dtype)
        whole[self.last] = dstate
        return whole


def order_of(
    op: str, shape: tuple[int, ...], lengths: ArrayLike | None, resets: ArrayLike | None, reverse: bool
) -> Order | None:
    """The order of a batch (T, B, …); None where that is the batch as it lies.

    Raises:
        ShapeError: for lengths that are not (B,), or resets that are not (T, B).
        DTypeError: for lengths that are no whole numbers, resets that are no booleans.
        ValueError: for a length below 0 or above T, or resets of sequences read backwards.
    """
    if lengths is None and resets is None and not reverse:
        return None
    T, B = shape[:2]
    length = np.full(B, T) if lengths is None else check_lengths(op, lengths, T, B)
    if resets is None:
        return Order((T, B), np.arange(B), np.zeros(B, np.int64), length, reverse)
    if reverse:
        raise ValueError(f"{op}: resets: expected None for sequences read backwards, got an array")
    return _with_resets((T, B), length, _resets(op, resets, T, B))


def _with_resets(shape: tuple[int, int], length: Array, resets: Array) -> Order:
    """Every stream as several sequences, each from a reset to the next."""
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
    """The steps of each of B sequences of at most T.

    Raises:
        ShapeError: if they are not (B,).
        DTypeError: if they are no whole numbers.
        ValueError: if one is below 0 or above T.
    """
    array = np.asarray(lengths)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{op}: lengths: expected whole numbers, got {array.dtype}")
    if array.shape != (B,):
        raise ShapeError(f"{op}: lengths: expected (B={B},), got {array.shape}")
    if B and not (array.min() >= 0 and array.max() <= T):
        wrong = int(np.flatnonzero((array < 0) | (array > T))[0])
        raise ValueError(f"{op}: lengths: expected from 0 to T={T}, got {array[wrong]} for sequence {wrong}")
    return array.astype(np.int64)


def _resets(op: str, resets: ArrayLike, T: int, B: int) -> NDArray[np.bool_]:
    array = np.asarray(resets)
    if array.dtype != np.bool_:
        raise DTypeError(f"{op}: resets: expected booleans, got {array.dtype}")
    if array.shape != (T, B):
        raise ShapeError(f"{op}: resets: expected (T={T}, B={B}), got {array.shape}")
    return array
