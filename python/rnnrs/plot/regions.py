"""A picture with its regions: boxes, each with its phrase."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from ..checks import check_number
from .figure import COLORS, finish, new_figure
from .pictures import broken, check_picture

#: The most regions that remain legible.
MOST_REGIONS = 60

#: The longer side of the picture in inches, the size of the letters in points, and their mean width in ems.
_SIDE, _LETTERS, _EM = 6.5, 8.0, 0.55

#: The most characters in a line of a phrase.
_WIDEST = 26

#: Left, top, right and bottom of a label, in pixels of the picture.
Place = tuple[float, float, float, float]


def regions(
    picture: ArrayLike,
    regions: Sequence[Any],
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "",
) -> Any:
    """Draws a picture with boxes and their phrases.

    A phrase is above its box, below it or in it, wherever it covers the fewest others.

    Args:
        picture: (Y, X, 3), uint8, or numbers from 0 to 1.
        regions: tuples x, y, w, h, phrase, in pixels of the picture, as `data.Region`; anything after these,
            such as a score, is not drawn.
        path: where to save the figure; None: nowhere.
        title: the title of the figure.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        ShapeError: if the picture has the wrong shape.
        TypeError: for a region that does not consist of numbers and a phrase.
        ValueError: if there are more than 60 regions.
        OSError: if the figure cannot be written.
    """
    op = "regions"
    seen, listed = check_picture(op, picture), list(regions)
    if len(listed) > MOST_REGIONS:
        raise ValueError(f"{op}: regions: expected at most {MOST_REGIONS}, got {len(listed)}")
    for i, region in enumerate(listed):
        if not isinstance(region, (tuple, list)) or len(region) < 5 or not isinstance(region[4], str):
            raise TypeError(f"{op}: regions[{i}]: expected (x, y, w, h, phrase), got {region!r:.80}")
        for name, value in zip("xywh", region, strict=False):
            check_number(op, f"regions[{i}]: {name}", value)
    Y, X = seen.shape[:2]
    inches = _SIDE / max(Y, X)
    figure = new_figure(max(3.0, X * inches), Y * inches + (0.4 if title else 0.0))
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.imshow(seen, interpolation="nearest", extent=(0, X, Y, 0))
    _draw(axes, listed, (Y, X), 1 / (72 * inches))
    axes.set_xlim(0, X)
    axes.set_ylim(Y, 0)
    if title:
        figure.suptitle(broken(title, 60), fontsize=11, parse_math=False)
    return finish(figure, path)


def _draw(axes: Any, listed: list[Any], size: tuple[int, int], point: float) -> None:
    """Draws boxes and phrases; a point is so many pixels of the picture wide."""
    taken: list[Place] = []
    for i, (x, y, w, h, phrase, *_) in enumerate(listed):
        color = COLORS[i % len(COLORS)]
        corners = [x, x + w, x + w, x, x], [y, y, y + h, y + h, y]
        axes.plot(*corners, color="white", linewidth=3.2, alpha=0.7, solid_joinstyle="miter")
        axes.plot(*corners, color=color, linewidth=1.8, solid_joinstyle="miter")
        text = broken(phrase, _WIDEST)
        left, top, right, bottom = _label((x, y, x + w, y + h), text, size, point, taken)
        taken.append((left, top, right, bottom))
        axes.text(
            left + 2 * point,
            (top + bottom) / 2,
            text,
            fontsize=_LETTERS,
            va="center",
            color="white",
            parse_math=False,
            bbox={"facecolor": color, "edgecolor": "none", "boxstyle": "square,pad=0.2", "alpha": 0.85},
        )


def _label(box: Place, text: str, size: tuple[int, int], point: float, taken: list[Place]) -> Place:
    """Returns where the phrase of a box covers the fewest others, near its left corners."""
    lines = text.split("\n")
    width = (max(map(len, lines)) * _EM * _LETTERS + 4) * point
    height = (1.25 * len(lines) * _LETTERS + 3.5) * point
    left, top, right, bottom = box
    best: tuple[float, Place] | None = None
    for near in (left, right - width):
        for above in (top - height, bottom, top, bottom - height):
            x = min(max(near, 0.0), max(size[1] - width, 0.0))
            y = min(max(above, 0.0), max(size[0] - height, 0.0))
            place = (x, y, x + width, y + height)
            covered = sum(_shared(place, other) for other in taken)
            if best is None or covered < best[0]:
                best = covered, place
    assert best is not None
    return best[1]


def _shared(a: Place, b: Place) -> float:
    """Returns the area that two labels share."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)
