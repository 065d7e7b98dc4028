"""A series as a network sees it — transformed, less what stood there a season before, brought to scale — and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...checks import check_size
from ...types import Array

#: What can be done to each number first: (forth, back, which numbers are allowed, in words).
TRANSFORMS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array], str]] = {
    "none": (np.copy, np.copy, "any numbers"),
    "log": (np.log, np.exp, "numbers above 0"),
    "sqrt": (np.sqrt, lambda u: np.square(np.maximum(u, 0.0)), "numbers from 0"),
}


class Scaling:
    """u = f(x), v_t = u_t − u_{t−d}, z = (v − mean) / deviation.

    Args:
        op: who asks, for messages.
        size: I.
        transform: f, a key of `TRANSFORMS`.
        difference: d; 0 for v = u.

    Attributes:
        mean, scale: (I,) of v in the training data; None before `learn`.

    Raises:
        ValueError, TypeError: for settings that make no sense.
    """

    def __init__(self, op: str, size: int, transform: str, difference: int) -> None:
        if transform not in TRANSFORMS:
            raise ValueError(f"{op}: transform: expected one of {', '.join(TRANSFORMS)}, got {transform!r}")
        self._op, self.size, self.transform = op, size, transform
        self.difference = check_size(op, "difference", difference, least=0)
        self.mean: Array | None = None
        self.scale: Array | None = None

    def transformed(self, x: Array) -> Array:
        """u (N, I) of x (N, I).

        Raises:
            ValueError: for a number of which there is no f; names its step.
        """
        forth, _, allowed = TRANSFORMS[self.transform]
        wrong = (
            (x <= 0 if self.transform == "log" else x < 0)
            if self.transform != "none"
            else np.zeros(x.shape, bool)
        )
        if wrong.any():
            t = int(np.flatnonzero(wrong.any(axis=1))[0])
            raise ValueError(
                f"{self._op}: series: expected {allowed} (transform {self.transform}), got {x[t].tolist()} at step {t}"
            )
        return forth(x)

    def learn(self, u: Array) -> None:
        """Takes mean and standard deviation of v, unless they are known; what does not vary keeps its scale."""
        if self.mean is None:
            v = self._differences(u)
            deviation = v.std(axis=0)
            self.mean = v.mean(axis=0)
            self.scale = np.where(deviation > 1e-12 * np.abs(self.mean), deviation, 1.0)

    def seen(self, u: Array) -> Array:
        """z (N − d, I) of u (N, I)."""
        v = self._differences(u)
        return v if self.mean is None or self.scale is None else (v - self.mean) / self.scale

    def restored(self, z: Array, u: Array, origins: Array) -> Array:
        """x (S, M, I) of the forecasts z (S, M, I), which follow the steps `origins` (M,) of u (N, I)."""
        v = z if self.mean is None or self.scale is None else z * self.scale + self.mean
        _, back, _ = TRANSFORMS[self.transform]
        d = self.difference
        if not d:
            return back(v)
        ahead = np.zeros_like(v)
        for s in range(len(v)):
            before = ahead[s - d] if s >= d else u[origins + 1 + s - d]
            ahead[s] = v[s] + before
        return back(ahead)

    def _differences(self, u: Array) -> Array:
        d = self.difference
        return u[d:] - u[: len(u) - d] if d else u
