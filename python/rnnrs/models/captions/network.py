"""A convolutional network that reads pictures, and a recurrent one that writes about them, attending to their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...nn import BatchNorm, Conv2d, Dropout, MaxPool2d, Sequential, join
from ...nn.noise import part_noise
from ...seeds import derive_seed
from ...types import Array
from ..writer.network import DecoderNetwork, Encoded
from .batches import CaptionBatch


class CaptionNetwork(DecoderNetwork):
    """P(y_1 … y_T | picture): the CNN's last layer, P places of K channels, is what the decoder attends to.

    CNN: for each stage, convolutions of 3×3, each with batch normalization and ReLU; between stages the largest of
    every 2×2. m_p are the K channels at place p; z = mean of m_p, the global pool. Decoder: see `DecoderNetwork`.
    (Vinyals et al. 2015; Xu et al. 2015.) In training, dropout is applied to m.

    Instead of a picture, P places of K features of another network; they are brought to mean 0 and variance 1 by batch
    normalization, and one place will do.

    Args:
        tokens: how many ids there are to write.
        channels: of each stage of the CNN; empty for features.
        feature_size: K of given features; None for pictures.
        convolutions: of each stage.
        unknown_id: of the word that is not in the vocabulary.
        settings: those of `DecoderNetwork`.

    Attributes:
        parameters, gradients: of all layers, one flat vector each.
        averages: of the batch normalization; a loss with a gradient moves them.
    """

    def __init__(
        self,
        tokens: int,
        *,
        channels: Sequence[int],
        convolutions: int,
        feature_size: int | None,
        unknown_id: int,
        dropout: float,
        seed: int,
        dtype: DTypeLike,
        **settings: Any,
    ) -> None:
        K = channels[-1] if feature_size is None else feature_size
        settings |= {"copy": False, "dropout": dropout, "seed": seed, "dtype": dtype}
        super().__init__("Captioner", tokens, [K], K, unknown_id=unknown_id, **settings)
        self.sees_pictures = feature_size is None
        if feature_size is None:
            self.reader = build_cnn(channels, convolutions, seed=seed + 1, dtype=dtype)
        else:
            self.reader = Sequential(BatchNorm(K, dtype=dtype))
        self.memory_dropout = Dropout(dropout)
        name = "cnn" if self.sees_pictures else "features"
        self.parameters, self.gradients = join(**{name: self.reader}, **self.writing_layers())

    @property
    def averages(self) -> list[Array]:
        return self.reader.averages

    def read(self, batch: CaptionBatch, *, gradient: bool = False, noise: int | None = None) -> Encoded:
        """Looks at pictures; with a gradient, as in training: batch normalization takes the batch's own statistics."""
        return self.look(batch.pictures, gradient=gradient, noise=noise, keys=batch.keys)

    def look(
        self, pictures: Array, *, gradient: bool = False, noise: int | None = None, keys: Array | None = None
    ) -> Encoded:
        """Of pictures (B, Y, X, 3), numbers of 0 to 1, or features (B, K) or (B, …, K)."""
        y, cache = self.reader.forward(pictures - 0.5 if self.sees_pictures else pictures, training=gradient)
        places = y.reshape(len(y), -1, y.shape[-1]).transpose(1, 0, 2)  # (P, B, K)
        memory, dropped = self.memory_dropout.forward(places, part_noise(noise, 0), keys)
        memory = np.ascontiguousarray(memory)
        state, bridge = self.bridge.forward(memory.mean(axis=0))
        return Encoded(memory, None, state, (y.shape, cache, dropped), bridge)

    def read_backward(self, encoded: Encoded, dmemory: Array | None, dz: Array) -> None:
        """Through the CNN."""
        shape, cache, dropped = encoded.reader
        assert encoded.memory is not None
        P = len(encoded.memory)
        d = np.broadcast_to(dz / P, encoded.memory.shape) if dmemory is None else dmemory + dz / P
        d = self.memory_dropout.backward(dropped, d)
        dy = np.ascontiguousarray(d.transpose(1, 0, 2)).reshape(shape)
        self.reader.backward(cache, dy, need_dx=False)

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout."""
        return super().stochastic or bool(self.memory_dropout.rate)


def build_cnn(channels: Sequence[int], convolutions: int, *, seed: int, dtype: DTypeLike) -> Sequential:
    """The CNN of `CaptionNetwork`: (B, Y, X, 3) → (B, Y′, X′, K), Y′ and X′ halved between stages."""
    layers: list[Any] = []
    before = 3
    for stage, wide in enumerate(channels):
        for i in range(convolutions):
            own = derive_seed(seed, stage * convolutions + i)
            layers.append(Conv2d(before, wide, 3, padding=1, seed=own, dtype=dtype))
            layers.append(BatchNorm(wide, activation="relu", dtype=dtype))
            before = wide
        if stage + 1 < len(channels):
            layers.append(MaxPool2d(2))
    return Sequential(*layers)
