"""The localization head: where in a picture there is something to describe."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ....nn import BatchNorm, Conv2d, Linear, MaxPool2d, Sequential
from ....nn.layer import Composite
from ....seeds import derive_seed
from ....shown import short_repr
from ....types import Array
from ...base.sums import sigmoid
from .boxes import anchor_boxes, assigned, clipped, moved, offsets_of, unsuppressed

#: The sides of the anchors, as shares of the picture's, and the ratios of width to height.
SIDES, RATIOS = (0.2, 0.3, 0.45, 0.7, 1.0), (1.0, 0.5, 2.0)

#: The initial probability of an object at an anchor: most show none (Lin et al. 2017, section 3.3).
PRIOR = 0.01

#: The weight of the boxes' offsets, beside that of finding the boxes.
OFFSETS = 0.5

#: The number of best anchors of a picture that enter non-maximum suppression.
CANDIDATES = 96

#: The IoU from which the worse of two found boxes is suppressed.
OVERLAP = 0.5


class Proposals(NamedTuple):
    """What the head says of B pictures with A anchors each.

    Attributes:
        scores: the logits of an object at each anchor (B, A).
        offsets: the offsets of its box (B, A, 4), see `boxes.offsets_of`.
        cache: for the backward pass.
    """

    scores: Array
    offsets: Array
    cache: Any

    def __repr__(self) -> str:
        return short_repr(self)


class Found(NamedTuple):
    """Boxes found in several pictures, picture by picture, the most probable first.

    Attributes:
        boxes: (N, 4).
        owners: the place of each one's picture (N,).
        log_probs: ln of the probability of an object in each (N,).
    """

    boxes: Array
    owners: Array
    log_probs: Array

    def __repr__(self) -> str:
        return short_repr(self)


class Localization(Composite):
    """Boxes from a map (B, Y, X, C): an objectness and a box for anchors at every position.

    The map is halved, and convolutions see around each position. One linear map gives each of its anchors a
    logit and four offsets. (Ren et al. 2015; Johnson, Karpathy and Fei-Fei 2016.)

    Args:
        channels: C.
        picture_size: Y and X of the pictures.
        grid: Y and X of the map.
        stride: the distance of its positions, in pixels.
        hidden: the channels of the convolutions.
        seed: the seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        anchors: (A, 4), in pixels.
        averages: those of the batch normalization.
    """

    def __init__(
        self,
        channels: int,
        picture_size: tuple[int, int],
        grid: tuple[int, int],
        *,
        stride: int,
        hidden: int,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.picture_size = picture_size
        halved = grid[0] > 1 and grid[1] > 1
        if halved:
            grid, stride = (grid[0] // 2, grid[1] // 2), 2 * stride
        Y, X = picture_size
        ratios = np.sqrt(RATIOS)
        sizes = [(side * X * r, side * Y / r) for side in SIDES for r in ratios if side < 1 or r == 1]
        self.anchors = anchor_boxes(grid, stride, sizes)
        seeds = [derive_seed(seed, i) for i in range(3)]
        self.seer = Sequential(
            *([MaxPool2d(2)] if halved else []),
            Conv2d(channels, hidden, 3, padding=1, seed=seeds[0], dtype=dtype),
            BatchNorm(hidden, activation="relu", dtype=dtype),
            Conv2d(hidden, hidden, 3, padding=1, seed=seeds[1], dtype=dtype),
            BatchNorm(hidden, activation="relu", dtype=dtype),
        )
        self.finder = Linear(hidden, 5 * len(sizes), scale=0.1, seed=seeds[2], dtype=dtype)
        self.finder.parameters["c"][: len(sizes)] = logit(PRIOR)
        super().__init__(seer=self.seer, finder=self.finder)

    @property
    def averages(self) -> list[Array]:
        """The averages of the batch normalization."""
        return self.seer.averages

    def forward(self, x: Array, *, training: bool = False) -> Proposals:
        """Returns scores and offsets of all anchors for maps (B, Y, X, C)."""
        y, seen = self.seer.forward(x, training=training)
        o, found = self.finder.forward(y)
        kinds = o.shape[3] // 5
        scores = o[..., :kinds].reshape(len(x), -1)
        return Proposals(scores, o[..., kinds:].reshape(len(x), -1, 4), (seen, found, o.shape))

    def backward(self, proposals: Proposals, dscores: Array, doffsets: Array) -> Array:
        """Returns dx (B, Y, X, C) for ∂L/∂scores and ∂L/∂offsets."""
        seen, found, shape = proposals.cache
        kinds = shape[3] // 5
        do = np.concatenate(
            [dscores.reshape(*shape[:3], kinds), doffsets.reshape(*shape[:3], 4 * kinds)], -1
        ).astype(self.dtype, copy=False)
        dy = self.finder.backward(found, do)
        assert dy is not None
        dx = self.seer.backward(seen, dy)
        assert dx is not None
        return dx

    def loss(self, proposals: Proposals, boxes: Array, owners: Array) -> tuple[float, Array, Array]:
        """Returns the loss of proposals, summed over all anchors, ∂L/∂scores and ∂L/∂offsets.

        The loss is the binary cross-entropy of all anchors that are clearly an object or clearly none, and
        for the former Huber's loss of each offset (Girshick 2015: smooth L1).

        Args:
            proposals: from `forward`.
            boxes: the boxes to find (N, 4).
            owners: the place of each one's picture (N,), in rising order.
        """
        own, counts = _by_picture(boxes, owners, len(proposals.scores))
        labels, nearest = assigned(self.anchors, own, counts)
        o = proposals.scores.astype(np.float64)
        entropy, dscores = np.logaddexp(0, o), sigmoid(o)
        pictures, finding = np.nonzero(labels == 1)
        entropy[pictures, finding] -= o[pictures, finding]
        dscores[pictures, finding] -= 1
        entropy[labels < 0] = dscores[labels < 0] = 0
        wanted = offsets_of(own[pictures, nearest[pictures, finding]], self.anchors[finding])
        apart = proposals.offsets[pictures, finding] - wanted
        near = np.abs(apart) < 1
        huber = np.where(near, 0.5 * apart * apart, np.abs(apart) - 0.5)
        doffsets = np.zeros_like(proposals.offsets)
        doffsets[pictures, finding] = OFFSETS * np.where(near, apart, np.sign(apart))
        return float(entropy.sum() + OFFSETS * huber.sum()), dscores, doffsets

    def find(self, proposals: Proposals, most: int, least: float = 0.0) -> Found:
        """Returns the boxes found in the pictures, after non-maximum suppression.

        Args:
            proposals: from `forward`.
            most: the largest number of boxes in a picture.
            least: the lowest probability of an object.
        """
        count = min(max(CANDIDATES, 2 * most), proposals.scores.shape[1])
        best = np.argsort(-proposals.scores, axis=1, kind="stable")[:, :count]
        scores = np.take_along_axis(proposals.scores, best, 1).astype(np.float64)
        offsets = np.take_along_axis(proposals.offsets, best[..., None], 1)
        boxes = clipped(moved(self.anchors[best], offsets), self.picture_size)
        kept = unsuppressed(boxes, OVERLAP)
        kept &= (np.cumsum(kept, axis=1) <= most) & (scores >= logit(least))
        owners, places = np.nonzero(kept)
        return Found(boxes[owners, places], owners, -np.logaddexp(0, -scores[owners, places]))


def logit(probability: float) -> float:
    """Returns ln(p / (1 − p)); −∞ for 0."""
    return float(np.log(probability / (1 - probability))) if probability else -np.inf


def _by_picture(boxes: Array, owners: Array, B: int) -> tuple[Array, Array]:
    """Returns the boxes of each of B pictures (B, M, 4), and their numbers (B,); the others are of size 1."""
    counts = np.bincount(owners, minlength=B)
    places = np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners]
    own = np.ones((B, int(counts.max(initial=0)), 4))
    own[owners, places] = boxes
    return own, counts
