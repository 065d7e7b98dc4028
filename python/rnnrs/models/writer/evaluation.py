"""The likelihood of held-out texts, as every model that writes is judged by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PairEvaluation:
    """How well a model predicts the targets of pairs.

    Attributes:
        loss: the mean of −ln P over the targets' tokens, ends included, in nats.
        perplexity: e to that.
        tokens: the number of tokens scored.
    """

    loss: float
    perplexity: float
    tokens: int

    @classmethod
    def likelihood(cls, nats: float, tokens: int) -> PairEvaluation:
        """Of −ln P of all targets together."""
        return PairEvaluation(nats / tokens, float(np.exp(nats / tokens)), tokens)
