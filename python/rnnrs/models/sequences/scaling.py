"""The scale on which a network sees a series: transformed, differenced and standardized; and its inverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ...checks import check_size
from ...shown import short_repr
from ...types import Array


class Transform(NamedTuple):
    """A transform of single numbers.

    Attributes:
        apply: f.
        invert: f⁻¹.
        valid: returns which numbers f is defined for.
        expected: these numbers, for error messages.
    """

    apply: Callable[[Array], Array]
    invert: Callable[[Array], Array]
    valid: Callable[[Array], Array]
    expected: str


#: The transforms by name.
TRANSFORMS = {
    "none": Transform(np.copy, np.copy, np.isfinite, "finite numbers"),
    "log": Transform(np.log, np.exp, lambda x: x > 0, "numbers above 0"),
    "sqrt": Transform(np.sqrt, lambda u: np.square(np.maximum(u, 0.0)), lambda x: x >= 0, "numbers from 0"),
}


def moments(v: Array) -> tuple[Array, Array]:
    """Returns mean and deviation (I,) of v (N, I), without overflow or underflow of a sum or a square.

    The deviation of a column that is constant but for rounding is 1, or the rounding itself if that is more.
    """
    exponents = _exponents(np.abs(v).max(axis=0))
    w = np.ldexp(v, -exponents)
    mean, deviation = w.mean(axis=0), w.std(axis=0)
    constant = deviation <= 1e-12 * np.abs(mean)
    mean, deviation = np.ldexp(mean, exponents), np.ldexp(deviation, exponents)
    # A deviation below the smallest number is that number.
    scale = np.where(constant, np.maximum(1.0, 1e-12 * np.abs(mean)), np.maximum(deviation, _SMALLEST))
    return mean, scale


def standardized(v: Array, mean: Array, scale: Array) -> Array:
    """Returns (v − mean) / scale for v (…, I); infinite where that is beyond float64."""
    exponents = _exponents(np.maximum(np.abs(mean), scale))
    with np.errstate(over="ignore"):
        return np.asarray(
            (np.ldexp(v, -exponents) - np.ldexp(mean, -exponents)) / np.ldexp(scale, -exponents)
        )


def restored(z: Array, mean: Array, scale: Array) -> Array:
    """Returns z · scale + mean, the inverse of `standardized`; infinite where that is beyond float64."""
    exponents = _exponents(np.maximum(np.abs(mean), scale))
    with np.errstate(over="ignore"):
        v = z * np.ldexp(scale, -exponents) + np.ldexp(mean, -exponents)
        return np.asarray(np.ldexp(v, exponents))


def root_mean_square(x: Array, axis: int) -> Array:
    """Returns √(mean of x²) over an axis, without overflow or underflow of a square."""
    exponents = _exponents(np.abs(x).max(axis=axis, keepdims=True))
    squares = np.square(np.ldexp(x, -exponents)).mean(axis=axis)
    return np.asarray(np.ldexp(np.sqrt(squares), exponents.squeeze(axis)))


def mean_magnitude(x: Array, axis: int) -> Array:
    """Returns the mean of |x| over an axis, without overflow of the sum."""
    exponents = _exponents(np.abs(x).max(axis=axis, keepdims=True))
    return np.asarray(np.ldexp(np.abs(np.ldexp(x, -exponents)).mean(axis=axis), exponents.squeeze(axis)))


def check_range(place: str, z: Array, x: Array, dtype: DTypeLike) -> Array:
    """Returns z (T, I) with another dtype.

    Args:
        place: operation and argument, for the error message.
        z, x: numbers on the network's scale, and as they came.
        dtype: float32 or float64.

    Raises:
        ValueError: if the dtype cannot hold a number; names the step.
    """
    beyond = np.abs(z) > float(np.finfo(dtype).max)
    if beyond.any():
        t = int(np.flatnonzero(beyond.any(axis=1))[0])
        raise ValueError(
            f"{place}: expected numbers on the scale of the training data, got {x[t].tolist()} at step {t}"
        )
    return z.astype(dtype)


_SMALLEST = float(np.finfo(np.float64).smallest_subnormal)


def _exponents(x: Array) -> Array:
    """Returns e with 2^(e−1) ≤ x < 2^e, so that numbers up to x are at most 1 when divided by 2^e."""
    return np.asarray(np.frexp(x)[1])


class Scaling:
    """u = f(x), v_t = u_t − u_{t−d}, z = (v − mean) / deviation.

    Args:
        op: the caller's name, for error messages.
        size: I.
        transform: f, a key of `TRANSFORMS`.
        difference: d; 0 for v = u.

    Attributes:
        mean, scale: (I,), mean and deviation of v in the training data; None before `learn`.

    Raises:
        ValueError, TypeError: for invalid settings.
    """

    __repr__ = short_repr

    def __init__(self, op: str, size: int, transform: str, difference: int) -> None:
        if transform not in TRANSFORMS:
            raise ValueError(f"{op}: transform: expected one of {', '.join(TRANSFORMS)}, got {transform!r}")
        self.size, self.transform = size, transform
        self.difference = check_size(op, "difference", difference, least=0)
        self.mean: Array | None = None
        self.scale: Array | None = None

    def transformed(self, op: str, argument: str, x: Array) -> Array:
        """Returns u (N, I) of x (N, I).

        Raises:
            ValueError: for a number outside the domain of f; names its step.
        """
        transform = TRANSFORMS[self.transform]
        valid = transform.valid(x).all(axis=1)
        if not valid.all():
            t = int(np.flatnonzero(~valid)[0])
            raise ValueError(
                f"{op}: {argument}: expected {transform.expected} (transform {self.transform}), "
                f"got {x[t].tolist()} at step {t}"
            )
        u = transform.apply(x)
        with np.errstate(over="ignore"):
            apart = self._differences(u)
        if not np.isfinite(apart).all():
            t = int(np.flatnonzero(~np.isfinite(apart).all(axis=1))[0]) + self.difference
            raise ValueError(
                f"{op}: {argument}: expected differences below {np.finfo(np.float64).max:.2g}, "
                f"got {x[t].tolist()} at step {t} and {x[t - self.difference].tolist()} before"
            )
        return u

    def learn(self, u: Array) -> None:
        """Computes mean and standard deviation of v, unless they are known, see `moments`."""
        if self.mean is None:
            self.mean, self.scale = moments(self._differences(u))

    def seen(self, u: Array) -> Array:
        """Returns z (N − d, I) of u (N, I)."""
        v = self._differences(u)
        return v if self.mean is None or self.scale is None else standardized(v, self.mean, self.scale)

    def restored(self, z: Array, u: Array, origins: Array) -> Array:
        """Returns x (S, M, I) of forecasts z (S, M, I), which follow the steps `origins` (M,) of u (N, I)."""
        v = z if self.mean is None or self.scale is None else restored(z, self.mean, self.scale)
        invert, d = TRANSFORMS[self.transform].invert, self.difference
        ahead = v
        with np.errstate(over="ignore"):
            if d:
                ahead = np.zeros_like(v)
            for s in range(len(v) if d else 0):
                before = ahead[s - d] if s >= d else u[origins + 1 + s - d]
                ahead[s] = v[s] + before
            return invert(ahead)

    def _differences(self, u: Array) -> Array:
        d = self.difference
        return u[d:] - u[: len(u) - d] if d else u
