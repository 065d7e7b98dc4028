"""Training of a captioner: its options, and its batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...text import Vocabulary
from ...types import Array, Ids
from ..base.options import option, whole
from ..base.training import TrainingOptions, TrainingSettings
from .augmentation import Augmentation
from .batches import CaptionBatches
from .regions.batches import RegionBatches

#: The least number of pictures with regions in a batch: they share the statistics of batch normalization.
FEWEST = 4


class CaptionTrainingOptions(TrainingOptions, total=False):
    """The options of `Captioner.fit`, see `CaptionTraining`."""

    augmentation: Augmentation | None


def _augmentation(op: str, name: str, value: Any) -> Augmentation | None:
    if isinstance(value, Mapping):  # from a file
        return Augmentation(**value)
    if value is not None and not isinstance(value, Augmentation):
        raise TypeError(f"{op}: {name}: expected an Augmentation or None, got {value!r}")
    return value


@dataclass(frozen=True)
class CaptionTraining(TrainingSettings):
    """The options of `Captioner.fit`."""

    batch_size: int = option(
        32, "B, descriptions per batch; of regions about as many, in whole pictures", whole(1)
    )
    learning_rate: float = 3e-3
    augmentation: Augmentation | None = option(  # noqa: RUF009 (a dataclass field)
        None, "the random changes of the pictures in every epoch; None: no changes", _augmentation
    )

    def to_config(self) -> dict[str, Any]:
        """Returns the settings as JSON types."""
        changed = None if self.augmentation is None else self.augmentation.to_config()
        return super().to_config() | {"augmentation": changed}


def caption_batches(
    vocabulary: Vocabulary,
    pictures: Array,
    texts: Sequence[str],
    owners: Ids,
    settings: CaptionTraining,
    *,
    dtype: DTypeLike,
    changed: bool,
) -> CaptionBatches:
    """Returns pictures with their descriptions in batches.

    Args:
        vocabulary: the vocabulary of the descriptions.
        pictures: all pictures, or features (M, …).
        texts: N descriptions.
        owners: the index of each description's picture (N,).
        settings: the settings of the training.
        dtype: the dtype of the network.
        changed: whether the settings' augmentation applies.
    """
    augmentation = settings.augmentation if changed else None
    return CaptionBatches(
        pictures,
        owners,
        vocabulary.encode_all(texts),
        settings.batch_size,
        vocabulary.end_id,
        dtype=dtype,
        augmentation=augmentation,
        may_flip=[augmentation is not None and augmentation.may_flip(text) for text in texts],
        seed=settings.seed,
    )


def region_batches(
    vocabulary: Vocabulary,
    pictures: Array,
    regions: tuple[Array, Ids, Sequence[str]],
    settings: CaptionTraining,
    *,
    dtype: DTypeLike,
    changed: bool,
) -> RegionBatches:
    """Returns pictures with their regions in batches.

    Args:
        vocabulary: the vocabulary of the phrases.
        pictures: (M, Y, X, 3).
        regions: boxes (N, 4), the index of each one's picture, and phrases, as `check_regions` returns them.
        settings: the settings of the training; a batch has as many pictures as have about `batch_size`
            phrases, but at least `FEWEST`.
        dtype: the dtype of the network.
        changed: whether the settings' augmentation applies, and boxes are changed a little.
    """
    boxes, owners, phrases = regions
    augmentation = settings.augmentation if changed else None
    may_flip = np.full(len(pictures), augmentation is not None)
    for owner, phrase in zip(owners, phrases, strict=True):
        may_flip[owner] &= augmentation is not None and augmentation.may_flip(phrase)
    return RegionBatches(
        pictures,
        boxes,
        owners,
        vocabulary.encode_all(phrases),
        max(FEWEST, round(settings.batch_size * len(pictures) / len(phrases))),
        vocabulary.end_id,
        dtype=dtype,
        changed=changed,
        augmentation=augmentation,
        may_flip=may_flip,
        seed=settings.seed,
    )
