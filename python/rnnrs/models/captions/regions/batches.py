"""Batches of pictures with their regions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ....checks import IGNORE
from ....data.batch import digest, run_of
from ....data.contents import Contents
from ....seeds import derive_seed
from ....shown import short_repr
from ....types import Array, Ids
from ..augmentation import Augmentation
from ..batches import PictureBatches, as_numbers, caption_batch
from .boxes import clipped

#: By how much of its size a box is shifted and scaled in training, at most, before the decoder sees it: boxes
#: that are found are as inexact.
JITTER = 0.1

#: The random stream of these changes.
STREAM = 1 << 22


class RegionBatch(NamedTuple):
    """A minibatch of B pictures with N regions; the words are time-major.

    Attributes:
        pictures: (B, Y, X, 3), numbers from 0 to 1.
        boxes: the boxes to find (N, 4), in pixels.
        owners: the place of each box's picture in the batch (N,), in rising order.
        seen: the boxes whose contents are to be described (N, 4); in training, they differ a little.
        inputs, targets, lengths, keys: those of the N phrases, see `CaptionBatch`.
    """

    pictures: Array
    boxes: Array
    owners: Array
    seen: Array
    inputs: Array
    targets: Array
    lengths: Array
    keys: Array

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def positions(self) -> int:
        """The number of words that are scored."""
        return int(np.count_nonzero(self.targets != IGNORE))

    @property
    def sequences(self) -> int:
        """B."""
        return len(self.pictures)

    def part(self, index: int, count: int) -> RegionBatch:
        """Returns micro-batch `index` of `count`, a run of the pictures with their regions.

        It may have no regions.
        """
        own = run_of(self.sequences, index, count)
        regions = slice(*np.searchsorted(self.owners, [own.start, own.stop]).tolist())
        boxes = self.boxes[regions], self.owners[regions] - own.start, self.seen[regions]
        words = self.inputs[:, regions], self.targets[:, regions], self.lengths[regions], self.keys[regions]
        return RegionBatch(self.pictures[own], *boxes, *words)


class RegionBatches(PictureBatches):
    """M pictures with N regions, shuffled again in every epoch.

    Args:
        pictures: (M, Y, X, 3).
        boxes: (N, 4), picture by picture.
        owners: the index of each box's picture (N,), in rising order.
        phrases: token ids, one vector per box; the end token is appended to each.
        batch_size: B, pictures; the last batch may have fewer.
        end_id: the token that ends a phrase and precedes its first word.
        dtype: the dtype of the network.
        changed: whether the boxes that the decoder sees are changed, by `JITTER`.
        augmentation: the random changes of the pictures; None: no changes.
        may_flip: whether each picture may be mirrored (M,).
        seed: the seed of the shuffling and of the changes.

    Raises:
        ValueError, TypeError: for an invalid batch size.
    """

    def __init__(
        self,
        pictures: Array,
        boxes: Array,
        owners: Array,
        phrases: Sequence[Ids],
        batch_size: int,
        end_id: int,
        *,
        dtype: DTypeLike,
        changed: bool,
        augmentation: Augmentation | None = None,
        may_flip: Sequence[bool] | Array = (),
        seed: int = 0,
    ) -> None:
        super().__init__(len(pictures), batch_size, end_id, dtype, augmentation, may_flip, seed)
        self._pictures, self._boxes, self._owners, self._phrases = pictures, boxes, owners, phrases
        self._changed = changed
        self._firsts = np.searchsorted(owners, np.arange(len(pictures) + 1))

    @cached_property
    def _fingerprint(self) -> str:
        arrays = (self._pictures, self._boxes, self._owners, self._may_flip)
        return digest("regions", *self._settings.values(), self._changed, *arrays, *self._phrases)

    @property
    def _settings(self) -> dict[str, object]:
        return {"batch_size": self.batch_size, "seed": self.seed, "augmentation": self._changes}

    def contents(self) -> Contents:
        """See `Data.contents`."""
        pictures = [self._pictures[i] for i in self._owners]
        return Contents("region", [self._phrases, pictures, list(self._boxes)], self._settings)

    def _batch(self, members: Array, epoch: int) -> RegionBatch:
        """Returns pictures, given by number, as a batch."""
        parts = [np.arange(self._firsts[m], self._firsts[m + 1]) for m in members]
        regions, size = np.concatenate(parts), (self._pictures.shape[1], self._pictures.shape[2])
        owners = np.repeat(np.arange(len(members)), [len(part) for part in parts])
        pictures, boxes = as_numbers(self._pictures[members], self.dtype), self._boxes[regions]
        if self._augmentation is not None:
            flips = self._may_flip[members]
            pictures = self._augmentation.apply(pictures, members, flips, self.seed, epoch)
            moved = (boxes, owners, members, flips, size, self.seed, epoch)
            boxes, left = self._augmentation.apply_boxes(*moved)
            boxes, owners, regions = boxes[left], owners[left], regions[left]
        seen = clipped(self._jittered(boxes, regions, epoch), size) if self._changed else boxes
        words = caption_batch(pictures, [self._phrases[n] for n in regions], self.end_id, regions, self.dtype)
        return RegionBatch(words.pictures, boxes, owners, seen, *words[1:])

    def _jittered(self, boxes: Array, regions: Array, epoch: int) -> Array:
        """Returns boxes that are shifted and scaled at random."""
        run = derive_seed(derive_seed(self.seed, epoch), STREAM)
        draws = [np.random.default_rng(derive_seed(run, int(n))).uniform(-JITTER, JITTER, 4) for n in regions]
        change = np.array(draws).reshape(-1, 4)
        size = boxes[:, 2:] * (1 + change[:, 2:])
        return np.concatenate(
            [boxes[:, :2] + boxes[:, 2:] * change[:, :2] - (size - boxes[:, 2:]) / 2, size], 1
        )
