"""Losses: L = Σ_t L_t over the T·B positions of a batch, and do = ∂L/∂o.

A loss is anything that can be called as `loss(o, y) -> (L, do)`: these classes, or a function of your own in NumPy.
A *position* is one step of one sequence. `reduction="mean"` divides the sum over positions by the sum of their weights
(their number, without weights); within a position, the terms of several outputs are always added up.

For large vocabularies there are losses that exist only `through` an output layer: `SampledSoftmax` and `NCE`, to train
with.
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
