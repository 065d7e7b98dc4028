"""The basis of all figures: matplotlib (extra "plot"), colors, and saving."""

from __future__ import annotations

import io
import os
from typing import Any

from ..errors import require
from ..files import write_atomically
from ..inspection.color import BLUE, ORANGE
from .fonts import make_legible

#: Okabe and Ito's colors, for color blindness, and line styles, for printing in gray.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
STYLES = ("-", "--", "-.", ":", "-", "--", "-.")

#: A color map for sizes, suitable for color blindness.
SIZES = "cividis"


def new_figure(width: float, height: float) -> Any:
    """Returns an empty matplotlib figure, in inches. No window opens, and pyplot's state does not change.

    Raises:
        MissingExtraError: if matplotlib is missing.
    """
    return require("matplotlib.figure", "plot").Figure(figsize=(width, height), layout="constrained")


def around_zero() -> Any:
    """Returns the color map for numbers around 0, that of `inspection.to_html`: blue, white, orange.

    Black text is legible on all its colors.

    Raises:
        MissingExtraError: if matplotlib is missing.
    """
    ends = [tuple(channel / 255 for channel in color) for color in (BLUE, (255, 255, 255), ORANGE)]
    return require("matplotlib.colors", "plot").LinearSegmentedColormap.from_list("around zero", ends)


def finish(figure: Any, path: str | os.PathLike[str] | None, dpi: int = 120) -> Any:
    """Makes all letters of a figure legible, saves it if a path is given (.png, .svg, .pdf, …), returns it.

    Raises:
        ValueError: if matplotlib cannot write the kind of file.
        OSError: if the file cannot be written.
    """
    make_legible(figure)
    if path is not None:
        buffer = io.BytesIO()
        suffix = os.path.splitext(os.fspath(path))[1].lstrip(".") or "png"
        figure.savefig(buffer, format=suffix, dpi=dpi)
        write_atomically(path, buffer.getvalue())
    return figure


def style(place: int) -> dict[str, Any]:
    """Returns color and line style of the curve at a place."""
    return {
        "color": COLORS[place % len(COLORS)],
        "linestyle": STYLES[place % len(STYLES)],
        "linewidth": 1.6,
    }


def tidy(axes: Any, x: str, y: str, title: str = "") -> None:
    """Adds labels and a faint grid, and removes the box."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title:
        axes.set_title(title, fontsize=10, loc="left")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
