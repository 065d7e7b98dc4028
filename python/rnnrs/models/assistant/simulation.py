"""A simulated person: a goal, and what the person says to reach it. It generates annotated dialogues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...data.annotated_dialogues import DONTCARE, AnnotatedTurn
from ...data.records import Records
from ...shown import short_repr
from .domain import Domain
from .phrases import PHRASES
from .policy import Situation, sentence
from .sentences import Sentences
from .state import DialogueState, matching


@dataclass(frozen=True)
class Goal:
    """What a simulated person wants.

    Attributes:
        values: the value of each slot that matters, or "dontcare".
        requests: the columns to ask for.
        instead: what replaces a value if no row has it.
        another: whether the first row that is offered is turned down.
    """

    values: Mapping[str, str]
    requests: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    another: bool = False

    __repr__ = short_repr

    @classmethod
    def drawn(cls, table: Records, domain: Domain, draw: np.random.Generator) -> Goal:
        """Returns a goal that some row meets, if need be after values are replaced."""
        row = table.rows[int(draw.integers(len(table)))]
        slots = [slot for slot in domain.slots if row[slot] and draw.random() < 0.75]
        slots = slots or [slot for slot in domain.slots if row[slot]][:1]
        values = {slot: row[slot] for slot in slots}
        values |= {s: DONTCARE for s in domain.slots if s not in values and draw.random() < 0.4}
        values = values or {domain.slots[0]: DONTCARE}  # of a row without values
        instead: dict[str, str] = {}
        if slots and draw.random() < 0.25:
            slot = str(draw.choice(slots))
            wrong = str(draw.choice(domain.known_values(table, slot)))
            if not matching(table, domain, values | {slot: wrong}):
                instead, values[slot] = {slot: values[slot]}, wrong
        columns = [column for column in domain.requests if column not in slots]
        count = int(draw.integers(1, min(3, len(columns)) + 1)) if columns else 0
        requests = tuple(str(c) for c in draw.choice(columns, count, replace=False)) if count else ()
        return cls(values, requests, instead, bool(draw.random() < 0.15) and not instead)


@dataclass(frozen=True)
class Said:
    """A turn of a simulated person, and what it means.

    Attributes:
        text: the turn.
        state: the state after it.
        requests: the columns that it asks for.
        another, bye: whether it asks for another row; whether it ends the dialogue.
    """

    text: str
    state: Mapping[str, str]
    requests: tuple[str, ...] = ()
    another: bool = False
    bye: bool = False

    __repr__ = short_repr


class SimulatedPerson:
    """A person with a goal, who answers an assistant's acts.

    Args:
        goal: the goal.
        table, domain: what the assistant knows.
        draw: the random generator.
        phrases: how things are said, see `PHRASES`; the domain's own phrases for values come first.

    Attributes:
        goal: the goal.
        state: what the person has said so far.
        heard: the columns that were answered.
    """

    __repr__ = short_repr

    def __init__(
        self,
        goal: Goal,
        table: Records,
        domain: Domain,
        draw: np.random.Generator,
        phrases: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.goal, self.table, self.domain, self.draw = goal, table, domain, draw
        self.phrases: Mapping[str, Sequence[str]] = PHRASES | dict(phrases or {})
        self.state: dict[str, str] = {}
        self.heard: set[str] = set()
        self._wants_another = goal.another
        self._left = dict(goal.values)

    def say(self, act: str, row: int | None) -> Said:
        """Returns the next turn, after the assistant's act about a row."""
        if not self.state:
            return self._start()
        if act == "deny" and self.goal.instead and not self._same(self.goal.instead):
            return self._told(dict(self.goal.instead), "instead")
        if act.startswith("ask_"):
            slot = act.removeprefix("ask_")
            rest = [s for s in self._left if s != slot and not self._same({s: self._left[s]})]
            if rest and self.draw.random() < 0.15:  # answers another question than the one asked
                slot = str(self.draw.choice(rest))
                return self._told(
                    {slot: self._left[slot]}, "any_slot" if self._left[slot] == DONTCARE else "answer"
                )
            value = self._left.get(slot, self.state.get(slot, DONTCARE))
            return self._told({slot: value}, "any" if value == DONTCARE else "answer")
        fits = row is not None and row in matching(self.table, self.domain, self.wanted)
        if act in ("offer", "inform") and fits:
            if self._wants_another:
                self._wants_another = False
                others = [i for i in matching(self.table, self.domain, self.wanted) if i != row]
                if others:
                    return Said(self._pick("another"), dict(self.state), another=True)
            return self._request()
        open_slots = [slot for slot in self._left if not self._same({slot: self._left[slot]})]
        if open_slots:
            slot = open_slots[0]
            value = self._left[slot]
            return self._told({slot: value}, "any_slot" if value == DONTCARE else "answer")
        wrong = [s for s, v in self.wanted.items() if v != DONTCARE]
        slot = str(self.draw.choice(wrong)) if wrong else ""
        return self._told({slot: self.wanted[slot]}, "answer") if slot else self._request()

    @property
    def wanted(self) -> dict[str, str]:
        """The values that a row must have in the end."""
        return {**self.goal.values, **self.goal.instead}

    def _start(self) -> Said:
        slots = list(self._left)
        count = 1 + int(self.draw.integers(min(len(slots), 3)))
        chosen = [str(s) for s in self.draw.choice(slots, count, replace=False)]
        real = [slot for slot in chosen if self._left[slot] != DONTCARE] or chosen
        return self._told({slot: self._left[slot] for slot in real}, "start")

    def _told(self, values: dict[str, str], kind: str) -> Said:
        """Returns a turn that says values of slots."""
        before = dict(self.state)
        self.state |= values
        for slot, value in values.items():
            if self._left.get(slot) != value and slot in self._left:
                self._left[slot] = value
        if kind == "start":
            what = " and ".join(self._value(slot, value) for slot, value in values.items())
            return Said(self._pick("start", what=what), dict(self.state))
        ((slot, value),) = list(values.items())[:1]
        others = [v for v in self.domain.known_values(self.table, slot) if v != value]
        if kind in ("answer", "instead") and others and value != DONTCARE and self.draw.random() < 0.2:
            other = before.get(slot, "")
            other = other if other in others else str(self.draw.choice(others))
            return Said(self._pick("correct", slot=slot, value=value, other=other), dict(self.state))
        if kind == "answer" and self.draw.random() < 0.3:
            return Said(self._value(slot, value), dict(self.state))
        more = [s for s in self._left if s not in self.state and self._left[s] == DONTCARE]
        if kind in ("answer", "instead", "any_slot") and more and self.draw.random() < 0.3:
            self.state[more[0]] = DONTCARE  # two things in one turn
            text = f"{self._pick(kind, slot=slot, value=value)} and {self._value(more[0], DONTCARE)}"
            return Said(text, dict(self.state))
        return Said(self._pick(kind, slot=slot, value=value), dict(self.state))

    def _request(self) -> Said:
        left = [column for column in self.goal.requests if column not in self.heard]
        if not left:
            return Said(self._pick("bye"), dict(self.state), bye=True)
        count = 1 + int(self.draw.integers(len(left)))
        asked = tuple(left[:count])
        names = [str(self.draw.choice(self.domain.names(column))) for column in asked]
        return Said(self._pick("request", asked=" and ".join(names)), dict(self.state), asked)

    def _value(self, slot: str, value: str) -> str:
        if value == DONTCARE:
            name = str(self.draw.choice(self.domain.names(slot)))
            return str(self.draw.choice(list(self.phrases["any_slot"]))).format(slot=name)
        own = self.domain.phrases.get(slot)
        form = str(self.draw.choice(list(own))) if own and self.draw.random() < 0.8 else None
        return self._pick("value", form, slot=slot, value=value)

    def _pick(self, kind: str, form: str | None = None, **fields: Any) -> str:
        """Returns a phrase of a kind, with a random name of its slot."""
        if form is None:
            form = str(self.draw.choice(list(self.phrases[kind])))
        if "slot" in fields:
            fields["slot"] = str(self.draw.choice(self.domain.names(fields["slot"])))
        said = form.format(noun=self.domain.noun, **fields)
        return said if kind == "value" else self._decorated(said)

    def _decorated(self, said: str) -> str:
        """Returns a turn with words before or after it that mean nothing, or as it is."""
        for kind, form in (("before", "{0} {1}"), ("after", "{1} {0}")):
            if kind in self.phrases and self.draw.random() < 0.2:
                said = form.format(self.draw.choice(list(self.phrases[kind])), said)
        return said

    def _same(self, values: Mapping[str, str]) -> bool:
        return all(self.state.get(slot) == value for slot, value in values.items())


