"""Models: layers and a loss put together, with forward and backward written out."""

from .cache import ContinuousCache, NgramCache
from .language_model import LanguageModel
from .network import RecurrentNetwork

__all__ = ["ContinuousCache", "LanguageModel", "NgramCache", "RecurrentNetwork"]
