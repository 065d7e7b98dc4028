"""The likelihood of held-out texts, the measure that all models that write have in common."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.sums import perplexity


@dataclass(frozen=True)
class PairEvaluation:
    """The likelihood of the targets of held-out pairs.

    Attributes:
        loss: the mean of −ln P over the targets' tokens, ends included, in nats.
        perplexity: exp(loss).
        tokens: the number of tokens scored.

    Example:
        >>> PairEvaluation.likelihood(6.0, 3)
        PairEvaluation(loss=2.0, perplexity=7.38905609893065, tokens=3)
    """

    loss: float
    perplexity: float
    tokens: int

    @classmethod
    def likelihood(cls, nats: float, tokens: int) -> PairEvaluation:
        """Returns the evaluation of targets whose −ln P is `nats` in total."""
        return PairEvaluation(nats / tokens, perplexity(nats / tokens), tokens)
