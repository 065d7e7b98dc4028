"""Recurrent neural networks on the CPU.

NumPy arrays in, NumPy arrays out. Rust computes a whole sequence per call; Python composes layers, drives
training and contains the applications:

- `rnnrs.nn`: layers with `forward` and `backward`, and their `Parameters`
- `rnnrs.losses`, `rnnrs.optim`: losses; optimizers, gradient clipping and learning-rate schedules
- `rnnrs.unfold`, `rnnrs.gradient_check`: every quantity of BPTT; gradients checked against finite differences
- `rnnrs.Trainer`: the training loop, with callbacks and checkpoints
- `rnnrs.text`, `rnnrs.data`: vocabularies; minibatches, sequences from files
- `rnnrs.decoding`: greedy decoding, sampling and beam search, for every model that generates text
- `rnnrs.metrics`: ROUGE, BLEU, chrF
- `rnnrs.models`: `RecurrentNetwork`, `JordanNetwork`, `LanguageModel`, …; `rnnrs.load` loads any of them
- `rnnrs.inspection`, `rnnrs.plot`: gradients and Jacobians through time, saturation, the text properties that
  single units follow; figures
- `rnnrs.serve`: models in a browser and over HTTP

Letters in all shapes: T time steps, B sequences in a minibatch, I input size, H hidden size, O output size.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._rnnrs import __version__, get_num_threads, instruction_set, set_num_threads
from .errors import DTypeError, FormatError, MissingExtraError, NonFiniteError, RankError, ShapeError
from .openblas import shorten_polling as _shorten_polling
from .threads import register_with_threadpoolctl as _register_with_threadpoolctl
from .threads import share_processors

if TYPE_CHECKING:
    from . import data, decoding, inspection, losses, metrics, models, nn, optim, plot, serve, text, train
    from .gradcheck import GradientCheck, gradient_check
    from .inspection.unfold import Unfolded, unfold
    from .models.base.loading import load
    from .train import Trainer

__all__ = [
    "DTypeError",
    "FormatError",
    "GradientCheck",
    "MissingExtraError",
    "NonFiniteError",
    "RankError",
    "ShapeError",
    "Trainer",
    "Unfolded",
    "__version__",
    "data",
    "decoding",
    "get_num_threads",
    "gradient_check",
    "inspection",
    "instruction_set",
    "load",
    "losses",
    "metrics",
    "models",
    "nn",
    "optim",
    "plot",
    "serve",
    "set_num_threads",
    "share_processors",
    "text",
    "train",
    "unfold",
]

#: Where the names are that are imported when they are first used, so that `import rnnrs` itself is quick.
_LATER = {
    "GradientCheck": "gradcheck",
    "Trainer": "train",
    "Unfolded": "inspection.unfold",
    "gradient_check": "gradcheck",
    "load": "models.base.loading",
    "unfold": "inspection.unfold",
}
_MODULES = (
    "data",
    "decoding",
    "inspection",
    "losses",
    "metrics",
    "models",
    "nn",
    "optim",
    "plot",
    "serve",
    "text",
    "train",
)


_register_with_threadpoolctl()
_shorten_polling()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _LATER:
        value = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
