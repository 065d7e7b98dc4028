"""An assistant compared with annotated dialogues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...data.annotated_dialogues import DONTCARE, AnnotatedTurn
from ...data.records import Records
from ...metrics import caption_scores
from ...shown import short_repr
from ...text import find_words
from .domain import Domain, aligned
from .policy import Situation
from .replaying import heard, named_row
from .replies import AssistantReply
from .responses import Template, delexicalized, placeholder
from .sentences import Sentences
from .state import DialogueState, matching
from .tracking import Tracking


@dataclass(frozen=True)
class AssistantEvaluation:
    """How well states and answers agree with annotated dialogues.

    Attributes:
        joint_goal: the share of turns after which the value of every slot is right.
        slots: the share of turns after which a slot's value is right, by slot.
        requests: F1 of the columns that turns ask for.
        match: the share of dialogues, of those in which a row is offered, whose last row offered has the
            values of the last state.
        constraints: the share of these dialogues in which the state at the last answer with a value is right
            ("match" of Lei et al. 2018, Sequicity).
        success_f1: F1 of the columns whose values are said in a dialogue, without the key (Lei et al. 2018).
        bleu: BLEU-4 of the answers without values, with one reference, 0..1. Marks of begin and end count as
            words, as in the figures of Lei et al.
        bleu_plain: the same without these marks.
        written: the share of answers that the network wrote; the others are made of templates.
        turns, dialogues: their numbers.
    """

    joint_goal: float
    slots: Mapping[str, float]
    requests: float
    match: float
    constraints: float
    success_f1: float
    bleu: float
    bleu_plain: float
    written: float
    turns: int
    dialogues: int

    __repr__ = short_repr

    def __str__(self) -> str:
        slots = ", ".join(f"{slot} {share:.1%}" for slot, share in self.slots.items())
        return (
            f"joint goal            {self.joint_goal:.1%} of {self.turns:,} turns ({slots})\n"
            f"requests              F1 {self.requests:.3f}\n"
            f"match                 {self.match:.3f} (state {self.constraints:.3f})\n"
            f"success               F1 {self.success_f1:.3f}\n"
            f"BLEU                  {self.bleu:.3f} (without marks of begin and end {self.bleu_plain:.3f})\n"
            f"written answers       {self.written:.1%}"
        )


class Judged(Protocol):
    """An assistant, as it is evaluated."""

    table: Records
    domain: Domain
    sentences: Sentences
    tracking: Tracking

    def understood(self, turns: Sequence[tuple[str, str, DialogueState]]) -> list[Situation]: ...

    def answered(self, situations: Sequence[Situation], turns: Sequence[str]) -> list[AssistantReply]: ...


@dataclass
class _Dialogue:
    """A dialogue while it is evaluated: the state, and what was found and recorded in each turn."""

    turns: list[AnnotatedTurn]
    state: DialogueState
    found: list[tuple[Situation, AssistantReply, str, str]]  # with both answers without values
    recorded_row: bool = False


def heard_by(
    bot: Judged, situation: Situation, text: str, asks: Sequence[str] | None = None
) -> DialogueState:
    """Returns the state after an answer that the assistant is said to have given."""
    return heard(situation, text, asks, bot.tracking, bot.sentences)[1]


def evaluation(bot: Judged, op: str, dialogues: Any) -> AssistantEvaluation:
    """Evaluates an assistant on annotated dialogues, turn by turn for all dialogues together."""
    own = [_Dialogue(turns, DialogueState(), []) for turns in aligned(op, dialogues, bot.table)]
    for t in range(max(len(one.turns) for one in own)):
        now = [one for one in own if t < len(one.turns)]
        said = [one.turns[t - 1].system if t else "" for one in now]
        read = [(one.turns[t].user, system, one.state) for one, system in zip(now, said, strict=True)]
        situations = bot.understood(read)
        replies = bot.answered(situations, [user for user, _, _ in read])
        for one, situation, reply in zip(now, situations, replies, strict=True):
            turn, count = one.turns[t], len(situation.matches)
            bare = [
                delexicalized(text, bot.tracking, bot.sentences, count) for text in (reply.text, turn.system)
            ]
            one.found.append((situation, reply, bare[0], bare[1]))
            one.state = heard_by(bot, situation, turn.system, turn.asks)
            values = dict(situation.state.values)
            one.recorded_row |= named_row(turn.system, situation.state, values, bot.tracking) is not None
    return _summary(bot, own)


def _summary(bot: Judged, own: Sequence[_Dialogue]) -> AssistantEvaluation:
    steps = [(one.turns[t], *found) for one in own for t, found in enumerate(one.found)]
    slots, turns = bot.domain.slots, len(steps)
    right = {
        slot: sum(turn.state.get(slot) == s.state.values.get(slot) for turn, s, *_ in steps) / turns
        for slot in slots
    }
    joint = sum(
        all(turn.state.get(slot) == s.state.values.get(slot) for slot in slots) for turn, s, *_ in steps
    )
    asked = [(set(turn.requests) & set(bot.domain.columns), set(s.state.requests)) for turn, s, *_ in steps]
    said = [
        (_columns(bot, (step[3] for step in one.found)), _columns(bot, (step[2] for step in one.found)))
        for one in own
    ]
    offered = [one for one in own if one.recorded_row]
    texts = [found for _, _, _, found, _ in steps], [recorded for *_, recorded in steps]
    return AssistantEvaluation(
        joint / turns,
        right,
        f1(asked),
        _share([_fits(bot, one) for one in offered]),
        _share([_same_constraints(bot, one) for one in own if _last_with_value(one, 3) is not None]),
        f1(said),
        caption_scores(*texts, tokenize=lambda text: ["<go>", *find_words(text.lower()), "</s>"]).bleu_4,
        caption_scores(*texts, tokenize=lambda text: find_words(text.lower())).bleu_4,
        sum(reply.written for _, _, reply, _, _ in steps) / turns,
        turns,
        len(own),
    )


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 1.0


def f1(pairs: Sequence[tuple[set[str], set[str]]]) -> float:
    """Returns F1 of sets (recorded, found), counted over all; 1 if there is nothing to find.

    Example:
        >>> f1([({"phone"}, {"phone", "area"}), ({"area"}, set())])
        0.5
    """
    both = sum(len(recorded & found) for recorded, found in pairs)
    total = sum(len(recorded) + len(found) for recorded, found in pairs)
    return 2 * both / total if total else 1.0


def _columns(bot: Judged, texts: Any) -> set[str]:
    """Returns the placeholders in texts, without that of the key."""
    known = {placeholder(column) for column in bot.domain.columns} - {placeholder(bot.domain.key)}
    return known & {name for text in texts for name in Template("", text).placeholders}


def _fits(bot: Judged, one: _Dialogue) -> bool:
    """Returns whether the last row offered has the values of the last recorded state."""
    rows = [reply.row for _, reply, _, _ in one.found if reply.row is not None]
    values = {slot: value for slot, value in one.turns[-1].state.items() if slot in bot.domain.slots}
    return bool(rows) and any(bot.table.rows[i] == rows[-1] for i in matching(bot.table, bot.domain, values))


def _last_with_value(one: _Dialogue, place: int) -> int | None:
    """Returns the last turn whose answer, found (2) or recorded (3), has a placeholder."""
    turns = [t for t, step in enumerate(one.found) if Template("", str(step[place])).placeholders]
    return turns[-1] if turns else None


def _same_constraints(bot: Judged, one: _Dialogue) -> bool:
    """Returns whether the states are the same at the last answers with a value."""
    mine, recorded = _last_with_value(one, 2), _last_with_value(one, 3)
    state = one.found[len(one.found) - 1 if mine is None else mine][0].state.values
    wanted = one.turns[recorded or 0].state

    def said(values: Mapping[str, str]) -> dict[str, str]:
        return {s: values[s] for s in bot.domain.slots if values.get(s, DONTCARE) != DONTCARE}

    return said(state) == said(wanted)
