"""Decoding: whole sequences from a step-by-step model, by greedy decoding, sampling or beam search.

One decoder serves all applications; a model implements the interface `StepModel`.
"""

from .beam import beam_search, greedy
from .constraints import Constraints
from .drawing import sample
from .hypotheses import Hypothesis
from .model import StepModel
from .sampling import Sampling
from .stopping import Stopped, check_stopped, stoppable

__all__ = [
    "Constraints",
    "Hypothesis",
    "Sampling",
    "StepModel",
    "Stopped",
    "beam_search",
    "check_stopped",
    "greedy",
    "sample",
    "stoppable",
]
