"""Bilinear pooling of regions: a patch of one size for every box in a picture, of whatever size it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import as_array, as_ids, check_number, positive
from ..errors import DTypeError, ShapeError
from ..shown import short_repr
from ..types import Array
from .conv import Pair, check_pair


class RegionPoolingCache(NamedTuple):
    """The forward-pass values that `RegionPooling.backward` needs."""

    shape: tuple[int, ...]  #: of x
    corners: tuple[tuple[Array, Array], ...]  #: rows of x (N, Y′, X′), and their weights (N, Y′, X′, 1)

    def __repr__(self) -> str:
        return short_repr(self)


class RegionPooling:
    """y (N, Y′, X′, C): a grid of points within each of N boxes, interpolated from a map x (B, Y, X, C).

    A box is divided into Y′ × X′ equal parts, and y is the map at the middle of each:
    y_ij = Σ_vu max(0, 1 − |p_i − v|) max(0, 1 − |q_j − u|) x_vu, where p_i = (y + (i + ½) h / Y′) / s − ½,
    and q_j likewise from x, w and X′. Beyond its middle, a pixel at the border extends to infinity.
    (Johnson, Karpathy and Fei-Fei 2016, equation 1; with the alignment of points and pixels of He et al.
    2017.) No parameters.

    The boxes are data: there is no gradient for them.

    Args:
        size: Y′ and X′, or one number for both.
        stride: s, the distance of the map's positions in the units of the boxes: 4 if the map is a quarter as
            large as the picture in whose pixels the boxes are.

    Raises:
        ValueError, TypeError: if a size is not a whole number from 1, or the stride not a number above 0.

    Example:
        >>> layer = RegionPooling(2)
        >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> y, cache = layer.forward(x, [[0, 0, 2, 2], [1, 1, 2, 2]], [0, 0])
        >>> y[..., 0].tolist()
        [[[0.0, 1.0], [4.0, 5.0]], [[5.0, 6.0], [9.0, 10.0]]]
    """

    __repr__ = short_repr

    def __init__(self, size: Pair, *, stride: float = 1.0) -> None:
        self.size = check_pair("RegionPooling", "size", size)
        self.stride = check_number("RegionPooling", "stride", stride, "a finite number above 0", positive)

    def forward(self, x: ArrayLike, boxes: ArrayLike, owners: ArrayLike) -> tuple[Array, RegionPoolingCache]:
        """Computes y (N, Y′, X′, C).

        Args:
            x: the map (B, Y, X, C), float32 or float64.
            boxes: x, y, w and h of each box (N, 4): its left upper corner and its size, half-open.
            owners: the place of each box's picture in the batch (N,).

        Raises:
            ShapeError, DTypeError: if an array has the wrong shape or dtype.
            ValueError: for a box that is not finite, or has no size.
            IndexError: for an owner that is out of range.
        """
        op = "RegionPooling.forward"
        x = as_array(op, "x", x)
        if x.ndim != 4 or not x.shape[1] * x.shape[2]:
            raise ShapeError(f"{op}: x: expected (B, Y, X, C) with Y and X from 1, got {x.shape}")
        if x.dtype not in (np.float32, np.float64):
            raise DTypeError(f"{op}: x: expected float32 or float64, got {x.dtype}")
        places = self._places(op, boxes, owners, len(x))
        corners = _corners(*places, x.shape, x.dtype, self.size, self.stride)
        rows, C = np.ascontiguousarray(x).reshape(-1, x.shape[3]), x.shape[3]
        y = np.zeros((len(places[0]), *self.size, C), x.dtype)
        for ids, weights in corners:
            part = _rnnrs.embedding_forward(ids, rows)
            part *= weights
            y += part
        return y, RegionPoolingCache(x.shape, corners)

    def backward(self, cache: RegionPoolingCache, dy: ArrayLike) -> Array:
        """Computes dx (B, Y, X, C) from dy (N, Y′, X′, C): each point's gradient goes to its four pixels.

        Raises:
            ShapeError: if dy does not have the shape of y.
            DTypeError: if dy is not of the dtype of y.
        """
        op = "RegionPooling.backward"
        dy = as_array(op, "dy", dy)
        (ids, weights), C = cache.corners[0], cache.shape[3]
        if dy.shape != (*ids.shape, C):
            raise ShapeError(f"{op}: dy: expected {(*ids.shape, C)}, got {dy.shape}")
        if dy.dtype != weights.dtype:
            raise DTypeError(f"{op}: dy: expected {weights.dtype}, got {dy.dtype}")
        dx, part = np.zeros((int(np.prod(cache.shape[:3])), C), dy.dtype), np.empty_like(dy, order="C")
        for ids, weights in cache.corners:
            _rnnrs.embedding_backward(ids, np.multiply(weights, dy, out=part), dx)
        return dx.reshape(cache.shape)

    def _places(self, op: str, boxes: ArrayLike, owners: ArrayLike, B: int) -> tuple[Array, Array]:
        """Returns boxes (N, 4), float64, and the places of their pictures (N,), checked."""
        checked = as_array(op, "boxes", boxes)
        if checked.ndim != 2 or checked.shape[1] != 4:
            raise ShapeError(f"{op}: boxes: expected an (N, 4) array, got shape {checked.shape}")
        if checked.dtype.kind not in "fiu":
            raise DTypeError(f"{op}: boxes: expected numbers, got {checked.dtype}")
        checked = checked.astype(np.float64)
        if not (np.isfinite(checked).all() and (checked[:, 2:] > 0).all()):
            wrong = int(np.flatnonzero(~np.isfinite(checked).all(1) | (checked[:, 2:] <= 0).any(1))[0])
            expected = "finite numbers, and a width and height above 0"
            raise ValueError(f"{op}: boxes[{wrong}]: expected {expected}, got {checked[wrong].tolist()}")
        own = as_ids(op, "owners", owners, B)
        if own.shape != (len(checked),):
            raise ShapeError(f"{op}: owners: expected ({len(checked)},), got {own.shape}")
        if len(own) and not 0 <= own.min() <= own.max() < B:
            raise IndexError(f"{op}: owners: expected from 0 to {B - 1}, got {own.min()} to {own.max()}")
        return checked, own.astype(np.int64)


def _corners(
    boxes: Array,
    owners: Array,
    shape: tuple[int, ...],
    dtype: np.dtype[np.floating],
    size: tuple[int, int],
    stride: float,
) -> tuple[tuple[Array, Array], ...]:
    """Returns the four pixels around each point, as rows of the map, with their weights."""
    (low, high, along_y), (left, right, along_x) = (
        _between(boxes[:, axis], boxes[:, axis + 2], count, extent, stride)
        for axis, count, extent in ((1, size[0], shape[1]), (0, size[1], shape[2]))
    )
    first = (owners * shape[1])[:, None]
    return tuple(
        (
            ((first + line)[:, :, None] * shape[2] + column[:, None, :]),
            (wy[:, :, None] * wx[:, None, :])[..., None].astype(dtype),
        )
        for line, wy in ((low, 1 - along_y), (high, along_y))
        for column, wx in ((left, 1 - along_x), (right, along_x))
    )


def _between(
    start: Array, length: Array, count: int, extent: int, stride: float
) -> tuple[Array, Array, Array]:
    """Returns the pixels before and after each of `count` points of N boxes, and the share of the second."""
    points = (start[:, None] + length[:, None] * ((np.arange(count) + 0.5) / count)) / stride - 0.5
    points = np.clip(points, 0, extent - 1)
    before = np.minimum(points.astype(np.int64), max(extent - 2, 0))
    return before, np.minimum(before + 1, extent - 1), points - before
