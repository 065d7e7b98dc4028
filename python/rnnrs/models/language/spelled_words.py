"""The likeliest words, spelled in characters or subwords, by beam search; several texts side by side."""

from __future__ import annotations

import codecs
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..._rnnrs import top_k
from ...decoding import check_stopped
from ...shown import short_repr
from ...text import Vocabulary
from ...text.folding import APOSTROPHES, with_straight_apostrophes
from ...text.rules import in_word, is_word
from ...types import Array, Ids
from .adaptive_stepper import AnyStepper

#: The number of beams per word, and the maximum number of tokens of a word.
_BEAMS, _LONGEST = 8, 30

#: The maximum number of beams.
_MOST_BEAMS = 1000

#: The maximum number of scores (beams × tokens) that are computed side by side: a bound of the memory.
_SCORES = 1 << 20

_CURLY = re.compile("|".join(APOSTROPHES).encode())


class Beginning(NamedTuple):
    """Where a word begins, or goes on.

    Attributes:
        o, state: the scores (V,) of the next token, and the state (1, S) before it.
        word: the bytes that are read already; empty if the word's first token is to be found.
        typed: the letters that the word begins with.
        spaced: whether the first token must include the space before the word.
    """

    o: Array
    state: Array
    word: bytes
    typed: str
    spaced: bool

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True)
class Spelling:
    """The roles of a vocabulary's tokens in spelling a word.

    Attributes:
        pieces: the bytes of each token in UTF-8; a subword may begin or end within a letter.
        whole: whether a token consists of whole letters (V,).
        goes_on: whether a token can continue a word (V,).
        ends: whether a token shows that the word before it has ended (V,).
        first: whether a token can begin a word (V,), without and with the space before it.
        counted: which tokens count where P is relative to those that begin a word (V,): not single bytes.
            Every vocabulary of subwords has all bytes, and a space, whether words begin with them or not.
        plain, tokens: what `_plain` makes of each piece, sorted, and the tokens in this order.
        longest: the length of the longest of these.
    """

    pieces: list[bytes]
    whole: Array
    goes_on: Array
    ends: Array
    first: tuple[Array, Array]
    counted: Array
    plain: list[bytes]
    tokens: Ids
    longest: int

    def __repr__(self) -> str:
        return short_repr(self)

    def agreeing(self, rest: bytes) -> Array:
        """Returns which tokens begin with bytes, or are a beginning of them (V,)."""
        found, plain = np.zeros(len(self.pieces), bool), self.plain
        begin = bisect_left(plain, rest)
        end = bisect_right(plain, rest, begin, key=lambda piece: piece[: len(rest)])
        found[self.tokens[begin:end]] = True
        for n in range(min(len(rest), self.longest + 1)):
            found[self.tokens[bisect_left(plain, rest[:n]) : bisect_right(plain, rest[:n])]] = True
        return found


@lru_cache(maxsize=16)
def spelling_of(vocabulary: Vocabulary) -> Spelling:
    """Returns the roles of a vocabulary's tokens."""
    pieces = [vocabulary.piece(token) for token in range(len(vocabulary))]
    known = np.arange(len(pieces)) != vocabulary.unknown_id
    letters = [_letters(piece, "ignore") or "" for piece in pieces]
    goes_on = np.array([bool(a) and all(map(in_word, b)) for a, b in zip(pieces, letters, strict=True)])
    ends = np.array([_ends(piece, own) for piece, own in zip(pieces, letters, strict=True)])
    begins = np.array([bool(piece) and _begins(piece) for piece in pieces])
    spaced = np.array([piece.startswith(b" ") for piece in pieces])
    bare = [piece.lstrip(b" ") for piece in pieces]
    plain = [_plain(piece) for piece in pieces]
    order = sorted(range(len(plain)), key=plain.__getitem__)
    return Spelling(
        pieces,
        np.array([_is_whole(piece) for piece in pieces]),
        goes_on & known,
        ends & known,
        (begins & ~spaced, begins & spaced),
        np.array([len(piece) > 1 or piece.isalnum() for piece in bare]),
        [plain[token] for token in order],
        np.array(order),
        max(map(len, plain)),
    )


