"""A text colored by one unit's values, for a terminal or a browser: blue below 0, orange above."""

from __future__ import annotations

import html

import numpy as np

from ..terminal import escaped
from ..types import Array
from .units import TextStates

#: The quantities between 0 and 1.
_GATES = ("i", "f", "o", "r", "z")

#: The ends of the scale, whose middle is white; distinguishable with red-green color blindness.
BLUE, ORANGE = (0, 114, 178), (230, 120, 0)


def scale_of(states: TextStates, unit: int) -> tuple[Array, float]:
    """Returns one unit's values (N,), scaled to −1..1, and the value shown as 1.

    That is 1 for h, tanh_c and gates, and the largest absolute value if it exceeds 1. A gate's 0.5 is shown
    as 0.

    Raises:
        IndexError: if there is no such unit.
    """
    values = states.unit(unit).astype(np.float64)
    if states.of in _GATES:
        return 2.0 * values - 1.0, 1.0
    limit = max(1.0, float(np.abs(values).max(initial=0.0)))
    return values / limit, limit


def to_ansi(states: TextStates, unit: int) -> str:
    """Returns the text with colored backgrounds, for a terminal with 24-bit colors.

    Other characters that a terminal obeys are written as escapes.

    Raises:
        IndexError: if there is no such unit.
    """
    values, _ = scale_of(states, unit)
    pieces, gap, end = [], _gap(states), "\x1b[0m"
    for token, value in zip(states.tokens, values.tolist(), strict=True):
        r, g, b = _rgb(value)
        begin = f"\x1b[48;2;{r};{g};{b}m\x1b[30m"
        pieces.append(begin + escaped(token).replace("\n", f"{end}\n{begin}") + end + gap)
    return "".join(pieces)


def to_html(states: TextStates, unit: int) -> str:
    """Returns the text as an HTML page; each token's tooltip shows its value.

    Raises:
        IndexError: if there is no such unit.
    """
    values, limit = scale_of(states, unit)
    spans, gap = [], _gap(states)
    for token, value, exact in zip(states.tokens, values.tolist(), states.unit(unit).tolist(), strict=True):
        r, g, b = _rgb(value)
        shown = html.escape(token).replace("\n", "↵\n")
        spans.append(f'<span style="background:rgb({r},{g},{b})" title="{exact:.3f}">{shown}</span>{gap}')
    low = "0" if states.of in _GATES else f"−{limit:g}"
    head = f"unit {unit}, {states.of}: blue {low}, orange {limit:g}"
    return (
        f'<!doctype html><meta charset="utf-8"><title>unit {unit}</title>\n<p>{head}</p>\n'
        f'<pre style="white-space:pre-wrap;color:#000;background:#fff">{"".join(spans)}</pre>\n'
    )


def _gap(states: TextStates) -> str:
    """Returns the separator of tokens.

    Tokens of several characters are words, separated by a space, or subwords that contain their own spaces.
    """
    longer = any(len(token) > 1 for token in states.tokens)
    return " " if longer and not any(token.startswith(" ") for token in states.tokens) else ""


def _rgb(value: float) -> tuple[int, int, int]:
    """Returns white for 0, blue for −1, orange for 1."""
    end, part = (ORANGE, value) if value > 0 else (BLUE, -value)
    r, g, b = (round(255 + (channel - 255) * min(part, 1.0)) for channel in end)
    return r, g, b
