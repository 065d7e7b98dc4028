"""Curves through time: gradient norms at each step, and the dependence of a state on earlier ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array
from ..errors import ShapeError
from ..inspection import JacobianNorms
from ..types import Array
from .figure import finish, new_figure, style, tidy

#: The largest power of e that a float64, and so an axis, can hold.
_LARGEST = 690.0


def gradients_through_time(
    curves: Mapping[str, ArrayLike],
    path: str | os.PathLike[str] | None = None,
    *,
    of: str = r"$\|\partial L/\partial h_t\|_2$",
    title: str = "",
) -> Any:
    """Draws norms over the steps, on a logarithmic scale: a line for each network.

    Args:
        curves: by the network's name, `inspection.gradient_norms(…)` (T, B), drawn as the geometric mean over
            the sequences with a band from the smallest to the largest; or (T,).
        path: where to save the figure; None: nowhere.
        of: the quantity, for the axis; $…$ is set as a formula.
        title: the title of the figure.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        ValueError: if there are no curves.
        ShapeError: if a curve is neither (T, B) nor (T,).
        OSError: if the figure cannot be written.
    """
    logs = {name: _log(name, values) for name, values in _some("gradients_through_time", curves).items()}
    figure = new_figure(8.0, 4.0)
    axes = figure.add_subplot()
    for place, (name, values) in enumerate(logs.items()):
        _draw(axes, np.arange(1, len(values) + 1), values, name, place)
    tidy(axes, "step t", of, title)
    return _finish(figure, axes, path)


def jacobians(
    norms: Mapping[str, JacobianNorms],
    path: str | os.PathLike[str] | None = None,
    *,
    frobenius: bool = False,
    title: str = "",
) -> Any:
    """Draws ‖∂s_t/∂s_s‖ over the distance t − s, on a logarithmic scale: a line for each network.

    Args:
        norms: by the network's name, from `inspection.jacobian_norms`. The line is the geometric mean over
            the sequences, the band extends from the smallest to the largest.
        path: where to save the figure; None: nowhere.
        frobenius: whether to draw the Frobenius norm instead of the spectral norm.
        title: the title of the figure.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        ValueError: if there are no norms.
        OSError: if the figure cannot be written.
    """
    figure = new_figure(8.0, 4.0)
    axes = figure.add_subplot()
    for place, (name, one) in enumerate(_some("jacobians", norms).items()):
        logs = (one.log_frobenius if frobenius else one.log_spectral)[::-1]
        _draw(axes, np.arange(len(logs)), logs, name, place)
    axes.axhline(1.0, color="#888888", linewidth=0.8)
    kind = "Frobenius" if frobenius else "spectral"
    tidy(axes, "steps in between, t − s", r"$\|\partial s_t/\partial s_s\|$, " + f"{kind} norm", title)
    return _finish(figure, axes, path)


def _some(op: str, curves: Mapping[str, Any]) -> Mapping[str, Any]:
    if not curves:
        raise ValueError(f"{op}: expected at least one curve, got none")
    return curves


def _log(name: str, values: ArrayLike) -> Array:
    """Returns ln of a curve (T, B)."""
    array = as_array("plot", "values", values).astype(np.float64)
    if array.ndim not in (1, 2) or not array.size:
        raise ShapeError(f"gradients_through_time: {name}: expected (T, B) or (T,), got {array.shape}")
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(array.reshape(len(array), -1)))


def _draw(axes: Any, x: Array, logs: Array, name: str, place: int) -> None:
    """Draws the geometric mean as a line and the range as a band; a norm of 0 leaves a gap."""
    logs = np.where(np.isfinite(logs), np.clip(logs, -_LARGEST, _LARGEST), np.nan)
    look = style(place)
    axes.plot(x, np.exp(logs.mean(axis=1)), label=name, **look)
    if logs.shape[1] > 1:
        axes.fill_between(
            x,
            np.exp(logs.min(axis=1)),
            np.exp(logs.max(axis=1)),
            color=look["color"],
            alpha=0.15,
            linewidth=0,
        )


def _finish(figure: Any, axes: Any, path: str | os.PathLike[str] | None) -> Any:
    axes.set_yscale("log")
    axes.margins(x=0.01)
    figure.legend(loc="outside right center", frameon=False, fontsize=9, handlelength=3.2)
    return finish(figure, path)
