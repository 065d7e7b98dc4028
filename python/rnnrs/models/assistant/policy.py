"""What is to be said: which answers are right in a situation, and the answer by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ...data.annotated_dialogues import DONTCARE
from ...data.records import Records
from ...shown import short_repr
from .domain import Domain
from .sentences import Sentences
from .state import DialogueState, matching, next_row


@dataclass(frozen=True)
class Situation:
    """What an answer is about.

    Attributes:
        state: what is known.
        matches: the rows that fit, by index.
        row: the row to talk about, by index; None if there is none.
        table, domain: the rows and their columns.
        named: whether the person has just named the row.
    """

    state: DialogueState
    matches: tuple[int, ...]
    row: int | None
    table: Records
    domain: Domain
    named: bool = False

    __repr__ = short_repr

    @classmethod
    def of(cls, state: DialogueState, table: Records, domain: Domain, named: int | None = None) -> Situation:
        """Returns the situation after a person's turn, which may have named a row."""
        matches = tuple(matching(table, domain, state.values, state.refused))
        if named is not None:
            return cls(replace(state, row=named, another=False), matches, named, table, domain, True)
        return cls(state, matches, next_row(state, matches), table, domain)

    @property
    def cells(self) -> Mapping[str, str]:
        """The row to talk about; empty if there is none."""
        return {} if self.row is None else self.table.rows[self.row]

    @property
    def known(self) -> list[tuple[str, str]]:
        """The slots and values that rows must have."""
        return [
            (s, self.state.values[s])
            for s in self.domain.slots
            if self.state.values.get(s, DONTCARE) != DONTCARE
        ]

    @property
    def due(self) -> tuple[str, ...]:
        """The requested columns, if it is clear which row is meant, at least by what is known."""
        clear = self.row is not None and bool(self.named or self.state.offered or self.state.values)
        return self.state.requests if clear else ()

    @property
    def missing(self) -> list[str]:
        """The requested columns in which the row has nothing."""
        return [column for column in self.due if not self.cells[column]]

    @property
    def open_slots(self) -> list[str]:
        """The slots that nothing is known of, have not been asked for, and tell the rows that fit apart."""
        rows = [self.table.rows[i] for i in self.matches]
        return [
            slot
            for slot in self.domain.slots
            if slot not in self.state.values
            and slot not in self.state.asked
            and len({row[slot] for row in rows}) > 1
        ]

    @property
    def exhausted(self) -> bool:
        """Whether another row is wanted, and every row that fits has been offered."""
        return self.state.another and bool(self.matches) and set(self.matches) <= set(self.state.offered)

    def act(self) -> str:
        """Returns the act by rule: answer, deny, ask for what is missing, offer; else "other"."""
        state = self.state
        if self.due:
            return "offer" if self.row not in state.offered else "inform"
        if self.named:
            return "offer"
        if not self.matches:
            return "deny" if state.changed or state.requests or state.another or not state.act else "other"
        if state.changed or state.another or state.requests or not state.act or state.act.startswith("ask_"):
            if self.exhausted:
                return "other"
            if not state.another and self.open_slots:
                return f"ask_{self.open_slots[0]}"
            return "offer"
        return "other"


def sentence(situation: Situation, act: str, sentences: Sentences) -> str:
    """Returns the sentence for an act, made of templates."""
    domain = situation.domain
    if act.startswith("ask_"):
        return sentences.ask.format(slot=domain.names(act.removeprefix("ask_"))[0], noun=domain.noun)
    if act == "deny":
        known = [(domain.names(slot)[0], value) for slot, value in situation.known]
        known += [
            (domain.names(column)[0], sentences.refused.format(value=value, noun=domain.noun))
            for column, value in situation.state.refused
        ]
        if known:
            return sentences.nothing.format(noun=domain.noun, facts=sentences.facts(known))
        columns = [domain.names(column)[0] for column in situation.state.requests or [domain.key]]
        return sentences.nothing_to_tell.format(noun=domain.noun, slot=f" {sentences.join} ".join(columns))
    if situation.exhausted and act == "other":
        return sentences.exhausted.format(noun=domain.noun)
    if act not in ("offer", "inform") or situation.row is None:
        return sentences.more.format(noun=domain.noun)
    return _about_row(situation, act, sentences)


def _about_row(situation: Situation, act: str, sentences: Sentences) -> str:
    """Returns the sentences that name a row, and tell what is asked for."""
    domain, cells = situation.domain, situation.cells
    said: Callable[[str], str] = lambda column: domain.names(column)[0]  # noqa: E731
    name = cells[domain.key] or domain.noun
    parts = []
    asked = [column for column in situation.due if column != domain.key]
    if act == "offer" or not asked:
        facts = [(said(s), cells[s]) for s in domain.slots if cells[s] and s not in asked]
        form = sentences.offer if facts else sentences.offer_all
        parts.append(form.format(name=name, facts=sentences.facts(facts), noun=domain.noun))
    for column in asked:
        form = sentences.inform if cells[column] else sentences.missing
        parts.append(form.format(slot=said(column), name=name, value=cells[column], noun=domain.noun))
    return " ".join(parts)
