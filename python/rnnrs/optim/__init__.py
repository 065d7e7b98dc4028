"""Gradient descent: optimizers, gradient clipping, learning-rate schedules."""

from . import clipping, optimizers, schedules
from .clipping import *  # noqa: F403 (each lists its names)
from .optimizers import *  # noqa: F403 (each lists its names)
from .schedules import *  # noqa: F403 (each lists its names)

__all__ = clipping.__all__ + optimizers.__all__ + schedules.__all__
