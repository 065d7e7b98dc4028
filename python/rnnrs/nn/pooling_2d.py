"""Pooling of pictures: the largest or the mean of every window, or of the whole picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..errors import ShapeError
from ..types import Array
from .conv import Pair, check_pair


class Pool2dCache(NamedTuple):
    """What the way back needs of the forward pass."""

    shape: tuple[int, ...]  #: of x
    passed: tuple[Array, Array] | None  #: x and y, for the largest


class _Pool2d:
    """Windows over pictures (B, Y, X, C), each channel by itself; no parameters."""

    _kind: str

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
        """y (B, Y′, X′, C) of x (B, Y, X, C), float32 or float64.

        Raises:
            ShapeError, DTypeError: for an x that is no such array, or has pictures smaller than a window.
        """
        return _pool(self._kind, np.asarray(x), self.kernel_size, self.stride, self.padding)

    def backward(self, cache: Pool2dCache, dy: ArrayLike) -> Array:
        """dx (B, Y, X, C) of dy (B, Y′, X′, C).

        Raises:
            ShapeError, DTypeError: if dy has not the shape of y.
        """
        return _pool_back(self._kind, cache, dy, self.kernel_size, self.stride, self.padding)


class MaxPool2d(_Pool2d):
    """y = the largest number of a window, channel by channel; a NaN is the largest.

    The gradient goes to the largest number, the first one of equals. Padding is no part of a window.

    Args:
        kernel_size: height and width of a window, or one number for both.
        stride: from window to window; the kernel size by default.
        padding: how far windows begin before a picture and end behind it, at most half the kernel size.

    Raises:
        ValueError, TypeError: for sizes that are no whole numbers from 1 (padding: from 0), or too much padding.
    """

    _kind = "max"


class MeanPool2d(_Pool2d):
    """y = the mean of a window, channel by channel.

    Padding is no part of a window: a mean is over the pixels that are there (PyTorch: `count_include_pad=False`).

    Args:
        kernel_size, stride, padding: see `MaxPool2d`.

    Raises:
        ValueError, TypeError: see `MaxPool2d`.
    """

    _kind = "mean"


class GlobalPool2d:
    """y (B, C) of x (B, Y, X, C): the mean, or the largest number, of all of a picture's pixels. No parameters.

    Args:
        kind: "mean" or "max".

    Raises:
        ValueError: for another kind.
    """

    def __init__(self, kind: str = "mean") -> None:
        if kind not in ("mean", "max"):
            raise ValueError(f"GlobalPool2d: kind: expected mean or max, got {kind!r}")
        self.kind = kind

    def forward(self, x: ArrayLike) -> tuple[Array, Pool2dCache]:
        """y (B, C).

        Raises:
            ShapeError, DTypeError: for an x that is no array (B, Y, X, C), or has pictures without pixels.
        """
        x = np.asarray(x)
        y, cache = _pool(self.kind, x, *self._whole(x.shape))
        return y.reshape(y.shape[0], y.shape[3]), cache

    def backward(self, cache: Pool2dCache, dy: ArrayLike) -> Array:
        """dx (B, Y, X, C) of dy (B, C).

        Raises:
            ShapeError, DTypeError: if dy has not the shape of y.
        """
        dy, (B, _, _, C) = np.asarray(dy), cache.shape
        if dy.shape != (B, C):
            raise ShapeError(f"GlobalPool2d.backward: dy: expected (B={B}, C={C}), got {dy.shape}")
        return _pool_back(self.kind, cache, dy.reshape(B, 1, 1, C), *self._whole(cache.shape))

    def _whole(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Kernel size, stride and padding of one window that is the picture."""
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
    return _rnnrs.pool_2d_backward(kind, (B, Y, X, C), cache.passed, np.asarray(dy), kernel, stride, padding)
