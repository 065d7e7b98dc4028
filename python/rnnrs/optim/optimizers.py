"""Optimizers: one call per step over the flat vector of parameters θ and its gradient g."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import _rnnrs
from ..checks import check_number, positive
from ..errors import FormatError, ShapeError
from ..nn.learning import within
from ..nn.parameters import Parameters
from ..types import Array

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSProp",
    "optimizer_from_config",
]


class Optimizer(ABC):
    """An optimizer as `Trainer` uses it.

    Attributes:
        learning_rate: η; a schedule's factor multiplies it.
        steps: the number of steps taken.
    """

    #: The names of the vectors kept from step to step, each as long as θ.
    _vectors: tuple[str, ...] = ()

    def __init__(self, learning_rate: float, **settings: Any) -> None:
        self.learning_rate = _positive(self, "learning_rate", learning_rate)
        self._settings = settings
        self.steps = 0
        self._state: dict[str, Array] = {}

    def step(
        self,
        parameters: Parameters,
        gradients: Parameters,
        learning_rate: float | None = None,
        *,
        scale: float = 1.0,
    ) -> None:
        """Updates θ in place: without what is frozen, and by the factors of `Parameters.scale_learning_rate`.

        Other threads that use the model see θ before the step or after it; the step waits for them.

        Args:
            parameters: θ.
            gradients: g, of the same layout.
            learning_rate: η of this step; by default the optimizer's own.
            scale: a factor of g: with that of `clip_factor`, clipping and update are one pass.

        Raises:
            ShapeError: if θ, g and the optimizer's state differ in size or dtype.
        """
        theta, g = parameters._flat, gradients._flat
        if g.shape != theta.shape or g.dtype != theta.dtype:
            raise ShapeError(
                f"{type(self).__name__}.step: gradients: expected {theta.size} numbers of {theta.dtype}, "
                f"got {g.size} of {g.dtype}"
            )
        for name in self._vectors:
            if name not in self._state:
                self._state[name] = np.zeros_like(theta)
            vector = self._state[name]
            if vector.shape != theta.shape or vector.dtype != theta.dtype:
                raise ShapeError(
                    f"{type(self).__name__}.step: parameters: expected {vector.size} numbers of "
                    f"{vector.dtype}, as in earlier steps, got {theta.size} of {theta.dtype}"
                )
        rate = self.learning_rate if learning_rate is None else learning_rate
        spans, segments = gradients.spans(), parameters.segments()
        with parameters.changing:
            if segments is None:
                self._update(theta, g, self._state, rate, scale, spans)
            for start, end, factor in segments or ():
                state = {name: vector[start:end] for name, vector in self._state.items()}
                own = None if spans is None else within(spans, start, end)
                self._update(theta[start:end], g[start:end], state, factor * rate, scale, own)
            parameters._vector.steps += 1
        self.steps += 1

    @abstractmethod
    def _update(
        self,
        theta: Array,
        g: Array,
        state: Mapping[str, Array],
        rate: float,
        scale: float,
        spans: Array | None,
    ) -> None:
        """Makes one step with scale · g; outside the spans g is zero."""

    def state(self) -> dict[str, Array]:
        """Returns the vectors kept from step to step, by name; none before the first step."""
        return dict(self._state)

    def load_state(self, state: Mapping[str, Array], steps: int) -> None:
        """Continues from the `state` and `steps` of another optimizer of the same kind.

        Raises:
            FormatError: if the vectors are not those of this kind.
        """
        self.check_state(state, steps)
        self._state = {name: np.array(vector) for name, vector in state.items()}
        self.steps = steps

    def check_state(self, state: Mapping[str, Array], steps: int) -> None:
        """Checks whether `load_state` would accept a state.

        Raises:
            FormatError: if the vectors are not those of this kind.
        """
        expected = set(self._vectors) if steps else set()
        if set(state) != expected:
            raise FormatError(
                f"{type(self).__name__}: state: expected the vectors {sorted(expected)}, got {sorted(state)}"
            )

    def to_config(self) -> dict[str, Any]:
        """Returns kind and settings as JSON types."""
        return {"kind": type(self).__name__, "learning_rate": self.learning_rate, **self._settings}

    def __repr__(self) -> str:
        settings = {"learning_rate": self.learning_rate, **self._settings}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in settings.items())})"


def _positive(optimizer: Optimizer, name: str, value: float, *, zero: bool = False) -> float:
    wanted = "a finite number from 0" if zero else "a finite number above 0"
    op = type(optimizer).__name__
    return check_number(op, name, value, wanted, lambda x: positive(x) or (zero and x == 0))


def _share(optimizer: Optimizer, name: str, value: float) -> float:
    expected = "a number from 0 to below 1"
    return check_number(type(optimizer).__name__, name, value, expected, lambda x: 0.0 <= x < 1.0)


class SGD(Optimizer):
    """θ ← θ − η v with v ← μ v + g; Nesterov: θ ← θ − η (g + μ v) (Sutskever et al. 2013).

    Args:
        learning_rate: η > 0.
        momentum: μ in 0 ≤ μ < 1.
        nesterov: whether to look ahead; needs momentum.
        weight_decay: L2 penalty: this times θ is added to g.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self,
        learning_rate: float = 0.1,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum = _share(self, "momentum", momentum)
        self.weight_decay = _positive(self, "weight_decay", weight_decay, zero=True)
        if nesterov and momentum == 0.0:
            raise ValueError("SGD: nesterov: expected a momentum above 0, got 0")
        self.nesterov = bool(nesterov)
        settings = {"momentum": self.momentum, "nesterov": self.nesterov, "weight_decay": self.weight_decay}
        super().__init__(learning_rate, **settings)
        self._vectors = ("velocity",) if momentum else ()

    def _update(
        self,
        theta: Array,
        g: Array,
        state: Mapping[str, Array],
        rate: float,
        scale: float,
        spans: Array | None,
    ) -> None:
        velocity = state.get("velocity")
        _rnnrs.sgd(theta, g, velocity, rate, self.momentum, self.nesterov, self.weight_decay, scale, spans)


