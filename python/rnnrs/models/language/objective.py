"""The loss that a language model's training minimizes: its negative log-likelihood, or an estimate over a sample."""

from __future__ import annotations

import numpy as np

from ...data import Data
from ...losses import NCE, Proposal, SampledSoftmax
from ...train import Callback, Run, StepRecord

#: The names of `LanguageModel.fit`'s choices.
OBJECTIVES = ("full", "sampled", "nce")

#: The power of the counts in the proposal: between the frequencies and the uniform distribution, so that rare words
#: are sampled, too (Mikolov et al. 2013).
POWER = 0.75


class SampleCounter(Callback):
    """Counts a sampled loss's draws by the steps of the run, also after a resume or Ctrl-C."""

    def __init__(self, criterion: SampledSoftmax | NCE) -> None:
        self.criterion = criterion

    def on_start(self, run: Run) -> None:
        """Sets the count before the first step."""
        self.criterion.step = run.step

    def on_step(self, run: Run, record: StepRecord) -> None:
        """Sets the count after a step."""
        self.criterion.step = record.step


def sampled_criterion(
    objective: str, samples: int, data: Data, vocabulary_size: int, seed: int
) -> SampledSoftmax | NCE:
    """The sampled loss of a name, with the words' frequencies in the training text as the proposal."""
    kind = SampledSoftmax if objective == "sampled" else NCE
    counts = np.zeros(vocabulary_size, np.int64)
    for batch in data.epoch(0):
        targets = np.asarray(batch.targets)
        counts += np.bincount(targets[targets >= 0], minlength=vocabulary_size)
    return kind(samples, proposal=Proposal.unigram(counts, POWER), seed=seed)
