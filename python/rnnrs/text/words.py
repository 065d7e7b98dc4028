"""Words and signs: how a text is cut into them, and how they are put together again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

#: Signs that stand close to the word before them, and close to the one after. A straight quotation mark is
#: either: the first of a line opens, the next one closes, and so on.
_CLOSE_LEFT = set(".,;:!?%)]}…»›”’।॥،؛؟")
_CLOSE_RIGHT = set("([{«‹“‘„‚¿¡$€£")
_QUOTE = '"'

#: What closes a quotation that was opened in another way than in English or French: „so“, ‚so‘, »so«, ›so‹.
_CLOSED_BY = {"„": "“”", "‚": "‘’", "»": "«", "›": "‹"}

#: After these, or at the beginning of a line, » and › open.
_BEFORE_QUOTATION = set(":,([—–") | {None}

#: Which letters write the parts of one word together without being letters (Persian, Hindi).
_JOINERS = "\u200c\u200d"


def find_words(text: str, *, marks: bool = True) -> list[str]:
    """The words and signs of a text, in its order.

    A word is a run of letters and digits with apostrophes and hyphens inside (`don't`, `well-known`); any other sign
    stands alone, white space is left out. Combining marks (é as e and an accent, vowels in Hindi or Thai) belong to
    what they follow.

    Args:
        text: the text.
        marks: whether they do; without, each is a sign of its own.
    """
    return _pattern(_marks_in(text) if marks else "").findall(text)


def ends_in_word(text: str) -> str:
    """The word, or the beginning of one, that a text ends in; empty after a space or a sign."""
    inner = _word(_marks_in(text))
    match = re.search(rf"{inner}(?:['’\-]{inner})*['’\-]?$", text)
    return match.group() if match else ""


def is_word(text: str) -> bool:
    """Whether a text is one word."""
    return find_words(text) == [text] and bool(re.match(r"\w", text))


def in_word(character: str) -> bool:
    """Whether a character can be part of a word."""
    return character.isalnum() or character in "_'’-" + _JOINERS or _is_mark(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _marks_in(text: str) -> str:
    """The marks that occur in a text, sorted: there are thousands, but in one text few."""
    if max(text, default="") < "\u0300":
        return ""
    found = {c for c in set(text) if ord(c) >= 0x300 and (c in _JOINERS or _is_mark(c))}
    return "".join(sorted(found))


def _word(marks: str) -> str:
    """A pattern of letters and digits, each with its marks."""
    return rf"(?:\w[{marks}]*)+" if marks else r"\w+"


@lru_cache(maxsize=16)
def _pattern(marks: str) -> re.Pattern[str]:
    inner, sign = _word(marks), rf"[^\w\s][{marks}]*" if marks else r"[^\w\s]"
    return re.compile(rf"{inner}(?:['’\-]{inner})*|{sign}")


class Spacing:
    """Puts a line together word by word, with the spaces that belong there in European languages."""

    def __init__(self) -> None:
        self._close = True  # whether the next word stands close to what is before it
        self._quoted = False  # whether it stands within straight quotation marks
        self._before: str | None = None
        self._open: list[str] = []  # signs that have opened a quotation whose end is told by `_CLOSED_BY`

    def add(self, word: str) -> str:
        """What the next word adds to the text."""
        self._quoted ^= word == _QUOTE
        opens, closes = self._kind(word)
        piece = word if self._close or closes else " " + word
        self._close, self._before = opens, word
        return piece

    def _kind(self, word: str) -> tuple[bool, bool]:
        """Whether a word stands close to what comes next, and to what is before it."""
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
    """A line of words and signs, as `find_words` gives them, with spaces where they belong: readable text."""
    return "".join(map(Spacing().add, words))


def capitalize(text: str) -> str:
    """A lower-case text with capitals where sentences begin: of its lines, and after . ! ? with a space.

    Names stay as they are: which words are names is not known here.
    """
    return re.sub(
        r"(^|[.!?…][\"'”“’»)]*\s+)([\"'“„«»¿¡(\[]*)(\w)",
        lambda match: match[1] + match[2] + match[3].upper(),
        text,
        flags=re.M,
    )
