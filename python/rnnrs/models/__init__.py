"""Models: layers and a loss put together, with forward and backward written out."""

from .jordan_network import ExposureGap, JordanNetwork
from .language_model import LanguageModel
from .network import RecurrentNetwork

__all__ = ["ExposureGap", "JordanNetwork", "LanguageModel", "RecurrentNetwork"]
