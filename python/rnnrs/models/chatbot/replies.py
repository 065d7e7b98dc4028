"""A chatbot's replies, and the conversation that it is part of."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...decoding import Hypothesis
from ...shown import short_repr
from .memory import USER, Entry


class Answering(Protocol):
    """A model that answers in conversations and can be taught, such as `Chatbot`."""

    @property
    def parameters(self) -> Any:
        """The parameters of its network, another object once it has learned."""
        ...

    @property
    def teach(self) -> Callable[..., Entry]:
        """Teaches an answer."""
        ...

    @property
    def wrong(self) -> Callable[..., Entry]:
        """Marks an answer as wrong."""
        ...

    @property
    def undo(self) -> Callable[..., Entry]:
        """Undoes one of these."""
        ...

    def reply_all(self, conversations: Sequence[Sequence[str]], *, decoder: Any = None) -> list[Reply]:
        """Returns the answers to conversations whose last turns are a person's."""
        ...

    def decoder(self) -> Any:
        """Packs the decoder's weights."""
        ...


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        text: the answer.
        confidence: P(answer | context)^(1/n), 0..1, the geometric mean of the probabilities of the n tokens
            of the model's own answer, including its end; also if a canned answer replaces it. Of an answer
            from memory, the similarity of the question to the taught turn.
        canned: whether a canned answer replaces the model's own.
        taught: the `id` of the entry of the memory that the answer was taught by; None for any other answer.
    """

    text: str
    confidence: float
    canned: bool = False
    taught: str | None = None

    __repr__ = short_repr

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Ranked:
    """A given answer and its rank.

    Attributes:
        text: the answer.
        score: the score that determines the order, see `Chatbot.rank`.
        log_prob: ln P(answer | context).
        place: the index in the given list, from 0.
    """

    text: str
    score: float
    log_prob: float
    place: int

    __repr__ = short_repr


def confidence(hypothesis: Hypothesis) -> float:
    """Returns the confidence of an answer, see `Reply.confidence`."""
    return math.exp(hypothesis.log_prob / (len(hypothesis.tokens) + 1))


def own_turns(turns: Sequence[str]) -> list[str]:
    """Returns the assistant's turns of a conversation whose last turn is the person's.

    Example:
        >>> own_turns(["Hello", "Hi!", "Who are you?"])
        ['Hi!']
    """
    return list(turns[-2::-2])[::-1]


def choose_canned(canned: Sequence[str], said: Sequence[str]) -> str:
    """Returns the least recently used canned answer; among unused ones, the first.

    Args:
        canned: the answers.
        said: the assistant's earlier turns.

    Example:
        >>> choose_canned(["Sorry?", "Pardon?"], ["Pardon?", "Sorry?"])
        'Pardon?'
    """
    last = {text: place for place, text in enumerate(said)}
    return min(canned, key=lambda text: last.get(text, -1))


def without_repetition(texts: Sequence[str], said: Sequence[str]) -> int:
    """Returns the index of the first text that is neither empty nor the assistant's last turn; else 0."""
    before = said[-1] if said else None
    return next((i for i, text in enumerate(texts) if text.strip() and text != before), 0)


class Conversation:
    """A conversation with a chatbot, which remembers the turns of both.

    Args:
        bot: the chatbot.
        who: the name of the user, for the log of what the bot is taught. `Chatbot.teachers` says who is
            believed.

    Attributes:
        turns: all turns so far: the first is the person's, the second the bot's, and so on.
        session: identifies the conversation in the log.

    Raises:
        TypeError: if the name is not a string.

    Example:
        >>> conversation = bot.conversation()  # doctest: +SKIP
        >>> print(conversation.say("Hello"))  # doctest: +SKIP
        Hi! Who are you?
        >>> conversation.turns  # doctest: +SKIP
        ['Hello', 'Hi! Who are you?']
        >>> entry = conversation.teach("We open at nine.", "When do you open?")  # doctest: +SKIP
        >>> entry.accepted  # doctest: +SKIP
        False
    """

    def __init__(self, bot: Answering, who: str = USER) -> None:
        if not isinstance(who, str):
            raise TypeError(f"Conversation: who: expected a string, got {who!r}")
        self.bot, self.who = bot, who
        self.turns: list[str] = []
        self.session = secrets.token_hex(4)
        self._entries: list[Entry] = []
        self._network, self._decoder = bot.parameters, bot.decoder()

    def say(self, text: str) -> Reply:
        """Returns the bot's reply to the person's next turn.

        Raises:
            TypeError: if the text is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"Conversation.say: text: expected a string, got {text!r}")
        if self.bot.parameters is not self._network:  # it has learned
            self._network, self._decoder = self.bot.parameters, self.bot.decoder()
        (reply,) = self.bot.reply_all([[*self.turns, text]], decoder=self._decoder)
        self.turns += [text, reply.text]
        return reply

    def teach(self, answer: str, turn: str | None = None) -> Entry:
        """Teaches an answer as a user, see `Chatbot.teach`; returns the entry of the log.

        Args:
            answer: the answer.
            turn: the turn to which it belongs; by default the person's last one.

        Raises:
            ValueError: before the first turn; for an invalid text; if the log is full.
            TypeError, OSError: see `Chatbot.teach`.
        """
        before, last = (self.turns, turn) if turn is not None else self._last("teach")
        return self._noted(self.bot.teach(last, answer, **self._as_user(before)))

    def wrong(self) -> Entry:
        """Marks the bot's last answer as wrong, see `Chatbot.wrong`; returns the entry of the log.

        Raises:
            ValueError, TypeError, OSError: see `teach`.
        """
        before, last = self._last("wrong")
        return self._noted(self.bot.wrong(last, self.turns[-1], **self._as_user(before)))

    def undo(self) -> Entry:
        """Undoes the last `teach` or `wrong` of this conversation, and returns its entry.

        Raises:
            ValueError: if there is none.
            OSError: see `Chatbot.undo`.
        """
        if not self._entries:
            raise ValueError("Conversation.undo: expected something taught in this conversation, got nothing")
        undone = self.bot.undo(self._entries[-1].id, who=self.who, source=USER)
        self._entries.pop()
        return undone

    def _last(self, method: str) -> tuple[list[str], str]:
        """Returns the turns before the person's last turn, and that turn."""
        if not self.turns:
            raise ValueError(f"Conversation.{method}: turn: expected one that was said before, got none")
        return self.turns[:-2], self.turns[-2]

    def _as_user(self, before: list[str]) -> dict[str, Any]:
        return {"who": self.who, "source": USER, "context": before, "session": self.session}

    def _noted(self, entry: Entry) -> Entry:
        self._entries.append(entry)
        return entry

    def reset(self) -> None:
        """Forgets all turns."""
        self.turns.clear()
