"""The inputs of a captioner, checked: pictures, features, descriptions, and the sizes of the CNN."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...checks import as_array, check_size
from ...data import clean_text, frames
from ...errors import DTypeError, ShapeError
from ...text import Vocabulary
from ...types import Array

#: One description of each picture, or several.
Descriptions: TypeAlias = Sequence[str] | Sequence[Sequence[str]]


def check_pictures(op: str, pictures: Any, picture_size: tuple[int, int] | None) -> Array:
    """Returns pictures as one array (N, Y, X, 3), uint8 or floating-point numbers from 0 to 1.

    Args:
        op: the caller's name, for error messages.
        pictures: an array, or arrays of one shape.
        picture_size: Y and X; None for any.

    Raises:
        TypeError: if they are not arrays.
        ShapeError: for pictures of another size, without three channels on the last axis, or of different
            shapes.
        DTypeError: if they do not contain real numbers.
        ValueError: without pictures; for numbers out of range, or NaN.

    Example:
        >>> check_pictures("describe", [np.zeros((2, 2, 3)), np.ones((2, 2, 3))], (2, 2)).shape
        (2, 2, 2, 3)
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
    """Returns features of another network as (N, P, K); P is 1 for one vector per picture.

    Args:
        op: the caller's name, for error messages.
        features: an array, or arrays of one shape: (N, K), (N, P, K), or (N, Y′, X′, K) with Y′·X′ = P.
        shape: (K,), (P, K) or (Y′, X′, K).

    Raises:
        TypeError: if they are not arrays.
        ShapeError, DTypeError: for another shape, or anything but real numbers.
        ValueError: without features, or for numbers that are not finite.
    """
    wanted = f"(N, {', '.join(map(str, shape))})"
    array = _stack(op, features, wanted)
    fits = array.shape[1:] == shape
    if not fits and array.ndim in (3, 4):  # (N, P, K), as this function returns them
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
    """Returns arrays of one shape, at least one, as one array (N, …)."""
    if not isinstance(pictures, np.ndarray):
        if not isinstance(pictures, Sequence) or isinstance(pictures, (str, bytes)):
            raise TypeError(f"{op}: pictures: expected an array {wanted}, got {type(pictures).__name__}")
        parts = [as_array(op, f"pictures[{i}]", picture) for i, picture in enumerate(pictures)]
        for i, part in enumerate(parts):
            if part.dtype.kind not in "fiub":
                raise DTypeError(f"{op}: pictures[{i}]: expected numbers, got {part.dtype}")
            if part.shape != parts[0].shape:
                expected = f"the shape of the first, {parts[0].shape}"
                raise ShapeError(f"{op}: pictures[{i}]: expected {expected}, got {part.shape}")
        pictures = np.stack(parts) if parts else np.empty(0)
    if not pictures.ndim or not len(pictures):
        raise ValueError(f"{op}: pictures: expected at least one, got none")
    return as_array(op, "pictures", pictures)


def _bytes(op: str, array: Array) -> Array:
    """Returns whole numbers from 0 to 255 as bytes."""
    if array.dtype == np.uint8:
        return array
    if array.min() < 0 or array.max() > 255:
        raise _out_of_range(op, array, (array >= 0) & (array <= 255), "whole numbers from 0 to 255")
    return array.astype(np.uint8)


def _out_of_range(op: str, array: Array, fine: Array, wanted: str) -> ValueError:
    """Returns the error that names the first picture with a number that is not `fine`."""
    i = int(np.flatnonzero(~fine.reshape(len(array), -1).all(axis=1))[0])
    value = array[i][~fine[i]][0]
    return ValueError(f"{op}: pictures[{i}]: expected {wanted}, got {value}")


