"""Pooling of pictures: the maximum or the mean of every window, or of the whole picture."""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import as_array
from ..errors import ShapeError
from ..shown import short_repr
from ..types import Array
from .conv import Pair, check_pair


class Pool2dCache(NamedTuple):
    """The forward-pass values that the backward pass needs."""

    shape: tuple[int, ...]  #: of x
    passed: tuple[Array, Array] | None  #: x and y, for the maximum

    def __repr__(self) -> str:
        return short_repr(self)


class _Pool2d:
    """Windows over pictures (B, Y, X, C), each channel separately; no parameters."""

    _kind: str

    __repr__ = short_repr

    def __init__(self, kernel_size: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> None:
        name = type(self).__name__
        self.kernel_size = check_pair(name, "kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else check_pair(name, "stride", stride)
        self.padding = check_pair(name, "padding", padding, least=0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"{name}: padding: expected at most half of {self.kernel_size}, got {self.padding}"
            )

    def forward(self, x: ArrayLike) -> tuple[Array, Pool2dCache]:
        """Computes y (B, Y′, X′, C) for x (B, Y, X, C), float32 or float64.

        Raises:
            ShapeError, DTypeError: if x is not such an array, or its pictures are smaller than a window.
        """
        return _pool(
            self._kind,
            as_array(f"{type(self).__name__}.forward", "x", x),
            self.kernel_size,
            self.stride,
            self.padding,
        )

    def backward(self, cache: Pool2dCache, dy: ArrayLike) -> Array:
        """Computes dx (B, Y, X, C) from dy (B, Y′, X′, C).

        Raises:
            ShapeError, DTypeError: if dy does not have the shape of y.
        """
        return _pool_back(self._kind, cache, dy, self.kernel_size, self.stride, self.padding)


class MaxPool2d(_Pool2d):
    """y = the maximum of a window, channel by channel; a NaN counts as the maximum.

    The gradient goes to the maximum, the first one if several are equal. Padding is not part of a window.

    Args:
        kernel_size: height and width of a window, or one number for both.
        stride: from window to window; the kernel size by default.
        padding: how far windows extend beyond each side of a picture, at most half the kernel size.

    Raises:
        ValueError, TypeError: if a size is not a whole number from 1 (padding: from 0), or there is too much
            padding.
    """

    _kind = "max"


class MeanPool2d(_Pool2d):
    """y = the mean of a window, channel by channel.

    Padding is not part of a window: the mean is over existing pixels (PyTorch: `count_include_pad=False`).

    Args:
        kernel_size, stride, padding: see `MaxPool2d`.

    Raises:
        ValueError, TypeError: see `MaxPool2d`.
    """

    _kind = "mean"


class GlobalPool2d:
    """y (B, C) for x (B, Y, X, C): the mean, or the maximum, of all pixels of a picture. No parameters.

    Args:
        kind: "mean" or "max".

    Raises:
        ValueError: if the kind is neither.
    """

    __repr__ = short_repr

    def __init__(self, kind: str = "mean") -> None:
        if kind not in ("mean", "max"):
            raise ValueError(f"GlobalPool2d: kind: expected mean or max, got {kind!r}")
        self.kind = kind

    def forward(self, x: ArrayLike) -> tuple[Array, Pool2dCache]:
        """Computes y (B, C).

        Raises:
            ShapeError, DTypeError: if x is not an array (B, Y, X, C), or its pictures have no pixels.
        """
        x = as_array("GlobalPool2d.forward", "x", x)
        y, cache = _pool(self.kind, x, *self._whole(x.shape))
        return y.reshape(y.shape[0], y.shape[3]), cache

    def backward(self, cache: Pool2dCache, dy: ArrayLike) -> Array:
        """Computes dx (B, Y, X, C) from dy (B, C).

        Raises:
            ShapeError, DTypeError: if dy does not have the shape of y.
        """
        dy, (B, _, _, C) = as_array("GlobalPool2d.backward", "dy", dy), cache.shape
        if dy.shape != (B, C):
            raise ShapeError(f"GlobalPool2d.backward: dy: expected (B={B}, C={C}), got {dy.shape}")
        return _pool_back(self.kind, cache, dy.reshape(B, 1, 1, C), *self._whole(cache.shape))

    def _whole(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Returns kernel size, stride and padding of one window that covers the picture."""
        if len(shape) != 4 or not shape[1] * shape[2]:
            raise ShapeError(
                f"GlobalPool2d.forward: x: expected (B, Y, X, C) with Y and X from 1, got {shape}"
            )
        return (shape[1], shape[2]), (1, 1), (0, 0)


def _pool(
    kind: str, x: Array, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[Array, Pool2dCache]:
    y = _rnnrs.pool_2d(kind, x, kernel, stride, padding)
    return y, Pool2dCache(x.shape, (x, y) if kind == "max" else None)


def _pool_back(
    kind: str,
    cache: Pool2dCache,
    dy: ArrayLike,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Array:
    B, Y, X, C = cache.shape
    return _rnnrs.pool_2d_backward(
        kind, (B, Y, X, C), cache.passed, as_array(kind, "dy", dy), kernel, stride, padding
    )
