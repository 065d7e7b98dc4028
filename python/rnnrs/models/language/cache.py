"""Caches: words that a text has used come again. P = (1 − λ) P_model + λ P_cache.

A cache is a setting; `start` gives its memory, which reads a text along with the model and is empty at first: then
P = P_model. Nothing is trained, and every P is a distribution over the whole vocabulary.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ... import _rnnrs
from ...checks import check_size
from ...types import Array, Ids

#: Positions whose similarities to all that is remembered are there at once.
CHUNK = 256


class Memory(ABC):
    """What a cache has read so far."""

    @abstractmethod
    def read(self, h: Array, tokens: Ids) -> tuple[Array, Array]:
        """Reads on, and says of every token how likely it was.

        Args:
            h: the states (T, H) from which the model predicts them.
            tokens: what came (T,).

        Returns:
            (P_cache(token_t | what was read before it) (T,), float64; whether there was anything to go by (T,)).
        """

    @abstractmethod
    def distribution(self, h: Array) -> Array | None:
        """P_cache (V,), float64, of the token that comes in the state h (H,); None as long as the memory is empty."""


@dataclass(frozen=True)
class Cache(ABC):
    """A cache's settings.

    Attributes:
        weight: λ, the share of the cache in P; 0 ≤ λ < 1.
        size: how many of the last tokens it remembers.
    """

    weight: float
    size: int

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not 0.0 <= self.weight < 1.0:
            raise ValueError(f"{name}: weight: expected 0 ≤ λ < 1, got {self.weight}")
        check_size(name, "size", self.size)

    @abstractmethod
    def start(self, vocabulary_size: int) -> Memory:
        """An empty memory, for tokens below V."""


@dataclass(frozen=True)
class NgramCache(Cache):
    """Relative frequencies in the last `size` tokens, of words (order 1) or of n-grams.

    P_1(w) = c(w) / n (Kuhn and De Mori 1990); P_k(w | u) = β c(u w) / c(u) + (1 − β) P_{k−1}(w) where the last k − 1
    tokens u have been read before (Jelinek, Merialdo, Roukos and Strauss 1991), else P_{k−1}(w).

    Attributes:
        weight: λ.
        size: n.
        order: the longest n-gram, from 1.
        share: β of each order above 1; 0 ≤ β ≤ 1.

    Raises:
        ValueError, TypeError: for a setting out of its range.
    """

    weight: float = 0.1
    size: int = 2000
    order: int = 1
    share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size("NgramCache", "order", self.order)
        if not 0.0 <= self.share <= 1.0:
            raise ValueError(f"NgramCache: share: expected 0 ≤ β ≤ 1, got {self.share}")

    def start(self, vocabulary_size: int) -> Memory:
        return _Ngrams(self, vocabulary_size)


class _Ngrams(Memory):
    def __init__(self, settings: NgramCache, vocabulary_size: int) -> None:
        self._settings, self._vocabulary_size = settings, vocabulary_size
        #: What followed each context of up to order − 1 tokens, and how often.
        self._followers: dict[tuple[int, ...], Counter[int]] = {}
        self._totals: Counter[tuple[int, ...]] = Counter()
        #: The tokens that count, each with what stood before it; the newest last.
        self._window: deque[tuple[tuple[int, ...], int]] = deque()
        self._last: tuple[int, ...] = ()

    def read(self, h: Array, tokens: Ids) -> tuple[Array, Array]:
        p, known = np.zeros(len(tokens)), np.zeros(len(tokens), np.bool_)
        for t, token in enumerate(tokens.tolist()):
            known[t] = bool(self._window)
            for followers, total, share in self._levels():
                p[t] += share * (followers[token] / total - p[t])
            self._remember(token)
        return p, known

    def distribution(self, h: Array) -> Array | None:
        if not self._window:
            return None
        p = np.zeros(self._vocabulary_size)
        for followers, total, share in self._levels():
            p *= 1.0 - share
            p[list(followers)] += share * np.array(list(followers.values())) / total
        return p

    def _levels(self) -> list[tuple[Counter[int], int, float]]:
        """(what followed, how often in all, β) for each end of the context that was read before, the shortest first."""
        levels = []
        for length in range(len(self._last) + 1):
            context = self._last[len(self._last) - length :]
            if not self._totals[context]:
                break
            share = self._settings.share if length else 1.0
            levels.append((self._followers[context], self._totals[context], share))
        return levels

    def _remember(self, token: int) -> None:
        self._window.append((self._last, token))
        self._count(self._last, token, 1)
        if len(self._window) > self._settings.size:
            self._count(*self._window.popleft(), -1)
        longest = self._settings.order - 1
        self._last = (*self._last, token)[-longest:] if longest else ()

    def _count(self, before: tuple[int, ...], token: int, by: int) -> None:
        for length in range(len(before) + 1):
            context = before[len(before) - length :]
            followers = self._followers.setdefault(context, Counter())
            followers[token] += by
            self._totals[context] += by
            if not followers[token]:
                del followers[token]
            if not followers:
                del self._followers[context], self._totals[context]


@dataclass(frozen=True)
class ContinuousCache(Cache):
    """P_cache(w) ∝ Σ_{i: w came after h_i} e^{θ h_t · h_i}, over the last `size` tokens: those that came in states like
    this one count the most (Grave, Joulin and Usunier 2017).

    Attributes:
        weight: λ.
        size: how many pairs (h_i, the token that came) are remembered.
        theta: θ, from 0, where all count alike (a unigram cache). The larger the states, in number and in size, the
            smaller a θ they need: choose it, and λ, on held-out text.

    Raises:
        ValueError, TypeError: for a setting out of its range.
    """

    weight: float = 0.1
    size: int = 2000
    theta: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.theta < math.inf:
            raise ValueError(f"ContinuousCache: theta: expected a finite number from 0, got {self.theta}")

    def start(self, vocabulary_size: int) -> Memory:
        return _States(self, vocabulary_size)


class _States(Memory):
    def __init__(self, settings: ContinuousCache, vocabulary_size: int) -> None:
        self._settings, self._vocabulary_size = settings, vocabulary_size
        self._h: Array | None = None  # (n, H), the oldest first
        self._tokens: Ids = np.zeros(0, np.int64)

    def read(self, h: Array, tokens: Ids) -> tuple[Array, Array]:
        parts = range(0, len(tokens), CHUNK)
        read = [self._read_some(h[i : i + CHUNK], tokens[i : i + CHUNK]) for i in parts]
        if not read:
            return np.zeros(0), np.zeros(0, np.bool_)
        return np.concatenate([p for p, _ in read]), np.concatenate([known for _, known in read])

    def distribution(self, h: Array) -> Array | None:
        if self._h is None or not len(self._h):
            return None
        weights = self._weights(h[None], self._h, np.ones((1, len(self._h)), np.bool_))[0]
        return np.asarray(np.bincount(self._tokens, weights, self._vocabulary_size) / weights.sum())

    def _read_some(self, h: Array, tokens: Ids) -> tuple[Array, Array]:
        """`read` of few enough positions that all their similarities fit in memory."""
        size, before, count = self._settings.size, len(self._tokens), len(tokens)
        keys = h if self._h is None else np.concatenate([self._h, h])
        values = np.concatenate([self._tokens, tokens])
        # Position t of the chunk is the pair before + t, and remembers the `size` pairs before it.
        place, now = np.arange(len(keys)), before + np.arange(count)[:, None]
        remembered = (place < now) & (place >= now - size)
        weights = self._weights(h, keys, remembered)
        total = weights.sum(1)
        right = np.where(values == tokens[:, None], weights, 0.0).sum(1)
        self._h, self._tokens = keys[-size:].copy(), values[-size:]
        known = np.asarray(remembered.any(1))
        return np.divide(right, total, out=np.zeros(count), where=known), known

    def _weights(self, h: Array, keys: Array, remembered: Array) -> Array:
        """e^{θ h · key} (T, n) where it is remembered, over the largest of each row; 0 elsewhere."""
        products = _rnnrs.linear_forward(h, keys, np.zeros(len(keys), keys.dtype)).astype(np.float64)
        scores = np.where(remembered, self._settings.theta * products, -np.inf)
        most = scores.max(1, keepdims=True)
        return np.asarray(np.exp(scores - np.where(np.isfinite(most), most, 0.0)))


class Mixture:
    """A model's probabilities and those of caches, put together: P = (1 − Σ λ) P_model + Σ λ P_cache.

    Args:
        caches: one, or several.
        vocabulary_size: V.

    Raises:
        TypeError: for what is no cache.
        ValueError: without any, or if their λ add up to 1 or more.
    """

    def __init__(self, caches: Cache | Sequence[Cache], vocabulary_size: int) -> None:
        given = [caches] if isinstance(caches, Cache) else list(caches)
        for cache in given:
            if not isinstance(cache, Cache):
                raise TypeError(f"evaluate: cache: expected caches of rnnrs.models, got {cache!r}")
        total = sum(cache.weight for cache in given)
        if not given or total >= 1.0:
            raise ValueError(
                f"evaluate: cache: expected at least one, with weights that add up to less than 1, got {given}"
            )
        self._parts = [(cache.weight, cache.start(vocabulary_size)) for cache in given]

    def read(self, h: Array, tokens: Ids, log_p: Array) -> Array:
        """ln P (T,) of tokens, of which the model says ln P_model = `log_p`."""
        own, added = np.ones(len(tokens)), np.zeros(len(tokens))
        for weight, memory in self._parts:
            p, known = memory.read(h, tokens)
            own -= np.where(known, weight, 0.0)
            added += np.where(known, weight, 0.0) * p
        with np.errstate(divide="ignore"):  # a token that no cache has is the model's alone
            return np.asarray(np.logaddexp(np.log(own) + log_p, np.log(added)))

    def distribution(self, h: Array, p: Array) -> Array:
        """P (V,) of the next token, of which the model says P_model = p."""
        own, added = 1.0, np.zeros_like(p)
        for weight, memory in self._parts:
            if (cached := memory.distribution(h)) is not None:
                own -= weight
                added += weight * cached
        return np.asarray(own * p + added)
