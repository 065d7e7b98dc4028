"""Layers: pairs `forward(x, …) -> (y, cache)`, `backward(cache, dy) -> dx`, over one flat vector of parameters."""

from .adaptive import AdaptiveSoftmax
from .attention import ATTENTIONS, Attention
from .bidirectional import MERGES, Bidirectional
from .embedding import Embedding
from .feedback import FEEDBACKS
from .gru import GRU
from .jordan import JordanRNN
from .layer import Composite, Layer, join
from .linear import Linear
from .lstm import LSTM
from .noise import Dropout
from .parameters import Parameters
from .pooling import POOLINGS, AttentionPooling, Pooling
from .recurrent import Recurrent
from .rnn import ACTIVATIONS, RNN
from .stack import Stack
from .tied import TiedLinear

__all__ = [
    "ACTIVATIONS",
    "ATTENTIONS",
    "FEEDBACKS",
    "GRU",
    "LSTM",
    "MERGES",
    "POOLINGS",
    "RNN",
    "AdaptiveSoftmax",
    "Attention",
    "AttentionPooling",
    "Bidirectional",
    "Composite",
    "Dropout",
    "Embedding",
    "JordanRNN",
    "Layer",
    "Linear",
    "Parameters",
    "Pooling",
    "Recurrent",
    "Stack",
    "TiedLinear",
    "join",
]
