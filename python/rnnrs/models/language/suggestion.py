"""Suggestions of words, like the row above a phone's keyboard.

After a finished word (the text is empty, or ends in a space or a sign), the next words are suggested; after a
letter, the words that begin with the typed letters. A model of words uses P(next word | finished words), so
that the unfinished word has no effect; a model of characters or subwords spells the words by beam search.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, east_asian_width

import numpy as np

from ..._rnnrs import top_k
from ...data.sequence_batches import fill
from ...shown import short_repr
from ...text import Lexicon, Vocabulary
from ...text.folding import APOSTROPHES, folded
from ...types import Array, Ids
from ..base.groups import groups_of_similar_length
from .adaptive_stepper import AnyStepper, read_in_parts
from .network import LanguageNetwork
from .scoring import POSITIONS, SIDE_BY_SIDE, check_scores, probabilities
from .spelled_words import Beginning, spelled_words, spelling_of

#: Signs after which the next word follows without a space.
_OPENING = "([{«“‘¿¡\"'-—/"


class Suggestion(NamedTuple):
    """A word, or several, and the probability (0..1) among all words, or as many words, that can follow."""

    word: str
    probability: float


class Begun(NamedTuple):
    """What has been read of a text.

    Attributes:
        ids: the tokens of the text (N,).
        read: the number of them that are read.
        o: the scores (V,) of the token after those; None if there are none.
        state: the state (1, S) after them.
        is_kept: whether the reader may keep the text.
    """

    ids: Ids
    read: int
    o: Array | None
    state: Array
    is_kept: bool

    def __repr__(self) -> str:
        return short_repr(self)


class Reader:
    """Reads texts that begin alike: what the first of them says is read once.

    Args:
        network: the model's network.
        stepper: its stepper; None for a new one.
        origin: the state (1, S) after a text that all texts follow; None if they have no text before them.
    """

    __repr__ = short_repr

    def __init__(
        self, network: LanguageNetwork, stepper: AnyStepper | None = None, origin: Array | None = None
    ) -> None:
        self.network, self.stepper, self.origin = network, stepper or network.stepper(), origin
        self._first: tuple[Ids, Array, Array] | None = None
        self._is_begun = False

    def begin(self) -> None:
        """Makes the next text the first one; what the one before says is read no second time."""
        self._is_begun = False

    def read(self, text: str) -> tuple[Array, Array]:
        """Returns the scores o (V,) of the token after a text, and the state (1, S) there."""
        begun, stepper = self.begun(text), self.stepper
        stepper.state, o = begun.state, begun.o
        if o is None or begun.read < len(begun.ids):
            o = read_in_parts(stepper, begun.ids[begun.read :])
        return self.keep(begun, o, stepper.state)

    def begun(self, text: str) -> Begun:
        """Returns what has been read of a text."""
        network = self.network
        if network.by_sentence and self.origin is not None and "\n" in text:
            return Begun(
                network.context(text), 0, None, self._zeros(), False
            )  # the line before has no effect
        if self.origin is None:
            ids, origin = network.context(text), self._zeros()
        else:
            ids, origin = network.vocabulary.context(text), self.origin
        first, o, state = self._first or (ids[:0], None, origin)
        if len(first) > len(ids) or not np.array_equal(first, ids[: len(first)]):
            first, o, state = ids[:0], None, origin
        return Begun(ids, len(first), o, state, True)

    def keep(self, begun: Begun, o: Array, state: Array) -> tuple[Array, Array]:
        """Keeps what was read of the first text; returns (o, state)."""
        if begun.is_kept and not self._is_begun:
            self._first, self._is_begun = (begun.ids, o, state), True
        return o, state

    def _zeros(self) -> Array:
        return np.zeros((1, self.network.rnn.state_size), self.network.parameters.dtype)


def read_together(readers: Sequence[Reader], texts: Sequence[str]) -> list[tuple[Array, Array]]:
    """Returns what `Reader.read` does for a text of each reader; they share the network and the stepper."""
    if len(readers) == 1:
        return [readers[0].read(texts[0])]
    begun = [reader.begun(text) for reader, text in zip(readers, texts, strict=True)]
    rows = [i for i, one in enumerate(begun) if one.read < len(one.ids)]
    if rows:
        states = np.concatenate([begun[i].state for i in rows])
        o, states = _advanced(readers[0], [begun[i].ids[begun[i].read :] for i in rows], states)
        for n, i in enumerate(rows):  # a copy: a kept row would keep them all
            begun[i] = begun[i]._replace(o=o[n].copy(), state=states[n : n + 1].copy())
    return [
        reader.read(text) if one.o is None else reader.keep(one, one.o, one.state)
        for reader, text, one in zip(readers, texts, begun, strict=True)
    ]


def _advanced(reader: Reader, tokens: Sequence[Ids], states: Array) -> tuple[Array, Array]:
    """Returns the scores (B, V) and the states (B, S) after sequences of tokens from other states (B, S)."""
    network, stepper = reader.network, reader.stepper
    lengths = np.array([len(ids) - 1 for ids in tokens])
    for group in groups_of_similar_length(lengths.tolist(), SIDE_BY_SIDE, POSITIONS):
        if lengths[group].any():
            ids = fill([tokens[i][:-1] for i in group], 0)
            _, cache = network.rnn.forward_tokens(
                network.embedding, ids, states[group], lengths=lengths[group], gradient=False
            )
            states[group] = cache.state
    stepper.state = states
    o, states = stepper.step(np.array([ids[-1] for ids in tokens])), stepper.state
    stepper.state = states[:1]  # of one sequence, as before
    return o, states


def parts_of(vocabulary: Vocabulary, text: str) -> tuple[str, str]:
    """Returns the finished words of a text, with what follows them, and the word that is being typed."""
    typed = vocabulary.unfinished(text)
    if text and not typed and not text[-1].isspace() and text[-1] not in _OPENING and not _is_wide(text[-1]):
        text += " "  # "Well," is followed by a space, whether it has been typed yet or not
    return text[: len(text) - len(typed)], typed


def _is_wide(sign: str) -> bool:
    """Returns whether a sign is as wide as a Chinese character, so that no space follows it: "。", "」"."""
    return east_asian_width(sign) in ("W", "F") and category(sign).startswith("P")


def suggest(reader: Reader, finished: str, typed: str, k: int) -> list[Suggestion]:
    """Returns the k likeliest words, the likeliest first; see `LanguageModel.suggest`.

    Args:
        reader: reads the text.
        finished, typed: its finished words and the one that is being typed, see `parts_of`.
        k: the maximum number of suggestions.
    """
    vocabulary = reader.network.vocabulary
    text, begun = _read_part(vocabulary, finished, typed)
    o, state = reader.read(text)
    if isinstance(vocabulary, Lexicon):
        return _whole_words(vocabulary, o, typed, k)
    beginning = Beginning(o, state, begun.encode(), begun or typed, _is_spaced(vocabulary, finished))
    [found] = spelled_words(vocabulary, reader.stepper, [beginning], k)
    return _as_suggestions(typed, found)


def suggest_each(
    readers: Sequence[Reader], parts: Sequence[tuple[str, str]], k: int
) -> list[list[Suggestion]]:
    """Returns what `suggest` does for a text of each reader, (finished, typed); they are read side by side.

    The readers share the network and the stepper.
    """
    vocabulary = readers[0].network.vocabulary
    texts = [_read_part(vocabulary, *both) for both in parts]
    found = read_together(readers, [text for text, _ in texts])
    if isinstance(vocabulary, Lexicon):
        return [
            _whole_words(vocabulary, o, typed, k) for (o, _), (_, typed) in zip(found, parts, strict=True)
        ]
    beginnings = [
        Beginning(o, state, begun.encode(), begun or typed, _is_spaced(vocabulary, finished))
        for (o, state), (finished, typed), (_, begun) in zip(found, parts, texts, strict=True)
    ]
    words = spelled_words(vocabulary, readers[0].stepper, beginnings, k)
    return [_as_suggestions(typed, own) for (_, typed), own in zip(parts, words, strict=True)]


def _read_part(vocabulary: Vocabulary, finished: str, typed: str) -> tuple[str, str]:
    """Returns the text that the network reads, and the part of it that the suggested word begins with.

    A model of characters reads the typed letters; the others find all tokens of the word.
    """
    if vocabulary.level != "char":
        return finished, ""
    known = _with_known_apostrophes(vocabulary, typed)
    return _with_known_apostrophes(vocabulary, finished) + known, known


def _is_spaced(vocabulary: Vocabulary, finished: str) -> bool:
    """Returns whether the next token brings the space at the end of the finished words."""
    return vocabulary.level != "char" and finished.endswith(" ")


def _as_suggestions(typed: str, found: Sequence[tuple[str, float]]) -> list[Suggestion]:
    """Returns spelled words with the typed letters as they were typed."""
    rests = [_rest(typed, word) for word, _ in found]
    return [
        Suggestion(word if rest is None else typed + rest, p)
        for (word, p), rest in zip(found, rests, strict=True)
    ]


def _whole_words(vocabulary: Lexicon, o: Array, typed: str, k: int) -> list[Suggestion]:
    """Returns the likeliest words of the vocabulary that begin with the typed letters, in any case.

    P(word | finished, prefix) = P(word | finished) / Σ P of all words with the prefix: the softmax of these
    words' scores alone. o (V,) are the scores of the token after the finished words.
    """
    ids, owners, words = _completions(vocabulary, typed)
    if not words:
        return []
    check_scores(o)
    own = o[ids]
    highest = own.max()
    if highest == -np.inf:  # nothing is known about these words
        return []
    weights = np.exp(own - highest)
    places, best = top_k(np.bincount(owners, weights), min(k, len(words)))
    total = weights.sum(dtype=np.float64)
    found = [_as_typed(typed, words[place]) for place in places]
    return [Suggestion(word, float(value / total)) for word, value in zip(found, best, strict=True)]


@lru_cache(maxsize=1024)  # many people type the same letters
def _completions(vocabulary: Lexicon, typed: str) -> tuple[Ids, Ids, list[str]]:
    """Returns the tokens that begin with the typed letters (N,), the index of each one's word, and the words.

    Several tokens can be one word, joined to what stands beside it or not.
    """
    ids = vocabulary.with_prefix(typed)
    surfaces = [vocabulary.surface(vocabulary.tokens[i]) for i in ids]
    places = {word: i for i, word in enumerate(sorted(set(surfaces)))}
    return ids, np.array([places[surface] for surface in surfaces], np.int64), [*places]


def _as_typed(typed: str, word: str) -> str:
    """Returns a word with its typed letters as they were typed, the others in their case."""
    rest = _rest(typed, word) if typed else None
    if rest is None:
        return word
    return typed + (rest.upper() if len(typed) > 1 and typed.isupper() else rest)


def _rest(typed: str, word: str) -> str | None:
    """Returns the rest of a word after the typed letters; None if the word does not begin with them."""
    known = folded(typed)
    if typed.isascii() and word.isascii():  # letter by letter, the usual case
        return word[len(typed) :] if folded(word[: len(typed)]) == known else None
    # More letters are never fewer when they are folded: accents are composed, at most.
    longer = bisect_right(range(len(word) + 1), len(known), key=lambda n: len(folded(word[:n])))
    for n in range(longer - 1, -1, -1):
        begun = folded(word[:n])
        if begun == known or len(begun) < len(known):
            return word[n:] if begun == known else None
    return None


def as_read(vocabulary: Vocabulary, text: str) -> str:
    """Returns a text as it is read: by a model of characters, with the apostrophes that it knows."""
    return _with_known_apostrophes(vocabulary, text) if vocabulary.level == "char" else text


def _with_known_apostrophes(vocabulary: Vocabulary, text: str) -> str:
    """Returns a text with the apostrophes of the vocabulary's own kind, if it lacks that of the text."""
    kinds = [sign for sign in ("'", *APOSTROPHES) if vocabulary.id_of(sign) is not None]
    if not kinds:
        return text
    others = dict.fromkeys((sign for sign in ("'", *APOSTROPHES) if sign not in kinds), kinds[0])
    return text.translate(str.maketrans(others))


def likeliest_end(reader: Reader, text: str) -> str:
    """Returns the likeliest sign that ends the word at the end of a text, for a model that spells words."""
    vocabulary = reader.network.vocabulary
    spelling = spelling_of(vocabulary)
    p = np.where(spelling.ends, probabilities(reader.read(as_read(vocabulary, text))[0]), 0.0)
    return spelling.pieces[int(p.argmax())].decode(errors="ignore")[:1]
