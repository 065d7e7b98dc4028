"""Layers: pairs `forward(x, …) -> (y, cache)`, `backward(cache, dy) -> dx`, over one flat vector of parameters."""

from .adaptive import AdaptiveSoftmax
from .embedding import Embedding
from .layer import Layer, join
from .linear import Linear
from .parameters import Parameters
from .rnn import ACTIVATIONS, RNN
from .tied import TiedLinear

__all__ = [
    "ACTIVATIONS",
    "RNN",
    "AdaptiveSoftmax",
    "Embedding",
    "Layer",
    "Linear",
    "Parameters",
    "TiedLinear",
    "join",
]
