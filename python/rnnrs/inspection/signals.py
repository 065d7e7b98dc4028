"""Properties of a text that a unit may follow: for every token, a number known once it has been read.

A signal is a function of the tokens (a string works too: its tokens are its characters) that returns one
number for each. Use these, or one of your own.
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
    """Returns 1 from an opening double quotation mark up to, but not including, the closing one; 0 elsewhere.

    Straight marks open and close alternately. An empty line closes an open quotation.
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
    """Returns the number of open round, square and curly brackets."""
    steps = [sum((c in "([{") - (c in ")]}") for c in token) for token in tokens]
    depth, values = 0, []
    for step in steps:
        depth = max(depth + step, 0)
        values.append(depth)
    return np.array(values, np.float64)


def position_in_line(tokens: Sequence[str]) -> Floats:
    """Returns the number of characters since the start of the line; 0 after a line end."""
    return _since(tokens, lambda character: character == "\n")


def position_in_word(tokens: Sequence[str]) -> Floats:
    """Returns the number of letters and digits since the start of the word; 0 outside words."""
    return _since(tokens, lambda character: not (character.isalnum() or character in "'’-"))


def capitals(tokens: Sequence[str]) -> Floats:
    """Returns 1 for a token in capital letters, else 0."""
    return np.array([float(token.isupper()) for token in tokens], np.float64)


def _since(tokens: Sequence[str], ends: Callable[[str], bool]) -> Floats:
    """Returns the number of characters since the last one that `ends` accepts."""
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
