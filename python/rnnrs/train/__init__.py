"""Training: the loop, what may watch it, and checkpoints from which it goes on as if nothing had happened."""

from .best import BestParameters
from .callbacks import BestCheckpoint, Callback, CSVLog, EarlyStopping
from .history import History, StepRecord
from .progress import ProgressBar
from .scheduled_sampling import (
    ConstantForcing,
    ExponentialForcing,
    InverseSigmoidForcing,
    LinearForcing,
    ScheduledSampling,
)
from .trainer import Model, Trainer

__all__ = [
    "BestCheckpoint",
    "BestParameters",
    "CSVLog",
    "Callback",
    "ConstantForcing",
    "EarlyStopping",
    "ExponentialForcing",
    "History",
    "InverseSigmoidForcing",
    "LinearForcing",
    "Model",
    "ProgressBar",
    "ScheduledSampling",
    "StepRecord",
    "Trainer",
]
