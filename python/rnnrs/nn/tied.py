"""One table for both ends: the embedding's rows are the output layer's, too."""

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
    """o = c + E x, whose V (O, I) *is* the embedding's E (V, I): one array, two uses.

    A word's scores then come from the same vector as its meaning, and O·I numbers less are to be learned (Press and
    Wolf 2017; Inan, Khosravi and Socher 2017). The gradient of E is the sum of what both uses add to it.

    `parameters["V"]` and `gradients["V"]` are the embedding's arrays, wherever `join` has moved them; this layer's own
    parameter is c (O), zero. So E occurs once in a joint vector, under the embedding's name, and `zero_gradients` of
    this layer clears dc alone.

    Args:
        embedding: whose table it is. Its `scale` should be about 1/√I, as that of any output layer: standard normal
            rows would make scores of size √I at the very start.
    """

    def __init__(self, embedding: Embedding) -> None:
        self.embedding = embedding
        self.input_size, self.output_size = embedding.embedding_size, embedding.vocabulary_size
        Layer.__init__(self, {"c": (self.output_size,)}, embedding.dtype)
        shapes, dtype = self.parameters.shapes, self.dtype
        self.parameters = _Borrowing(shapes, dtype, {"V": (embedding.parameters, "E")})
        self.gradients = _Borrowing(shapes, dtype, {"V": (embedding.gradients, "E")})


class _Borrowing(Parameters):
    """Parameters that also answer to names of arrays which another set owns and counts."""

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: DTypeLike,
        borrowed: dict[str, tuple[Parameters, str]],
    ) -> None:
        super().__init__(shapes, dtype)
        self._borrowed = borrowed

    def __getitem__(self, name: str) -> Array:
        # Asked for at every use: the owner's array moves when layers are joined.
        if name in self._borrowed:
            owner, theirs = self._borrowed[name]
            return owner[theirs]
        return super().__getitem__(name)

    def touch(self, name: str, rows: Any) -> Array:
        if name in self._borrowed:
            owner, theirs = self._borrowed[name]
            return owner.touch(theirs, rows)
        return super().touch(name, rows)

    def __contains__(self, name: object) -> bool:
        # As iteration: what is borrowed is not a parameter of this set.
        return name in self._views
