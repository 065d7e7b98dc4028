"""Learning-rate schedules: functions of the step, counted from 0, that return a learning-rate factor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..checks import check_number, check_size

__all__ = [
    "SCHEDULES",
    "Constant",
    "CosineDecay",
    "ExponentialDecay",
    "LinearDecay",
    "Schedule",
    "StepDecay",
]

#: step -> factor; any function of this type.
Schedule = Callable[[int], float]


def _normalize(schedule: Any, name: str, low: float, high: float = math.inf) -> None:
    """Checks a setting, and makes it a number of Python."""
    op, value = f"schedule {type(schedule).__name__}", getattr(schedule, name)
    if name in ("total_steps", "warmup"):
        value = check_size(op, name, value, int(low))
    bounds = f"from {low:g}" + (f" to {high}" if math.isfinite(high) else "")
    found = check_number(
        op, name, value, f"a finite number {bounds}", lambda x: low <= x <= high and x < math.inf
    )
    object.__setattr__(schedule, name, type(value)(found) if isinstance(value, int) else found)


@dataclass(frozen=True)
class Constant:
    """The factor 1 at every step."""

    def __call__(self, step: float) -> float:
        return 1.0


@dataclass(frozen=True)
class _Span:
    """Rises from 0 over `warmup` steps, then falls to `final` at `total_steps`, where it stays."""

    total_steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        _normalize(self, "total_steps", 1)
        _normalize(self, "warmup", 0, self.total_steps)
        _normalize(self, "final", 0.0)

    def __call__(self, step: float) -> float:
        if step < self.warmup:
            return (step + 1) / self.warmup
        left = max(self.total_steps - self.warmup, 1)
        done = min((step - self.warmup) / left, 1.0)
        return self.final + (1.0 - self.final) * self._fall(done)

    def _fall(self, done: float) -> float:
        return 1.0 - done


@dataclass(frozen=True)
class LinearDecay(_Span):
    """Falls linearly.

    Args:
        total_steps: the step at which it reaches `final`.
        warmup: the number of steps of the linear rise before.
        final: the factor at the end.
    """


@dataclass(frozen=True)
class CosineDecay(_Span):
    """Falls along half a cosine (Loshchilov and Hutter 2017).

    Args:
        total_steps: the step at which it reaches `final`.
        warmup: the number of steps of the linear rise before.
        final: the factor at the end.
    """

    def _fall(self, done: float) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * done))


@dataclass(frozen=True)
class StepDecay:
    """Multiplies by `factor` after every `every` steps."""

    every: float
    factor: float = 0.1

    def __post_init__(self) -> None:
        _normalize(self, "every", 1e-300)
        _normalize(self, "factor", 0.0)

    def __call__(self, step: float) -> float:
        return float(self.factor ** (step // self.every))


@dataclass(frozen=True)
class ExponentialDecay:
    """factor^(step / every): a smooth `StepDecay`."""

    every: float
    factor: float = 0.1

    def __post_init__(self) -> None:
        _normalize(self, "every", 1e-300)
        _normalize(self, "factor", 0.0)

    def __call__(self, step: float) -> float:
        return float(self.factor ** (step / self.every))


#: The schedules by name, over a whole run: functions of its completed share, 0..1.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": Constant(),
    "linear": LinearDecay(1),
    "cosine": CosineDecay(1),
    "step": StepDecay(1 / 3),
    "exponential": ExponentialDecay(1 / 2),
}
