"""Properties of a text that a unit may follow: of every token, what is known once it has been read.

A signal is a function of the tokens — of a text itself, whose tokens are its characters — that gives a number for each:
these, or one of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..types import Floats

Signal = Callable[[Sequence[str]], ArrayLike]

_OPENING, _CLOSING, _EITHER = "“«„", "”»", '"'


def inside_quotes(tokens: Sequence[str]) -> Floats:
    """1 from an opening double quotation mark up to the closing one, which is 0 itself, else 0.

    Straight marks open and close by turns. An empty line ends what has not been closed.
    """
    inside, before = 0.0, ""
    values = []
    for token in tokens:
        for character in token:
            if character in _EITHER:
                inside = 1.0 - inside
            elif character in _OPENING or character in _CLOSING:
                inside = float(character in _OPENING)
            elif character == before == "\n":
                inside = 0.0
            before = character
        values.append(inside)
    return np.array(values, np.float64)


def inside_brackets(tokens: Sequence[str]) -> Floats:
    """How many round, square or curly brackets are open."""
    steps = [sum((c in "([{") - (c in ")]}") for c in token) for token in tokens]
    depth, values = 0, []
    for step in steps:
        depth = max(depth + step, 0)
        values.append(depth)
    return np.array(values, np.float64)


def position_in_line(tokens: Sequence[str]) -> Floats:
    """Characters since the line's beginning; 0 after a line end."""
    return _since(tokens, lambda character: character == "\n")


def position_in_word(tokens: Sequence[str]) -> Floats:
    """Letters and digits since the word's beginning; 0 outside words."""
    return _since(tokens, lambda character: not (character.isalnum() or character in "'’-"))


def capitals(tokens: Sequence[str]) -> Floats:
    """1 for a token in capital letters, else 0."""
    return np.array([float(token.isupper()) for token in tokens], np.float64)


def _since(tokens: Sequence[str], ends: Callable[[str], bool]) -> Floats:
    count, values = 0, []
    for token in tokens:
        for character in token:
            count = 0 if ends(character) else count + 1
        values.append(count)
    return np.array(values, np.float64)


#: The signals by name.
SIGNALS: dict[str, Any] = {
    "quotes": inside_quotes,
    "brackets": inside_brackets,
    "line": position_in_line,
    "word": position_in_word,
    "capitals": capitals,
}
