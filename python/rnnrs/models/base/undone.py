"""A `fit` that takes place or leaves nothing behind."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, TypeVar

C = TypeVar("C", bound=Callable[..., Any])


def whole_or_not(fit: C) -> C:
    """Returns the `fit` of a model that changes nothing if it fails before the first step.

    What a `fit` learns from its data besides the parameters (the scale of the inputs, settings, …) is in the
    model's attributes and in the objects that `LEARNED` names. RuntimeError is raised if another `fit` of the
    model is running.
    """

    @functools.wraps(fit)
    def guarded(self: Any, *arguments: Any, **options: Any) -> Any:
        with self.gradients.training(f"{type(self).__name__}.fit", None):
            steps, before = self.parameters.steps, _State(self, options.get("resume") is not None)
            try:
                return fit(self, *arguments, **options)
            except Exception:
                if self.parameters.steps == steps:
                    before.restore()
                raise

    return guarded  # type: ignore[return-value]


class _State:
    """The state of a model before a `fit`.

    Args:
        model: the model.
        parameters: whether the parameters may change without a step: when a run is resumed.
    """

    def __init__(self, model: Any, parameters: bool) -> None:
        learned = [model, *(getattr(model, name) for name in model.LEARNED)]
        self._kept = [(owner, copy.copy(owner.__dict__)) for owner in learned]
        self._model, self._groups = model, copy.deepcopy(model.parameters._vector.groups.__dict__)
        self._have_changed = model.parameters.have_changed
        self._parameters = (
            {name: array.copy() for name, array in model.parameters.items()} if parameters else None
        )

    def restore(self) -> None:
        """Puts the state back."""
        for owner, attributes in self._kept:
            owner.__dict__.update(attributes)
            for name in owner.__dict__.keys() - attributes.keys():
                delattr(owner, name)
        self._model.gradients.fill(0.0)
        self._model.parameters._vector.groups.__dict__.update(self._groups)
        if self._parameters is not None:
            self._model.parameters.copy_from(self._parameters, changed=self._have_changed)
