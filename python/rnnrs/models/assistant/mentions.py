"""Values in texts: a text as tokens, where each mention of a value is one token."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, NamedTuple

from ...shown import short_repr
from ...text import find_words
from ...text.folding import folded

#: The similarity from which a word is a misspelled value, and the least number of its letters.
SIMILAR, LETTERS = 0.84, 5

#: The number of texts whose tokens are remembered.
REMEMBERED = 4096


class Token(NamedTuple):
    """A word of a text, or a mention of a value.

    Attributes:
        words: the words in the form in which they are compared.
        start, end: its place in the text.
        meant: the columns and values that it may be; empty for a word.
    """

    words: tuple[str, ...]
    start: int
    end: int
    meant: tuple[tuple[str, str], ...] = ()


@lru_cache(maxsize=1 << 14)
def bare(word: str) -> str:
    """Returns a word without case, kinds of apostrophes, and accents.

    Example:
        >>> bare("CAFÉ’s")
        "cafe's"
    """
    parts = unicodedata.normalize("NFKD", folded(unicodedata.normalize("NFKC", word)))
    return unicodedata.normalize("NFC", "".join(c for c in parts if not "\u0300" <= c <= "\u036f"))


def tokens_of(text: str) -> list[Token]:
    """Returns the words of a text with their places; a possessive ending is a word of its own, and so is each
    part of a word with hyphens.

    Example:
        >>> [token.words[0] for token in tokens_of("Alma's mid-price café?")]
        ['alma', "'s", 'mid', '-', 'price', 'cafe', '?']
    """
    found, place = [], 0
    for word in find_words(text):
        start = text.find(word, place)
        if start < 0:
            continue
        place = start + len(word)
        for first, last in _parts(word):
            form = bare(word[first:last])
            if form:
                found.append(Token((form,), start + first, start + last))
    return found


@lru_cache(maxsize=1 << 14)
def _parts(word: str) -> tuple[tuple[int, int], ...]:
    """Returns the places of the parts of a word."""
    if len(word) > 2 and word[-2] in "'’" and word[-1] in "sS":
        return (*_parts(word[:-2]), (len(word) - 2, len(word)))
    cuts, first = [], 0
    for place, character in enumerate(word):
        if character in "-‐‑–/" and 0 < place < len(word) - 1:
            cuts += [(first, place), (place, place + 1)]
            first = place + 1
    return (*cuts, (first, len(word)))


class Lexicon:
    """The values that can be mentioned, with other words for them.

    A mention has the letters, digits and symbols of the value; spaces and punctuation between words do not
    matter: "C.B 1, 7 D.Y" is also "CB1 7DY".

    Args:
        entries: (words, column, value) each; the words are a text.
    """

    __repr__ = short_repr

    def __init__(self, entries: Iterable[tuple[str, str, str]]) -> None:
        self._meant: dict[str, dict[tuple[str, str], None]] = {}
        self._beginnings: set[str] = set()
        self._read: dict[str, list[Token]] = {}
        for text, column, value in entries:
            form = "".join(_letters(token.words[0]) for token in tokens_of(text))
            if form:
                self._meant.setdefault(form, {})[column, value] = None
                self._beginnings.update(form[:n] for n in range(1, len(form) + 1))

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles, without the texts that other threads read meanwhile."""
        return self.__dict__ | {"_read": {}}

    def __contains__(self, words: tuple[str, ...]) -> bool:
        return "".join(map(_letters, words)) in self._meant

    def tokens(self, text: str) -> list[Token]:
        """Returns the tokens of a text, with mentions; among overlapping ones the first and longest."""
        found = self._read.get(text)
        if found is None:
            found = self._tokens(text)
            if len(self._read) >= REMEMBERED:
                self._read.clear()
            self._read[text] = found
        return found

    def _tokens(self, text: str) -> list[Token]:
        words, found, place = tokens_of(text), list[Token](), 0
        while place < len(words):
            count, form = self._longest(words, place)
            if count:
                run = words[place : place + count]
                own = tuple(token.words[0] for token in run)
                found.append(Token(own, run[0].start, run[-1].end, tuple(self._meant[form])))
            else:
                found.append(words[place])
            place += count or 1
        return found

    def _longest(self, words: Sequence[Token], place: int) -> tuple[int, str]:
        """Returns the number of words of the mention that begins at a place, and its form; 0 without one."""
        form, best = _letters(words[place].words[0]), (0, "")
        number = 1
        while form in self._beginnings:
            if form in self._meant and _letters(words[place + number - 1].words[0]):
                best = number, form
            if place + number == len(words):
                break
            form += _letters(words[place + number].words[0])
            number += 1
        return best


@lru_cache(maxsize=1 << 14)
def _letters(word: str) -> str:
    """Returns a word without punctuation."""
    return "".join(c for c in word if unicodedata.category(c)[0] != "P")


def nearest(words: str, values: Sequence[str]) -> str | None:
    """Returns the value that words misspell, or None.

    Example:
        >>> nearest("portugese", ["portuguese", "polish"]), nearest("thai", ["that"])
        ('portuguese', None)
    """
    form = " ".join(token.words[0] for token in tokens_of(words))
    best, most = None, SIMILAR
    for value in values:
        other = " ".join(token.words[0] for token in tokens_of(value))
        if form == other:
            return value
        if min(len(form), len(other)) < LETTERS or form[0] != other[0]:
            continue
        ratio = SequenceMatcher(None, form, other, autojunk=False).ratio()
        if ratio >= most:
            best, most = value, ratio
    return best
