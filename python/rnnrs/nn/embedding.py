"""Embeddings: token ids → vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _rnnrs
from ..checks import as_array, as_ids, check_size
from ..errors import ShapeError
from ..shown import short_repr
from ..types import Array
from .layer import Layer
from .noise import ROWS, check_rate, place_seed

#: The table size, in numbers, from which the rows touched by a batch are tracked.
LARGE = 1 << 17


class EmbeddingCache(NamedTuple):
    """The forward-pass values that `Embedding.backward` needs: the ids, and the factors of their rows."""

    ids: ArrayLike
    scales: Array | None = None

    def __repr__(self) -> str:
        return short_repr(self)


class Embedding(Layer):
    """x = E[id]: row `id` of a table, equal to the product of a one-hot vector with E.

    Parameters: E (V, I), initialized to standard normal values times `scale`.

    Args:
        vocabulary_size: V, the number of ids.
        embedding_size: I, the size of a vector.
        scale: standard deviation of the initial weights.
        row_dropout: probability of dropping a row in a training step: the token's vector is then 0 at all its
            positions, and the others are scaled by 1 / (1 − row_dropout) (Gal and Ghahramani 2016).
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: if a size is not a positive whole number, or the rate is out of range.
        MemoryError: if the table does not fit in memory.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        *,
        scale: float = 1.0,
        row_dropout: float = 0.0,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.vocabulary_size = check_size("Embedding", "vocabulary_size", vocabulary_size)
        self.embedding_size = check_size("Embedding", "embedding_size", embedding_size)
        self.row_dropout = check_rate("Embedding", "row_dropout", row_dropout)
        super().__init__({"E": (self.vocabulary_size, self.embedding_size)}, dtype)
        self.initialize("E", "normal", scale, seed)
        if self.parameters.size >= LARGE:
            self.gradients.track_rows("E")

    @property
    def stochastic(self) -> bool:
        """Whether noise has an effect."""
        return bool(self.row_dropout)

    def forward(self, ids: ArrayLike, noise: int | None = None) -> tuple[Array, EmbeddingCache]:
        """Returns x (…, I) for ids (…), and the cache.

        Args:
            ids: whole numbers from 0 to V − 1, of any shape; usually (T, B).
            noise: seed of the dropped rows, see `rnnrs.nn.noise`; None: no dropout.

        Raises:
            IndexError: if an id is out of range.
            DTypeError: if the ids are not whole numbers.
        """
        places, E = as_ids("Embedding.forward", "ids", ids, self.vocabulary_size), self.parameters["E"]
        x = _rnnrs.embedding_forward(places, E)
        if noise is None or not self.row_dropout:
            return x, EmbeddingCache(ids)
        seed = place_seed(noise, ROWS)
        scales = _rnnrs.dropout_masks(places.ravel(), 1, self.row_dropout, seed, E).reshape(*places.shape, 1)
        return x * scales, EmbeddingCache(ids, scales)

    def backward(self, cache: EmbeddingCache, dx: ArrayLike) -> None:
        """Adds dE[id] += dx (…, I), position by position, unless the table is frozen.

        Raises:
            ShapeError: if dx does not have the shape of x.
        """
        if not self.parameters.are_trained:
            return
        ids = np.asarray(cache.ids)
        if cache.scales is not None:
            if np.shape(dx) != (*ids.shape, self.embedding_size):
                expected = (*ids.shape, self.embedding_size)
                raise ShapeError(f"Embedding.backward: dx: expected {expected}, got {np.shape(dx)}")
            dx = as_array("Embedding.backward", "dx", dx) * cache.scales
        _rnnrs.embedding_backward(
            ids, as_array("Embedding.backward", "dx", dx), self.gradients.touch("E", ids)
        )
