"""Layers: pairs `forward(x, …) -> (y, cache)`, `backward(cache, dy) -> dx`, over one flat vector of parameters."""

from .embedding import Embedding
from .gru import GRU
from .layer import Layer, join
from .linear import Linear
from .lstm import LSTM
from .parameters import Parameters
from .recurrent import Recurrent
from .rnn import ACTIVATIONS, RNN

__all__ = [
    "ACTIVATIONS",
    "GRU",
    "LSTM",
    "RNN",
    "Embedding",
    "Layer",
    "Linear",
    "Parameters",
    "Recurrent",
    "join",
]
