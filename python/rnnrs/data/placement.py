"""Where a picture of any size comes to lie in one of the required size, and boxes with it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import as_array
from ..errors import DTypeError, ShapeError

Floats = NDArray[np.float64]

#: The least share of a box that must be within the picture, for its phrase to remain correct.
LEAST_WITHIN = 0.5

#: EXIF orientations in which the upright picture is stored from right to left, and from bottom to top.
_FROM_RIGHT, _FROM_BOTTOM = (2, 3, 6, 7), (3, 4, 7, 8)


class Placement(NamedTuple):
    """The place of a picture within one of another size: a column x becomes `scale[0]`·x + `corner[0]`.

    Attributes:
        scale: the factors of columns and of rows.
        corner: the column and the row at which the picture begins; negative if its sides are cut.
        size: width and height of the original picture.

    Example:
        >>> where = placement(200, 100, (64, 64))
        >>> where.to_fitted([[100, 50, 100, 50]])
        array([[32., 32., 32., 16.]])
        >>> where.to_original([[32, 32, 32, 16]])
        array([[100.,  50., 100.,  50.]])
    """

    scale: tuple[float, float]
    corner: tuple[float, float]
    size: tuple[int, int]

    def to_fitted(self, boxes: ArrayLike) -> Floats:
        """Returns boxes x, y, w, h (N, 4) of the original picture in pixels of the fitted one.

        Raises:
            ShapeError, DTypeError: for anything but such an array.
        """
        return check_boxes("Placement.to_fitted", "boxes", boxes) * (2 * self.scale) + (*self.corner, 0, 0)

    def to_original(self, boxes: ArrayLike) -> Floats:
        """Returns boxes x, y, w, h (N, 4) of the fitted picture in pixels of the original one.

        Raises:
            ShapeError, DTypeError: for anything but such an array.
        """
        fitted = check_boxes("Placement.to_original", "boxes", boxes)
        return (fitted - (*self.corner, 0, 0)) / (2 * self.scale)


def placement(
    width: int, height: int, size: tuple[int, int], fit: str = "pad", orientation: int = 1
) -> Placement:
    """Returns where `read_picture` places a picture.

    Args:
        width, height: those of the picture, upright.
        size, fit: see `read_picture`.
        orientation: its EXIF orientation.
    """
    original, shape = np.array([width, height]), np.array(size[::-1])
    if fit == "crop":
        scale = (shape / original).max()
        corner = (shape - scale * original) / 2
        return Placement((float(scale), float(scale)), (float(corner[0]), float(corner[1])), (width, height))
    inner = padded_size(original, shape)
    before, left = (shape - inner) // 2, shape - inner
    x = left[0] - before[0] if orientation in _FROM_RIGHT else before[0]
    y = left[1] - before[1] if orientation in _FROM_BOTTOM else before[1]
    scales = inner / original
    return Placement((float(scales[0]), float(scales[1])), (float(x), float(y)), (width, height))


def padded_size(original: NDArray[Any], shape: NDArray[Any]) -> NDArray[np.int64]:
    """Returns the columns and rows of a picture that is to fit into a shape as a whole."""
    inner: NDArray[np.int64] = np.clip(np.round((shape / original).min() * original), 1, shape).astype(
        np.int64
    )
    return inner


def clip_boxes(boxes: Floats, size: tuple[int, int]) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns the parts of boxes (N, 4) that are within a picture, and whether each has enough of it (N,).

    A box has enough if at least half of it is within the picture, and has width and height.

    Args:
        boxes: x, y, w, h.
        size: (Y, X) of the picture.
    """
    limits = np.array(size[::-1], np.float64)
    near, far = np.clip(boxes[:, :2], 0, limits), np.clip(boxes[:, :2] + boxes[:, 2:], 0, limits)
    inside = (near == boxes[:, :2]) & (far == boxes[:, :2] + boxes[:, 2:])
    sides = np.where(inside, boxes[:, 2:], far - near)  # as given, not rounded
    within = (sides > 0).all(axis=1) & (sides.prod(axis=1) >= LEAST_WITHIN * boxes[:, 2:].prod(axis=1))
    return np.concatenate([near, sides], axis=1), within


def check_boxes(op: str, argument: str, boxes: Any) -> Floats:
    """Returns boxes as an array (N, 4), float64; none as (0, 4).

    Raises:
        ShapeError: for another shape.
        DTypeError: for anything but real numbers.
    """
    array = as_array(op, argument, boxes)
    if array.shape == (0,):
        return np.zeros((0, 4))
    if array.ndim != 2 or array.shape[1] != 4:
        raise ShapeError(f"{op}: {argument}: expected an (N, 4) array, got shape {array.shape}")
    if array.dtype.kind not in "fiu":
        raise DTypeError(f"{op}: {argument}: expected numbers, got {array.dtype}")
    return array.astype(np.float64)
