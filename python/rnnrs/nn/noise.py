"""Dropout and its masks, from a counter-based generator.

`noise` is a whole number that differs at every training step; without it nothing is dropped. A mask is a
function of the noise, the place in the network, the sequence's key, its step, and the unit. It therefore
depends neither on the number of threads nor on the rest of the batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _rnnrs
from ..checks import as_array, check_number
from ..errors import DTypeError, ShapeError
from ..seeds import derive_seed
from ..shown import short_repr
from ..types import Array

#: The places in a network with masks of their own.
INPUT, RECURRENT, ZONEOUT, WEIGHTS, BETWEEN, ROWS = range(6)

#: The first place of a stack's layers and of a pair's directions.
PARTS = 16


def check_rate(op: str, argument: str, rate: float) -> float:
    """Checks the probability of dropping an element, and returns it.

    Raises:
        ValueError: if it is below 0, or not below 1.
        TypeError: if it is not a number.
    """
    return check_number(op, argument, rate, "a number from 0 to below 1", lambda x: 0 <= x < 1)


def keys_of(op: str, keys: ArrayLike | None, B: int) -> NDArray[np.int64]:
    """Returns the keys of B sequences: by default their places in the batch.

    Raises:
        DTypeError: if they are not whole numbers.
        ShapeError: if they are not (B,).
    """
    if keys is None:
        return np.arange(B)
    array = as_array(op, "keys", keys)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{op}: keys: expected whole numbers, got {array.dtype}")
    if array.shape != (B,):
        raise ShapeError(f"{op}: keys: expected (B={B},), got {array.shape}")
    return array.astype(np.int64)


def place_seed(noise: int, place: int) -> int:
    """Returns the seed of the masks at a place in the network.

    Raises:
        ValueError: if the noise is not a whole number from 0 to 2⁶⁴ − 1.
    """
    return derive_seed(noise, place)


def part_noise(noise: int | None, part: int) -> int | None:
    """Returns the noise of one of several layers."""
    return None if noise is None else derive_seed(noise, PARTS + part)


class DropoutCache(NamedTuple):
    """The seed and keys that regenerate the masks in the backward pass; None without noise."""

    masks: tuple[NDArray[np.int64], NDArray[np.int64] | None, int] | None

    def __repr__(self) -> str:
        return short_repr(self)


class Dropout:
    """Sets elements to 0 with probability `rate`, and scales the others to x / (1 − rate), in training only.

    (Srivastava et al. 2014.)

    Args:
        rate: from 0 to below 1.
        per_sequence: whether all steps of a sequence share one mask (Gal and Ghahramani 2016); by default
            each step has its own.

    Raises:
        ValueError, TypeError: if the rate is out of range.
    """

    __repr__ = short_repr

    def __init__(self, rate: float, *, per_sequence: bool = False) -> None:
        self.rate = check_rate("Dropout", "rate", rate)
        self.per_sequence = per_sequence

    def forward(
        self, x: ArrayLike, noise: int | None = None, keys: ArrayLike | None = None
    ) -> tuple[Array, DropoutCache]:
        """Returns x ⊙ mask, and the cache.

        Args:
            x: (T, B, I), or (B, I) for whole sequences; float32 or float64.
            noise: see the module; None: x is returned as it is.
            keys: whole numbers (B,), one for each sequence; by default its place in the batch.

        Raises:
            ShapeError, DTypeError: if an array has the wrong shape or dtype.
        """
        x = as_array("Dropout.forward", "x", x)
        if noise is None or not self.rate:
            return x, DropoutCache(None)
        if x.ndim not in (2, 3):
            raise ShapeError(f"Dropout: x: expected (T, B, I) or (B, I), got {x.shape}")
        T = x.shape[0] if x.ndim == 3 else 1
        rows, steps = rows_of(T, keys_of("Dropout", keys, x.shape[-2]))
        masks = (rows, None if self.per_sequence else steps, place_seed(noise, BETWEEN))
        return self._times_mask(x, masks), DropoutCache(masks)

    def backward(self, cache: DropoutCache, dy: ArrayLike) -> Array:
        """Returns dx = dy ⊙ mask.

        Raises:
            ShapeError, DTypeError: if dy does not have the shape of x.
        """
        return (
            as_array("Dropout.backward", "dy", dy)
            if cache.masks is None
            else self._times_mask(as_array("Dropout.backward", "dy", dy), cache.masks)
        )

    def _times_mask(self, x: Array, masks: tuple[Any, Any, int]) -> Array:
        keys, steps, seed = masks
        flat = x.reshape(len(keys), x.shape[-1])
        return _rnnrs.apply_dropout(flat, keys, steps, self.rate, seed).reshape(x.shape)


def rows_of(T: int, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the sequence key and the step of each of the T·B rows of a batch."""
    return np.tile(keys, T), np.repeat(np.arange(T), len(keys))
