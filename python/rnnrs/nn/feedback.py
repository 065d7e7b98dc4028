"""What is fed back in an output-to-hidden network: its kinds, and the arrays of it, checked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import check_size
from ..errors import DTypeError, ShapeError
from ..types import Array, Ids

#: What a network may make of its own output to feed it back: o, softmax(o), a token drawn from that, the likeliest.
FEEDBACKS = ("output", "softmax", "sample", "argmax")

#: As a target: nothing is fed after this step.
NOTHING = -1

_FORWARD = "JordanRNN.forward"


def check_embedding(feedback: str, size: int | None) -> int | None:
    """E, where tokens are fed back by an embedding.

    Raises:
        ValueError: if numbers are fed back, which no table can look up.
        TypeError, ValueError: if it is no positive whole number.
    """
    if size is None:
        return None
    if feedback not in ("sample", "argmax"):
        raise ValueError(
            f"JordanRNN: embedding_size: expected None, for {feedback!r} feeds no token back, got {size!r}"
        )
    return check_size("JordanRNN", "embedding_size", size)


def check_temperature(temperature: float) -> float:
    """Raises ValueError unless it is a finite number above 0."""
    if not (0.0 < temperature < math.inf):
        raise ValueError(f"JordanRNN: temperature: expected a finite number above 0, got {temperature}")
    return float(temperature)


def check_probability(op: str, name: str, value: float) -> float:
    """Raises ValueError unless it is a number from 0 to 1."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{op}: {name}: expected a number from 0 to 1, got {value}")
    return float(value)


def check_word(op: str, name: str, value: int) -> int:
    """Raises TypeError, ValueError unless it is a whole number from 0 to 2⁶⁴ − 1."""
    word = check_size(op, name, value, 0)
    if word >= 1 << 64:
        raise ValueError(f"{op}: {name}: expected a whole number below 2**64, got {word}")
    return word


def check_inputs(x: ArrayLike, input_size: int) -> Array:
    """x as an array of three axes, the last of I numbers."""
    array = np.asarray(x)
    if array.ndim != 3 or array.shape[2] != input_size:
        raise ShapeError(f"{_FORWARD}: x: expected (T, B, I={input_size}), got {array.shape}")
    return array


def split(argument: str, fed: ArrayLike | None, axes: str, outputs: int) -> tuple[Array | None, Ids | None]:
    """(values, None) of what has a last axis of O numbers; (None, ids) of what has not; (None, None) of nothing.

    Args:
        argument: its name.
        fed: what is fed.
        axes: those of ids: "T, B" or "B".
        outputs: O.

    Raises:
        ShapeError: for other axes.
        DTypeError: for ids that are no whole numbers.
        IndexError: for an id that is neither a token nor −1.
    """
    if fed is None:
        return None, None
    array, count = np.asarray(fed), axes.count(",") + 1
    if array.ndim == count + 1:
        if array.shape[-1] != outputs:
            raise ShapeError(
                f"{_FORWARD}: {argument}: expected values ({axes}, O={outputs}), got {array.shape}"
            )
        return array, None
    if array.ndim != count:
        raise ShapeError(
            f"{_FORWARD}: {argument}: expected ids ({axes}) or values ({axes}, O={outputs}), got {array.shape}"
        )
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{_FORWARD}: {argument}: expected whole numbers (token ids), got {array.dtype}")
    return None, _check_tokens(argument, array, outputs)


def _check_tokens(argument: str, ids: Array, outputs: int) -> Ids:
    # As signed numbers, those of uint64 that are too large are negative.
    signed = ids.astype(np.int64, copy=False)
    wrong = np.flatnonzero((signed < NOTHING) | (signed >= outputs))
    if wrong.size:
        raise IndexError(
            f"{_FORWARD}: {argument}: expected ids from 0 to {outputs - 1}, or {NOTHING} for nothing, "
            f"got {ids.flat[wrong[0]]} at position {wrong[0]}"
        )
    return signed


def one_hot(ids: Ids, outputs: int, dtype: np.dtype[Any]) -> Array:
    """(B, O): 1 at each token; zero for −1."""
    rows = np.zeros((ids.size, outputs), dtype)
    known = ids != NOTHING
    rows[known, ids[known]] = 1
    return rows


def ends(lengths: ArrayLike | None, steps: int, batch: int) -> tuple[Ids | None, NDArray[np.bool_] | None]:
    """(lengths (B,), the places beyond them (T, B)).

    Raises:
        ShapeError, DTypeError: for lengths that are not (B,) whole numbers.
        ValueError: for one that is negative or above T.
    """
    if lengths is None:
        return None, None
    array = np.asarray(lengths)
    if array.shape != (batch,):
        raise ShapeError(f"{_FORWARD}: lengths: expected (B={batch},), got {array.shape}")
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{_FORWARD}: lengths: expected whole numbers, got {array.dtype}")
    wrong = np.flatnonzero((array < 0) | (array > steps))
    if wrong.size:
        raise ValueError(
            f"{_FORWARD}: lengths: expected whole numbers from 0 to T={steps}, got {array[wrong[0]]}"
        )
    return array.astype(np.int64), np.arange(steps)[:, None] >= array


def without(array: Array, beyond: NDArray[np.bool_] | None, value: int = 0) -> Array:
    """The array (T, B, …) with `value` beyond the sequences' ends: whatever stood there, even NaN."""
    if beyond is None or array.shape[:2] != beyond.shape:  # what does not fit is refused by name further on
        return array
    array = array.copy()
    array[beyond] = value
    return array
