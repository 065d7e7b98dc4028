"""Suggestions of words, like the row above a phone's keyboard.

After a finished word (the text is empty, or ends in a space or a sign), the next words are suggested; after a
letter, the words that begin with the typed letters. A model of words uses P(next word | finished words), so
that the unfinished word has no effect; a model of characters or subwords spells the words by beam search.
"""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, east_asian_width

import numpy as np

from ..._rnnrs import top_k
from ...shown import short_repr
from ...text import Lexicon, Vocabulary
from ...text.folding import APOSTROPHES, folded, with_straight_apostrophes
from ...text.rules import in_word, is_word
from ...types import Array, Ids
from .adaptive_stepper import AnyStepper
from .network import LanguageNetwork
from .scoring import probabilities

#: Signs after which the next word follows without a space.
_OPENING = "([{«“‘¿¡\"'-—/"

#: The number of beams per suggestion, and the maximum number of tokens of a word.
_BEAMS, _LONGEST = 8, 30

#: The maximum number of beams.
_MOST_BEAMS = 1000

_CURLY = re.compile("|".join(APOSTROPHES).encode())


class Suggestion(NamedTuple):
    """A word, or several, and the probability (0..1) among all words, or as many words, that can follow."""

    word: str
    probability: float


class Reader:
    """Reads texts that begin alike: what the first of them says is read once.

    Args:
        network: the model's network.
        stepper: its stepper; None for a new one.
    """

    __repr__ = short_repr

    def __init__(self, network: LanguageNetwork, stepper: AnyStepper | None = None) -> None:
        self.network, self.stepper = network, stepper or network.stepper()
        self._first: tuple[Ids, Array, Array] | None = None

    def read(self, text: str) -> tuple[Array, Array]:
        """Returns the scores o (V,) of the token after a text, and the state (1, S) there."""
        ids = self.network.context(text)
        if self._first is not None:
            first, o, state = self._first
            if len(first) <= len(ids) and np.array_equal(first, ids[: len(first)]):
                self.stepper.state = state
                return (
                    self.stepper.read(ids[len(first) :]) if len(first) < len(ids) else o
                ), self.stepper.state
        self.stepper.reset()
        o = self.stepper.read(ids)
        self._first = self._first or (ids, o, self.stepper.state)
        return o, self.stepper.state


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
    if isinstance(vocabulary, Lexicon):
        o, _ = reader.read(finished)
        return _whole_words(vocabulary, probabilities(o), typed, k)
    if vocabulary.level == "char":
        known = _with_known_apostrophes(vocabulary, typed)
        start = Beam(0.0, known.encode(), *reader.read(_with_known_apostrophes(vocabulary, finished) + known))
        found = _spelled_words(vocabulary, reader.stepper, start, (known, False), k)
    else:
        start = Beam(0.0, b"", *reader.read(finished))
        found = _spelled_words(vocabulary, reader.stepper, start, (typed, finished.endswith(" ")), k)
    rests = [_rest(typed, word) for word, _ in found]
    return [
        one if rest is None else one._replace(word=typed + rest)
        for one, rest in zip(found, rests, strict=True)
    ]


def _whole_words(vocabulary: Lexicon, p: Array, typed: str, k: int) -> list[Suggestion]:
    """Returns the likeliest words of the vocabulary that begin with the typed letters, in any case.

    P(word | finished, prefix) = P(word | finished) / Σ P of all words with the prefix, for p = P(token |
    finished) (V,).
    """
    ids = vocabulary.with_prefix(typed)
    if not len(ids):
        return []
    words, owners = _surfaces(vocabulary)
    sums = np.bincount(owners[ids], p[ids], minlength=len(words))
    places, best = top_k(sums, min(k, len(np.unique(owners[ids]))))
    total = p[ids].sum()
    if not total > 0:  # underflow: nothing is known about these words
        return []
    found = [_as_typed(typed, words[place]) for place in places]
    return [Suggestion(word, float(value / total)) for word, value in zip(found, best, strict=True)]


