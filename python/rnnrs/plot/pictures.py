"""Pictures with their descriptions: the attention for each word, and many pictures side by side."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import as_array
from ..errors import ShapeError
from .figure import COLORS, SIZES, finish, new_figure

#: The maximum numbers of words and of pictures that remain legible.
MOST_WORDS, MOST_PICTURES = 60, 200

_COLUMNS = 8


def description(
    picture: ArrayLike,
    words: Sequence[str],
    alpha: ArrayLike | None,
    grid: tuple[int, int] | None,
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "",
) -> Any:
    """Draws a picture and, for each word of its description, the attention over the picture.

    (Xu et al. 2015, "Show, attend and tell", figure 5.) Each map is α divided by the word's largest α, which
    is shown beside the word.

    Args:
        picture: (Y, X, 3), uint8, or numbers from 0 to 1.
        words: the n words: `Written.words`.
        alpha: (n, P), a row for each word: `Written.attention`; None: only the picture is drawn.
        grid: (Y′, X′), with P = Y′·X′ places: `Captioner.grid`.
        path: where to save the figure; None: nowhere.
        title: the title of the figure; the words by default.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        ShapeError: if the picture or the attention has the wrong shape.
        ValueError: if there are more than 60 words.
        OSError: if the figure cannot be written.
    """
    op = "description"
    seen, words = check_picture(op, picture), list(words)
    if len(words) > MOST_WORDS:
        raise ValueError(f"{op}: words: expected at most {MOST_WORDS}, got {len(words)}")
    maps = None if alpha is None or grid is None else np.asarray(alpha, np.float64)
    if maps is not None and grid is not None and maps.shape != (len(words), grid[0] * grid[1]):
        raise ShapeError(f"{op}: alpha: expected (n={len(words)}, P={grid[0] * grid[1]}), got {maps.shape}")
    count = 1 + (0 if maps is None else len(words))
    rows = math.ceil(count / _COLUMNS)
    columns = math.ceil(count / rows)
    figure = new_figure(max(3.0, 1.75 * columns), 0.6 + 2.0 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    panels[0].imshow(seen, interpolation="nearest")
    if maps is not None and grid is not None:
        for axes, word, row in zip(panels[1:], words, maps, strict=False):
            _map(axes, seen, word, row.reshape(grid))
    figure.suptitle(broken(title or " ".join(words), 22 * columns), fontsize=11, parse_math=False)
    return finish(figure, path)


def _map(axes: Any, picture: NDArray[Any], word: str, alpha: NDArray[np.float64]) -> None:
    """Draws one word's smooth colored map over the pale gray picture; it is clear where α is small."""
    rows, columns = picture.shape[:2]
    largest = float(alpha.max())
    weights = alpha / largest if largest > 0 else alpha
    pale = 0.35 + 0.65 * (picture @ np.array([0.299, 0.587, 0.114]))
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    axes.imshow(pale, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    axes.imshow(
        weights,
        cmap=SIZES,
        vmin=0,
        vmax=1,
        alpha=0.75 * _smooth(weights),
        interpolation="bilinear",
        extent=extent,
    )
    axes.set_title(word, fontsize=11, parse_math=False)
    axes.text(
        columns - 0.5, rows - 0.3, f"α ≤ {largest:.2f}", fontsize=6.5, ha="right", va="top", color="#555555"
    )


def _smooth(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the opacity of the map: high where α is large, low elsewhere."""
    return 0.15 + 0.85 * np.sqrt(np.maximum(weights, 0))


def pictures(
    images: NDArray[Any] | Sequence[ArrayLike],
    texts: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    right: Sequence[bool] | None = None,
    columns: int = 6,
    title: str = "",
) -> Any:
    """Draws pictures side by side, each with a text below it.

    Args:
        images: N pictures (Y, X, 3), uint8, or numbers from 0 to 1.
        texts: N texts of one or more lines.
        path: where to save the figure; None: nowhere.
        right: whether each text is correct: correct texts are blue, incorrect ones orange and in italics.
        columns: the number of pictures in a row.
        title: the title of the figure.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        ShapeError: if a picture has the wrong shape, or the numbers of pictures and texts differ.
        ValueError: if there are no pictures, more than 200, or no columns.
        OSError: if the figure cannot be written.
    """
    op = "pictures"
    seen = [check_picture(op, image) for image in images]
    if not 0 < len(seen) <= MOST_PICTURES or columns < 1:
        raise ValueError(
            f"{op}: images: expected 1 to {MOST_PICTURES} in at least one column, "
            f"got {len(seen)} in {columns}"
        )
    for name, values in (("texts", texts), ("right", right)):
        if values is not None and len(values) != len(seen):
            raise ShapeError(f"{op}: {name}: expected as many as pictures, {len(seen)}, got {len(values)}")
    columns = min(columns, len(seen))
    lines = [broken(text, 24) for text in texts]
    deepest = max(text.count("\n") + 1 for text in lines)
    rows = math.ceil(len(seen) / columns)
    figure = new_figure(max(3.0, 1.75 * columns), 0.3 + rows * (1.5 + 0.17 * deepest))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for i, (axes, image, text) in enumerate(zip(panels, seen, lines, strict=False)):
        axes.set_axis_on()
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.imshow(image, interpolation="nearest")
        style = {"color": "black"} if right is None else _STYLES[bool(right[i])]
        axes.set_xlabel(text, fontsize=8, parse_math=False, **style)
    if title:
        figure.suptitle(title, fontsize=11, parse_math=False)
    return finish(figure, path)


_STYLES = {True: {"color": COLORS[0]}, False: {"color": COLORS[1], "style": "italic"}}


def check_picture(op: str, picture: ArrayLike) -> NDArray[Any]:
    """Returns a picture as numbers 0..1.

    Raises:
        ShapeError: if it does not have the shape (Y, X, 3).
    """
    array = as_array("plot", "picture", picture)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ShapeError(f"{op}: picture: expected (Y, X, 3), got {array.shape}")
    return array / 255 if array.dtype == np.uint8 else np.clip(array.astype(np.float64), 0, 1)


def broken(text: str, width: int) -> str:
    """Breaks a text into lines of at most `width` characters; its own line breaks stay."""
    return "\n".join("\n".join(textwrap.wrap(line, width)) or line for line in text.split("\n"))
