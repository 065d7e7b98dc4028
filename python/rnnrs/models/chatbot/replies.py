"""What a chatbot says, and the conversation in which it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...decoding import Hypothesis


class Answering(Protocol):
    """Whoever answers in a conversation; `Chatbot` does."""

    def reply_all(self, conversations: Sequence[Sequence[str]], *, decoder: Any = None) -> list[Reply]:
        """Answers conversations whose last turns are a person's."""
        ...

    def decoder(self) -> Any:
        """The decoder's weights, packed once."""
        ...


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        text: what is said.
        confidence: P(answer | context)^(1/tokens), 0..1: how likely each token was, the end among them, in the
            geometric mean. That of the model's own answer, also where a canned one took its place.
        canned: whether it did.
    """

    text: str
    confidence: float
    canned: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Ranked:
    """A given answer and how well it fits.

    Attributes:
        text: the answer.
        score: by which it was ranked, see `Chatbot.rank`.
        log_prob: ln P(answer | context).
        place: in the list that was given, from 0.
    """

    text: str
    score: float
    log_prob: float
    place: int


def confidence(hypothesis: Hypothesis) -> float:
    """See `Reply.confidence`."""
    return math.exp(hypothesis.log_prob / (len(hypothesis.tokens) + 1))


def own_turns(turns: Sequence[str]) -> list[str]:
    """The assistant's turns of a conversation whose last turn is the person's."""
    return list(turns[-2::-2])[::-1]


def choose_canned(canned: Sequence[str], said: Sequence[str]) -> str:
    """The canned answer whose last use is longest ago; of those never used the first.

    Args:
        canned: the answers.
        said: the assistant's earlier turns.
    """
    last = {text: place for place, text in enumerate(said)}
    return min(canned, key=lambda text: last.get(text, -1))


def without_repetition(texts: Sequence[str], said: Sequence[str]) -> int:
    """The place of the first text that is something and not what was said last; 0 where there is none."""
    before = said[-1] if said else None
    return next((i for i, text in enumerate(texts) if text.strip() and text != before), 0)


class Conversation:
    """A conversation with a chatbot: remembers the turns of both.

    Args:
        bot: who answers.

    Attributes:
        turns: all so far; the first is the person's, the second the bot's, and so on.
    """

    def __init__(self, bot: Answering) -> None:
        self.bot = bot
        self.turns: list[str] = []
        self._decoder = bot.decoder()

    def say(self, text: str) -> Reply:
        """What the bot answers.

        Raises:
            TypeError: for what is no text.
        """
        (reply,) = self.bot.reply_all([[*self.turns, text]], decoder=self._decoder)
        self.turns += [text, reply.text]
        return reply

    def reset(self) -> None:
        """Forgets all that was said."""
        self.turns.clear()
