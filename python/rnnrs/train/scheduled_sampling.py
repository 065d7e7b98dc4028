"""Scheduled sampling: the target ever less often, the model's own output ever more (Bengio et al. 2015).

A model that was trained on right predecessors alone has never seen its own mistakes. So at each step and sequence it is
fed the target with probability ε, which falls in the course of training, else what it made itself. A schedule is any
function of the training step, counted from 0, that gives ε.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .callbacks import Callback
from .history import StepRecord
from .run import Run

#: step -> ε
ForcingSchedule = Callable[[int], float]


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"scheduled sampling: {name}: expected a number from {low} to {high}, got {value}")


@dataclass(frozen=True)
class ConstantForcing:
    """ε, always."""

    epsilon: float

    def __post_init__(self) -> None:
        _check("epsilon", self.epsilon, 0.0, 1.0)

    def __call__(self, step: int) -> float:
        return self.epsilon


@dataclass(frozen=True)
class LinearForcing:
    """ε_i = max(last, first − (first − last) i / steps): in a straight line, then it stays.

    Args:
        steps: where it reaches `last`.
        first: ε at the beginning.
        last: ε at the end.
    """

    steps: int
    first: float = 1.0
    last: float = 0.0

    def __post_init__(self) -> None:
        _check("steps", self.steps, 1, math.inf)
        _check("first", self.first, 0.0, 1.0)
        _check("last", self.last, 0.0, self.first)

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
            raise ValueError(f"scheduled sampling: k: expected a number between 0 and 1, got {self.k}")

    def __call__(self, step: int) -> float:
        return float(self.k**step)


@dataclass(frozen=True)
class InverseSigmoidForcing:
    """ε_i = k / (k + e^{i / k}): near 1 for long, then down.

    Args:
        k: from 1: the larger, the later.
    """

    k: float

    def __post_init__(self) -> None:
        _check("k", self.k, 1.0, 1e300)

    def __call__(self, step: int) -> float:
        falling = self.k * math.exp(-step / self.k)  # e^{i / k} itself would overflow
        return falling / (falling + 1.0)


class ScheduledSampling(Callback):
    """Sets a model's `teacher_forcing` (ε) and `step` before every step of training, by the trainer's own count.

    So a run that was resumed draws what the run without a break does. Validation is done with the ε of that time.

    Args:
        schedule: step -> ε; one of the classes here, or any function.
    """

    def __init__(self, schedule: ForcingSchedule) -> None:
        self.schedule = schedule

    def on_start(self, run: Run) -> None:
        """Sets ε for the first step.

        Raises:
            TypeError: for a model that has no `teacher_forcing` and `step`.
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
