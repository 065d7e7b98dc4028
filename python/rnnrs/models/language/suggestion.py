"""Suggestions of words, like the row above a phone's keyboard.

After a finished word (the text is empty, or ends in a space or a sign), the next words are suggested; after a
letter, the words that begin with the typed letters. A model of words uses P(next word | finished words), so
that the unfinished word has no effect; a model of characters or subwords spells the words by beam search.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..._rnnrs import top_k
from ...checks import check_size
from ...text import Vocabulary, WordVocabulary
from ...text.words import ends_in_word, in_word, is_word
from ...types import Array
from .adaptive_stepper import AnyStepper
from .network import LanguageNetwork
from .scoring import probabilities

#: Signs after which the next word follows without a space.
_OPENING = "([{«“‘¿¡\"'-—/"

#: The number of beams per suggestion, and the maximum number of tokens of a word.
_BEAMS, _LONGEST = 8, 30


class Suggestion(NamedTuple):
    """A word and its probability (0..1) among all words that can follow."""

    word: str
    probability: float


def suggest(
    op: str, network: LanguageNetwork, text: str, k: int, stepper: AnyStepper | None = None
) -> list[Suggestion]:
    """Returns the k likeliest words, the likeliest first; see `LanguageModel.suggest`.

    Raises:
        ValueError, TypeError: if k is not a whole number from 1.
    """
    check_size(op, "k", k)
    stepper = stepper or network.stepper()
    stepper.reset()
    typed = ends_in_word(text)
    if text and not typed and not text[-1].isspace() and text[-1] not in _OPENING:
        text += " "  # "Well," is followed by a space, whether it has been typed yet or not
    finished = text[: len(text) - len(typed)]
    if isinstance(network.vocabulary, WordVocabulary):
        return _whole_words(network, network.vocabulary, stepper, (finished, typed), k)
    if network.vocabulary.level == "char":
        start = Beam(0.0, typed, stepper.read(network.context(text)), stepper.state)
        return _spelled_words(network.vocabulary, stepper, start, (typed, False), k)
    start = Beam(0.0, "", stepper.read(network.context(finished)), stepper.state)
    return _spelled_words(network.vocabulary, stepper, start, (typed, finished.endswith(" ")), k)


def _whole_words(
    network: LanguageNetwork, vocabulary: WordVocabulary, stepper: AnyStepper, text: tuple[str, str], k: int
) -> list[Suggestion]:
    """Returns the likeliest words of the vocabulary that begin with the typed letters, in any case.

    P(word | finished, prefix) = P(word | finished) / Σ P of all words with the prefix.
    """
    finished, typed = text
    p = probabilities(stepper.read(network.context(finished)))
    ids = vocabulary.with_prefix(typed)
    if not len(ids):
        return []
    places, best = top_k(p[ids], min(k, len(ids)))
    words = [_as_typed(typed, vocabulary.tokens[ids[place]]) for place in places]
    total = p[ids].sum()
    return [Suggestion(word, float(value / total)) for word, value in zip(words, best, strict=True)]


def _as_typed(typed: str, word: str) -> str:
    """Returns a word in the case of its typed letters."""
    rest = word[len(typed) :]
    return typed + (rest.upper() if len(typed) > 1 and typed.isupper() else rest)


class Beam(NamedTuple):
    """A partly spelled word: its ln P, its letters, the scores o (V,) of the next token, the state (1, H)."""

    log_p: float
    word: str
    o: Array
    state: Array


@dataclass(frozen=True)
class Spelling:
    """The roles of a vocabulary's tokens in spelling a word.

    Attributes:
        texts: the text of each token.
        goes_on: whether a token can continue a word (V,).
        ends: whether a token shows that the word before it has ended (V,).
    """

    texts: list[str]
    goes_on: Array
    ends: Array

    def first(self, spaced: bool) -> Array:
        """Returns whether a token can begin a word (V,).

        Args:
            spaced: whether the token must include the space before the word.
        """
        begins = [text.removeprefix(" ") if text.startswith(" ") == spaced else "" for text in self.texts]
        return np.array([bool(b) and b[0].isalnum() and all(map(in_word, b)) for b in begins])


@lru_cache(maxsize=2)
def _spelling(vocabulary: Vocabulary) -> Spelling:
    texts = [vocabulary.decode([token]) for token in range(len(vocabulary))]
    known = np.arange(len(texts)) != vocabulary.unknown_id
    goes_on = np.array([bool(text) and all(map(in_word, text)) for text in texts])
    ends = np.array([bool(text) and not in_word(text[0]) and text[0] != "\ufffd" for text in texts])
    return Spelling(texts, goes_on & known, ends & known)


def _spelled_words(
    vocabulary: Vocabulary, stepper: AnyStepper, start: Beam, to_spell: tuple[str, bool], k: int
) -> list[Suggestion]:
    """Returns the k likeliest words by beam search; a word is complete when a token that ends it can follow.

    P(word) = Π P(its tokens) · P(a token that ends it), where P of the first token is relative to all tokens
    that can begin a word.
    """
    typed, spaced = to_spell
    spelling = _spelling(vocabulary)
    found: dict[str, float] = {}
    beams = [start]
    for step in range(_LONGEST):
        allowed = spelling.goes_on if step or start.word else spelling.first(spaced)
        longer: list[tuple[float, str, int, Beam]] = []
        for beam in beams:
            p = probabilities(beam.o)
            if step == 0 and not start.word:
                p = _among(p, allowed)
            if len(beam.word) >= len(typed) and is_word(beam.word):
                ended = math.exp(beam.log_p) * float(p[spelling.ends].sum())
                found[beam.word] = found.get(beam.word, 0.0) + ended
            longer += _continuations(beam, np.where(allowed, p, 0.0), spelling, typed, k * _BEAMS)
        bar = sorted(found.values(), reverse=True)[k - 1] if len(found) >= k else 0.0
        longer = [item for item in longer if math.exp(item[0]) > bar]
        longer.sort(key=lambda item: -item[0])
        beams = [_advance(stepper, *item) for item in longer[: k * _BEAMS]]
        if not beams:
            break
    total = sum(found.values()) if vocabulary.level == "subword" and typed else 1.0
    best = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:k]
    return [Suggestion(word, p / total) for word, p in best if p > 0]


def _among(p: Array, allowed: Array) -> Array:
    total = p[allowed].sum()
    return np.where(allowed, p, 0.0) / total if total > 0 else np.zeros_like(p)


def _continuations(
    beam: Beam, p: Array, spelling: Spelling, typed: str, width: int
) -> list[tuple[float, str, int, Beam]]:
    """Returns the likeliest longer spellings that agree with the typed letters: (ln P, word, token, beam)."""
    if len(beam.word) < len(typed):  # a subword model also spells the typed letters
        texts = [(beam.word + text).lstrip(" ") for text in spelling.texts]
        p = p * np.array([text.startswith(typed) or typed.startswith(text) for text in texts])
    tokens, values = top_k(p, min(width, len(p)))
    return [
        (beam.log_p + math.log(value), (beam.word + spelling.texts[token]).lstrip(" "), int(token), beam)
        for token, value in zip(tokens, values, strict=True)
        if value > 0
    ]


def _advance(stepper: AnyStepper, log_p: float, word: str, token: int, before: Beam) -> Beam:
    stepper.state = before.state
    return Beam(log_p, word, stepper.step(token), stepper.state)
