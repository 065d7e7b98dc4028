"""What a chatbot reads: the last turns of a conversation, in a form in which case and punctuation do not matter."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from ..text import find_words

#: Between turns; a vocabulary of words makes it the token that also ends a text.
SEPARATOR = "\n"

#: What stands for a word that is not known: a sign that no vocabulary holds.
UNKNOWN = "\ufffd"

#: The most words of a turn that are read: the last ones, where a question mostly stands.
LONGEST_TURN = 200

#: How often a noisy copy lacks each of these; other words are lacking or unknown as often as `noise` says.
ARTICLES = frozenset(("a", "an", "the"))
ARTICLE_NOISE = 0.5


def normalise(turn: str) -> str:
    """A turn in lower case, without punctuation and apostrophes; the signs stay where there is nothing else.

    Characters that only look different (full width, ligatures) become the same (NFKC).
    """
    signs = find_words(unicodedata.normalize("NFKC", turn).lower().replace(UNKNOWN, " "))
    words = [word.replace("'", "").replace("’", "") for word in signs if any(map(str.isalnum, word))]
    return " ".join((words or signs)[-LONGEST_TURN:])


def context_text(turns: Sequence[str], history: int) -> str:
    """The last `history` turns as one text, each normalised."""
    return SEPARATOR.join(map(normalise, turns[-history:]))


def answered_contexts(dialogues: Sequence[Sequence[str]], history: int) -> list[tuple[str, str]]:
    """(context, answer) for each turn of the assistant's: the second, the fourth and so on."""
    return [
        (context_text(turns[:place], history), " ".join(turns[place].split()))
        for turns in dialogues
        for place in range(1, len(turns), 2)
    ]


def noisy(context: str, noise: float, draw: np.random.Generator) -> str:
    """A context as another person may have typed it: articles left out, words left out or unknown."""
    turns = []
    for turn in context.split(SEPARATOR):
        words = []
        for word in turn.split():
            gone = draw.random()
            if word in ARTICLES and gone < ARTICLE_NOISE:
                continue
            if gone < noise:
                if gone < noise / 2:
                    words.append(UNKNOWN)
                continue
            words.append(word)
        turns.append(" ".join(words))
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