def _ends(piece: bytes, letters: str) -> bool:
    """Returns whether a token, which contains these whole letters, begins with one that is not of a word."""
    return bool(letters) and not in_word(letters[0]) and piece.startswith(letters[0].encode())


def _letters(word: bytes, errors: str = "strict") -> str | None:
    """Returns the whole letters that bytes begin with; None if they are not the beginning of a text."""
    try:
        return codecs.getincrementaldecoder("utf-8")(errors).decode(word)
    except UnicodeDecodeError:
        return None


def _is_whole(word: bytes) -> bool:
    """Returns whether bytes consist of whole letters."""
    try:
        return bool(word.decode())
    except UnicodeDecodeError:
        return False


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


def _plain(word: bytes) -> bytes:
    """Returns the bytes of a word without the space before it, with straight apostrophes."""
    return _CURLY.sub(b"'", word.lstrip(b" "))


def spelled_words(
    vocabulary: Vocabulary, stepper: AnyStepper, beginnings: Sequence[Beginning], k: int
) -> Iterator[list[tuple[str, float]]]:
    """Yields, for each beginning, the k likeliest words and their probabilities, the likeliest first.

    P(word) = Π P(its tokens) · P(a token that ends it), where P of the first token is relative to all tokens
    that can begin a word. The beams of a bounded number of texts advance side by side, without an effect on
    each other.

    Raises:
        Stopped: see `rnnrs.decoding.stoppable`.
        ValueError: for scores that are NaN or +∞, or all −∞.
    """
    spelling, width = spelling_of(vocabulary), min(k * _BEAMS, _MOST_BEAMS)
    together = max(1, _SCORES // (width * len(vocabulary)))
    for place in range(0, len(beginnings), together):
        group = beginnings[place : place + together]
        searches = [_Search(spelling, beginning, k, width) for beginning in group]
        _advance(stepper, group, searches)
        for search in searches:
            yield search.best(k, among_found=vocabulary.level == "subword")


def _advance(stepper: AnyStepper, group: Sequence[Beginning], searches: Sequence[_Search]) -> None:
    """Spells the words of several texts, token by token; all their beams are the rows of one step."""
    o = np.stack([beginning.o for beginning in group])
    states = np.concatenate([beginning.state for beginning in group])
    try:
        for _ in range(_LONGEST):
            check_stopped()
            tokens, rows, row = [], [], 0
            for search in searches:
                count = len(search.words)
                if count:
                    own, parents = search.read(o[row : row + count])
                    tokens.append(own)
                    rows.append(parents + row)
                    row += count
            ids = np.concatenate(tokens)
            if not len(ids):
                break
            stepper.state = states[np.concatenate(rows)]
            o = stepper.step(ids)
            states = stepper.state
    finally:
        stepper.state = group[0].state  # of one sequence, as before


@dataclass
class _Search:
    """The beams of one text: partly spelled words, and the words that have been found.

    Attributes:
        spelling: the roles of the tokens.
        beginning: where the word begins.
        k: the number of words that are wanted.
        width: the maximum number of beams.
        words: the bytes of each beam.
        whole: whether these are whole letters.
        log_p: ln P of each beam (n,).
        found: the words and their probabilities.
    """

    spelling: Spelling
    beginning: Beginning
    k: int
    width: int
    words: list[bytes] = field(init=False)
    whole: list[bool] = field(init=False)
    log_p: Array = field(init=False)
    found: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        word = self.beginning.word
        self.words, self.whole, self.log_p, self.found = [word], [_is_whole(word)], np.zeros(1), {}
        self.prefix = with_straight_apostrophes(self.beginning.typed).encode()
        self.is_first = not word

    __repr__ = short_repr

    def read(self, o: Array) -> tuple[Ids, Ids]:
        """Notes the words that end here, and takes the longer ones as beams.

        Args:
            o: the scores (n, V) of the next tokens.

        Returns:
            The next token of each new beam, and the row of the beam that it continues.
        """
        spelling, is_first = self.spelling, self.is_first
        allowed = spelling.first[self.beginning.spaced] if is_first else spelling.goes_on
        shares, ended = self._shares(o, allowed)
        plain = [_plain(word) if self.prefix else b"" for word in self.words]
        for word, own, p in zip(self.words, plain, ended.tolist(), strict=True):
            text = word.decode(errors="replace")
            if len(own) >= len(self.prefix) and is_word(text):
                self.found[text] = self.found.get(text, 0.0) + p
        bar = sorted(self.found.values(), reverse=True)[self.k - 1] if len(self.found) >= self.k else 0.0
        possible = self._possible(o, allowed, shares, bar)
        agreeing: dict[bytes, Array] = {}  # beams that have spelled the same go on alike
        for row, own in enumerate(plain):
            if len(own) < len(self.prefix):  # a subword model also spells the typed letters
                if own not in agreeing and self.prefix.startswith(own):
                    agreeing[own] = spelling.agreeing(self.prefix[len(own) :])
                possible[row] &= agreeing.get(own, False)
        rows, tokens = np.divmod(np.flatnonzero(possible), o.shape[1])
        log_p = o[rows, tokens].astype(np.float64) + shares[rows]
        likelier = np.exp(log_p) > bar
        return self._take(rows[likelier], tokens[likelier], log_p[likelier])

    def _shares(self, o: Array, allowed: Array) -> tuple[Array, Array]:
        """Returns what turns scores into ln P of longer words (n,), and P that the words end here (n,)."""
        most = o.max(axis=1, keepdims=True)
        if not np.isfinite(most).all():
            raise ValueError(f"scores: expected finite scores, got a maximum of {most.max()}")
        exp = o - most
        exp = np.exp(exp, out=exp).astype(np.float64, copy=False)
        # The sums are those of whole rows: they do not depend on the number of rows.
        if self.is_first:
            counted = exp[:, allowed & self.spelling.counted].sum(axis=1)
            total = counted if counted.any() else exp[:, allowed].sum(axis=1)
        else:
            total = exp.sum(axis=1)
        total[total == 0] = np.inf  # underflow: nothing is known about these words
        exp *= self.spelling.ends
        ended = np.exp(self.log_p) * exp.sum(axis=1) / total
        shares: Array = self.log_p - np.log(total) - most[:, 0]
        return shares, ended

    def _possible(self, o: Array, allowed: Array, shares: Array, bar: float) -> Array:
        """Returns which tokens may continue each word to one that is likelier than the bar (n, V)."""
        if not bar:
            return np.repeat(allowed[None], len(o), axis=0)
        least = np.nextafter((math.log(bar) - shares).astype(o.dtype), o.dtype.type(-np.inf))
        possible: Array = o >= least[:, None]
        possible &= allowed
        return possible

    def _take(self, rows: Ids, tokens: Ids, log_p: Array) -> tuple[Ids, Ids]:
        """Makes the likeliest longer words the beams."""
        words, whole, taken = [], [], []
        tried = [0] * len(self.words)  # of a beam's next tokens, the likeliest are tried, as many as beams
        for place in _in_order(log_p, 2 * self.width):
            row, token = rows[place], tokens[place]
            tried[row] += 1
            if tried[row] > self.width:
                continue
            word = (self.words[row] + self.spelling.pieces[token]).lstrip(b" ")
            is_whole = bool(self.whole[row] and self.spelling.whole[token])
            if is_whole or self.is_first or _begins(word):
                words.append(word)
                whole.append(is_whole or _is_whole(word))
                taken.append(place)
                if len(taken) == self.width:
                    break
        self.words, self.whole, self.log_p, self.is_first = words, whole, log_p[taken], False
        return tokens[taken], rows[taken]

    def best(self, k: int, *, among_found: bool) -> list[tuple[str, float]]:
        """Returns the k likeliest words and their probabilities.

        Args:
            k: their number.
            among_found: whether P of a word that begins with typed letters is relative to the words found.
        """
        total = sum(self.found.values())
        if not (among_found and self.beginning.typed):
            total = max(total, 1.0)
        best = sorted(self.found.items(), key=lambda item: (-item[1], item[0]))[:k]
        return [(word, p / total) for word, p in best if p > 0]


def _in_order(values: Array, count: int) -> Iterator[int]:
    """Yields the places of numbers in falling order; the first `count` of them are found fast."""
    if len(values):
        yield from top_k(values, min(count, len(values)))[0].tolist()
    if len(values) > count:
        yield from np.argsort(-values, kind="stable")[count:].tolist()
