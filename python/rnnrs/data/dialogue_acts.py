"""Dialogue acts: what an assistant is to say, before it has words. `inform(name='metro hotel';area='soma')`

Written as in RNNLG (Wen et al. 2015, "Semantically Conditioned LSTM-based Natural Language Generation for Spoken
Dialogue Systems"). A model reads and writes them *delexicalized*: values that are said as they stand become
placeholders (`slot_area`), so that what was learned of one hotel holds for all.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..errors import FormatError
from ..text import join_words
from .pairs import read_tsv_pairs

#: Values that are said in other words than their own: no placeholder, no slot error.
UNSAID = frozenset(("", "yes", "no", "none", "dont_care"))

#: What placeholders begin with.
PREFIX = "slot_"

_ACT = re.compile(r"\s*(\??)\s*(\w+)\s*\((.*)\)\s*", re.S)
_SLOT = re.compile(r"""\s*(\w+)\s*(?:=\s*('[^']*'|"[^"]*"|[^;]*?))?\s*(?:;|$)""")
_SEVERAL = re.compile(r"\s+(?:or|and)\s+")

#: Slots whose value may be several: `area='soma or castro'`. A name or an address is one, whatever is in it.
_ONE = frozenset(("name", "address", "phone", "postcode", "price"))


@dataclass(frozen=True)
class DialogueAct:
    """An act with its slots.

    Args:
        kind: "inform", "request", ….
        slots: (name, value) each; the value is empty where one is asked for.
        question: whether the assistant asks: `?request(area)`.

    Attributes:
        kind, slots, question: as given.
    """

    kind: str
    slots: tuple[tuple[str, str], ...] = ()
    question: bool = False

    @classmethod
    def parse(cls, text: str) -> DialogueAct:
        """The act of a text such as `?confirm(area='soma';dogsallowed=yes)`.

        Raises:
            FormatError: for what is none.
            TypeError: for what is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"DialogueAct.parse: text: expected a string, got {type(text).__name__}")
        match = _ACT.fullmatch(text)
        slots = None if match is None else _parse_slots(match[3].strip())
        if match is None or slots is None:
            raise FormatError(
                f"DialogueAct.parse: text: expected an act such as inform(name='x';area='y'), got {text!r}"
            )
        return cls(match[2], slots, bool(match[1]))

    @cached_property
    def values(self) -> dict[str, str]:
        """What stands for which value; of several values of a slot the second is `slot_area_2`, and so on."""
        counts: Counter[str] = Counter()
        found = {}
        for name, value in self.slots:
            if value in UNSAID:
                continue
            for part in [value] if name in _ONE else _SEVERAL.split(value):
                counts[name] += 1
                number = f"_{counts[name]}" if counts[name] > 1 else ""
                found[f"{PREFIX}{name}{number}"] = " ".join(part.split())
        return found

    @cached_property
    def source(self) -> str:
        """The act as words that a model reads, without the values that are said as they stand; sorted."""
        unsaid = [
            f"{name} {value}" if value else f"{name} which" for name, value in self.slots if value in UNSAID
        ]
        return " ".join(
            [*(["ask"] if self.question else []), self.kind, *sorted(self.values), *sorted(unsaid)]
        )

    def delexicalize(self, sentence: str) -> str:
        """A sentence with placeholders for the act's values, its tokens such that a vocabulary keeps each whole.

        Args:
            sentence: tokens with spaces between them, endings apart: "there are 2 hotel -s".
        """
        words = sentence.split()
        for placeholder, value in sorted(self.values.items(), key=lambda item: -len(item[1].split())):
            words = _replace(words, value.split(), placeholder)
        return " ".join("_" + word.removeprefix("-") if _is_ending(word) else word for word in words)

    def lexicalize(self, template: Iterable[str]) -> list[str]:
        """The tokens of a template with the act's values in it; a placeholder of no value loses its prefix."""
        tokens: list[str] = []
        for word in template:
            if word.startswith(PREFIX):
                tokens += self.values.get(word, word.removeprefix(PREFIX)).split()
            elif word.startswith("_"):
                tokens.append(word[1:] if word.startswith("_'") else "-" + word[1:])
            else:
                tokens.append(word)
        return tokens

    def slot_errors(self, template: Iterable[str]) -> tuple[int, int]:
        """(missing, redundant): values that a template lacks; placeholders too many, or of no slot of the act."""
        said = Counter(word for word in template if word.startswith(PREFIX))
        missing = sum(placeholder not in said for placeholder in self.values)
        return missing, said.total() - (len(self.values) - missing)


def _parse_slots(text: str) -> tuple[tuple[str, str], ...] | None:
    """(name, value) each; None for what are no slots."""
    slots, place = [], 0
    while place < len(text):
        slot = _SLOT.match(text, place)
        if slot is None:
            return None
        slots.append((slot[1], (slot[2] or "").strip("'\"").strip()))
        place = slot.end()
    return tuple(slots)


def _is_ending(word: str) -> bool:
    return len(word) > 1 and word[0] in "-'" and word[1:].isalpha()


def _replace(words: list[str], value: list[str], placeholder: str) -> list[str]:
    n, found, place = len(value), [], 0
    while place < len(words):
        same = n > 0 and words[place : place + n] == value
        found.append(placeholder if same else words[place])
        place += n if same else 1
    return found


def readable(tokens: Sequence[str]) -> str:
    """Tokens as a person writes them: endings joined to their words, no space before a comma."""
    words: list[str] = []
    for token in tokens:
        if words and _is_ending(token):
            words[-1] += token.removeprefix("-")
        else:
            words.append(token)
    return join_words(words)


def read_dialogue_acts(path: str | os.PathLike[str]) -> list[tuple[DialogueAct, str]]:
    """Acts and sentences from a file with a line for each: act, tab, sentence; further columns are ignored.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a line that is no act and sentence.
    """
    found = []
    for number, (act, sentence) in enumerate(read_tsv_pairs(path), 1):
        try:
            found.append((DialogueAct.parse(act), sentence))
        except FormatError as error:
            raise FormatError(f"{path}: pair {number}: {error}") from None
    return found


def act_dialogues(examples: Sequence[tuple[DialogueAct, str]]) -> list[list[str]]:
    """Acts and sentences as dialogues of two turns, delexicalized: what `Chatbot.fit` takes."""
    return [[act.source, act.delexicalize(sentence)] for act, sentence in examples]
