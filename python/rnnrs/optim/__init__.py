"""Gradient descent: optimizers, clipping, learning-rate schedules."""

from .clipping import clip_factor, clip_norm, clip_value
from .optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSProp, optimizer_from_config
from .schedules import Constant, Cosine, Exponential, Linear, Schedule, StepDecay

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "Exponential",
    "Linear",
    "Optimizer",
    "RMSProp",
    "Schedule",
    "StepDecay",
    "clip_factor",
    "clip_norm",
    "clip_value",
    "optimizer_from_config",
]
