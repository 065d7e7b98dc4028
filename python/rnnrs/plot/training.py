"""A training run's records from `inspection.GradientMonitor`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..inspection import GradientMonitor
from .figure import SIZES, finish, new_figure, style, tidy


def monitor(
    seen: GradientMonitor, path: str | os.PathLike[str] | None = None, *, layer: int = 0, title: str = ""
) -> Any:
    """Draws a run in four panels: gradients through time, gradient norms, growth per step, saturation.

    Args:
        seen: the monitor of the run.
        path: where to save the figure; None: nowhere.
        layer: the layer of a stack.
        title: the title of the figure.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        ValueError: if there are no records yet.
        IndexError: if there is no such layer.
        OSError: if the figure cannot be written.
    """
    if not len(seen):
        raise ValueError("monitor: expected at least one record, got none")
    layers = len(seen.through_time)
    if not 0 <= layer < layers:
        raise IndexError(f"monitor: layer: expected 0 to {layers - 1}, got {layer}")
    columns = _of_layer(seen, f"{layer}." if layers > 1 else "")
    figure = new_figure(9.5, 6.4)
    panels = figure.subplots(2, 2)
    if title:
        figure.suptitle(title, fontsize=11)
    _heat_map(figure, panels[0, 0], seen, layer)
    steps = seen["step"]
    names = {"gradient.first": "∂L/∂s at the first step", "gradient.last": "∂L/∂s at the last step"}
    names |= {f"gradient.{name}": f"∂L/∂{name}" for name in "UWb"}
    _lines(panels[0, 1], steps, {names[name]: columns[name] for name in names}, log=True)
    tidy(panels[0, 1], "training step", "norm", "Gradients of the probe")
    _growth(panels[1, 0], steps, columns, len(seen.through_time[str(layer)][0]))
    shares = {name.split(".")[-1]: 100 * v for name, v in columns.items() if name.startswith("saturated.")}
    _lines(panels[1, 1], steps, shares)
    panels[1, 1].set_ylim(0, max(1.0, *(np.nanmax(v) for v in shares.values())) * 1.05)
    tidy(panels[1, 1], "training step", "saturated values (%)", "Saturation")
    return finish(figure, path, dpi=110)


def _of_layer(seen: GradientMonitor, prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: seen[name] for name in seen.columns if name.startswith(prefix)}


def _lines(axes: Any, x: Any, curves: dict[str, Any], log: bool = False) -> None:
    for place, (name, values) in enumerate(curves.items()):
        shown = np.where(np.isfinite(values) & ((values > 0) | (not log)), values, np.nan)
        axes.plot(x, shown, label=name, **style(place))
    if log:
        axes.set_yscale("log")
    axes.legend(framealpha=0.8, edgecolor="none", fontsize=8, handlelength=3.2)


def _growth(axes: Any, steps: Any, columns: dict[str, Any], T: int) -> None:
    """Draws spectral radii, and the mean growth of a change per step, (‖∂s_T/∂s_1‖)^(1 / (T − 1))."""
    if "radius" not in columns:
        axes.text(0.5, 0.5, "not recorded (jacobians=False)", ha="center", transform=axes.transAxes)
    else:
        with np.errstate(over="ignore"):
            per_step = np.exp(columns["log_jacobian"] / max(T - 1, 1))
        curves = {
            "ρ(mean Jacobian)": columns["radius"],
            r"$\|\partial s_T/\partial s_1\|$ per step": per_step,
        }
        if "radius.W" in columns:
            curves["ρ(W)"] = columns["radius.W"]
        axes.axhline(1.0, color="#888888", linewidth=0.8)
        _lines(axes, steps, curves)
    tidy(axes, "training step", "factor per step", "Above 1 explodes, below 1 vanishes")


def _heat_map(figure: Any, axes: Any, seen: GradientMonitor, layer: int) -> None:
    """Draws log₁₀ ‖∂L/∂s_t‖₂: training steps along x, the sequence's steps along y."""
    curves = np.array(seen.through_time[str(layer)]).T
    with np.errstate(divide="ignore"):
        logs = np.log10(curves)
    logs[~np.isfinite(logs)] = np.nan
    steps, T = seen["step"], len(curves)
    edges = np.append(steps, steps[-1] + (steps[-1] - steps[-2] if len(steps) > 1 else 1.0))
    image = axes.pcolormesh(edges, np.arange(T + 1) + 0.5, logs, cmap=SIZES, rasterized=True)
    figure.colorbar(image, ax=axes, label=r"$\log_{10}\,\|\partial L/\partial s_t\|_2$")
    tidy(axes, "training step", "step t of the sequence", "Gradient of the loss at step t")
    axes.grid(False)
