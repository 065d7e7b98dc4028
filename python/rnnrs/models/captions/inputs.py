"""Pictures and descriptions as a captioner takes them, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...data import clean_text
from ...errors import DTypeError, ShapeError
from ...types import Array

#: One description of each picture, or several.
Descriptions: TypeAlias = Sequence[str] | Sequence[Sequence[str]]

#: What stands for any number in a shape.
_LETTERS = ("N", "Y", "X")


def check_pictures(op: str, pictures: Any, picture_size: tuple[int, int] | None) -> Array:
    """Pictures (N, Y, X, 3), uint8 or floating-point numbers from 0 to 1.

    Args:
        op: who asks, for messages.
        pictures: an array, or arrays of one shape.
        picture_size: Y and X; None for any.

    Raises:
        ShapeError: for pictures of another size, without their three channels last, or of different shapes.
        DTypeError: if they hold no numbers.
        ValueError: without pictures, or for numbers out of their range or NaN.
    """
    Y, X = picture_size or ("Y", "X")
    array = _stack(op, pictures, f"(N, {Y}, {X}, 3)")
    wanted = (*(array.shape[1:3] if picture_size is None else picture_size), 3)
    if array.ndim != 4 or array.shape[1:] != wanted or not array.shape[1] * array.shape[2]:
        hint = ""
        if array.ndim == 4 and array.shape[1:3] == wanted[:2]:
            channels = {1: "gray", 2: "gray with transparency", 4: "colors with transparency"}
            hint = f" ({channels.get(array.shape[3], 'other channels')}: expected red, green and blue)"
        elif array.shape == wanted:
            hint = " (one picture: expected several)"
        raise ShapeError(f"{op}: pictures: expected (N, {Y}, {X}, 3), got {array.shape}{hint}")
    if array.dtype.kind in "iu":
        return _bytes(op, array)
    if array.dtype.kind != "f":
        raise DTypeError(f"{op}: pictures: expected uint8 or floating-point numbers, got {array.dtype}")
    if not (array.min() >= 0 and array.max() <= 1):
        raise _out_of_range(op, array, (array >= 0) & (array <= 1), "numbers from 0 to 1")
    return array


def check_features(op: str, features: Any, shape: tuple[int, ...]) -> Array:
    """Features of another network (N, P, K); P is 1 where there is one vector for each picture.

    Args:
        op: who asks, for messages.
        features: an array, or arrays of one shape: (N, K), or (N, P, K), or (N, Y′, X′, K) with Y′·X′ = P.
        shape: (K,), (P, K) or (Y′, X′, K).

    Raises:
        ShapeError, DTypeError: for arrays that are not that.
        ValueError: without any, or for numbers that are not finite.
    """
    wanted = f"(N, {', '.join(map(str, shape))})"
    array = _stack(op, features, wanted)
    fits = array.shape[1:] == shape
    if not fits and array.ndim in (3, 4):  # (N, P, K), as this function gives them
        fits = array.shape[-1] == shape[-1] and np.prod(array.shape[1:-1]) == np.prod(shape[:-1])
    if not fits:
        raise ShapeError(f"{op}: pictures: expected features {wanted}, got {array.shape}")
    if array.dtype.kind not in "fiu":
        raise DTypeError(f"{op}: pictures: expected features that are numbers, got {array.dtype}")
    if array.dtype.kind in "iu":
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise _out_of_range(op, array, np.isfinite(array), "finite features")
    return array.reshape(len(array), -1, shape[-1])


def _stack(op: str, pictures: Any, wanted: str) -> Array:
    """Arrays of one shape as one array (N, …), at least one."""
    if not isinstance(pictures, np.ndarray):
        if not isinstance(pictures, Sequence) or isinstance(pictures, (str, bytes)):
            raise TypeError(f"{op}: pictures: expected an array {wanted}, got {type(pictures).__name__}")
        parts = [np.asarray(picture) for picture in pictures]
        for i, part in enumerate(parts):
            if part.dtype.kind not in "fiub":
                raise DTypeError(f"{op}: pictures[{i}]: expected numbers, got {part.dtype}")
            if part.shape != parts[0].shape:
                raise ShapeError(
                    f"{op}: pictures[{i}]: expected the first one's shape, {parts[0].shape}, got {part.shape}"
                )
        pictures = np.stack(parts) if parts else np.empty(0)
    if not len(pictures) if pictures.ndim else True:
        raise ValueError(f"{op}: pictures: expected at least one, got none")
    return np.asarray(pictures)


def _bytes(op: str, array: Array) -> Array:
    """Whole numbers from 0 to 255 as bytes."""
    if array.dtype == np.uint8:
        return array
    if array.min() < 0 or array.max() > 255:
        raise _out_of_range(op, array, (array >= 0) & (array <= 255), "whole numbers from 0 to 255")
    return array.astype(np.uint8)


def _out_of_range(op: str, array: Array, fine: Array, wanted: str) -> ValueError:
    i = int(np.flatnonzero(~fine.reshape(len(array), -1).all(axis=1))[0])
    value = array[i][~fine[i]][0]
    return ValueError(f"{op}: pictures[{i}]: expected {wanted}, got {value}")


def check_descriptions(op: str, descriptions: Any, count: int) -> tuple[list[str], NDArray[np.int64]]:
    """All descriptions, cleaned, and which of so many pictures each one is of.

    Raises:
        ShapeError: if there are not as many, or lists of them, as pictures.
        TypeError: for one that is no string.
        ValueError: for one without text, or a picture without any.
    """
    if isinstance(descriptions, (str, bytes)) or not isinstance(descriptions, Sequence):
        raise TypeError(f"{op}: descriptions: expected one for each picture, got {descriptions!r}")
    if len(descriptions) != count:
        raise ShapeError(
            f"{op}: descriptions: expected one for each of {count} pictures, got {len(descriptions)}"
        )
    texts, owners = [], []
    for i, given in enumerate(descriptions):
        several = [given] if isinstance(given, str) else given
        if isinstance(several, bytes) or not isinstance(several, Sequence):
            raise TypeError(f"{op}: descriptions[{i}]: expected a string, or several, got {given!r}")
        if not len(several):
            raise ValueError(f"{op}: descriptions[{i}]: expected at least one, got none")
        for text in several:
            texts.append(check_description(f"{op}: descriptions[{i}]", text))
            owners.append(i)
    return texts, np.array(owners, np.int64)


def check_description(place: str, text: Any) -> str:
    """A description, cleaned.

    Raises:
        TypeError: if it is no string.
        ValueError: if it has no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"{place}: expected a string, got {text!r}")
    cleaned = clean_text(text)
    if not cleaned:
        raise ValueError(f"{place}: expected some text, got {text!r}")
    return cleaned
