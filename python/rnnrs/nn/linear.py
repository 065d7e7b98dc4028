"""The linear output layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _rnnrs
from ..checks import as_array, check_size
from ..errors import ShapeError
from ..shown import short_repr
from ..types import Array
from .embedding import LARGE
from .layer import Layer


class LinearCache(NamedTuple):
    """The forward-pass value that `Linear.backward` needs: the input."""

    x: ArrayLike

    def __repr__(self) -> str:
        return short_repr(self)


class Linear(Layer):
    """o = c + V x, for every step and sequence alike.

    Parameters: V (O, I), initialized uniformly on ±1/√I; c (O), initialized to zero.

    Args:
        input_size: I; the hidden size H if this is a network's output layer.
        output_size: O.
        scale: scale of the initial V, in units of 1/√I.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: if a size is not a positive whole number.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        scale: float = 1.0,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.input_size = check_size("Linear", "input_size", input_size)
        self.output_size = check_size("Linear", "output_size", output_size)
        super().__init__({"V": (self.output_size, self.input_size), "c": (self.output_size,)}, dtype)
        self.initialize("V", "uniform", scale / self.input_size**0.5, seed)
        if self.parameters.size >= LARGE:
            self.gradients.track_rows("V")  # a sampled loss touches only some of them

    def forward(self, x: ArrayLike) -> tuple[Array, LinearCache]:
        """Computes o (…, O) for x (…, I).

        Raises:
            ShapeError: if the last axis of x does not have size I.
            DTypeError: if x does not hold real numbers.
        """
        p = self.parameters
        return _rnnrs.linear_forward(as_array("Linear.forward", "x", x), p["V"], p["c"]), LinearCache(x)

    def backward(self, cache: LinearCache, do: ArrayLike, need_dx: bool = True) -> Array | None:
        """Adds dV += Σ do xᵀ and dc += Σ do; computes dx = Vᵀ do.

        Args:
            cache: from `forward`.
            do: ∂L/∂o (…, O).
            need_dx: whether to compute dx.

        Of a frozen layer, only dx is computed.

        Returns:
            dx (…, I); None without `need_dx`.

        Raises:
            ShapeError: if do does not have the shape of o.
        """
        if not self.parameters.are_trained:
            do = as_array("Linear.backward", "do", do)
            if do.shape != (*np.shape(cache.x)[:-1], self.output_size):
                expected = (*np.shape(cache.x)[:-1], self.output_size)
                raise ShapeError(f"Linear.backward: do: expected {expected}, got {do.shape}")
            return input_gradient(self.parameters["V"], do) if need_dx else None
        g = self.gradients
        x = np.asarray(cache.x)
        return _rnnrs.linear_backward(
            x,
            self.parameters["V"],
            as_array("Linear.backward", "do", do),
            g["V"],
            g["c"],
            need_dx,
        )


def input_gradient(weights: Array, d: Array) -> Array:
    """Returns Vᵀ d (…, I) for d (…, O) and V (O, I), as a backward pass with dV computes it."""
    nothing = np.zeros(weights.shape[1], weights.dtype)
    return _rnnrs.linear_forward(d, np.ascontiguousarray(weights.T), nothing)