def generated_dialogues(
    table: Records,
    domain: Domain,
    sentences: Sentences,
    count: int,
    seed: int,
    phrases: Mapping[str, Sequence[str]] | None = None,
) -> list[list[AnnotatedTurn]]:
    """Returns annotated dialogues between simulated people and the policy by rule, in sentences of templates.

    Args:
        table, domain, sentences: see `Assistant`.
        count: the number of dialogues.
        seed: the seed.
        phrases: how people say things, see `PHRASES`.
    """
    found = []
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        person = SimulatedPerson(Goal.drawn(table, domain, draw), table, domain, draw, phrases)
        found.append(_dialogue(person, sentences))
    return found


def _dialogue(person: SimulatedPerson, sentences: Sentences, most: int = 10) -> list[AnnotatedTurn]:
    """Returns one dialogue with the policy by rule, which knows what the person means."""
    state, turns = DialogueState(), list[AnnotatedTurn]()
    act, row = "", None
    while len(turns) < most:
        said = person.say(act, row)
        state = DialogueState(
            said.state, said.requests, said.another, dict(said.state) != dict(state.values),
            state.row, state.offered, state.asked, state.act,
        )  # fmt: skip
        situation = Situation.of(state, person.table, person.domain)
        act = "other" if said.bye else situation.act()
        text = sentence(situation, act, sentences)
        about = situation.row if act in ("offer", "inform") else None
        asks = (act.removeprefix("ask_"),) if act.startswith("ask_") else ()
        turns.append(AnnotatedTurn(said.text, text, dict(said.state), said.requests, asks))
        state, row = situation.state.answered(act, about), about
        person.heard |= set(said.requests) if about is not None else set()
        if said.bye:
            break
    return turns
