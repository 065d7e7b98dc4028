"""The scale on which a network sees a series: transformed, differenced and standardized; and its inverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...checks import check_size
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
        return transform.apply(x)

    def learn(self, u: Array) -> None:
        """Computes mean and standard deviation of v, unless they are known.

        A constant column keeps its scale.
        """
        if self.mean is None:
            v = self._differences(u)
            deviation = v.std(axis=0)
            self.mean = v.mean(axis=0)
            self.scale = np.where(deviation > 1e-12 * np.abs(self.mean), deviation, 1.0)

    def seen(self, u: Array) -> Array:
        """Returns z (N − d, I) of u (N, I)."""
        v = self._differences(u)
        return v if self.mean is None or self.scale is None else (v - self.mean) / self.scale

    def restored(self, z: Array, u: Array, origins: Array) -> Array:
        """Returns x (S, M, I) of forecasts z (S, M, I), which follow the steps `origins` (M,) of u (N, I)."""
        v = z if self.mean is None or self.scale is None else z * self.scale + self.mean
        invert, d = TRANSFORMS[self.transform].invert, self.difference
        if not d:
            return invert(v)
        ahead = np.zeros_like(v)
        for s in range(len(v)):
            before = ahead[s - d] if s >= d else u[origins + 1 + s - d]
            ahead[s] = v[s] + before
        return invert(ahead)

    def _differences(self, u: Array) -> Array:
        d = self.difference
        return u[d:] - u[: len(u) - d] if d else u
