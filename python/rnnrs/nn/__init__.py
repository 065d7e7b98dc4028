"""Layers: pairs `forward(x, …) -> (y, cache)`, `backward(cache, dy) -> dx`, over one flat vector of parameters."""

from .embedding import Embedding
from .feedback import FEEDBACKS
from .jordan import JordanRNN
from .layer import Layer, join
from .linear import Linear
from .parameters import Parameters
from .rnn import ACTIVATIONS, RNN

__all__ = [
    "ACTIVATIONS",
    "FEEDBACKS",
    "RNN",
    "Embedding",
    "JordanRNN",
    "Layer",
    "Linear",
    "Parameters",
    "join",
]
