"""Losses: L = Σ_t L_t over the T·B positions of a batch, and do = ∂L/∂o.

A loss is any callable `loss(o, y) -> (L, do)`: one of these classes, or a NumPy function of your own. A
*position* is one step of one sequence; docs/training.md says which of them count. `reduction="mean"`
divides the sum over positions by the sum of their weights (without weights, their number); within a position,
the terms of several outputs are always added.

`SampledSoftmax` and `NCE`, for training with large vocabularies, exist only `through` an output layer.
"""

from .adaptive import AdaptiveCrossEntropy
from .copying import CopyCrossEntropy, CopyEvaluation
from .dense import Criterion, Evaluation, Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy, SquaredError
from .proposal import Proposal
from .sampled import NCE, SampledSoftmax

__all__ = [
    "NCE",
    "AdaptiveCrossEntropy",
    "CopyCrossEntropy",
    "CopyEvaluation",
    "Criterion",
    "Evaluation",
    "Loss",
    "Proposal",
    "SampledSoftmax",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "SquaredError",
]