class Adagrad(Optimizer):
    """s ← s + g²; θ ← θ − η g / (√s + ε) (Duchi, Hazan and Singer 2011).

    Args:
        learning_rate: η > 0.
        epsilon: ε > 0.
        weight_decay: L2 penalty: this times θ is added to g.

    Raises:
        ValueError: if an argument is out of range.
    """

    _vectors = ("squares",)

    def __init__(
        self, learning_rate: float = 0.01, *, epsilon: float = 1e-10, weight_decay: float = 0.0
    ) -> None:
        self.epsilon = _positive(self, "epsilon", epsilon)
        self.weight_decay = _positive(self, "weight_decay", weight_decay, zero=True)
        super().__init__(learning_rate, epsilon=self.epsilon, weight_decay=self.weight_decay)

    def _update(
        self,
        theta: Array,
        g: Array,
        state: Mapping[str, Array],
        rate: float,
        scale: float,
        spans: Array | None,
    ) -> None:
        _rnnrs.adagrad(theta, g, state["squares"], rate, self.epsilon, self.weight_decay, scale)


class RMSProp(Optimizer):
    """s ← α s + (1 − α) g²; θ ← θ − η g / (√s + ε) (Tieleman and Hinton 2012).

    Args:
        learning_rate: η > 0.
        decay: α in 0 ≤ α < 1.
        epsilon: ε > 0.
        weight_decay: L2 penalty: this times θ is added to g.

    Raises:
        ValueError: if an argument is out of range.
    """

    _vectors = ("squares",)

    def __init__(
        self,
        learning_rate: float = 0.01,
        *,
        decay: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.decay = _share(self, "decay", decay)
        self.epsilon = _positive(self, "epsilon", epsilon)
        self.weight_decay = _positive(self, "weight_decay", weight_decay, zero=True)
        settings = {"decay": self.decay, "epsilon": self.epsilon, "weight_decay": self.weight_decay}
        super().__init__(learning_rate, **settings)

    def _update(
        self,
        theta: Array,
        g: Array,
        state: Mapping[str, Array],
        rate: float,
        scale: float,
        spans: Array | None,
    ) -> None:
        squares = state["squares"]
        _rnnrs.rmsprop(theta, g, squares, rate, self.decay, self.epsilon, self.weight_decay, scale)


class Adam(Optimizer):
    """m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; θ ← θ − η m̂ / (√v̂ + ε) (Kingma and Ba 2015).

    Args:
        learning_rate: η > 0.
        betas: β₁, β₂, each from 0 to below 1.
        epsilon: ε > 0.
        weight_decay: L2 penalty: this times θ is added to g.

    Raises:
        ValueError: if an argument is out of range.
    """

    _vectors = ("mean", "variance")
    _decoupled = False

    def __init__(
        self,
        learning_rate: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not isinstance(betas, Sequence) or len(betas) != 2:
            raise ValueError(f"{type(self).__name__}: betas: expected two numbers, got {betas!r}")
        self.betas = (_share(self, "betas", betas[0]), _share(self, "betas", betas[1]))
        self.epsilon = _positive(self, "epsilon", epsilon)
        self.weight_decay = _positive(self, "weight_decay", weight_decay, zero=True)
        settings = {"epsilon": self.epsilon, "weight_decay": self.weight_decay}
        super().__init__(learning_rate, betas=list(self.betas), **settings)

    def _update(
        self,
        theta: Array,
        g: Array,
        state: Mapping[str, Array],
        rate: float,
        scale: float,
        spans: Array | None,
    ) -> None:
        _rnnrs.adam(
            theta,
            g,
            state["mean"],
            state["variance"],
            self.steps + 1,
            rate,
            self.betas[0],
            self.betas[1],
            self.epsilon,
            self.weight_decay,
            self._decoupled,
            scale,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay: θ shrinks by η · `weight_decay` · θ (Loshchilov and Hutter 2019).

    Args:
        learning_rate: η > 0.
        betas: β₁, β₂, each from 0 to below 1.
        epsilon: ε > 0.
        weight_decay: from 0; it does not enter g.

    Raises:
        ValueError: if an argument is out of range.
    """

    _decoupled = True

    def __init__(
        self,
        learning_rate: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(learning_rate, betas=betas, epsilon=epsilon, weight_decay=weight_decay)


#: The optimizers by name.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSProp,
    "adagrad": Adagrad,
    "sgd": SGD,
}


def optimizer_from_config(config: Mapping[str, Any]) -> Optimizer:
    """Returns the optimizer that `Optimizer.to_config` described.

    Raises:
        FormatError: if `config` does not describe one.
    """
    settings = dict(config)
    kind = OPTIMIZERS.get(str(settings.pop("kind", "")).lower())
    if kind is None:
        names = ", ".join(known.__name__ for known in OPTIMIZERS.values())
        raise FormatError(f"optimizer: kind: expected one of {names}, got {config.get('kind')!r}")
    try:
        return kind(**settings)
    except (TypeError, ValueError) as error:
        raise FormatError(f"optimizer: damaged: {error}") from error
