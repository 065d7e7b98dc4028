"""y = hᵀ W a, for pairs of vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ... import _rnnrs
from ...checks import as_array, check_size
from ...nn.layer import Layer
from ...shown import short_repr
from ...types import Array


class BilinearCache(NamedTuple):
    """The forward-pass values that `Bilinear.backward` needs."""

    h: Array
    a: Array
    q: Array  #: W a

    def __repr__(self) -> str:
        return short_repr(self)


class Bilinear(Layer):
    """y (M,) = hᵀ W a for h (M, H) and a (M, A): how much one vector asks for another.

    Parameters: W (H, A), uniform on ±1/√(H A).

    Args:
        left_size, right_size: H and A.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: if a size is not a positive whole number.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(
        self, left_size: int, right_size: int, *, seed: int = 0, dtype: DTypeLike = np.float32
    ) -> None:
        H = self.left_size = check_size("Bilinear", "left_size", left_size)
        A = self.right_size = check_size("Bilinear", "right_size", right_size)
        super().__init__({"W": (H, A)}, dtype)
        self.initialize("W", "uniform", (H * A) ** -0.5, seed)

    def forward(self, h: ArrayLike, a: ArrayLike) -> tuple[Array, BilinearCache]:
        """Computes y (M,).

        Raises:
            ShapeError, DTypeError: if an array has the wrong shape or dtype.
        """
        h, a = as_array("Bilinear.forward", "h", h), as_array("Bilinear.forward", "a", a)
        q = _rnnrs.linear_forward(a, self.parameters["W"], np.zeros(self.left_size, self.dtype))
        return (h * q).sum(axis=-1), BilinearCache(h, a, q)

    def backward(self, cache: BilinearCache, dy: ArrayLike) -> tuple[Array, Array]:
        """Adds to dW; returns dh = dy W a (M, H) and da = dy Wᵀ h (M, A)."""
        dy = as_array("Bilinear.backward", "dy", dy)[..., None]
        nothing = np.zeros(self.left_size, self.dtype)
        da = _rnnrs.linear_backward(
            cache.a, self.parameters["W"], dy * cache.h, self.gradients["W"], nothing, True
        )
        assert da is not None  # it was asked for
        return dy * cache.q, da
