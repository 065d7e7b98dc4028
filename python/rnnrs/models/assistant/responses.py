"""Answers without the table's values: how they are learned, and what they depend on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...data.annotated_dialogues import DONTCARE
from ...data.dialogue_acts import PREFIX
from .mentions import Token, bare
from .policy import Situation
from .sentences import Sentences
from .tracking import BORDER, LONGEST, Tracking, written

#: The placeholder of the number of rows that fit, and the prefix of the word that names an answer's act.
COUNT, ACT = PREFIX + "count", "act_"

_PLACEHOLDER = re.compile(rf"\b{PREFIX}\w+")

#: From this number on, rows that fit are simply many.
MANY = 6


class Template(NamedTuple):
    """An answer without values.

    Attributes:
        act: "offer", "inform", "deny", "ask_" and a slot, or "other".
        text: the sentence with placeholders such as slot_food.
    """

    act: str
    text: str

    @property
    def placeholders(self) -> list[str]:
        """The placeholders in the text, in order."""
        return _PLACEHOLDER.findall(self.text)


def placeholder(column: str) -> str:
    """Returns the placeholder of a column's values.

    Example:
        >>> placeholder("Price range")
        'slot_price_range'
    """
    return PREFIX + re.sub(r"\W+", "_", column.strip().lower())


def delexicalized(text: str, tracking: Tracking, sentences: Sentences, count: int) -> str:
    """Returns an answer of the data with placeholders for values, and for the number of rows that fit.

    Args:
        text: the answer.
        tracking: finds the values.
        sentences: the words for numbers.
        count: the number of rows that fit.
    """
    parts, place = [], 0
    number = {bare(sentences.number(count)), str(count)} - {"one", "1"}
    names: list[tuple[int, str]] | None = None
    for token in tracking.lexicon.tokens(text):
        said = placeholder(token.meant[0][0]) if token.meant else COUNT if token.words[0] in number else None
        if len(token.meant) > 1:
            names = tracking.names_at(text) if names is None else names
            said = placeholder(_nearest_name([column for column, _ in token.meant], token.start, names))
        if said is not None:
            before = text[place : token.start]
            parts += [before, "" if before.endswith((" ", "(")) or not before else " ", said]
            place = token.end
            if text[place : place + 1] not in ("", " ", ".", ",", "?", "!", ";", ":", ")"):
                parts.append(" ")
    return " ".join("".join([*parts, text[place:]]).split())


def _nearest_name(columns: Sequence[str], place: int, names: Sequence[tuple[int, str]]) -> str:
    """Returns the column among several whose name is the last before a place, else the next one after it."""
    before = [column for start, column in names if column in columns and start < place]
    after = [column for start, column in names if column in columns and start > place]
    return [*before[-1:], *after, *columns][0]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Returns a template with the values of its placeholders.

    Raises:
        KeyError: for a placeholder without a value.
    """
    found = _PLACEHOLDER.sub(lambda match: values[match[0]], text)
    return re.sub(r" (?=['’]s\b)", "", found)


def act_of(text: str, situation: Situation, tracking: Tracking, asks: Sequence[str] | None) -> str:
    """Returns the act of an answer in the data.

    Args:
        text: the delexicalized answer.
        situation: what is known before it.
        tracking: the domain's columns.
        asks: the slots that it asks for; None if that is not annotated: then a question that names a slot.
    """
    domain = tracking.domain
    said = set(_PLACEHOLDER.findall(text))
    if placeholder(domain.key) in said:
        return "offer"
    if said & {placeholder(column) for column in domain.requests if column not in domain.slots}:
        return "inform"
    state = situation.state
    if not situation.matches and (state.changed or state.requests):
        return "deny"
    asked = [slot for slot in asks or () if slot in domain.slots]
    if asks is None and "?" in text:
        low = text.lower()
        asked = [s for s in domain.slots if s not in state.values and any(n in low for n in domain.names(s))]
    if asked:
        return f"ask_{asked[0]}"
    return "inform" if state.requests and said - {COUNT} else "other"


def source_of(situation: Situation, user: str, tracking: Tracking) -> list[str]:
    """Returns what an answer depends on, as words: state, rows that fit, requests, the person's turn."""
    state, domain = situation.state, tracking.domain
    words = []
    for slot in domain.slots:
        value = state.values.get(slot)
        words.append(f"{slot}:{'none' if value is None else 'any' if value == DONTCARE else 'set'}")
    words.append(f"fit:{min(len(situation.matches), MANY)}")
    words.append(f"last:{state.act or 'none'}")
    words += [f"want:{column}" for column in state.requests]
    flags = {"changed": state.changed, "another": state.another, "row": state.row is not None}
    words += [f"is:{name}" for name, on in flags.items() if on]
    tokens: list[Token] = tracking.lexicon.tokens(user)[-LONGEST:]
    return [*(word.replace(" ", "_") for word in words), BORDER, *map(written, tokens)]
