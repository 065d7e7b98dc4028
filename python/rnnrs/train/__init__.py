"""Training: the loop, callbacks, and checkpoints from which a run resumes bit for bit."""

from .best import BestParameters
from .callbacks import BestCheckpoint, Callback, CSVLog, EarlyStopping
from .examples import Examples
from .history import History, StepRecord
from .progress import ProgressBar
from .ranks import Communicator
from .run import Model, Run
from .scheduled_sampling import (
    ConstantForcing,
    ExponentialForcing,
    InverseSigmoidForcing,
    LinearForcing,
    ScheduledSampling,
)
from .trainer import Trainer

__all__ = [
    "BestCheckpoint",
    "BestParameters",
    "CSVLog",
    "Callback",
    "Communicator",
    "ConstantForcing",
    "EarlyStopping",
    "Examples",
    "ExponentialForcing",
    "History",
    "InverseSigmoidForcing",
    "LinearForcing",
    "Model",
    "ProgressBar",
    "Run",
    "ScheduledSampling",
    "StepRecord",
    "Trainer",
]
