"""The input of a chatbot: the last turns of a conversation, without case, punctuation and articles."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...text.rules import split_words

#: The separator of turns; a vocabulary of words maps it to the token that also ends a text.
SEPARATOR = "\n"

#: The replacement for an unknown word, a character that no vocabulary contains.
UNKNOWN = "\ufffd"

#: The maximum number of words of a turn that are read: the last ones, which usually contain the question.
LONGEST_TURN = 200

#: The most characters of the dialogues that a model's file keeps.
KEPT = 1 << 19

#: Words that are not read if there are others: English articles, which people often leave out.
ARTICLES = frozenset(("a", "an", "the"))

#: Punctuation that separates words even without a space; other punctuation is removed.
_SEPARATING = ",;:!?_"


def check_turns(op: str, name: str, conversation: Any) -> list[str]:
    """Returns the turns of a conversation: one turn for a text.

    Args:
        op: the caller's name, for error messages.
        name: the argument's name, for error messages.
        conversation: a text, or a list of turns.

    Raises:
        TypeError: if it is neither a string nor a list of strings.
        ValueError: if it has no turns.
    """
    turns = [conversation] if isinstance(conversation, str) else conversation
    if not isinstance(turns, Sequence) or not all(isinstance(turn, str) for turn in turns):
        raise TypeError(f"{op}: {name}: expected a text or turns, got {conversation!r}")
    if not turns:
        raise ValueError(f"{op}: {name}: expected at least one turn, got none")
    return list(turns)


def normalize(turn: str, *, tokens: bool = False) -> str:
    """Returns a turn in lower case, without punctuation and articles, unless it consists of nothing else.

    Characters that differ only in form (full width, ligatures) become the same (NFKC). So `Node.js` and
    `nodejs`, `isn't` and `isnt` are the same word.

    Args:
        turn: the text.
        tokens: whether the text comes in tokens already (the level "token"), which are taken as they stand.

    Example:
        >>> normalize("What's the time, Node.js?"), normalize("The?!")
        ('whats time nodejs', 'the')
    """
    if tokens:
        return " ".join(turn.split()[-LONGEST_TURN:])
    text = unicodedata.normalize("NFKC", turn).lower().replace(UNKNOWN, " ")
    words = [word for word in split_words("".join(filter(_is_read, text))) if any(map(str.isalnum, word))]
    telling = [word for word in words if word not in ARTICLES]
    return " ".join((telling or words or split_words(text))[-LONGEST_TURN:])


def _is_read(character: str) -> bool:
    return character in _SEPARATING or unicodedata.category(character)[0] not in "PS"


def context_text(turns: Sequence[str], history: int, *, tokens: bool = False) -> str:
    """Returns the last `history` turns as one text, each normalized, see `normalize`."""
    return SEPARATOR.join([normalize(turn, tokens=tokens) for turn in turns[-history:]])


def answered_contexts(
    dialogues: Sequence[Sequence[str]], history: int, *, tokens: bool = False
) -> list[tuple[str, str]]:
    """Returns (context, answer) for each of the assistant's turns: the second, the fourth, and so on.

    Example:
        >>> answered_contexts([["Hello!", "Hi.", "Who are you?", "A bot."]], 2)
        [('hello', 'Hi.'), ('hi\\nwho are you', 'A bot.')]
    """
    return [
        (context_text(turns[:place], history, tokens=tokens), answer_text(turns[place]))
        for turns in dialogues
        for place in range(1, len(turns), 2)
    ]


def answer_text(turn: str) -> str:
    """Returns an answer on one line, in the form in which it is learned."""
    return " ".join(turn.split())


def noisy(context: str, noise: float, draw: np.random.Generator) -> str:
    """Returns a context with the share `noise` of its words missing or, equally often, unknown."""
    turns = []
    for turn in context.split(SEPARATOR):
        drawn = [(word, draw.random()) for word in turn.split()]
        turns.append(
            " ".join(UNKNOWN if d < noise / 2 else word for word, d in drawn if not noise / 2 <= d < noise)
        )
    return SEPARATOR.join(turns)


def training_pairs(
    pairs: Sequence[tuple[str, str]], noise: float, forget: float, seed: int
) -> list[tuple[str, str]]:
    """Returns the pairs and, with noise, a noisy copy of each; the share `forget` of these has no context.

    From an empty context, the model learns P(answer), which `Chatbot.rank` subtracts.
    """
    if not noise and not forget:
        return list(pairs)
    draw = np.random.default_rng([seed, len(pairs)])
    copies = [
        ("" if draw.random() < forget else noisy(context, noise, draw), answer) for context, answer in pairs
    ]
    return [*pairs, *copies]


def sampled(dialogues: Sequence[Sequence[str]], most: int, seed: int) -> list[list[str]]:
    """Returns at most `most` different dialogues, in order, and at most `KEPT` characters of them."""
    dialogues = list(dict.fromkeys(map(tuple, dialogues)))
    order = np.random.default_rng([seed, len(dialogues)]).permutation(len(dialogues))[:most]
    ends = np.cumsum([sum(map(len, dialogues[i])) for i in order])
    return [list(dialogues[i]) for i in np.sort(order[: np.searchsorted(ends, KEPT, side="right")])]
