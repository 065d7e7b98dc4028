"""A convolutional network that finds regions of pictures, with the decoder that describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .... import _rnnrs
from ....nn import BatchNorm, Conv2d, Dropout, GlobalPool2d, MaxPool2d, RegionPooling, Sequential, join
from ....nn.guarded import adding_with_gradients, reading
from ....nn.noise import part_noise
from ....seeds import derive_seed
from ....shown import short_repr
from ....types import Array
from ...writer.network import DecoderNetwork, Encoded
from .batches import RegionBatch
from .localization import Found, Localization, Proposals

#: Y′ and X′ of a region's patch, which the last stage halves.
PATCH = 8

#: The weight of the localization's loss per word, beside the words' own.
LOCALIZATION = 1.0


class Seen(NamedTuple):
    """Pictures as the lower stages of the CNN see them.

    Attributes:
        map: (B, Y′, X′, C).
        cache: for the backward pass.
    """

    map: Array
    cache: Any

    def __repr__(self) -> str:
        return short_repr(self)


class RegionCache(NamedTuple):
    """What `RegionNetwork.read_backward` needs."""

    seen: Seen
    proposals: Proposals | None
    slopes: tuple[Array, Array] | None  #: ∂L/∂scores and ∂L/∂offsets of the proposals
    owners: Array
    whole: Any
    pooled: Any
    stage: Any
    dropped: Any

    def __repr__(self) -> str:
        return short_repr(self)


class RegionNetwork(DecoderNetwork):
    """P(y_1 … y_T | region of a picture), and where the regions are.

    The lower stages of a CNN read the picture once: M (Y′, X′, C). `RegionPooling` takes a patch of 8×8
    positions from M for each box, and the last stage reads the patch: 2×2 max pooling and 3×3 convolutions
    give m_p, 4×4 positions with K channels, to which the decoder attends. z = [mean of m_p; mean of M]: the
    region beside the whole picture. `Localization` proposes boxes by M. For the decoder, see
    `DecoderNetwork`. The sum of both losses trains all of them. (Johnson, Karpathy and Fei-Fei 2016.)

    Args:
        tokens: the number of token ids that can be written.
        channels: the channels of each stage; the last one reads the patches.
        convolutions: the number of 3×3 convolutions in each stage.
        picture_size: Y and X of the pictures.
        unknown_id: the id of the word that stands for words outside the vocabulary.
        op: the caller's name, for error messages.
        settings: the other arguments of `DecoderNetwork`.

    Attributes:
        parameters, gradients: those of all layers, one flat vector each.
        averages: those of the batch normalization; a loss with a gradient updates them.

    Raises:
        ValueError, TypeError: for options out of range, or that exclude each other.
    """

    sees_pictures = True

    def __init__(
        self,
        tokens: int,
        *,
        channels: Sequence[int],
        convolutions: int,
        picture_size: tuple[int, int],
        unknown_id: int,
        dropout: float,
        seed: int,
        dtype: DTypeLike,
        op: str = "RegionNetwork",
        **settings: Any,
    ) -> None:
        C, K = channels[-2:]
        settings |= {"copy": False, "dropout": dropout, "seed": seed, "dtype": dtype}
        super().__init__(op, tokens, [K + C], K, unknown_id=unknown_id, **settings)
        self.picture_size = picture_size
        stride = 1 << max(1, len(channels) - 2)
        grid = picture_size[0] // stride, picture_size[1] // stride
        options: dict[str, Any] = {"dtype": dtype}
        self.reader = build_lower_stages(channels[:-1], convolutions, seed=seed + 1, **options)
        self.pooling, self.whole_pooling = RegionPooling(PATCH, stride=stride), GlobalPool2d()
        self.stage = build_last_stage(C, K, convolutions, seed=seed + 2, **options)
        self.localization = Localization(
            C, picture_size, grid, stride=stride, hidden=C, seed=seed + 9, **options
        )
        self.memory_dropout = Dropout(dropout)
        layers = {"cnn": self.reader, "region": self.stage, "localization": self.localization}
        self.parameters, self.gradients = join(**layers, **self.writing_layers())

    @property
    def averages(self) -> list[Array]:
        """The averages of the batch normalization."""
        return [*self.reader.averages, *self.stage.averages, *self.localization.averages]

    @property
    def reader_is_trained(self) -> bool:
        """Whether any layer of the CNN or of the localization is not frozen."""
        return any(layer.parameters.are_trained for layer in (self.reader, self.stage, self.localization))

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return super().stochastic or bool(self.memory_dropout.rate)

    @reading
    def see(self, pictures: Array, *, gradient: bool = False) -> Seen:
        """Returns what the lower stages see in pictures (B, Y, X, 3), numbers from 0 to 1."""
        return Seen(*self.reader.forward(pictures - 0.5, training=gradient))

    @reading
    def look_at(
        self,
        seen: Seen,
        boxes: Array,
        owners: Array,
        *,
        gradient: bool = False,
        noise: int | None = None,
        keys: Array | None = None,
    ) -> Encoded:
        """Encodes N regions: boxes (N, 4) of the pictures with these places in the batch (N,)."""
        patches, pooled = self.pooling.forward(seen.map, boxes, owners)
        y, stage = self.stage.forward(patches, training=gradient)
        places = y.reshape(len(y), y.shape[1] * y.shape[2], y.shape[3]).transpose(1, 0, 2)  # (P, N, K)
        memory, dropped = self.memory_dropout.forward(places, part_noise(noise, 0), keys)
        memory = np.ascontiguousarray(memory)
        whole, averaged = self.whole_pooling.forward(seen.map)
        z = np.concatenate([memory.mean(axis=0), whole[owners]], axis=1)
        state, bridge = self.bridge.forward(z)
        cache = RegionCache(seen, None, None, owners, averaged, pooled, (y.shape, stage), dropped)
        return Encoded(memory, None, state, cache, bridge)

    @reading
    def find(self, seen: Seen, most: int, least: float = 0.0) -> Found:
        """Returns the boxes found in pictures, see `Localization.find`."""
        return self.localization.find(self.localization.forward(seen.map), most, least)

    def look(self, pictures: Array) -> Encoded:
        """Encodes whole pictures (B, Y, X, 3), numbers from 0 to 1: each is one region."""
        Y, X = self.picture_size
        whole = np.tile([0.0, 0.0, X, Y], (len(pictures), 1))
        return self.look_at(self.see(pictures), whole, np.arange(len(pictures)))

    def read(self, batch: RegionBatch, *, gradient: bool = False, noise: int | None = None) -> Encoded:
        """Encodes a batch's regions; with `gradient`, batch normalization uses the batch's statistics."""
        seen = self.see(batch.pictures, gradient=gradient)
        options: dict[str, Any] = {"gradient": gradient, "noise": noise, "keys": batch.keys}
        encoded = self.look_at(seen, batch.seen, batch.owners, **options)
        proposals = self.localization.forward(seen.map, training=gradient)
        return encoded._replace(reader=encoded.reader._replace(proposals=proposals))

    #: `loss` accepts `whole`: the localization also learns from pictures without regions.
    accepts_whole = True

    @adding_with_gradients
    def loss(
        self,
        batch: RegionBatch,
        state: Any = None,
        *,
        gradient: bool = True,
        noise: int | None = None,
        whole: RegionBatch | None = None,
    ) -> tuple[float, None]:
        """Returns the mean of −ln P over the phrases' words, plus the localization's loss per word.

        Adds its gradient to `gradients`. 0 for a batch without a scored word. Label smoothing applies only
        with `gradient`. With `whole`, it is the share of this micro-batch in the loss of the whole batch.

        Raises:
            IndexError: for an id out of range.
            ShapeError: if the shapes do not match.
        """
        words = (batch if whole is None else whole).positions
        if not words or not len(batch.pictures):
            return 0.0, None
        if not batch.positions:
            return self._found_nothing(batch, LOCALIZATION / words, gradient), None
        encoded = self.read(batch, gradient=gradient, noise=noise)
        decoded = self.decode(encoded, batch, gradient=gradient, noise=noise)
        L, dh_hat = self._through_output(decoded, batch, gradient, None if whole is None else words)
        proposals = encoded.reader.proposals
        found, dscores, doffsets = self.localization.loss(proposals, batch.boxes, batch.owners)
        share = LOCALIZATION / words
        if gradient:
            assert dh_hat is not None
            cache = encoded.reader._replace(slopes=(dscores * share, doffsets * share))
            self.backward(encoded._replace(reader=cache), decoded, batch, dh_hat)
        return L + share * found, None

    def _found_nothing(self, batch: RegionBatch, share: float, gradient: bool) -> float:
        """Returns the localization's loss of pictures without regions, times `share`; adds its gradient."""
        seen = self.see(batch.pictures, gradient=gradient)
        proposals = self.localization.forward(seen.map, training=gradient)
        found, dscores, doffsets = self.localization.loss(proposals, batch.boxes, batch.owners)
        if gradient and self.reader_is_trained:
            dmap = self.localization.backward(proposals, dscores * share, doffsets * share)
            self.reader.backward(seen.cache, dmap, need_dx=False)
        return share * found

    def read_backward(self, encoded: Encoded, dmemory: Array | None, dz: Array) -> None:
        """Backward pass of `read`, through the regions, the localization and the CNN."""
        cache: RegionCache = encoded.reader
        assert encoded.memory is not None and cache.proposals is not None and cache.slopes is not None
        P, N, K = encoded.memory.shape
        dmean = dz[:, :K] / P
        d = np.broadcast_to(dmean, (P, N, K)) if dmemory is None else dmemory + dmean
        d = self.memory_dropout.backward(cache.dropped, d)
        shape, stage = cache.stage
        dpatches = self.stage.backward(stage, np.ascontiguousarray(d.transpose(1, 0, 2)).reshape(shape))
        assert dpatches is not None
        dmap = self.pooling.backward(cache.pooled, dpatches)
        dwhole = np.zeros((len(dmap), dz.shape[1] - K), dmap.dtype)
        _rnnrs.embedding_backward(cache.owners, np.ascontiguousarray(dz[:, K:]), dwhole)
        dmap += self.whole_pooling.backward(cache.whole, dwhole)
        dmap += self.localization.backward(cache.proposals, *cache.slopes)
        self.reader.backward(cache.seen.cache, dmap, need_dx=False)


