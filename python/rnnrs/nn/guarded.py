"""Methods that other threads do not disturb: decorators for classes with `parameters` and `gradients`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from threading import get_ident
from typing import Any, TypeVar

C = TypeVar("C", bound=Callable[..., Any])


def reading(method: C) -> C:
    """Returns a method that sees the parameters of one moment, though another thread trains them."""

    @functools.wraps(method)
    def guarded(self: Any, *arguments: Any, **options: Any) -> Any:
        guard = self.parameters._vector.guard
        if get_ident() in guard.readers:  # within another such method, which is the common case
            return method(self, *arguments, **options)
        with guard.reading:
            return method(self, *arguments, **options)

    return guarded  # type: ignore[return-value]


def adding(method: C) -> C:
    """Returns a method that adds to the gradients while no other thread does.

    It raises RuntimeError if another thread adds to them, or trains the model.
    """

    @functools.wraps(method)
    def guarded(self: Any, *arguments: Any, **options: Any) -> Any:
        with self.gradients._vector.guard.adding:
            return method(self, *arguments, **options)

    return guarded  # type: ignore[return-value]


def adding_with_gradients(loss: C) -> C:
    """Returns a method `loss(batch, state, *, gradient)`, `adding` with gradients, else `reading`."""
    without = reading(loss)
    with_gradients = adding(without)  # the methods within need no context of their own

    @functools.wraps(loss)
    def guarded(self: Any, batch: Any, state: Any = None, *, gradient: bool = True, **options: Any) -> Any:
        return (with_gradients if gradient else without)(self, batch, state, gradient=gradient, **options)

    return guarded  # type: ignore[return-value]


def reading_first(function: C) -> C:
    """Returns a function of a model, its first argument, as `reading`."""

    @functools.wraps(function)
    def guarded(model: Any, *arguments: Any, **options: Any) -> Any:
        with model.parameters.reading:
            return function(model, *arguments, **options)

    return guarded  # type: ignore[return-value]
