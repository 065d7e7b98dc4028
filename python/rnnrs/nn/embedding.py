"""Token ids → vectors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _rnnrs
from .layer import Layer
from .parameters import check_size

Array = NDArray[Any]


#: Numbers of a table from which the rows that a batch touches are kept account of.
LARGE = 1 << 17


class EmbeddingCache(NamedTuple):
    """What `Embedding.backward` needs of the forward pass: the ids."""

    ids: ArrayLike


class Embedding(Layer):
    """x = E[id]: row `id` of a table, what a one-hot vector times E would give, without the product.

    Parameters: E (V, I), standard normal times `scale`.

    Args:
        vocabulary_size: V, how many ids there are.
        embedding_size: I, numbers for each.
        scale: standard deviation of the first weights.
        seed: of the first weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: for sizes that are no positive whole numbers.
        MemoryError: if the table does not fit.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        *,
        scale: float = 1.0,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.vocabulary_size = check_size("Embedding", "vocabulary_size", vocabulary_size)
        self.embedding_size = check_size("Embedding", "embedding_size", embedding_size)
        super().__init__({"E": (self.vocabulary_size, self.embedding_size)}, dtype)
        self.initialise("E", "normal", scale, seed)
        if self.parameters.size >= LARGE:
            self.gradients.track_rows("E")

    def forward(self, ids: ArrayLike) -> tuple[Array, EmbeddingCache]:
        """x (…, I) of ids (…).

        Args:
            ids: whole numbers from 0 to V − 1, of any shape; usually (T, B).

        Raises:
            IndexError: for an id outside that range.
            DTypeError: if they are not whole numbers.
        """
        return _rnnrs.embedding_forward(np.asarray(ids), self.parameters["E"]), EmbeddingCache(ids)

    def backward(self, cache: EmbeddingCache, dx: ArrayLike) -> None:
        """dE[id] += dx (…, I), position after position.

        Raises:
            ShapeError: if dx has not the shape of x.
        """
        ids = np.asarray(cache.ids)
        _rnnrs.embedding_backward(ids, np.asarray(dx), self.gradients.touch("E", ids))
