"""Token ids → vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _rnnrs
from ..checks import check_size
from ..errors import ShapeError
from ..types import Array
from .layer import Layer
from .noise import ROWS, check_rate, place_seed

#: Numbers of a table from which the rows that a batch touches are kept account of.
LARGE = 1 << 17


class EmbeddingCache(NamedTuple):
    """What `Embedding.backward` needs of the forward pass: the ids, and what their rows were multiplied by."""

    ids: ArrayLike
    scales: Array | None = None


class Embedding(Layer):
    """x = E[id]: row `id` of a table, what a one-hot vector times E would give, without the product.

    Parameters: E (V, I), standard normal times `scale`.

    Args:
        vocabulary_size: V, how many ids there are.
        embedding_size: I, numbers for each.
        scale: standard deviation of the first weights.
        row_dropout: with which probability a row is dropped in a step of training: a token then is 0 wherever it
            stands, the others 1 / (1 − row_dropout) times what they are (Gal and Ghahramani 2016).
        seed: of the first weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: for sizes that are no positive whole numbers, a rate that is no probability.
        MemoryError: if the table does not fit.
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
        """x (…, I) of ids (…).

        Args:
            ids: whole numbers from 0 to V − 1, of any shape; usually (T, B).
            noise: from which it is drawn what rows are dropped, see `rnnrs.nn.noise`; None: none.

        Raises:
            IndexError: for an id outside that range.
            DTypeError: if they are not whole numbers.
        """
        places, E = np.asarray(ids), self.parameters["E"]
        x = _rnnrs.embedding_forward(places, E)
        if noise is None or not self.row_dropout:
            return x, EmbeddingCache(ids)
        seed = place_seed(noise, ROWS)
        scales = _rnnrs.dropout_masks(places.ravel(), 1, self.row_dropout, seed, E).reshape(*places.shape, 1)
        return x * scales, EmbeddingCache(ids, scales)

    def backward(self, cache: EmbeddingCache, dx: ArrayLike) -> None:
        """dE[id] += dx (…, I), position after position.

        Raises:
            ShapeError: if dx has not the shape of x.
        """
        ids = np.asarray(cache.ids)
        if cache.scales is not None:
            if np.shape(dx) != (*ids.shape, self.embedding_size):
                raise ShapeError(
                    f"Embedding.backward: dx: expected {(*ids.shape, self.embedding_size)}, got {np.shape(dx)}"
                )
            dx = np.asarray(dx) * cache.scales
        _rnnrs.embedding_backward(ids, np.asarray(dx), self.gradients.touch("E", ids))
