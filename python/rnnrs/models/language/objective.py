"""What a language model's training brings down: its negative log-likelihood, or a stand-in over a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data import Data
from ...losses import NCE, Proposal, SampledSoftmax
from ...train.callbacks import Callback

if TYPE_CHECKING:
    from ...train import StepRecord, Trainer

#: The names of `LanguageModel.fit`'s choices.
OBJECTIVES = ("full", "sampled", "nce")

#: What counts are raised to for the proposal: between the frequencies and the uniform distribution, so that rare words
#: are drawn, too (Mikolov et al. 2013).
POWER = 0.75


class Sampling(Callback):
    """Sees to it that a sampled loss's draws are counted by the run's steps, also after a resume or Ctrl-C."""

    def __init__(self, criterion: SampledSoftmax | NCE) -> None:
        self.criterion = criterion

    def on_start(self, trainer: Trainer) -> None:
        self.criterion.step = trainer.step

    def on_step(self, trainer: Trainer, record: StepRecord) -> None:
        self.criterion.step = record.step


def sampled_criterion(
    objective: str, samples: int, data: Data, vocabulary_size: int, seed: int
) -> SampledSoftmax | NCE:
    """The loss of that name, with the training text's own words as the proposal."""
    kind = SampledSoftmax if objective == "sampled" else NCE
    counts = np.zeros(vocabulary_size, np.int64)
    for batch in data.epoch(0):
        targets = np.asarray(batch.targets)
        counts += np.bincount(targets[targets >= 0], minlength=vocabulary_size)
    return kind(samples, proposal=Proposal.unigram(counts, POWER), seed=seed)
