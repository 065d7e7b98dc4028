"""Dialogue acts: the content of an assistant's sentence, such as `inform(name='metro hotel';area='soma')`.

The notation is that of RNNLG (Wen et al. 2015, "Semantically Conditioned LSTM-based Natural Language
Generation for Spoken Dialogue Systems"). A model reads and writes acts *delexicalized*: values that are said
verbatim become placeholders (`slot_area`), so that a sentence learned for one hotel applies to all.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..errors import FormatError
from ..reading import name_of
from ..shown import short_repr
from ..text import join_words
from .pairs import read_tsv_pairs

#: Values that are not said verbatim: they have no placeholder and cause no slot error.
UNSAID = frozenset(("", "yes", "no", "none", "dont_care"))

#: The prefix of placeholders.
PREFIX = "slot_"

_ACT = re.compile(r"\s*(\??)\s*(\w+)\s*\((.*)\)\s*", re.S)
_SLOT = re.compile(r"""\s*(\w+)\s*(?:=\s*('[^']*'|"[^"]*"|[^;]*?))?\s*(?:;|$)""")
_SEVERAL = re.compile(r"\s+(?:or|and)\s+")

#: Slots with a single value, whatever it contains. Others may have several: `area='soma or castro'`.
_ONE = frozenset(("name", "address", "phone", "postcode", "price"))


@dataclass(frozen=True)
class DialogueAct:
    """An act with its slots.

    Args:
        kind: "inform", "request", ….
        slots: (name, value) each; the value is empty where the act asks for it.
        question: whether the assistant asks: `?request(area)`.

    Attributes:
        kind, slots, question: as given.
    """

    kind: str
    slots: tuple[tuple[str, str], ...] = ()
    question: bool = False

    __repr__ = short_repr

    @classmethod
    def parse(cls, text: str) -> DialogueAct:
        """Returns the act of a text such as `?confirm(area='soma';dogsallowed=yes)`.

        Raises:
            FormatError: if the text is not an act.
            TypeError: if it is not a string.
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
        """The value of each placeholder; a slot's second value is that of `slot_area_2`, and so on."""
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
        """The act as a model's input: sorted words, with placeholders for values that are said verbatim."""
        unsaid = [
            f"{name} {value}" if value else f"{name} which" for name, value in self.slots if value in UNSAID
        ]
        return " ".join(
            [*(["ask"] if self.question else []), self.kind, *sorted(self.values), *sorted(unsaid)]
        )

    def delexicalize(self, sentence: str) -> str:
        """Returns a sentence with placeholders for the act's values.

        Endings get the prefix `_`, so that a vocabulary keeps every token whole.

        Args:
            sentence: tokens separated by spaces, endings apart: "there are 2 hotel -s".
        """
        words = sentence.split()
        for placeholder, value in sorted(self.values.items(), key=lambda item: -len(item[1].split())):
            words = _replace(words, value.split(), placeholder)
        return " ".join("_" + word.removeprefix("-") if _is_ending(word) else word for word in words)

    def lexicalize(self, template: Iterable[str]) -> list[str]:
        """Returns the tokens of a template with the act's values filled in.

        A placeholder without a value loses its prefix.
        """
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
        """Returns (missing, redundant).

        Missing are the values without a placeholder in the template; redundant are repeated placeholders and
        those that belong to no slot of the act.
        """
        said = Counter(word for word in template if word.startswith(PREFIX))
        missing = sum(placeholder not in said for placeholder in self.values)
        return missing, said.total() - (len(self.values) - missing)


def _parse_slots(text: str) -> tuple[tuple[str, str], ...] | None:
    """Returns (name, value) of each slot, or None if the text is not a list of slots."""
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
    """Returns tokens as readable text: endings joined to their words, no space before a comma."""
    words: list[str] = []
    for token in tokens:
        if words and _is_ending(token):
            words[-1] += token.removeprefix("-")
        else:
            words.append(token)
    return join_words(words)


def read_dialogue_acts(
    path: str | os.PathLike[str], *, encoding: str = "utf-8"
) -> list[tuple[DialogueAct, str]]:
    """Reads acts and sentences from lines of the form act, tab, sentence; further columns are ignored.

    Args:
        path: the file, gzip-compressed or not; "-": standard input.
        encoding: the encoding of the text.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a line that is not an act and a sentence, or not in the encoding.
        ValueError: for an unknown encoding.
    """
    found = []
    for number, (act, sentence) in enumerate(read_tsv_pairs(path, encoding=encoding), 1):
        try:
            found.append((DialogueAct.parse(act), sentence))
        except FormatError as error:
            raise FormatError(f"{name_of(path)}: pair {number}: {error}") from None
    return found


def act_dialogues(examples: Sequence[tuple[DialogueAct, str]]) -> list[list[str]]:
    """Returns acts and sentences as delexicalized dialogues of two turns, for `Chatbot.fit`."""
    return [[act.source, act.delexicalize(sentence)] for act, sentence in examples]