def default_stages(picture_size: tuple[int, int]) -> list[int]:
    """Returns the channels of the stages for pictures of this size (Y, X): up to four.

    Example:
        >>> default_stages((96, 128)), default_stages((12, 8))
        ([24, 48, 96, 192], [24, 48, 96])
    """
    return [24, 48, 96, 192][: max(2, min(picture_size).bit_length() - 1)]


def build_lower_stages(
    channels: Sequence[int], convolutions: int, *, seed: int, dtype: DTypeLike
) -> Sequential:
    """Builds the stages that read the whole picture: (B, Y, X, 3) → (B, Y′, X′, C).

    The first one halves height and width by its stride, because pictures with regions are large. 2×2 max
    pooling halves them again before the third stage and each later one.
    """
    layers: list[Any] = []
    before = 3
    for stage, wide in enumerate(channels):
        if stage > 1:
            layers.append(MaxPool2d(2))
        for i in range(convolutions):
            own = derive_seed(seed, stage * convolutions + i)
            if stage == i == 0:
                layers.append(Conv2d(before, wide, 4, stride=2, padding=1, seed=own, dtype=dtype))
            else:
                layers.append(Conv2d(before, wide, 3, padding=1, seed=own, dtype=dtype))
            layers.append(BatchNorm(wide, activation="relu", dtype=dtype))
            before = wide
    return Sequential(*layers)


def build_last_stage(before: int, wide: int, convolutions: int, *, seed: int, dtype: DTypeLike) -> Sequential:
    """Builds the stage that reads patches: (N, 8, 8, C) → (N, 4, 4, K)."""
    layers: list[Any] = [MaxPool2d(2)]
    for i in range(convolutions):
        own = derive_seed(seed, i)
        layers.append(Conv2d(before if i == 0 else wide, wide, 3, padding=1, seed=own, dtype=dtype))
        layers.append(BatchNorm(wide, activation="relu", dtype=dtype))
    return Sequential(*layers)
