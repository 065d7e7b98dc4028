"""Layers: `forward(x, …) -> (y, cache)` and `backward(cache, dy) -> dx`, over one flat parameter vector."""

from .adaptive import AdaptiveSoftmax
from .attention import ATTENTIONS, Attention
from .batch_norm import BatchNorm
from .bidirectional import MERGES, Bidirectional
from .conv import Conv2d
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
from .pooling_2d import GlobalPool2d, MaxPool2d, MeanPool2d
from .recurrent import Recurrent
from .region_pooling import RegionPooling
from .rnn import ACTIVATIONS, RNN
from .sequential import Sequential
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
    "BatchNorm",
    "Bidirectional",
    "Composite",
    "Conv2d",
    "Dropout",
    "Embedding",
    "GlobalPool2d",
    "JordanRNN",
    "Layer",
    "Linear",
    "MaxPool2d",
    "MeanPool2d",
    "Parameters",
    "Pooling",
    "Recurrent",
    "RegionPooling",
    "Sequential",
    "Stack",
    "TiedLinear",
    "join",
]
