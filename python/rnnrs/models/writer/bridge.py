"""The bridge: from the encoded input to the initial state of the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ... import _rnnrs
from ...nn import Bidirectional, Linear, Recurrent, Stack
from ...nn.layer import Composite
from ...nn.linear import LinearCache
from ...seeds import derive_seed
from ...shown import short_repr
from ...types import Array


class BridgeCache(NamedTuple):
    """The forward pass's results that `Bridge.backward` needs."""

    layers: tuple[LinearCache, ...]
    state: Array

    def __repr__(self) -> str:
        return short_repr(self)


class Bridge(Composite):
    """s_0 = tanh(c + V z), part by part: maps the encoder's last state z to the decoder's initial state s_0.

    For a bidirectional encoder, z contains the last states of both directions; for an LSTM, z and s_0 contain
    h and c. (Cho et al. 2014; Bahdanau, Cho and Bengio 2015, appendix A.2.2.)

    Parameters: "0.V" (S, S′), "0.c" (S), "1.V", …, for parts of size S′ in z and S in s_0.

    Args:
        sizes: (S′, S) of each part. There is one part per layer if encoder and decoder have equally many
            layers.
        seed: the seed of the initial weights.
        dtype: float32 or float64.
    """

    def __init__(
        self, sizes: Sequence[tuple[int, int]], *, seed: int = 0, dtype: DTypeLike = np.float32
    ) -> None:
        self.sizes = list(sizes)
        self.layers = [
            Linear(z, s, seed=derive_seed(seed, i), dtype=dtype) for i, (z, s) in enumerate(self.sizes)
        ]
        super().__init__(**{str(i): layer for i, layer in enumerate(self.layers)})

    def forward(self, z: Array) -> tuple[Array, BridgeCache]:
        """Computes s_0 (B, ΣS) from z (B, ΣS′); the parts are concatenated."""
        parts = np.split(z, np.cumsum([size for size, _ in self.sizes])[:-1], axis=1)
        done = [layer.forward(part) for layer, part in zip(self.layers, parts, strict=True)]
        state = np.concatenate([s for s, _ in done], axis=1)
        _rnnrs.activate("tanh", state)
        return state, BridgeCache(tuple(cache for _, cache in done), state)

    def backward(self, cache: BridgeCache, dstate: Array) -> Array:
        """Computes dz (B, ΣS′) from ds_0 (B, ΣS), and adds to the gradients of the parameters."""
        da = np.array(dstate, self.dtype)
        _rnnrs.differentiate("tanh", cache.state, da)
        parts = np.split(da, np.cumsum([size for _, size in self.sizes])[:-1], axis=1)
        steps = zip(self.layers, cache.layers, parts, strict=True)
        dz = [layer.backward(own, part) for layer, own, part in steps]
        return np.concatenate([d for d in dz if d is not None], axis=1)


def state_sizes(rnn: Recurrent | Bidirectional | Stack) -> list[int]:
    """Returns the size of each layer's state."""
    return [layer.state_size for layer in (rnn.layers if isinstance(rnn, Stack) else (rnn,))]
