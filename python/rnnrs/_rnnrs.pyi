"""The Rust module. Private: `rnnrs.nn`, `rnnrs.losses`, `rnnrs.optim` … are its public face.

Arrays are float32 or float64 (the parameters decide, other arrays of real numbers are converted), ids whole numbers.
Arguments named d… in `*_backward` and `*_gradients` that are parameters' gradients are added to in place.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ids = NDArray[np.int64]

__version__: str

class ShapeError(ValueError): ...
class DTypeError(TypeError): ...
class FormatError(ValueError): ...

def set_num_threads(threads: int) -> None: ...
def get_num_threads() -> int: ...
def instruction_set() -> str: ...
def initialise(out: Array, scheme: str, scale: float, seed: int) -> None: ...
def embedding_forward(ids: Array, E: Array) -> Array: ...
def embedding_backward(ids: Array, dx: Array, dE: Array) -> None: ...
def linear_forward(x: Array, V: Array, c: Array) -> Array: ...
def linear_backward(x: Array, V: Array, do: Array, dV: Array, dc: Array, need_dx: bool) -> Array | None: ...
def rnn_forward(x: Array, h0: Array | None, U: Array, W: Array, b: Array, activation: str) -> Array: ...
def rnn_backward(dh: Array, h: Array, W: Array, activation: str) -> tuple[Array, Array]: ...
def rnn_gradients(
    da: Array,
    x: Array,
    h0: Array | None,
    h: Array,
    U: Array,
    dU: Array,
    dW: Array,
    db: Array,
    need_dx: bool,
) -> Array | None: ...
def softmax_cross_entropy(
    o: Array,
    y: Array,
    weights: Array | None,
    ignore: int | None,
    label_smoothing: float,
    mean: bool,
    gradient: bool,
) -> tuple[float, Array, Array | None]: ...
def sigmoid_cross_entropy(
    o: Array, y: Array, weights: Array | None, mean: bool, gradient: bool
) -> tuple[float, Array, Array | None]: ...
def squared_error(
    o: Array, y: Array, weights: Array | None, mean: bool, gradient: bool
) -> tuple[float, Array, Array | None]: ...
def linear_softmax_cross_entropy(
    h: Array,
    V: Array,
    c: Array,
    y: Array,
    weights: Array | None,
    ignore: int | None,
    label_smoothing: float,
    mean: bool,
    dV: Array | None = None,
    dc: Array | None = None,
) -> tuple[float, Array, Array | None]: ...
def sgd(
    parameters: Array,
    gradients: Array,
    velocity: Array | None,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None: ...
def adagrad(
    parameters: Array,
    gradients: Array,
    squares: Array,
    learning_rate: float,
    epsilon: float,
    weight_decay: float,
) -> None: ...
def rmsprop(
    parameters: Array,
    gradients: Array,
    squares: Array,
    learning_rate: float,
    decay: float,
    epsilon: float,
    weight_decay: float,
) -> None: ...
def adam(
    parameters: Array,
    gradients: Array,
    mean: Array,
    variance: Array,
    step: int,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
    decoupled: bool,
) -> None: ...
def clip_norm(gradients: Array, max_norm: float) -> float: ...
def clip_value(gradients: Array, limit: float) -> None: ...
def sample(logits: Array, temperature: float, top_k: int, top_p: float, u: float) -> int: ...
def top_k(values: Array, k: int) -> tuple[Ids, Array]: ...
def log_softmax(o: Array) -> Array: ...
def serialise(tensors: dict[str, Array], metadata: str) -> bytes: ...
def deserialise(data: bytes) -> tuple[dict[str, Array], str | None]: ...

@final
class Stepper:
    def __new__(
        cls,
        E: Array,
        U: Array,
        W: Array,
        b: Array,
        V: Array,
        c: Array,
        activation: str,
        batch: int = 1,
    ) -> Stepper: ...
    @property
    def batch(self) -> int: ...
    @property
    def state(self) -> Array: ...
    @state.setter
    def state(self, state: Array) -> None: ...
    def reset(self) -> None: ...
    def step(self, ids: Array | int) -> Array: ...
    def read(self, ids: Array) -> Array: ...
