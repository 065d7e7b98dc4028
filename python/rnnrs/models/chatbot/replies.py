"""A chatbot's replies, and the conversation that it is part of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...decoding import Hypothesis
from ...shown import short_repr


class Answering(Protocol):
    """A model that answers in conversations, such as `Chatbot`."""

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
            of the model's own answer, including its end; also if a canned answer replaces it.
        canned: whether a canned answer replaces the model's own.
    """

    text: str
    confidence: float
    canned: bool = False

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

    Attributes:
        turns: all turns so far: the first is the person's, the second the bot's, and so on.

    Example:
        >>> conversation = bot.conversation()  # doctest: +SKIP
        >>> print(conversation.say("Hello"))  # doctest: +SKIP
        Hi! Who are you?
        >>> conversation.turns  # doctest: +SKIP
        ['Hello', 'Hi! Who are you?']
    """

    def __init__(self, bot: Answering) -> None:
        self.bot = bot
        self.turns: list[str] = []
        self._decoder = bot.decoder()

    def say(self, text: str) -> Reply:
        """Returns the bot's reply to the person's next turn.

        Raises:
            TypeError: if the text is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"Conversation.say: text: expected a string, got {text!r}")
        (reply,) = self.bot.reply_all([[*self.turns, text]], decoder=self._decoder)
        self.turns += [text, reply.text]
        return reply

    def reset(self) -> None:
        """Forgets all turns."""
        self.turns.clear()