@lru_cache(maxsize=2)
def _surfaces(vocabulary: Lexicon) -> tuple[list[str], Array]:
    """Returns the words of a vocabulary, and the index of each token's word (V,).

    Several tokens can be one word, joined to what stands beside it or not.
    """
    surfaces = [vocabulary.surface(token) for token in vocabulary.tokens]
    words = {word: i for i, word in enumerate(sorted(set(surfaces)))}
    return [*words], np.array([words[surface] for surface in surfaces])


def _as_typed(typed: str, word: str) -> str:
    """Returns a word with its typed letters as they were typed, the others in their case."""
    rest = _rest(typed, word)
    if rest is None:
        return word
    return typed + (rest.upper() if len(typed) > 1 and typed.isupper() else rest)


def _rest(typed: str, word: str) -> str | None:
    """Returns the rest of a word after the typed letters; None if the word does not begin with them."""
    known = folded(typed)
    ends = [n for n in range(len(word) + 1) if folded(word[:n]) == known]
    return word[ends[-1] :] if ends else None


def _with_known_apostrophes(vocabulary: Vocabulary, text: str) -> str:
    """Returns a text with the apostrophes of the vocabulary's own kind, if it lacks that of the text."""
    kinds = [sign for sign in ("'", *APOSTROPHES) if vocabulary.id_of(sign) is not None]
    if not kinds:
        return text
    return "".join(kinds[0] if c in f"'{APOSTROPHES}" and c not in kinds else c for c in text)


class Beam(NamedTuple):
    """A partly spelled word: its ln P, its bytes, the scores o (V,) of the next token, the state (1, H)."""

    log_p: float
    word: bytes
    o: Array
    state: Array

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True)
class Spelling:
    """The roles of a vocabulary's tokens in spelling a word.

    Attributes:
        pieces: the bytes of each token in UTF-8; a subword may begin or end within a letter.
        goes_on: whether a token can continue a word (V,).
        ends: whether a token shows that the word before it has ended (V,).
    """

    pieces: list[bytes]
    goes_on: Array
    ends: Array

    def __repr__(self) -> str:
        return short_repr(self)

    def first(self, spaced: bool) -> Array:
        """Returns whether a token can begin a word (V,).

        Args:
            spaced: whether the token must include the space before the word.
        """
        begins = [bool(piece) and piece.startswith(b" ") == spaced for piece in self.pieces]
        return np.array([a and _begins(piece) for a, piece in zip(begins, self.pieces, strict=True)])

    def counted(self) -> Array:
        """Returns which tokens count where P is relative to those that begin a word (V,): not single bytes.

        Every vocabulary of subwords has all bytes, and a space, whether words begin with them or not.
        """
        return np.array(
            [len(piece.lstrip(b" ")) > 1 or piece.lstrip(b" ").isalnum() for piece in self.pieces]
        )


@lru_cache(maxsize=2)
def _spelling(vocabulary: Vocabulary) -> Spelling:
    pieces = [vocabulary.piece(token) for token in range(len(vocabulary))]
    known = np.arange(len(pieces)) != vocabulary.unknown_id
    whole = [_letters(piece, "ignore") or "" for piece in pieces]
    goes_on = np.array([bool(a) and all(map(in_word, b)) for a, b in zip(pieces, whole, strict=True)])
    ends = np.array([_ends(piece, letters) for piece, letters in zip(pieces, whole, strict=True)])
    return Spelling(pieces, goes_on & known, ends & known)


def likeliest_end(reader: Reader, text: str) -> str:
    """Returns the likeliest sign that ends the word at the end of a text, for a model that spells words."""
    spelling = _spelling(reader.network.vocabulary)
    p = np.where(spelling.ends, probabilities(reader.read(text)[0]), 0.0)
    return spelling.pieces[int(p.argmax())].decode(errors="ignore")[:1]


def _ends(piece: bytes, letters: str) -> bool:
    """Returns whether a token, which contains these whole letters, begins with one that is not of a word."""
    return bool(letters) and not in_word(letters[0]) and piece.startswith(letters[0].encode())


def _letters(word: bytes, errors: str = "strict") -> str | None:
    """Returns the whole letters that bytes begin with; None if they are not the beginning of a text."""
    try:
        return codecs.getincrementaldecoder("utf-8")(errors).decode(word)
    except UnicodeDecodeError:
        return None


