"""A convolutional network that reads pictures, with the decoder that attends to its positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...nn import BatchNorm, Conv2d, Dropout, MaxPool2d, Sequential, join
from ...nn.guarded import reading
from ...nn.noise import part_noise
from ...seeds import derive_seed
from ...types import Array
from ..writer.network import DecoderNetwork, Encoded
from .batches import CaptionBatch


class CaptionNetwork(DecoderNetwork):
    """P(y_1 … y_T | picture): the decoder attends to the CNN's last layer, P positions with K channels.

    The CNN has stages of 3×3 convolutions, each with batch normalization and ReLU, and 2×2 max pooling
    between stages. m_p are the K channels at position p; z is the mean of m_p (the global pool). For the
    decoder, see `DecoderNetwork`. (Vinyals et al. 2015; Xu et al. 2015.) In training, dropout applies to m.

    The input may also be P positions with K features of another network instead of a picture. Batch
    normalization gives them mean 0 and variance 1. P may be 1.

    Args:
        tokens: the number of token ids that can be written.
        channels: the channels of each stage of the CNN; unused for features.
        feature_size: K of given features; None for pictures.
        convolutions: the number of convolutions in each stage.
        unknown_id: the id of the word that stands for words outside the vocabulary.
        op: the caller's name, for error messages.
        settings: the other arguments of `DecoderNetwork`.

    Attributes:
        parameters, gradients: those of all layers, one flat vector each.
        averages: those of the batch normalization; a loss with a gradient updates them.

    Raises:
        ValueError, TypeError: for options out of range, or that exclude each other.
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
        op: str = "CaptionNetwork",
        **settings: Any,
    ) -> None:
        K = channels[-1] if feature_size is None else feature_size
        settings |= {"copy": False, "dropout": dropout, "seed": seed, "dtype": dtype}
        super().__init__(op, tokens, [K], K, unknown_id=unknown_id, **settings)
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
        """The averages of the batch normalization."""
        return self.reader.averages

    def read(self, batch: CaptionBatch, *, gradient: bool = False, noise: int | None = None) -> Encoded:
        """Encodes a batch's pictures; with `gradient`, batch normalization uses the batch's statistics."""
        return self.look(batch.pictures, gradient=gradient, noise=noise, keys=batch.keys)

    @reading
    def look(
        self, pictures: Array, *, gradient: bool = False, noise: int | None = None, keys: Array | None = None
    ) -> Encoded:
        """Encodes pictures (B, Y, X, 3), numbers from 0 to 1, or features (B, K) or (B, …, K)."""
        y, cache = self.reader.forward(pictures - 0.5 if self.sees_pictures else pictures, training=gradient)
        places = y.reshape(len(y), -1, y.shape[-1]).transpose(1, 0, 2)  # (P, B, K)
        memory, dropped = self.memory_dropout.forward(places, part_noise(noise, 0), keys)
        memory = np.ascontiguousarray(memory)
        state, bridge = self.bridge.forward(memory.mean(axis=0))
        return Encoded(memory, None, state, (y.shape, cache, dropped), bridge)

    @property
    def reader_is_trained(self) -> bool:
        """Whether any layer of the CNN is not frozen."""
        return self.reader.parameters.are_trained

    def read_backward(self, encoded: Encoded, dmemory: Array | None, dz: Array) -> None:
        """Backward pass of `read`, through the CNN."""
        shape, cache, dropped = encoded.reader
        assert encoded.memory is not None
        P = len(encoded.memory)
        d = np.broadcast_to(dz / P, encoded.memory.shape) if dmemory is None else dmemory + dz / P
        d = self.memory_dropout.backward(dropped, d)
        dy = np.ascontiguousarray(d.transpose(1, 0, 2)).reshape(shape)
        self.reader.backward(cache, dy, need_dx=False)

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return super().stochastic or bool(self.memory_dropout.rate)


def default_channels(picture_size: tuple[int, int]) -> list[int]:
    """Returns the channels of the stages of a CNN for pictures of this size (Y, X).

    There are as many stages as leave 4 to 7 positions along the shorter side, but at least one.

    Example:
        >>> default_channels((32, 40)), default_channels((120, 90))
        ([32, 64, 128, 256], [32, 64, 128, 256, 256])
    """
    stages = max(1, (min(picture_size) // 2).bit_length() - 1)
    return [min(32 << stage, 256) for stage in range(stages)]


def build_cnn(channels: Sequence[int], convolutions: int, *, seed: int, dtype: DTypeLike) -> Sequential:
    """Builds the CNN of `CaptionNetwork`: (B, Y, X, 3) → (B, Y′, X′, K), Y′ and X′ halved between stages."""
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
