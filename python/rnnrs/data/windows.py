"""Windows of one long numeric series, for learning to forecast."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array, check_size
from ..errors import DTypeError, ShapeError
from ..shown import batches_repr
from .batch import Batch, Batches, digest
from .contents import Contents


class WindowBatches:
    """Windows of T steps of a series (N, I), with the K steps that follow each step as targets.

    Each window starts from the initial state. Windows start at regular distances; in every epoch the first
    window starts at another step. That offset and the order of the windows are random.

    Args:
        series: (N, I), N ≥ T + K.
        steps: T, the number of steps in a window.
        horizon: K, the number of steps to forecast: targets (T, B, K·I), the next step's I values first.
        batch_size: B; the last batch may have fewer.
        stride: the number of steps from the start of a window to the start of the next one. By default
            min(T, max(1, N // 1000)): adjacent windows for N ≥ 1000 T, otherwise about 1000 overlapping
            windows, or fewer if N < 1000.
        seed: the seed of offset and order.
        shuffle: False gives the same windows in the same order in every epoch.

    Raises:
        ShapeError, DTypeError: if the series is not (N, I) of real numbers.
        ValueError: if it is too short, or a size is not positive.
    """

    carries_state = False

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(
        self,
        series: ArrayLike,
        steps: int,
        horizon: int,
        batch_size: int,
        *,
        stride: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        self._series = as_array("WindowBatches", "series", series)
        if self._series.ndim != 2:
            raise ShapeError(f"WindowBatches: series: expected (N, I), got {self._series.shape}")
        if self._series.dtype.kind != "f":
            raise DTypeError(f"WindowBatches: series: expected real numbers, got {self._series.dtype}")
        self.steps = check_size("WindowBatches", "steps", steps)
        self.horizon = check_size("WindowBatches", "horizon", horizon)
        self.batch_size = check_size("WindowBatches", "batch_size", batch_size)
        if stride is None:
            stride = min(self.steps, max(1, len(self._series) // 1000))
        self.stride = check_size("WindowBatches", "stride", stride)
        self.seed = check_size("WindowBatches", "seed", seed, least=0)
        self.shuffle = shuffle
        if len(self._series) < self.steps + self.horizon:
            raise ValueError(
                f"WindowBatches: series: expected at least {self.steps + self.horizon} steps "
                f"(a window and what follows it), got {len(self._series)}"
            )

    def __len__(self) -> int:
        return -(-self._windows // self.batch_size)

    @property
    def _room(self) -> int:
        """The number of steps at which a window can start."""
        return len(self._series) - self.horizon - self.steps + 1

    @property
    def _windows(self) -> int:
        """The number of windows in an epoch, for any start of the first one."""
        return max(1, self._room // self.stride)

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the batches of this epoch."""
        starts = self.stride * np.arange(self._windows)
        if self.shuffle:
            draw = np.random.default_rng([self.seed, number])
            free = self._room - int(starts[-1])
            starts = draw.permutation(starts + int(draw.integers(min(free, self.stride))))

        def batch(index: int) -> Batch:
            first = starts[index * self.batch_size : (index + 1) * self.batch_size]
            place = np.arange(self.steps)[:, None] + first
            ahead = place[..., None] + np.arange(1, self.horizon + 1)
            targets = self._series[ahead].reshape(*place.shape, -1)
            return Batch(self._series[place], targets, keys=first)

        return Batches(len(self), batch)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = (self.steps, self.horizon, self.batch_size, self.stride, self.seed, self.shuffle)
        return digest("windows", *settings, self._series)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        names = ("steps", "horizon", "batch_size", "stride", "seed", "shuffle")
        return Contents("step", [self._series], {name: getattr(self, name) for name in names})
