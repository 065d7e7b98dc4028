"""Convolution: the same small kernel at every position of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _rnnrs
from ..checks import as_array, check_size
from ..shown import short_repr
from ..types import Array
from .layer import Layer
from .rnn import ACTIVATIONS

#: Numbers along Y and X, or one number for both.
Pair: TypeAlias = int | Sequence[int]


class Conv2dCache(NamedTuple):
    """The forward-pass values that `Conv2d.backward` needs."""

    x: ArrayLike
    y: Array | None  #: if there is an activation

    def __repr__(self) -> str:
        return short_repr(self)


class Conv2d(Layer):
    """y_ij = f(b + Σ_uv K_uvᵀ x_(i·s+u−p, j·s+v−p)) for every picture (Goodfellow et al., section 9.5).

    Pictures have their channels last, x (B, Y, X, I) and y (B, Y′, X′, O): a window is then a few contiguous
    runs of numbers, which the products read in place. Y′ = ⌊(Y + 2 p − kernel height) / s⌋ + 1, and likewise
    X′. As in other libraries, the kernel is not flipped.

    Parameters: K (kernel height, kernel width, I, O), normal with standard deviation √(2 / n) for the n
    numbers of a window (He et al. 2015); b (O), zero. PyTorch's `weight` is `K.transpose(3, 2, 0, 1)`.

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: height and width, or one number for both.
        stride: s, from window to window.
        padding: p, zeros on each side of a picture. (kernel − 1) / 2 keeps a picture's size.
        activation: f, one of `ACTIVATIONS`.
        scale: scale of the initial K, in units of He's standard deviation.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: if a size is not a whole number from 1 (padding: from 0), or the activation is
            unknown.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        padding: Pair = 0,
        activation: str = "identity",
        scale: float = 1.0,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        I = self.in_channels = check_size("Conv2d", "in_channels", in_channels)
        O = self.out_channels = check_size("Conv2d", "out_channels", out_channels)
        self.kernel_size = check_pair("Conv2d", "kernel_size", kernel_size)
        self.stride = check_pair("Conv2d", "stride", stride)
        self.padding = check_pair("Conv2d", "padding", padding, least=0)
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"Conv2d: activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        self.activation = activation
        super().__init__({"K": (*self.kernel_size, I, O), "b": (O,)}, dtype)
        fan_in = self.kernel_size[0] * self.kernel_size[1] * I
        self.initialize("K", "normal", scale * (2.0 / fan_in) ** 0.5, seed)

    def forward(self, x: ArrayLike) -> tuple[Array, Conv2dCache]:
        """Computes y (B, Y′, X′, O) for x (B, Y, X, I).

        Raises:
            ShapeError: if x does not have that shape, or a padded picture is smaller than the kernel.
            DTypeError: if x does not hold real numbers.
            MemoryError: if y does not fit in memory.
        """
        p = self.parameters
        y = _rnnrs.conv_forward(
            as_array("Conv2d.forward", "x", x),
            p["K"],
            p["b"],
            self.stride,
            self.padding,
            self.activation,
        )
        return y, Conv2dCache(x, None if self.activation == "identity" else y)

    def backward(self, cache: Conv2dCache, dy: ArrayLike, need_dx: bool = True) -> Array | None:
        """Adds dK_uv += Σ x da_bijᵀ and db += Σ da_bij; each dx is a sum of K_uv da_bij.

        da = dy ⊙ f′(a). The x and dx are those at b, i·s + u − p, j·s + v − p; both sums are over b, i, j.

        Args:
            cache: from `forward`.
            dy: ∂L/∂y (B, Y′, X′, O).
            need_dx: whether to compute dx.

        Returns:
            dx (B, Y, X, I); None without `need_dx`.

        Raises:
            ShapeError: if dy does not have the shape of y.
        """
        g = self.gradients
        return _rnnrs.conv_backward(
            np.asarray(cache.x),
            cache.y,
            self.parameters["K"],
            as_array("Conv2d.backward", "dy", dy),
            g["K"],
            g["b"],
            self.stride,
            self.padding,
            self.activation,
            need_dx,
        )


def check_pair(op: str, name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """Returns two sizes, along Y and X, from one number for both or from two.

    Raises:
        TypeError: if they are not whole numbers.
        ValueError: if one is below `least`, or there are not two.
    """
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{op}: {name}: expected one number or two, along Y and X, got {value!r}")
        y, x = value
    else:
        y = x = value
    pair = check_size(op, name, y, least), check_size(op, name, x, least)
    if max(pair) >= 1 << 62:
        raise ValueError(f"{op}: {name}: expected numbers below 2**62, got {value!r}")
    return pair
