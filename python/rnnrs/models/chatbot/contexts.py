"""What a chatbot reads: the last turns of a conversation, without what does not matter: case, punctuation, articles."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from ...text import find_words

#: Between turns; a vocabulary of words makes it the token that also ends a text.
SEPARATOR = "\n"

#: What stands for a word that is not known: a sign that no vocabulary holds.
UNKNOWN = "\ufffd"

#: The most words of a turn that are read: the last ones, where a question mostly stands.
LONGEST_TURN = 200

#: Words that are not read where there are others: English articles, which people leave out when they type.
ARTICLES = frozenset(("a", "an", "the"))

#: Signs that part words even without a space; others are as if they were not there.
_PARTING = ",;:!?_"


def normalize(turn: str) -> str:
    """A turn in lower case, without punctuation and articles; signs or articles stay where there is nothing else.

    Characters that only look different (full width, ligatures) become the same (NFKC). So `Node.js` and `nodejs`,
    `isn't` and `isnt` are one word.
    """
    text = unicodedata.normalize("NFKC", turn).lower().replace(UNKNOWN, " ")
    words = [word for word in find_words("".join(filter(_is_read, text))) if any(map(str.isalnum, word))]
    telling = [word for word in words if word not in ARTICLES]
    return " ".join((telling or words or find_words(text))[-LONGEST_TURN:])


def _is_read(character: str) -> bool:
    return character in _PARTING or unicodedata.category(character)[0] not in "PS"


def context_text(turns: Sequence[str], history: int) -> str:
    """The last `history` turns as one text, each normalized."""
    return SEPARATOR.join(map(normalize, turns[-history:]))


def answered_contexts(dialogues: Sequence[Sequence[str]], history: int) -> list[tuple[str, str]]:
    """(context, answer) for each turn of the assistant's: the second, the fourth and so on."""
    return [
        (context_text(turns[:place], history), " ".join(turns[place].split()))
        for turns in dialogues
        for place in range(1, len(turns), 2)
    ]


def noisy(context: str, noise: float, draw: np.random.Generator) -> str:
    """A context as another person may have typed it: words left out or, as often, unknown."""
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
    """The pairs, and with noise a noisy copy of each, of which the share `forget` has an empty context.

    From what follows on nothing the model learns P(answer), which `Chatbot.rank` takes off.
    """
    if not noise and not forget:
        return list(pairs)
    draw = np.random.default_rng([seed, len(pairs)])
    copies = [
        ("" if draw.random() < forget else noisy(context, noise, draw), answer) for context, answer in pairs
    ]
    return [*pairs, *copies]
