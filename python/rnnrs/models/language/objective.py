"""The loss that a language model is trained with: the cross-entropy, or an estimate over sampled words."""

from __future__ import annotations

import numpy as np

from ...checks import as_ids
from ...data import Data
from ...losses import NCE, Proposal, SampledSoftmax
from ...train import Callback, Run, StepRecord

#: The values of the option `loss` of `LanguageModel.fit`.
OBJECTIVES = ("full", "sampled", "nce")

#: The power of the counts in the proposal, which is thus between the words' frequencies and the uniform
#: distribution: rare words are sampled, too (Mikolov et al. 2013).
POWER = 0.75


class SampleCounter(Callback):
    """Sets the step of a sampled loss from the run's step count.

    The samples of a step depend on the count only, so a resumed run samples the same.
    """

    def __init__(self, criterion: SampledSoftmax | NCE) -> None:
        self.criterion = criterion

    def on_start(self, run: Run) -> None:
        """Sets the step before the first one."""
        self.criterion.step = run.step

    def on_step(self, run: Run, record: StepRecord) -> None:
        """Sets the step after each one."""
        self.criterion.step = record.step


def sampled_criterion(
    objective: str, samples: int, data: Data, vocabulary_size: int, seed: int
) -> SampledSoftmax | NCE:
    """Returns a sampled loss, with the words' frequencies in the training text as the proposal.

    Args:
        objective: "sampled" or "nce".
        samples: the number of words to sample at each step.
        data: the training text, as batches.
        vocabulary_size: V.
        seed: seed of the samples.
    """
    kind = SampledSoftmax if objective == "sampled" else NCE
    counts = np.zeros(vocabulary_size, np.int64)
    for batch in data.epoch(0):
        targets = as_ids("Batch", "targets", batch.targets)
        counts += np.bincount(targets[targets >= 0], minlength=vocabulary_size)
    return kind(samples, proposal=Proposal.unigram(counts, POWER), seed=seed)
