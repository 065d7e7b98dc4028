"""Caches, which make the words that a text has used more likely: P = (1 − λ) P_model + λ P_cache.

A `Cache` holds settings. Its method `start` returns a `Memory`, which reads a text along with the model;
while it is empty, P = P_model. Nothing is trained, and every P is a distribution over the whole vocabulary.
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

#: The number of positions whose similarities to all remembered states are in memory at once.
CHUNK = 256


class Memory(ABC):
    """The tokens that a cache has read so far."""

    @abstractmethod
    def read(self, h: Array, tokens: Ids) -> tuple[Array, Array]:
        """Reads tokens, and returns the probability of each one before it was read.

        Args:
            h: the states (T, H) from which the model predicts the tokens.
            tokens: the tokens (T,).

        Returns:
            (P_cache(token_t | tokens read before it) (T,), float64; whether the memory was not empty (T,)).
        """

    @abstractmethod
    def distribution(self, h: Array) -> Array | None:
        """Returns P_cache (V,), float64, of the token after the state h (H,); None if the memory is empty."""


@dataclass(frozen=True)
class Cache(ABC):
    """The settings of a cache.

    Attributes:
        weight: λ, the share of the cache in P; 0 ≤ λ < 1.
        size: the number of last tokens that it remembers.
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
        """Returns an empty memory, for tokens below V."""


@dataclass(frozen=True)
class NgramCache(Cache):
    """Relative frequencies of words (order 1) or n-grams in the last `size` tokens.

    P_1(w) = c(w) / n (Kuhn and De Mori 1990); P_k(w | u) = β c(u w) / c(u) + (1 − β) P_{k−1}(w) if the last
    k − 1 tokens u have been read before (Jelinek, Merialdo, Roukos and Strauss 1991), else P_{k−1}(w).

    Attributes:
        weight: λ.
        size: n.
        order: the length of the longest n-gram, from 1.
        share: β of each order above 1; 0 ≤ β ≤ 1.

    Raises:
        ValueError, TypeError: for a setting outside its range.

    Example:
        >>> memory = NgramCache(size=4).start(vocabulary_size=3)
        >>> p, known = memory.read(h=None, tokens=np.array([0, 0, 2, 0]))
        >>> memory.distribution(h=None)
        array([0.75, 0.  , 0.25])
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
        #: The counts of the tokens that followed each context of up to order − 1 tokens.
        self._followers: dict[tuple[int, ...], Counter[int]] = {}
        self._totals: Counter[tuple[int, ...]] = Counter()
        #: The remembered tokens, each with the context before it; the newest last.
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
        """Returns (counts of followers, their sum, β) per known suffix of the context, the shortest first."""
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
    """P_cache(w) ∝ Σ_{i: w followed h_i} e^{θ h_t · h_i}, over the last `size` tokens.

    Tokens that followed states similar to the current one have the largest weights (Grave, Joulin and Usunier
    2017).

    Attributes:
        weight: λ.
        size: the number of pairs (h_i, the token that followed) that are remembered.
        theta: θ, from 0. At 0 all tokens have equal weights, as in a unigram cache. Larger state vectors, in
            length and in norm, need a smaller θ; choose θ and λ on held-out text.

    Raises:
        ValueError, TypeError: for a setting outside its range.
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
        """Reads tokens few enough for all their similarities to fit in memory."""
        size, before, count = self._settings.size, len(self._tokens), len(tokens)
        keys = h if self._h is None else np.concatenate([self._h, h])
        values = np.concatenate([self._tokens, tokens])
        # Position t of the chunk is the pair with index before + t; it remembers the `size` pairs before it.
        place, now = np.arange(len(keys)), before + np.arange(count)[:, None]
        remembered = (place < now) & (place >= now - size)
        weights = self._weights(h, keys, remembered)
        total = weights.sum(1)
        right = np.where(values == tokens[:, None], weights, 0.0).sum(1)
        self._h, self._tokens = keys[-size:].copy(), values[-size:]
        known = np.asarray(remembered.any(1))
        return np.divide(right, total, out=np.zeros(count), where=known), known

    def _weights(self, h: Array, keys: Array, remembered: Array) -> Array:
        """Returns e^{θ h · key} (T, n), divided by each row's maximum; 0 for pairs not remembered."""
        products = _rnnrs.linear_forward(h, keys, np.zeros(len(keys), keys.dtype)).astype(np.float64)
        scores = np.where(remembered, self._settings.theta * products, -np.inf)
        most = scores.max(1, keepdims=True)
        return np.asarray(np.exp(scores - np.where(np.isfinite(most), most, 0.0)))


class Mixture:
    """The interpolation of a model with caches: P = (1 − Σ λ) P_model + Σ λ P_cache.

    Args:
        op: the caller's name, for error messages.
        caches: one cache, or several.
        vocabulary_size: V.

    Raises:
        TypeError: for an object that is not a cache.
        ValueError: without a cache, or if the weights λ sum to 1 or more.
    """

    def __init__(self, op: str, caches: Cache | Sequence[Cache], vocabulary_size: int) -> None:
        given = list(caches) if isinstance(caches, Sequence) else [caches]
        for cache in given:
            if not isinstance(cache, Cache):
                raise TypeError(f"{op}: cache: expected caches of rnnrs.models, got {cache!r}")
        total = sum(cache.weight for cache in given)
        if not given or total >= 1.0:
            raise ValueError(
                f"{op}: cache: expected at least one, with weights that sum to less than 1, got {given}"
            )
        self._parts = [(cache.weight, cache.start(vocabulary_size)) for cache in given]

    def read(self, h: Array, tokens: Ids, log_p: Array) -> Array:
        """Reads tokens, and returns ln P (T,) of each; `log_p` is ln P_model (T,)."""
        own, added = np.ones(len(tokens)), np.zeros(len(tokens))
        for weight, memory in self._parts:
            p, known = memory.read(h, tokens)
            own -= np.where(known, weight, 0.0)
            added += np.where(known, weight, 0.0) * p
        with np.errstate(divide="ignore"):  # ln 0, of a token that is in no cache
            return np.asarray(np.logaddexp(np.log(own) + log_p, np.log(added)))

    def distribution(self, h: Array, p: Array) -> Array:
        """Returns P (V,) of the next token in the state h (H,); `p` is P_model (V,)."""
        own, added = 1.0, np.zeros_like(p)
        for weight, memory in self._parts:
            if (cached := memory.distribution(h)) is not None:
                own -= weight
                added += weight * cached
        return np.asarray(own * p + added)