def check_descriptions(op: str, descriptions: Any, count: int) -> tuple[list[str], NDArray[np.int64]]:
    """Returns all N descriptions of `count` pictures, cleaned, and the index of each one's picture (N,).

    Raises:
        ShapeError: if the number of descriptions, or lists of them, is not the number of pictures.
        TypeError: for a description that is not a string.
        ValueError: for a description without text, or a picture without descriptions.

    Example:
        >>> check_descriptions("fit", ["a dot", ["two dots", "dots"]], 2)
        (['a dot', 'two dots', 'dots'], array([0, 1, 1]))
    """
    if frames.is_column(descriptions):
        descriptions = frames.listed(op, "descriptions", descriptions)
    if isinstance(descriptions, (str, bytes)) or not isinstance(descriptions, Sequence):
        raise TypeError(f"{op}: descriptions: expected one for each picture, got {descriptions!r:.80}")
    if len(descriptions) != count:
        expected = f"one for each of {count} pictures"
        raise ShapeError(f"{op}: descriptions: expected {expected}, got {len(descriptions)}")
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
    """Returns a description, cleaned.

    Args:
        place: the operation and the argument, for error messages.
        text: the description.

    Raises:
        TypeError: if it is not a string.
        ValueError: if it has no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"{place}: expected a string, got {text!r}")
    cleaned = clean_text(text)
    if not cleaned:
        raise ValueError(f"{place}: expected some text, got {text!r}")
    return cleaned


def as_known(vocabulary: Vocabulary, text: str) -> str:
    """Returns a description as written, or with small letters if the vocabulary knows more of it then.

    Descriptions in training may begin with small letters, and what is asked for with a capital: "A red kite".

    Example:
        >>> from rnnrs.text import TokenVocabulary
        >>> vocabulary = TokenVocabulary.build("a red kite in Rome", min_count=1)
        >>> as_known(vocabulary, "A red kite"), as_known(vocabulary, "A kite in Rome")
        ('a red kite', 'a kite in Rome')
    """

    def unknown(form: str) -> int:
        return int(np.count_nonzero(vocabulary.encode(form) == vocabulary.unknown_id))

    return min((text, text[:1].lower() + text[1:], text.lower()), key=unknown)


def check_picture_size(op: str, size: Any) -> tuple[int, int]:
    """Returns Y and X, in pixels.

    Raises:
        ValueError, TypeError: if they are not two positive whole numbers.
    """
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ValueError(f"{op}: picture_size: expected two numbers, Y and X, got {size!r}")
    return check_size(op, "picture_size", size[0]), check_size(op, "picture_size", size[1])


def check_feature_shape(op: str, features: Any) -> tuple[int, ...] | None:
    """Returns the shape of one picture's features: (K,), (P, K) or (Y′, X′, K); None for pictures.

    Raises:
        ValueError, TypeError: for any other shape.
    """
    if features is None:
        return None
    shape = tuple(features) if isinstance(features, (tuple, list)) else (features,)
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"{op}: features: expected K, (P, K) or (Y′, X′, K), got {features!r}")
    return tuple(check_size(op, "features", n) for n in shape)


def feature_grid(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Returns the grid (Y′, X′) of features' positions, row by row; None for a single vector (K,).

    Features (P, K) form a square if P is a square number, else one row.

    Example:
        >>> feature_grid((7, 7, 512)), feature_grid((49, 512)), feature_grid((50, 512)), feature_grid((512,))
        ((7, 7), (7, 7), (1, 50), None)
    """
    if len(shape) == 3:
        return shape[0], shape[1]
    if len(shape) == 1:
        return None
    side = round(shape[0] ** 0.5)
    return (side, side) if side * side == shape[0] else (1, shape[0])


def check_kind(op: str, regions: Any, features: Any) -> bool:
    """Returns whether a model is one of regions.

    Raises:
        TypeError: if `regions` is not True or False.
        ValueError: for regions of pictures that another network reads.
    """
    if not isinstance(regions, (bool, np.bool_)):
        raise TypeError(f"{op}: regions: expected True or False, got {regions!r}")
    if regions and features is not None:
        raise ValueError(f"{op}: regions: expected False with features, got True")
    return bool(regions)


def check_channels(
    op: str, channels: Any, picture_size: tuple[int, int], features: Any, least: int = 1
) -> tuple[int, ...]:
    """Returns the channels of the CNN's stages, at least `least`.

    Raises:
        ValueError, TypeError: if they are not positive whole numbers; without stages; for pictures, if there
            are more stages than times that their size can be halved.
    """
    if isinstance(channels, (str, bytes)) or not isinstance(channels, Iterable):
        raise TypeError(f"{op}: channels: expected several whole numbers, got {channels!r}")
    checked = tuple(check_size(op, "channels", wide) for wide in channels)
    most = min(picture_size).bit_length()
    if len(checked) < least or (features is None and len(checked) > most):
        raise ValueError(
            f"{op}: channels: expected {least} to {most} stages for pictures of {picture_size}, got {len(checked)}"
        )
    return checked
