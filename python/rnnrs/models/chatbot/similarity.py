"""How much two turns have in common: shared words, the rare ones most, in any script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ...text import find_words
from ...types import Array, Floats, Ids
from .contexts import normalize

#: The exponent of a word's information: how much a rare word counts more than a common one.
RARITY = 3.0

#: The least share of common pairs of letters (Dice) at which two words are forms of one.
FORM = 0.5

#: The weight of a word that only the answer has in common with a question.
ANSWER = 0.4

#: The exponent of the share of a taught turn that is found in the question.
FOUND = 0.8

#: The least similarity at which a taught answer is given, and the share of known turns that may reach it.
LEAST, REACHED = 0.4, 0.01

#: The number of words of a turn that are compared.
LONGEST = 60

#: The numbers of known turns by which the threshold is chosen: that for few taught turns, the product with
#: their number that is not exceeded for more of them, and the least.
SAMPLED, PRODUCT, FEWEST = 200, 100_000, 20


class Nearest(NamedTuple):
    """The taught turn that is most similar to a question.

    Attributes:
        place: its index.
        similarity: 0..1.
        known: P of the known turn that has most of the question. Where it is higher than the similarity, the
            question is rather about what was known before.
    """

    place: int
    similarity: float
    known: float


class Similarity:
    """The similarity of questions to taught turns, by their words.

    A word's weight is ω(w) = (ln((N + 1) / (n_w + ½)))³, where n_w of all N turns, known and taught, contain
    it. Two words are compared by s(v, w), Dice's coefficient of their pairs of letters, borders included:
    1 for the same word, 0 below ½. So `open` and `opening` are similar, and words with typing errors. With q
    the words of the question, t those of a taught turn and a those of its answer:

    - R = Σ_{w ∈ t} ω(w) max_{v ∈ q} s(v, w) / Σ_{w ∈ t} ω(w), how much of the taught turn is in the question;
    - P = Σ_{v ∈ q} ω(v) max_{w ∈ t} s(v, w) / Σ_{v ∈ q} ω(v), how much of the question is in the taught turn;
    - a word of the question that is more similar to one of the answer than to the turn's counts there with
      0.4 s(v, w), in both sums;
    - the similarity is R^0.8 P^0.2. A question may have words besides, but should not lack the rare ones.

    Nothing here knows a language: words are those of `text.find_words`, single characters in Chinese.

    Args:
        taught: the turns and their answers.
        known: other turns, which are answered otherwise. They show which words are common, how similar turns
            are by chance, and which questions are nearer to what was known before.

    Attributes:
        threshold: the least similarity at which a taught answer should be given: 0.4, or the one that 1 % of
            the known turns reach, if that is higher.

    Example:
        >>> known = ["where is the station", "what is the time", "how are you", "where is your dog"]
        >>> similarity = Similarity([("Where are the spare keys?", "In the kitchen.")], known)
        >>> similarity.nearest("Where do I find the spare key?").similarity > similarity.threshold
        True
        >>> similarity.nearest("Where is the post office?").similarity > similarity.threshold
        False
    """

    def __init__(self, taught: Sequence[tuple[str, str]], known: Iterable[str] = ()) -> None:
        turns = [_words(turn) for turn, _ in taught]
        own = {tuple(words) for words in turns}
        others = [words for words in map(_words, dict.fromkeys(known)) if tuple(words) not in own]
        self._counts = Counter(word for words in turns + others for word in words)
        self._total = len(turns) + len(others)
        answers = [_words(answer) for _, answer in taught]
        self._places: dict[str, int] = {}
        for words in turns + answers + others:
            for word in words:
                self._places.setdefault(word, len(self._places))
        self._weights = np.array([self._weight(word) for word in self._places])
        self._pairs = _Pairs(list(self._places))
        self._turns, self._answers, self._others = map(self._joined, (turns, answers, others))
        self.threshold = self._chosen(others)

    def _weight(self, word: str) -> float:
        return float(np.log((self._total + 1) / (self._counts[word] + 0.5)) ** RARITY)

    def _joined(self, texts: list[list[str]]) -> _Texts:
        places = [self._places[word] for words in texts for word in words]
        starts = np.cumsum([0, *map(len, texts)])[:-1]
        return _Texts(np.array(places, np.int64), starts, self._weights)

    def nearest(self, question: str) -> Nearest | None:
        """Returns the most similar taught turn, the latest of several; None if nothing is taught."""
        if not len(self._turns.starts):
            return None
        alike, weights = self._compared(_words(question))
        found = self._to_taught(alike, weights)
        known = self._others.shares(alike, weights).covered if len(self._others.starts) else np.zeros(1)
        place = len(found) - 1 - int(found[::-1].argmax())
        return Nearest(place, round(float(found[place]), 9), round(float(known.max()), 9))

    def _compared(self, words: list[str]) -> tuple[Floats, Floats]:
        """Returns s of each word to all words (q, words), and the words' weights (q,)."""
        return np.stack([self._pairs.alike(word) for word in words]), np.array([*map(self._weight, words)])

    def _to_taught(self, alike: Floats, weights: Floats) -> Floats:
        """Returns the similarity to each taught turn."""
        shares = self._turns.shares(alike, weights)
        best = ANSWER * self._answers.best(alike)
        gain = (np.maximum(best - shares.best, 0.0) * weights[:, None]).sum(0)
        found = np.minimum(shares.found + gain / shares.total, 1.0)
        covered = np.minimum(shares.covered + gain / weights.sum(), 1.0)
        similarity: Floats = found**FOUND * covered ** (1 - FOUND)
        return similarity

    def _chosen(self, others: list[list[str]]) -> float:
        """Returns the threshold that few of the known turns reach."""
        if not others or not len(self._turns.starts):
            return LEAST
        count = max(FEWEST, min(SAMPLED, PRODUCT // len(self._turns.starts)))
        places = np.unique(np.linspace(0, len(others) - 1, count).astype(int))
        highest = [self._to_taught(*self._compared(others[i])).max() for i in places]
        return max(LEAST, min(float(np.quantile(highest, 1 - REACHED)), 1.0))


class _Shares(NamedTuple):
    """How much of N texts is found in a question, and the other way.

    Attributes:
        found: R of each text (N,).
        covered: P of the question (N,).
        best: the highest similarity of each word of the question to a word of each text (q, N).
        total: the weight of each text (N,).
    """

    found: Floats
    covered: Floats
    best: Floats
    total: Floats


class _Texts:
    """The words of N texts, one after the other.

    Args:
        places: the places of the words.
        starts: where each text begins (N,).
        weights: the weights of all words.
    """

    def __init__(self, places: Ids, starts: Ids, weights: Floats) -> None:
        self._places, self.starts = places, starts
        self._weights = weights[places]
        self._total = np.add.reduceat(self._weights, starts) if len(starts) else np.zeros(0)

    def best(self, alike: Floats) -> Floats:
        """Returns the highest similarity of each word of a question to a word of each text (q, N)."""
        return np.maximum.reduceat(alike[:, self._places], self.starts, axis=1)

    def shares(self, alike: Floats, weights: Floats) -> _Shares:
        """Returns how much each text and a question have in common."""
        found = np.add.reduceat(alike.max(0)[self._places] * self._weights, self.starts) / self._total
        best = self.best(alike)
        covered = (weights[:, None] * best).sum(0) / weights.sum()
        return _Shares(found, covered, best, self._total)


class _Pairs:
    """Dice's coefficient of pairs of letters, of a word and a list of words."""

    def __init__(self, words: list[str]) -> None:
        self._places = {word: i for i, word in enumerate(words)}
        self._sizes = np.array([len(word) + 1 for word in words])
        found: dict[str, list[tuple[int, int]]] = {}
        for i, word in enumerate(words):
            for pair, count in _letter_pairs(word).items():
                found.setdefault(pair, []).append((i, count))
        self._with: dict[str, Array] = {pair: np.array(places).T for pair, places in found.items()}

    def alike(self, word: str) -> Floats:
        """Returns s of a word to all words (words,)."""
        shared = np.zeros(len(self._sizes))
        for pair, count in _letter_pairs(word).items():
            if pair in self._with:
                places, counts = self._with[pair]
                shared[places] += np.minimum(counts, count)
        shared *= 2 / (self._sizes + len(word) + 1)
        shared[shared < FORM] = 0.0
        if word in self._places:
            shared[self._places[word]] = 1.0
        return shared


def _letter_pairs(word: str) -> Counter[str]:
    """Returns the pairs of neighboring letters of a word, its borders included.

    Example:
        >>> sorted(_letter_pairs("go"))
        ['\\ng', 'go', 'o\\n']
    """
    bordered = f"\n{word}\n"
    return Counter(bordered[i : i + 2] for i in range(len(word) + 1))


def _words(turn: str) -> list[str]:
    """Returns the different words of a turn as they are compared; an empty turn is one empty word."""
    return list(dict.fromkeys(find_words(normalize(turn))))[:LONGEST] or [""]
