"""The feedback of an output-to-hidden network: its kinds, and the checks of its arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import as_array, as_ids, check_number, check_size, positive
from ..errors import DTypeError, ShapeError
from ..types import Array, Ids

#: The ways to feed an output back: o, softmax(o), a token sampled from softmax(o), the most likely token.
FEEDBACKS = ("output", "softmax", "sample", "argmax")

#: The target of a step after which nothing is fed back.
NOTHING = -1

_FORWARD = "JordanRNN.forward"


def check_embedding(feedback: str, size: int | None) -> int | None:
    """Returns E, or None if tokens are not fed back through an embedding.

    Raises:
        ValueError: if numbers are fed back, which have no embedding.
        TypeError, ValueError: if it is not a positive whole number.
    """
    if size is None:
        return None
    if feedback not in ("sample", "argmax"):
        raise ValueError(
            f"JordanRNN: embedding_size: expected None for feedback {feedback!r}, which feeds "
            f"no tokens back, got {size!r}"
        )
    return check_size("JordanRNN", "embedding_size", size)


def check_temperature(temperature: float) -> float:
    """Returns the temperature.

    Raises:
        ValueError: if it is not a finite number above 0.
    """
    return check_number("JordanRNN", "temperature", temperature, "a finite number above 0", positive)


def check_probability(op: str, name: str, value: float) -> float:
    """Returns a probability.

    Raises:
        ValueError: if it is not a number from 0 to 1.
    """
    return check_number(op, name, value, "a number from 0 to 1", lambda x: 0.0 <= x <= 1.0)


def check_word(op: str, name: str, value: int) -> int:
    """Returns an unsigned 64-bit number.

    Raises:
        TypeError, ValueError: if it is not a whole number from 0 to 2⁶⁴ − 1.
    """
    word = check_size(op, name, value, 0)
    if word >= 1 << 64:
        raise ValueError(f"{op}: {name}: expected a whole number below 2**64, got {word}")
    return word


def check_inputs(x: ArrayLike, input_size: int) -> Array:
    """Returns x as an array (T, B, I).

    Raises:
        ShapeError: if it does not have that shape.
    """
    array = as_array(_FORWARD, "x", x)
    if array.ndim != 3 or array.shape[2] != input_size:
        raise ShapeError(f"{_FORWARD}: x: expected (T, B, I={input_size}), got {array.shape}")
    return array


def split(argument: str, fed: ArrayLike | None, axes: str, outputs: int) -> tuple[Array | None, Ids | None]:
    """Returns (values, None) if `fed` has a last axis of size O, else (None, ids); (None, None) for None.

    Args:
        argument: its name, for error messages.
        fed: the values or ids.
        axes: the axes of ids: "T, B" or "B".
        outputs: O.

    Raises:
        ShapeError: if the axes are others.
        DTypeError: if ids are not whole numbers.
        IndexError: if an id is neither a token nor −1.
    """
    if fed is None:
        return None, None
    array, count = as_ids(_FORWARD, argument, fed), axes.count(",") + 1
    if array.ndim == count + 1:
        if array.shape[-1] != outputs:
            raise ShapeError(
                f"{_FORWARD}: {argument}: expected values ({axes}, O={outputs}), got {array.shape}"
            )
        return array, None
    if array.ndim != count:
        raise ShapeError(
            f"{_FORWARD}: {argument}: expected ids ({axes}) or values ({axes}, O={outputs}), "
            f"got {array.shape}"
        )
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{_FORWARD}: {argument}: expected whole numbers (token ids), got {array.dtype}")
    return None, _check_tokens(argument, array, outputs)


def _check_tokens(argument: str, ids: Array, outputs: int) -> Ids:
    # As signed numbers, uint64 values that are too large are negative.
    """Returns ids as signed numbers, checked to be tokens or −1."""
    signed = ids.astype(np.int64, copy=False)
    wrong = np.flatnonzero((signed < NOTHING) | (signed >= outputs))
    if wrong.size:
        raise IndexError(
            f"{_FORWARD}: {argument}: expected ids from 0 to {outputs - 1}, or {NOTHING} for nothing, "
            f"got {ids.flat[wrong[0]]} at position {wrong[0]}"
        )
    return signed


def one_hot(ids: Ids, outputs: int, dtype: np.dtype[Any]) -> Array:
    """Returns one-hot vectors (B, O): 1 at each token; zero for −1."""
    rows = np.zeros((ids.size, outputs), dtype)
    known = ids != NOTHING
    rows[known, ids[known]] = 1
    return rows


def ends(lengths: ArrayLike | None, steps: int, batch: int) -> tuple[Ids | None, NDArray[np.bool_] | None]:
    """Returns (lengths (B,), a mask of the positions beyond them (T, B)).

    Raises:
        ShapeError, DTypeError: if the lengths are not whole numbers (B,).
        ValueError: if one is negative or above T.
    """
    if lengths is None:
        return None, None
    array = as_array(_FORWARD, "lengths", lengths)
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
    """Returns the array (T, B, …) with `value` beyond the sequences' ends, replacing even NaN."""
    if beyond is None or array.shape[:2] != beyond.shape:  # a wrong shape is rejected later, by name
        return array
    array = array.copy()
    array[beyond] = value
    return array
