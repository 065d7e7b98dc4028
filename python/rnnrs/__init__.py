"""Recurrent neural networks on a CPU.

NumPy arrays in, NumPy arrays out. Rust computes a whole sequence per call; Python composes layers, drives the
training and holds the applications:

- `rnnrs.nn`: layers with `forward` and `backward`, and their `Parameters`
- `rnnrs.losses`, `rnnrs.optim`: losses; optimisers, clipping and learning-rate schedules
- `rnnrs.unfold`, `rnnrs.gradient_check`: BPTT laid open, and checked
- `rnnrs.Trainer`: the training loop, with callbacks and checkpoints
- `rnnrs.text`, `rnnrs.data`: vocabularies; batches
- `rnnrs.models`: `RecurrentNetwork`, `LanguageModel`

Letters in all shapes: T time steps, B sequences in a minibatch, I input size, H hidden size, O output size.
"""

from ._rnnrs import __version__, get_num_threads, instruction_set, set_num_threads
from .errors import DTypeError, FormatError, MissingExtraError, NonFiniteError, ShapeError
from .gradcheck import GradientCheck, gradient_check
from .nn.unfold import Unfolded, unfold
from .train import Trainer

__all__ = [
    "DTypeError",
    "FormatError",
    "GradientCheck",
    "MissingExtraError",
    "NonFiniteError",
    "ShapeError",
    "Trainer",
    "Unfolded",
    "__version__",
    "get_num_threads",
    "gradient_check",
    "instruction_set",
    "set_num_threads",
    "unfold",
]
