"""Models: layers and a loss put together, with forward and backward written out."""

from .cache import ContinuousCache, NgramCache
from .jordan_network import ExposureGap, JordanNetwork
from .language_model import LanguageModel
from .network import RecurrentNetwork
from .sequence_classifier import Classification, SequenceClassifier
from .sequence_tagger import SequenceTagger

__all__ = [
    "Classification",
    "ContinuousCache",
    "ExposureGap",
    "JordanNetwork",
    "LanguageModel",
    "NgramCache",
    "RecurrentNetwork",
    "SequenceClassifier",
    "SequenceTagger",
]
