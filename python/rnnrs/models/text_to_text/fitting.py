"""The training options of models that learn from pairs of texts."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.training import TrainingSettings


@dataclass(frozen=True)
class PairTraining(TrainingSettings):
    """The options of `Seq2Seq.fit`, for all its subclasses."""

    batch_size: int = 64
    learning_rate: float = 1e-3
