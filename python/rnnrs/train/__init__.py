"""Training: the loop, what may watch it, and checkpoints from which it goes on as if nothing had happened."""

from .callbacks import BestCheckpoint, Callback, CSVLog, EarlyStopping
from .history import History, StepRecord
from .progress import ProgressBar
from .trainer import Model, Trainer

__all__ = [
    "BestCheckpoint",
    "CSVLog",
    "Callback",
    "EarlyStopping",
    "History",
    "Model",
    "ProgressBar",
    "StepRecord",
    "Trainer",
]
