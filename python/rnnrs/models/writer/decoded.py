"""The targets of a batch, and the decoder's states for them."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from ...nn.attention import AttentionCache
from ...nn.embedding import EmbeddingCache
from ...nn.linear import LinearCache
from ...nn.noise import DropoutCache
from ...shown import short_repr
from ...types import Array


class TargetBatch(Protocol):
    """The targets of a batch of any kind, see `data.PairBatch`."""

    @property
    def inputs(self) -> Array: ...
    @property
    def targets(self) -> Array: ...
    @property
    def lengths(self) -> Array: ...
    @property
    def keys(self) -> Array: ...


class Decoded(NamedTuple):
    """The decoder's states, and the caches of its layers for the backward pass.

    Attributes:
        h_hat: ĥ (T, B, ·), the input of the output layer.
        gate: g (T, B), the probability that a word comes from the vocabulary instead of being copied; None
            without copying.
    """

    h_hat: Array
    gate: Array | None
    rnn: Any
    attention: AttentionCache | None
    combined: tuple[Array, LinearCache] | None
    gating: tuple[LinearCache, EmbeddingCache] | None
    dropout: DropoutCache

    def __repr__(self) -> str:
        return short_repr(self)
