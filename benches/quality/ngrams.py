"""A trigram model as a baseline: interpolated Kneser–Ney (Kneser and Ney 1995; Chen and Goodman 1999)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class Trigram:
    """P(w | u v), each order interpolated with the next lower one.

    P(w | u v) = max(c(u v w) − d, 0) / c(u v ·) + d n(u v ·) / c(u v ·) · P(w | v), where n is the number of
    distinct words. In the two lower orders c is the number of distinct contexts of a word instead of its
    occurrences. The lowest order is interpolated with 1 / V. d = n_1 / (n_1 + 2 n_2), where n_1 and n_2 are
    the numbers of n-grams of an order with a count of 1 and 2.

    Args:
        sentences: ids, without end tokens.
        size: V.
        end_id: the token added twice before a sentence and once after it.
    """

    def __init__(self, sentences: Iterable[Ids], size: int, end_id: int) -> None:
        self._size, self._end = size, end_id
        third = Counter(triple for sentence in sentences for triple in self._triples(sentence))
        second = Counter(triple[1:] for triple in third)
        first = Counter(pair[1:] for pair in second)
        self._counts = [first, second, third]
        self._totals = [self._by_context(counts, False) for counts in self._counts]
        self._kinds = [self._by_context(counts, True) for counts in self._counts]
        self._discounts = [self._discount(counts) for counts in self._counts]

    def _triples(self, sentence: Sequence[int] | Ids) -> Iterable[tuple[int, ...]]:
        ids = [self._end, self._end, *map(int, sentence), self._end]
        return ((u, v, w) for (u, v), (_, w) in pairwise(pairwise(ids)))

    @staticmethod
    def _by_context(counts: Counter[tuple[int, ...]], kinds: bool) -> Counter[tuple[int, ...]]:
        found: Counter[tuple[int, ...]] = Counter()
        for gram, count in counts.items():
            found[gram[:-1]] += 1 if kinds else count
        return found

    @staticmethod
    def _discount(counts: Counter[tuple[int, ...]]) -> float:
        once, twice = (sum(count == n for count in counts.values()) for n in (1, 2))
        return once / (once + 2 * twice) if once and twice else 0.75

    def probability(self, gram: tuple[int, ...]) -> float:
        """Returns P(last word | words before it) of an n-gram."""
        if not gram:
            return 1.0 / self._size
        order, context = len(gram) - 1, gram[:-1]
        lower = self.probability(gram[1:])
        total = self._totals[order][context]
        if not total:
            return lower
        d = self._discounts[order]
        own = max(self._counts[order][gram] - d, 0.0)
        return (own + d * self._kinds[order][context] * lower) / total

    def perplexity(self, sentences: Iterable[Ids]) -> float:
        """Returns exp of the mean −ln P of a token, ends included."""
        logs = [np.log(self.probability(t)) for sentence in sentences for t in self._triples(sentence)]
        return float(np.exp(-np.mean(logs)))
