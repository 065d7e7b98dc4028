"""The spaces of European languages by rules, and the words of models that know nothing else.

Vocabularies in files of earlier versions consist of these words, and are spaced by these rules. Texts that
come as words without spaces (`join_words`) are spaced so, too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

#: Symbols that attach to the word before them, and symbols that attach to the word after them. A straight
#: quotation mark does either: the first of a line opens, the next one closes, alternately.
_CLOSE_LEFT = set(".,;:!?%)]}…»›”’।॥،؛؟")
_CLOSE_RIGHT = set("([{«‹“‘„‚¿¡$€£")
_QUOTE = '"'

#: The closing marks of quotations that open unlike English or French ones: „so“, ‚so‘, »so«, ›so‹.
_CLOSED_BY = {"„": "“”", "‚": "‘’", "»": "«", "›": "‹"}

#: After these, or at the start of a line, » and › open a quotation.
_BEFORE_QUOTATION = set(":,([—–") | {None}

#: Zero-width characters that join the parts of one word without being letters (Persian, Hindi).
_JOINERS = "\u200c\u200d"


def split_words(text: str, *, marks: bool = True) -> list[str]:
    """Returns the words and symbols of a text, in order.

    A word is a run of letters and digits that may contain apostrophes and hyphens (`don't`, `well-known`).
    Any other character is a symbol by itself; white space is dropped. Combining marks (é as e and an accent,
    vowels in Hindi or Thai) belong to the character before them.

    Args:
        text: the text.
        marks: whether combining marks belong to the character before them; if not, each is a symbol by
            itself.
    """
    return _pattern(_marks_in(text) if marks else "").findall(text)


def ends_in_word(text: str) -> str:
    """Returns the word, or the start of a word, at the end of a text; empty after a space or a symbol."""
    end = text[end_of_signs(text) :]
    inner = _word(_marks_in(end))
    match = re.search(rf"{inner}(?:['’\-]{inner})*['’\-]?\Z", end)
    return match.group() if match else ""


def end_of_signs(text: str) -> int:
    """Returns the place in a text after the last character that cannot be part of a word, or 0."""
    place = len(text)
    while place and in_word(text[place - 1]):
        place -= 1
    return place


def is_word(text: str) -> bool:
    """Returns whether a text is exactly one word."""
    return split_words(text) == [text] and bool(re.match(r"\w", text))


def in_word(character: str) -> bool:
    """Returns whether a character can be part of a word."""
    return character.isalnum() or character in "_'’-" + _JOINERS or _is_mark(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _marks_in(text: str) -> str:
    """Returns the marks that occur in a text, sorted: Unicode has thousands, one text has few."""
    if max(text, default="") < "\u0300":
        return ""
    found = {c for c in set(text) if ord(c) >= 0x300 and (c in _JOINERS or _is_mark(c))}
    return "".join(sorted(found))


def _word(marks: str) -> str:
    """Returns a pattern of letters and digits, each with its marks."""
    return rf"(?:\w[{marks}]*)+" if marks else r"\w+"


@lru_cache(maxsize=16)
def _pattern(marks: str) -> re.Pattern[str]:
    inner, sign = _word(marks), rf"[^\w\s][{marks}]*" if marks else r"[^\w\s]"
    return re.compile(rf"{inner}(?:['’\-]{inner})*|{sign}")


class Spacing:
    """The spaces between the words of a line, by the rules of European languages, word by word."""

    def __init__(self) -> None:
        self._close = True  # whether the next word is attached to the text before it
        self._quoted = False  # whether it is inside straight quotation marks
        self._before: str | None = None
        self._open: list[str] = []  # open quotation marks whose closing mark is in `_CLOSED_BY`

    def add(self, word: str) -> str:
        """Returns the text that the next word adds: the word, with a space before it where one belongs."""
        self._quoted ^= word == _QUOTE
        opens, closes = self._kind(word)
        piece = word if self._close or closes else " " + word
        self._close, self._before = opens, word
        return piece

    def _kind(self, word: str) -> tuple[bool, bool]:
        """Returns whether a word is attached to the next word, and whether to the previous one."""
        if word == _QUOTE:
            return self._quoted, not self._quoted
        if self._open and word in _CLOSED_BY[self._open[-1]]:
            self._open.pop()
            return False, True
        if word in "„‚" or (word in "»›" and self._before in _BEFORE_QUOTATION):
            self._open.append(word)
            return True, False
        return word in _CLOSE_RIGHT, word in _CLOSE_LEFT


def join_words(words: Iterable[str]) -> str:
    """Joins words and symbols into a readable line, with spaces by the rules of European languages."""
    return "".join(map(Spacing().add, words))
