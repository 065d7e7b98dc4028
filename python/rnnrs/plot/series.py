"""A series and its forecast."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array
from ..errors import ShapeError
from .figure import finish, new_figure, style, tidy


def forecast(
    series: ArrayLike,
    ahead: ArrayLike,
    columns: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    before: int | None = None,
) -> Any:
    """Draws the end of a series, and the forecast that follows it, in one panel for each quantity.

    Args:
        series: (N, I).
        ahead: (S, I), from `Forecaster.predict`.
        columns: the names of the I quantities.
        path: where to save the figure; None: nowhere.
        before: how many steps of the series to show; by default eight times the forecast's.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        ShapeError: if the shapes do not match.
    """
    x, y = as_array("forecast", "series", series), as_array("forecast", "ahead", ahead)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or len(columns) != x.shape[1]:
        raise ShapeError(
            f"forecast: series, ahead: expected (N, I) and (S, I) of {len(columns)} columns, "
            f"got {x.shape} and {y.shape}"
        )
    shown = min(len(x), 8 * len(y) if before is None else before)
    figure = new_figure(8.0, 1.0 + 2.2 * len(columns))
    panels = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    steps = np.arange(len(x) - shown, len(x))
    later = np.arange(len(x) - 1, len(x) + len(y))
    for i, (axes, name) in enumerate(zip(panels, columns, strict=True)):
        axes.plot(steps, x[len(x) - shown :, i], label="series", **style(0))
        axes.plot(later, np.concatenate([x[-1:, i], y[:, i]]), label="forecast", **style(1))
        tidy(axes, "step" if i == len(columns) - 1 else "", name)
    panels[0].legend(frameon=False, loc="upper left")
    return finish(figure, path)
