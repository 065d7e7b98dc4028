"""Answering methods of trained models."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from ...nn.guarded import reading

C = TypeVar("C", bound=Callable[..., Any])


def answers(method: C) -> C:
    """Returns a method that answers by the parameters of one moment; an untrained model is refused.

    The parameters of a trained model have been changed: by an optimizer, by `load`, or by values that were
    assigned to them. Otherwise they are the random ones of the beginning, and so would be the answer. A model
    that is being trained answers from the beginning. Errors in the arguments come first.
    """
    consistent = reading(method)

    @functools.wraps(method)
    def guarded(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = consistent(self, *arguments, **options)
        if not (self.parameters.have_changed or self.gradients._vector.guard.trainings):
            name = type(self).__name__
            raise ValueError(
                f"{name}.{method.__name__}: expected a trained model, got one with its initial parameters; "
                f"train it with `fit`, or use `{name}.load`"
            )
        return answer

    return guarded  # type: ignore[return-value]
