"""Gradient checks against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from .errors import DTypeError
from .nn.parameters import Parameters
from .shown import short_repr
from .types import Array


class Checkable(Protocol):
    """A model for `gradient_check`: its parameters, its gradients, and a loss that computes the gradients."""

    parameters: Parameters
    gradients: Parameters

    def loss(self, batch: Any, state: Any = None, *, gradient: bool = True) -> tuple[float, Any]:
        """Returns (L, the state after the batch); with `gradient`, adds ∂L/∂θ to the gradients."""
        ...


class GradientCheck(NamedTuple):
    """The deviation of back-propagation from finite differences.

    Attributes:
        relative_error: by parameter, max |g − ĝ| / max(|g|, |ĝ|, 1e-8 · the largest |ĝ|), over the numbers
            tested.
        worst: the largest of these.
        numbers: how many numbers were tested.
    """

    relative_error: dict[str, float]
    worst: float
    numbers: int

    def __repr__(self) -> str:
        return short_repr(self)


def gradient_check(
    model: Checkable,
    batch: Any,
    state: Any = None,
    *,
    step: float = 1e-5,
    samples: int | None = None,
    seed: int = 0,
    noise: int | None = None,
) -> GradientCheck:
    """Compares a model's gradients with (L(θ + ε) − L(θ − ε)) / 2ε, number by number.

    For each number, the difference is computed at ε and at 2ε and extrapolated (Richardson), so that its own
    error falls with ε⁴. Parameters and gradients are restored.

    Args:
        model: a model in float64; float32 has too few digits for differences.
        batch: the batch for `model.loss`.
        state: the state before the batch.
        step: ε.
        samples: how many numbers of each parameter to test, sampled at random; all by default.
        seed: seed of that sampling.
        noise: seed of the dropout masks, the same for every loss; None: no dropout.

    Raises:
        DTypeError: if the model is in float32.
        ValueError: if the step is not positive, `samples` is below 1, or a loss is not finite.
    """
    if model.parameters.dtype != np.float64:
        raise DTypeError(
            f"gradient_check: model: expected parameters of float64, got {model.parameters.dtype}"
        )
    if not step > 0.0 or (samples is not None and samples < 1):
        raise ValueError(f"gradient_check: step, samples: expected positive numbers, got {step}, {samples}")
    theta, before = model.parameters.flat, model.gradients.flat.copy()
    options = {} if noise is None else {"noise": noise}

    def L(gradient: bool) -> float:
        loss: Any = model.loss  # with dropout it also accepts noise
        return float(loss(batch, state, gradient=gradient, **options)[0])

    draw = np.random.default_rng(seed)
    with model.gradients.adding, model.parameters.changing:
        try:
            model.gradients.fill(0.0)
            loss = L(gradient=True)
            if not np.isfinite(loss):
                raise ValueError(f"gradient_check: batch: expected a finite loss, got {loss}")
            analytic = model.gradients.flat.copy()
            places = _places(model.parameters, samples, draw)
            numeric = {name: _differences(L, theta, at, step) for name, at in places.items()}
        finally:
            model.gradients.flat[...] = before
    largest = max((float(np.abs(n).max()) for n in numeric.values() if n.size), default=0.0)
    floor = max(1e-8 * largest, np.finfo(np.float64).tiny)
    errors = {}
    for name, at in places.items():
        g, n = analytic[at], numeric[name]
        scale = np.maximum(np.maximum(np.abs(g), np.abs(n)), floor)
        errors[name] = float((np.abs(g - n) / scale).max(initial=0.0))
    return GradientCheck(errors, max(errors.values(), default=0.0), sum(len(at) for at in places.values()))


def _places(parameters: Parameters, samples: int | None, draw: np.random.Generator) -> dict[str, Array]:
    """Returns the indices to test in the flat vector, by parameter."""
    places, start = {}, 0
    for name, view in parameters.items():
        at = np.arange(start, start + view.size)
        if samples is not None and samples < view.size:
            at = np.sort(draw.choice(at, samples, replace=False))
        places[name] = at
        start += view.size
    return places


def _differences(L: Callable[[bool], float], theta: Array, places: Array, step: float) -> Array:
    """Returns the extrapolated differences of L at these indices."""

    def slope(place: int, e: float) -> float:
        here = theta[place]
        try:
            theta[place] = here + e
            up = L(False)
            theta[place] = here - e
            down = L(False)
        finally:
            theta[place] = here
        return (up - down) / (2.0 * e)

    return np.array([(4.0 * slope(i, step) - slope(i, 2.0 * step)) / 3.0 for i in places])
