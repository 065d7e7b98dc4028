"""The values of a network's units over a text: as a heat map, and as the text colored by one unit."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..inspection import TextStates
from .figure import around_zero, finish, new_figure

#: Visible signs for whitespace.
_SHOWN = {"\n": "↵", " ": "·", "\t": "→"}

#: The maximum number of tokens that remains legible.
LONGEST = 4000


def states(
    seen: TextStates,
    units: Sequence[int],
    path: str | os.PathLike[str] | None = None,
    *,
    width: int = 80,
    labels: Sequence[str] | None = None,
    title: str = "",
) -> Any:
    """Draws a heat map: the tokens along x, in rows of `width`, the chosen units along y.

    Args:
        seen: from `inspection.text_states`; `seen[100:260]` is a part of it.
        units: the units, from top to bottom.
        path: where to save the figure; None: nowhere.
        width: the number of tokens in a row.
        labels: a name for each unit; its number by default.
        title: the title of the figure.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        IndexError: if there is no such unit.
        ValueError: if there are no units or tokens, more than 4000 tokens, or not one label for each unit.
        OSError: if the figure cannot be written.
    """
    names = [f"unit {unit}" for unit in units] if labels is None else list(labels)
    if not len(units) or len(names) != len(units):
        raise ValueError(f"states: expected units, and a label for each, got {len(units)} and {len(names)}")
    values = np.stack([_checked("states", seen, width).unit(unit) for unit in units])
    limit = _limit(seen, values)
    rows = math.ceil(len(seen.tokens) / width)
    figure = new_figure(1.6 + 0.125 * width, 0.7 + rows * (0.24 * len(units) + 0.42))
    panels = figure.subplots(rows, 1, squeeze=False)[:, 0]
    for row, axes in enumerate(panels):
        part = slice(row * width, (row + 1) * width)
        image = _row(axes, values[:, part], seen.tokens[part], width, limit)
        axes.set_yticks(range(len(units)), names, fontsize=8)
    _finish_text(figure, panels, image, f"{seen.of} after the character", title)
    return finish(figure, path, dpi=110)


def colored_text(
    seen: TextStates,
    unit: int,
    path: str | os.PathLike[str] | None = None,
    *,
    width: int = 80,
    title: str = "",
) -> Any:
    """Draws the text in lines of `width` tokens, each colored by one unit's value after it.

    `inspection.to_html` and `to_ansi` do the same for a browser and a terminal.

    Args:
        seen, path, width, title: see `states`.
        unit: the unit.

    Returns:
        The matplotlib figure.

    Raises:
        See `states`.
    """
    values = _checked("colored_text", seen, width).unit(unit)
    rows = math.ceil(len(values) / width)
    grid = np.full(rows * width, np.nan)
    grid[: len(values)] = values
    figure = new_figure(1.2 + 0.125 * width, 0.8 + 0.24 * rows)
    axes = figure.add_subplot()
    limit = _limit(seen, values)
    image = axes.imshow(grid.reshape(rows, width), cmap=around_zero(), aspect="auto", **limit)
    for place, token in enumerate(seen.tokens):
        axes.text(place % width, place // width, _sign(token), **_FONT)
    axes.set_xticks([])
    axes.set_yticks([])
    _finish_text(figure, [axes], image, f"{seen.of} of unit {unit}", title)
    return finish(figure, path, dpi=110)


_FONT = {"family": "monospace", "fontsize": 8, "ha": "center", "va": "center"}


def _checked(op: str, seen: TextStates, width: int) -> TextStates:
    """Returns `seen` if it can be drawn with this width."""
    if width < 1:
        raise ValueError(f"{op}: width: expected a whole number from 1, got {width}")
    if not 0 < len(seen.tokens) <= LONGEST:
        raise ValueError(
            f"{op}: expected 1 to {LONGEST} tokens, got {len(seen.tokens)}; take a part: seen[a:b]"
        )
    return seen


def _limit(seen: TextStates, values: Any) -> dict[str, float]:
    """Returns the limits of the color scale: a gate's range, or ±1, or ± the largest absolute value."""
    if seen.of in ("i", "f", "o", "r", "z"):
        return {"vmin": 0.0, "vmax": 1.0}
    largest = max(1.0, float(np.abs(values).max()))
    return {"vmin": -largest, "vmax": largest}


def _row(axes: Any, values: Any, tokens: list[str], width: int, limit: dict[str, float]) -> Any:
    image = axes.imshow(values, cmap=around_zero(), aspect="auto", interpolation="nearest", **limit)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_xticks(range(len(tokens)), [_sign(token) for token in tokens], family="monospace", fontsize=8)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return image


def _sign(token: str) -> str:
    # A dollar sign would start a formula.
    return _SHOWN.get(token, token).replace("$", r"\$")


def _finish_text(figure: Any, panels: Any, image: Any, what: str, title: str) -> None:
    bar = figure.colorbar(image, ax=list(panels), pad=0.01, fraction=0.03, aspect=15)
    bar.set_label(what, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    if title:
        figure.suptitle(title, fontsize=10)
