"""Learning-rate schedules: functions of the step, counted from 0, that return a learning-rate factor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

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


def _check(name: str, value: float, low: float, high: float = math.inf) -> None:
    if not low <= value <= high:
        raise ValueError(f"schedule: {name}: expected a number from {low} to {high}, got {value}")


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
        _check("total_steps", self.total_steps, 1)
        _check("warmup", self.warmup, 0, self.total_steps)
        _check("final", self.final, 0.0)

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
        _check("every", self.every, 1e-300)
        _check("factor", self.factor, 0.0)

    def __call__(self, step: float) -> float:
        return float(self.factor ** (step // self.every))


@dataclass(frozen=True)
class ExponentialDecay:
    """factor^(step / every): a smooth `StepDecay`."""

    every: float
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check("every", self.every, 1e-300)
        _check("factor", self.factor, 0.0)

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
