"""Decoding: from a model that says what may come next to whole sequences, greedily, by drawing, or by beam search.

One decoder for all applications: what it needs of a model is `StepModel`.
"""

from .beam import beam_search, greedy
from .constraints import Constraints
from .drawing import sample
from .hypotheses import Hypothesis
from .model import StepModel

__all__ = ["Constraints", "Hypothesis", "StepModel", "beam_search", "greedy", "sample"]
