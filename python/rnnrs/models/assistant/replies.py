"""An assistant's replies, its sessions, and rules of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...shown import short_repr
from .state import DialogueState

#: (the person's turn, the state before it, the row that is talked about) → an answer, or None.
RuleFunction = Callable[[str, DialogueState, Mapping[str, str]], "str | None"]

#: A function, or a regular expression that is searched for without regard to case, and its answer; fields
#: such as {phone} in it stand for cells of the row.
Rule = RuleFunction | tuple[str, str]


#: A field of a rule's answer.
_FIELD = r"{([^{}]*)}"


@dataclass(frozen=True)
class AssistantReply:
    """An answer.

    Attributes:
        text: the answer.
        act: what it does: "offer", "inform", "deny", "ask_" and a slot, "other", or "rule".
        state: what is known after it.
        row: the row that it is about; None if there is none.
        matches: the number of rows that fit.
        written: whether the network wrote it; otherwise it is made of templates, or a rule's.
    """

    text: str
    act: str
    state: DialogueState
    row: Mapping[str, str] | None
    matches: int
    written: bool

    __repr__ = short_repr

    def __str__(self) -> str:
        return self.text


class AnsweringTurns(Protocol):
    """A model that answers a turn in a state."""

    def answer_turn(self, text: str, system: str, state: DialogueState) -> AssistantReply:
        """Returns the answer to a turn."""
        ...


class AssistantSession:
    """A conversation with an assistant.

    Args:
        bot: the assistant.

    Attributes:
        turns: all turns so far: the first is the person's, the second the assistant's, and so on.
        state: what is known.

    Example:
        >>> session = bot.session()  # doctest: +SKIP
        >>> print(session.say("Cheap Italian food, please."))  # doctest: +SKIP
        Which area would you like?
    """

    __repr__ = short_repr

    def __init__(self, bot: AnsweringTurns) -> None:
        self.bot = bot
        self.turns: list[str] = []
        self.state = DialogueState()

    def say(self, text: str) -> AssistantReply:
        """Returns the assistant's reply to the person's next turn.

        Raises:
            TypeError: if the text is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"AssistantSession.say: text: expected a string, got {text!r}")
        reply = self.bot.answer_turn(text, self.turns[-1] if self.turns else "", self.state)
        self.turns += [text, reply.text]
        self.state = reply.state
        return reply

    def reset(self) -> None:
        """Forgets all turns."""
        self.turns = []
        self.state = DialogueState()


def check_rules(op: str, rules: Any, columns: Sequence[str] | None = None) -> list[Rule]:
    """Checks rules, and returns them.

    Args:
        op: the caller's name, for error messages.
        rules: the rules.
        columns: the columns that answers may have as fields; None: any.

    Raises:
        TypeError: for a rule that is neither a function nor a pattern with its answer.
        ValueError: for a pattern that is not a regular expression, or a field that is not a column.
    """
    checked: list[Rule] = []
    if isinstance(rules, (str, bytes)) or not isinstance(rules, Sequence):
        raise TypeError(f"{op}: rules: expected a list of functions or (pattern, answer), got {rules!r:.80}")
    for i, rule in enumerate(rules):
        if callable(rule):
            checked.append(rule)
            continue
        if isinstance(rule, str) or not isinstance(rule, Sequence) or list(map(type, rule)) != [str, str]:
            raise TypeError(f"{op}: rules[{i}]: expected a function or (pattern, answer), got {rule!r:.80}")
        try:
            re.compile(rule[0])
        except re.error as error:
            raise ValueError(
                f"{op}: rules[{i}]: expected a regular expression, got {rule[0]!r}: {error}"
            ) from None
        if wrong := [n for n in re.findall(_FIELD, rule[1]) if columns is not None and n not in columns]:
            known = ", ".join(columns or ())
            raise ValueError(f"{op}: rules[{i}]: expected fields among {known}, got {wrong[0]!r}")
        checked.append((rule[0], rule[1]))
    return checked


def by_rule(rules: Sequence[Rule], text: str, state: DialogueState, row: Mapping[str, str]) -> str | None:
    """Returns the answer of the first rule that has one; an answer with an empty field is none.

    Raises:
        TypeError: if a function returns neither a text nor None.
    """
    for rule in rules:
        if callable(rule):
            answer = rule(text, state, dict(row))
            if answer is not None and not isinstance(answer, str):
                raise TypeError(f"Assistant.rules: expected a text or None, got {answer!r:.80}")
            if answer is not None:
                return answer
        elif re.search(rule[0], text, re.I):
            fields = re.findall(_FIELD, rule[1])
            if all(row.get(name) for name in fields):
                return re.sub(_FIELD, lambda match: row[match[1]], rule[1])
    return None
