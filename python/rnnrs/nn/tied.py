"""An output layer that shares the embedding's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import DTypeLike

from ..types import Array
from .embedding import Embedding
from .layer import Layer
from .linear import Linear
from .parameters import Parameters


class TiedLinear(Linear):
    """o = c + E x: an output layer whose V (O, I) *is* the embedding's E (V, I), one array with two uses.

    A word's score then comes from the same vector as its meaning, and O·I fewer numbers are learned (Press
    and Wolf 2017; Inan, Khosravi and Socher 2017). The gradient of E is the sum of the gradients from both
    uses.

    `parameters["V"]` and `gradients["V"]` are the embedding's arrays, wherever `join` has moved them; the
    layer's own parameter is c (O), initialized to zero. E therefore occurs once in a joint vector, under the
    embedding's name, and this layer's `zero_gradients` clears only dc.

    Args:
        embedding: the embedding with the table. Its `scale` should be about 1/√I, as for any output layer:
            with standard normal rows, the initial scores would be of size √I.
    """

    def __init__(self, embedding: Embedding) -> None:
        self.embedding = embedding
        self.input_size, self.output_size = embedding.embedding_size, embedding.vocabulary_size
        Layer.__init__(self, {"c": (self.output_size,)}, embedding.dtype)
        shapes, dtype = self.parameters.shapes, self.dtype
        self.parameters = _Borrowing(shapes, dtype, {"V": (embedding.parameters, "E")})
        self.gradients = _Borrowing(shapes, dtype, {"V": (embedding.gradients, "E")})


class _Borrowing(Parameters):
    """Parameters that also give access to arrays which another set owns and counts."""

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: DTypeLike,
        borrowed: dict[str, tuple[Parameters, str]],
    ) -> None:
        super().__init__(shapes, dtype)
        self._borrowed = borrowed

    def __getitem__(self, name: str) -> Array:
        # Looked up at every use, since the owner's array moves when layers are joined.
        if name in self._borrowed:
            owner, theirs = self._borrowed[name]
            return owner[theirs]
        return super().__getitem__(name)

    def touch(self, name: str, rows: Any) -> Array:
        if name in self._borrowed:
            owner, theirs = self._borrowed[name]
            return owner.touch(theirs, rows)
        return super().touch(name, rows)

    @property
    def are_trained(self) -> bool:
        borrowed = self._borrowed.values()
        return super().are_trained or any(theirs not in owner.frozen for owner, theirs in borrowed)

    def __contains__(self, name: object) -> bool:
        # As in iteration: a borrowed array is not a parameter of this set.
        return name in self._views
