"""Annotated dialogues, turn by turn, as an assistant that made no error would know them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...data.annotated_dialogues import AnnotatedTurn
from ...data.dialogue_acts import PREFIX
from ...shown import short_repr
from .mentions import bare
from .policy import Situation
from .responses import Template, act_of, delexicalized
from .sentences import Sentences
from .state import DialogueState
from .tracking import Tracking


class Replayed(NamedTuple):
    """A turn of an annotated dialogue.

    Attributes:
        turn: the turn.
        system: the assistant's turn before it.
        before: the state before it.
        situation: what is known after the person's turn.
        answer: the recorded answer, without values.
        after: the state after the answer.
    """

    turn: AnnotatedTurn
    system: str
    before: DialogueState
    situation: Situation
    answer: Template
    after: DialogueState

    def __repr__(self) -> str:
        return short_repr(self)


def replayed(
    dialogue: Sequence[AnnotatedTurn], tracking: Tracking, sentences: Sentences
) -> Iterator[Replayed]:
    """Yields the turns of an annotated dialogue."""
    before, system = DialogueState(), ""
    for turn in dialogue:
        values = {slot: value for slot, value in turn.state.items() if slot in tracking.domain.slots}
        requests = tuple(column for column in turn.requests if column in tracking.domain.columns)
        changed, named = values != dict(before.values), named_row(turn.user, before, values, tracking)
        answered = named_row(turn.system, before, values, tracking)
        known = before.row is not None and not changed and named is None
        another = known and answered is not None and answered != before.row
        state = DialogueState(
            values, requests, another, changed, before.row, before.offered, before.asked, before.act
        )
        situation = Situation.of(state, tracking.table, tracking.domain, named)
        answer, after = heard(situation, turn.system, turn.asks, tracking, sentences)
        yield Replayed(turn, system, before, situation, answer, after)
        before, system = after, turn.system


def named_row(text: str, before: DialogueState, values: dict[str, str], tracking: Tracking) -> int | None:
    """Returns the row that a text names first, by index; among rows of one name, one that fits.

    A name that is also a value of a slot, and is taken as one, names a row only if the row fits.
    """
    key = tracking.domain.key
    for token in tracking.lexicon.tokens(text):
        for column, value in token.meant:
            if column != key:
                continue
            rows = tracking.table.places(key, bare)[bare(value)]
            fits = [
                i
                for i in rows
                if all(tracking.table.rows[i].get(s) == v for s, v in values.items() if v != "dontcare")
            ]
            if any(values.get(slot) == meant for slot, meant in token.meant if slot != key):
                rows = fits
            if before.row in rows:
                return before.row
            if rows:
                return (fits or rows)[0]
    return None


def heard(
    situation: Situation, text: str, asks: Sequence[str] | None, tracking: Tracking, sentences: Sentences
) -> tuple[Template, DialogueState]:
    """Returns an answer without its values, and the state after it."""
    template = delexicalized(text, tracking, sentences, len(situation.matches))
    act = act_of(template, situation, tracking, asks)
    row = named_row(text, situation.state, dict(situation.state.values), tracking)
    if row is None and act in ("offer", "inform") and PREFIX in template:
        row = situation.row
    return Template(act, template), situation.state.answered(act, row)
