"""A decoder's attention to each source word, for each word it generated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array
from ..errors import ShapeError
from .figure import SIZES, finish, new_figure

#: The maximum number of words on either side that remains legible.
LONGEST = 200


def attention(
    alpha: ArrayLike,
    source: Sequence[str],
    target: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "",
) -> Any:
    """Draws a heat map: the source's words along x, the target's words from top to bottom.

    (Bahdanau, Cho and Bengio 2015, figure 3.)

    Args:
        alpha: (n, S), a row for each word of the target: `decoding.Hypothesis.attention`.
        source: the S words.
        target: the n words.
        path: where to save the figure; None: nowhere.
        title: the title of the figure.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: if matplotlib is missing.
        ShapeError: if the numbers of words and of rows and columns differ.
        ValueError: if either side has no words, or more than 200.
        OSError: if the figure cannot be written.
    """
    weights = as_array("attention", "alpha", alpha)
    if weights.shape != (len(target), len(source)):
        raise ShapeError(
            f"attention: alpha: expected (n={len(target)}, S={len(source)}), got {weights.shape}"
        )
    if not all(0 < len(words) <= LONGEST for words in (source, target)):
        raise ValueError(f"attention: expected 1 to {LONGEST} words on either side, got {weights.shape}")
    longest = [max(map(len, words)) for words in (source, target)]
    width, height = 0.34 * len(source) + 0.09 * longest[1], 0.3 * len(target) + 0.075 * longest[0]
    figure = new_figure(max(3.0, 1.3 + width), max(2.0, 0.7 + height))
    axes = figure.add_subplot()
    image = axes.imshow(weights, cmap=SIZES, vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest")
    # Words are plain text, not formulas between dollar signs.
    axes.set_xticks(
        range(len(source)), source, rotation=60, ha="left", rotation_mode="anchor", parse_math=False
    )
    axes.set_yticks(range(len(target)), target, parse_math=False)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, labelsize=9, length=2)
    axes.set_xticks(np.arange(len(source) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(target) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.4, alpha=0.4)
    axes.tick_params(which="minor", length=0, top=False)
    bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02)
    bar.set_label("attention α", fontsize=9)
    if title:
        figure.suptitle(title, fontsize=10, parse_math=False)
    return finish(figure, path)