def _begins(word: bytes) -> bool:
    """Returns whether bytes, without the space before them, are or may become the beginning of a word."""
    word = word.lstrip(b" ")
    letters = _letters(word)
    if letters is None or not all(map(in_word, letters)) or (letters and not letters[0].isalnum()):
        return False
    return _may_be_in_word(word[len(letters.encode()) :])


def _may_be_in_word(begun: bytes) -> bool:
    """Returns whether the bytes that a letter begins with may become one of a word."""
    if len(begun) < 2:
        return True
    ends = (bytes([byte]) for byte in range(0x80, 0xC0))
    letters = [_letters(begun + end) or "" for end in ends]
    return not any(letters) or any(in_word(letter) for letter in letters if letter)


def _spelled_words(
    vocabulary: Vocabulary, stepper: AnyStepper, start: Beam, to_spell: tuple[str, bool], k: int
) -> list[Suggestion]:
    """Returns the k likeliest words by beam search; a word is complete when a token that ends it can follow.

    P(word) = Π P(its tokens) · P(a token that ends it), where P of the first token is relative to all tokens
    that can begin a word.
    """
    typed, spaced = to_spell
    spelling, width = _spelling(vocabulary), min(k * _BEAMS, _MOST_BEAMS)
    prefix = with_straight_apostrophes(typed).encode()
    found: dict[str, float] = {}
    beams = [start]
    for step in range(_LONGEST):
        allowed = spelling.goes_on if step or start.word else spelling.first(spaced)
        longer: list[tuple[float, bytes, int, Beam]] = []
        for beam in beams:
            p = probabilities(beam.o)
            if step == 0 and not start.word:
                p = _among(p, allowed, allowed & spelling.counted())
            word = beam.word.decode(errors="replace")
            if len(_plain(beam.word)) >= len(prefix) and is_word(word):
                ended = math.exp(beam.log_p) * float(p[spelling.ends].sum())
                found[word] = found.get(word, 0.0) + ended
            longer += _continuations(beam, np.where(allowed, p, 0.0), spelling, prefix, width)
        bar = sorted(found.values(), reverse=True)[k - 1] if len(found) >= k else 0.0
        longer = [item for item in longer if math.exp(item[0]) > bar]
        longer.sort(key=lambda item: -item[0])
        beams = [_advance(stepper, *item) for item in longer[:width]]
        if not beams:
            break
    total = sum(found.values())
    if vocabulary.level != "subword" or not typed:
        total = max(total, 1.0)
    best = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:k]
    return [Suggestion(word, p / total) for word, p in best if p > 0]


def _among(p: Array, allowed: Array, counted: Array) -> Array:
    total = p[counted].sum() or p[allowed].sum()
    return np.where(allowed, p, 0.0) / total if total > 0 else np.zeros_like(p)


def _continuations(
    beam: Beam, p: Array, spelling: Spelling, prefix: bytes, width: int
) -> list[tuple[float, bytes, int, Beam]]:
    """Returns the likeliest longer spellings that agree with the typed letters: (ln P, word, token, beam)."""
    if len(_plain(beam.word)) < len(prefix):  # a subword model also spells the typed letters
        words = [_plain(beam.word + piece) for piece in spelling.pieces]
        p = p * np.array([word.startswith(prefix) or prefix.startswith(word) for word in words])
    tokens, values = top_k(p, min(width, len(p)))
    return [
        (beam.log_p + math.log(value), word, int(token), beam)
        for token, value in zip(tokens, values, strict=True)
        if value > 0 and _begins(word := (beam.word + spelling.pieces[token]).lstrip(b" "))
    ]


def _plain(word: bytes) -> bytes:
    """Returns the bytes of a word without the space before it, with straight apostrophes."""
    return _CURLY.sub(b"'", word.lstrip(b" "))


def _advance(stepper: AnyStepper, log_p: float, word: bytes, token: int, before: Beam) -> Beam:
    stepper.state = before.state
    return Beam(log_p, word, stepper.step(token), stepper.state)
