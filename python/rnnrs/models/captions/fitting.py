"""Training of a captioner: its options, and its batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import DTypeLike

from ...text import Vocabulary
from ...types import Array, Ids
from ..base.options import option
from ..base.training import TrainingOptions, TrainingSettings
from .augmentation import Augmentation
from .batches import CaptionBatches


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
