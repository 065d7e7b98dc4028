"""Scheduled sampling: the target is fed less often, the model's own output more often (Bengio et al. 2015).

A model that was trained only with correct predecessors has never seen its own mistakes. Scheduled sampling
therefore feeds the target with probability ε, and otherwise the model's own output, at each step of each
sequence; ε falls in the course of training. A schedule is any function from the training step, counted from
0, to ε.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .callbacks import Callback
from .history import StepRecord
from .run import Run

#: step -> ε
ForcingSchedule = Callable[[int], float]


def _check(schedule: Any, name: str, low: float, high: float) -> None:
    value = getattr(schedule, name)
    if not low <= value <= high:
        raise ValueError(
            f"{type(schedule).__name__}: {name}: expected a number from {low} to {high}, got {value}"
        )


@dataclass(frozen=True)
class ConstantForcing:
    """ε_i = epsilon."""

    epsilon: float

    def __post_init__(self) -> None:
        _check(self, "epsilon", 0.0, 1.0)

    def __call__(self, step: int) -> float:
        return self.epsilon


@dataclass(frozen=True)
class LinearForcing:
    """ε_i = max(last, first − (first − last) i / steps): linear, then constant.

    Args:
        steps: the step at which ε reaches `last`.
        first: ε at the beginning.
        last: ε at the end.
    """

    steps: int
    first: float = 1.0
    last: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "steps", 1, math.inf)
        _check(self, "first", 0.0, 1.0)
        _check(self, "last", 0.0, self.first)

    def __call__(self, step: int) -> float:
        done = min(step / self.steps, 1.0)
        return self.first * (1.0 - done) + self.last * done


@dataclass(frozen=True)
class ExponentialForcing:
    """ε_i = k^i.

    Args:
        k: above 0, below 1.
    """

    k: float

    def __post_init__(self) -> None:
        if not 0.0 < self.k < 1.0:
            raise ValueError(f"ExponentialForcing: k: expected a number between 0 and 1, got {self.k}")

    def __call__(self, step: int) -> float:
        return float(self.k**step)


@dataclass(frozen=True)
class InverseSigmoidForcing:
    """ε_i = k / (k + e^{i / k}): close to 1 at first, then falling.

    Args:
        k: from 1; ε falls later for a larger k.
    """

    k: float

    def __post_init__(self) -> None:
        _check(self, "k", 1.0, 1e300)

    def __call__(self, step: int) -> float:
        falling = self.k * math.exp(-step / self.k)  # e^{i / k} itself would overflow
        return falling / (falling + 1.0)


class ScheduledSampling(Callback):
    """Sets a model's `teacher_forcing` (ε) and `step` before every training step.

    The step is the trainer's count, so a resumed run samples the same as a run without a break. Validation
    uses the current ε.

    Args:
        schedule: step -> ε; a class of this module, or any function.
    """

    def __init__(self, schedule: ForcingSchedule) -> None:
        self.schedule = schedule

    def on_start(self, run: Run) -> None:
        """Sets ε for the first step.

        Raises:
            TypeError: for a model without `teacher_forcing` and `step`.
        """
        if not (hasattr(run.model, "teacher_forcing") and hasattr(run.model, "step")):
            raise TypeError(
                "ScheduledSampling: expected a model with teacher_forcing and step, "
                f"got {type(run.model).__name__}"
            )
        self._set(run)

    def on_step(self, run: Run, record: StepRecord) -> None:
        """Sets ε for the next step."""
        self._set(run)

    def _set(self, run: Run) -> None:
        model = run.model
        model.teacher_forcing = self.schedule(run.step)  # type: ignore[attr-defined]
        model.step = run.step  # type: ignore[attr-defined]
