"""The Rust module. Private: its public interface is `rnnrs.nn`, `rnnrs.losses`, `rnnrs.optim` and so on.

Arrays are float32 or float64: the parameters determine the type, and other arrays of real numbers are
converted to it. Ids are whole numbers. Parameter gradients, the arguments named d… of `*_backward` and
`*_gradients`, are accumulated in place.
"""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[Any]
_Ids = NDArray[np.int64]
#: U, W, b, V, c, and E or None.
_JordanParameters = tuple[_Array, _Array, _Array, _Array, _Array, _Array | None]
#: The feedback: at the first step, then values or token ids.
_Fed = tuple[_Array | None, _Array | None, _Array | None]

#: A mask (B, H); zoneout's rates, with seed and keys (B,) if masks are sampled; γ and β of a normalization.
_Extras = tuple[
    _Array | None,
    tuple[float, float, tuple[int, _Ids] | None] | None,
    tuple[_Array, _Array] | None,
]

#: The number of sequences running at each step; the number of sequences; for every row its index among the
#: T·B rows; (T, B).
_Order = tuple[_Ids, int, _Ids, tuple[int, int]]
#: h, c, the kept values, the last states, x̂ and the scales.
_Traced = tuple[_Array, _Array | None, _Array | None, _Array, tuple[_Array, _Array] | None]

__version__: str

class ShapeError(ValueError): ...
class DTypeError(TypeError): ...
class FormatError(ValueError): ...

def set_num_threads(threads: int) -> None: ...
def get_num_threads() -> int: ...
def count_waiting(on: bool) -> dict[str, float]: ...
def instruction_set() -> str: ...
def check_memory(bytes: int) -> None: ...

@final
class WordCodec:
    def __new__(cls, tokens: Sequence[str]) -> WordCodec: ...
    def __getnewargs__(self) -> tuple[list[str]]: ...
    def encode(self, text: str) -> _Ids: ...
    def pieces(self, text: str) -> list[str]: ...
    def decode(self, ids: Sequence[int]) -> str: ...

@final
class WordCounts:
    def __new__(cls) -> WordCounts: ...
    def __len__(self) -> int: ...
    def read(self, text: str) -> None: ...
    def merge(self, other: WordCounts) -> None: ...
    def prune(self, most: int) -> int: ...
    def tokens(self, min_count: int, max_size: int | None) -> list[str]: ...

@final
class WordJoiner:
    def __new__(cls) -> WordJoiner: ...
    def add(self, token: str) -> str: ...

def word_surface(token: str) -> str: ...
def find_words(text: str) -> list[str]: ...
def first_words(text: str, count: int) -> str: ...
def last_word(text: str) -> str: ...
def is_word(text: str) -> bool: ...
def initialize(out: _Array, scheme: str, scale: float, seed: int) -> None: ...
def embedding_forward(ids: _Array, E: _Array) -> _Array: ...
def embedding_backward(ids: _Array, dx: _Array, dE: _Array) -> None: ...
def linear_forward(x: _Array, V: _Array, c: _Array) -> _Array: ...
def linear_backward(
    x: _Array, V: _Array, do: _Array, dV: _Array, dc: _Array, need_dx: bool
) -> _Array | None: ...
def order_sequences(
    shape: tuple[int, int], stream: _Array, first: _Array, length: _Array, reverse: bool
) -> list[_Ids]: ...
def unpack_rows(places: _Ids, x: _Array) -> _Array: ...
def join_last(a: _Array, b: _Array) -> _Array: ...
def split_last(x: _Array, first: int) -> tuple[_Array, _Array]: ...
def batch_norm_forward(
    x: _Array,
    gamma: _Array,
    beta: _Array,
    statistics: tuple[_Array, _Array] | None,
    epsilon: float,
    activation: str,
) -> tuple[_Array, _Array, _Array]: ...
def batch_norm_backward(
    x: _Array,
    y: _Array | None,
    gamma: _Array,
    statistics: tuple[_Array, _Array, bool],
    dy: _Array,
    dgamma: _Array,
    dbeta: _Array,
    epsilon: float,
    activation: str,
) -> _Array: ...
def conv_forward(
    x: _Array, K: _Array, b: _Array, stride: tuple[int, int], padding: tuple[int, int], activation: str
) -> _Array: ...
def conv_backward(
    x: _Array,
    y: _Array | None,
    K: _Array,
    dy: _Array,
    dK: _Array,
    db: _Array,
    stride: tuple[int, int],
    padding: tuple[int, int],
    activation: str,
    need_dx: bool,
) -> _Array | None: ...
def pool_2d(
    kind: str, x: _Array, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> _Array: ...
def pool_2d_backward(
    kind: str,
    shape: tuple[int, int, int, int],
    passed: tuple[_Array, _Array] | None,
    dy: _Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> _Array: ...
def recurrent_forward(
    cell: str,
    x: _Array,
    U: _Array,
    W: _Array,
    b: _Array,
    state: _Array | None,
    order: _Order | None,
    keep: bool,
    extras: _Extras | None = None,
) -> _Traced: ...
def recurrent_forward_tokens(
    cell: str,
    ids: _Ids,
    table: _Array,
    W: _Array,
    state: _Array | None,
    order: _Order | None,
    keep: bool,
    extras: _Extras | None = None,
) -> _Traced: ...
def recurrent_backward(
    cell: str,
    W: _Array,
    h: _Array,
    c: _Array | None,
    kept: _Array | None,
    state: _Array | None,
    dh: _Array | None,
    dlast: _Array | None,
    order: _Order | None,
    extras: _Extras | None = None,
    normed: tuple[_Array, _Array] | None = None,
) -> tuple[_Array, _Array, tuple[_Array, _Array] | None]: ...
def recurrent_gradient(
    cell: str,
    da: _Array,
    state: _Array | None,
    h: _Array,
    dW: _Array,
    order: _Order | None,
    mask: _Array | None = None,
) -> None: ...
def recurrent_input_gradients(
    cell: str,
    da: _Array,
    x: _Array,
    U: _Array,
    dU: _Array,
    db: _Array | None,
    need_dx: bool,
    order: _Order | None = None,
) -> _Array | None: ...
def jordan_forced(
    x: _Array, fed: _Fed, parameters: _JordanParameters, activation: str, lengths: _Array | None
) -> tuple[_Array, _Array]: ...
def jordan_driven(
    x: _Array,
    fed: _Fed,
    parameters: _JordanParameters,
    activation: str,
    settings: tuple[str, float, float, int, int, _Array],
    lengths: _Array | None,
) -> tuple[_Array, _Array, _Array, NDArray[np.bool_]]: ...
def jordan_local(do: _Array, h: _Array, V: _Array, activation: str) -> _Array: ...
def jordan_through(
    do: _Array,
    h: _Array,
    z: _Array,
    own: NDArray[np.bool_],
    W: _Array,
    V: _Array,
    activation: str,
    feedback: str,
) -> tuple[_Array, _Array]: ...
def jordan_gradients(
    da: _Array,
    do: _Array,
    x: _Array,
    h: _Array,
    fed: _Fed,
    parameters: _JordanParameters,
    gradients: _JordanParameters,
    need_dx: bool,
) -> tuple[_Array, _Array] | None: ...
def softmax_cross_entropy(
    o: _Array,
    y: _Array,
    weights: _Array | None,
    ignore: int | None,
    label_smoothing: float,
    mean: bool,
    gradient: bool,
) -> tuple[float, _Array, _Array | None]: ...
def sigmoid_cross_entropy(
    o: _Array, y: _Array, weights: _Array | None, mean: bool, gradient: bool
) -> tuple[float, _Array, _Array | None]: ...
def squared_error(
    o: _Array, y: _Array, weights: _Array | None, mean: bool, gradient: bool
) -> tuple[float, _Array, _Array | None]: ...
def linear_softmax_cross_entropy(
    h: _Array,
    V: _Array,
    c: _Array,
    y: _Array,
    weights: _Array | None,
    ignore: int | None,
    label_smoothing: float,
    mean: bool,
    dV: _Array | None = None,
    dc: _Array | None = None,
) -> tuple[float, _Array, _Array | None]: ...
def linear_mixture_cross_entropy(
    h: _Array,
    V: _Array,
    c: _Array,
    y: _Array,
    gate: _Array,
    copied: _Array,
    weights: _Array | None,
    ignore: int | None,
    mean: bool,
    dV: _Array | None = None,
    dc: _Array | None = None,
) -> tuple[tuple[float, _Array, _Array | None], tuple[_Array, _Array] | None]: ...
def linear_sampled_loss(
    h: _Array,
    V: _Array,
    c: _Array,
    y: _Array,
    weights: _Array | None,
    ignore: int | None,
    mean: bool,
    rule: str,
    classes: _Ids,
    counts: _Ids,
    log_expected: _Array,
    dV: _Array | None = None,
    dc: _Array | None = None,
) -> tuple[float, _Array, _Array | None]: ...
def sgd(
    parameters: _Array,
    gradients: _Array,
    velocity: _Array | None,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
    scale: float,
    spans: _Ids | None,
) -> None: ...
def adagrad(
    parameters: _Array,
    gradients: _Array,
    squares: _Array,
    learning_rate: float,
    epsilon: float,
    weight_decay: float,
    scale: float,
) -> None: ...
def rmsprop(
    parameters: _Array,
    gradients: _Array,
    squares: _Array,
    learning_rate: float,
    decay: float,
    epsilon: float,
    weight_decay: float,
    scale: float,
) -> None: ...
def adam(
    parameters: _Array,
    gradients: _Array,
    mean: _Array,
    variance: _Array,
    step: int,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
    decoupled: bool,
    scale: float,
) -> None: ...
def clip_norm(gradients: _Array, max_norm: float, spans: _Ids | None = None) -> float: ...
def clipping(gradients: _Array, max_norm: float, spans: _Ids | None = None) -> tuple[float, float]: ...
def apply_dropout(x: _Array, keys: _Ids, steps: _Ids | None, rate: float, seed: int) -> _Array: ...
def dropout_masks(keys: _Ids, width: int, rate: float, seed: int, like: _Array) -> _Array: ...
def pool_weighted(h: _Array, e: _Array | None, lengths: _Ids | None) -> tuple[_Array, _Array]: ...
def pool_weighted_backward(
    h: _Array, alpha: _Array, dy: _Array, lengths: _Ids | None, need_de: bool
) -> tuple[_Array, _Array | None]: ...
def pool_largest(h: _Array, lengths: _Ids | None) -> tuple[_Array, _Ids]: ...
def pool_largest_backward(at: _Ids, dy: _Array, most: int, lengths: _Ids | None) -> _Array: ...
def attention_forward(
    q: _Array,
    keys: _Array,
    values: _Array,
    v: _Array | None,
    lengths: _Ids | None,
    source_lengths: _Ids | None,
) -> tuple[_Array, _Array]: ...
def attention_backward(
    q: _Array,
    keys: _Array,
    values: _Array,
    v: _Array | None,
    lengths: _Ids | None,
    source_lengths: _Ids | None,
    alpha: _Array,
    dcontext: _Array,
    dalpha: _Array | None,
    dv: _Array | None,
) -> tuple[_Array, _Array, _Array]: ...
def activate(name: str, a: _Array) -> None: ...
def differentiate(name: str, h: _Array, dh: _Array) -> None: ...
def clear(gradients: _Array, spans: _Ids | None = None) -> None: ...
def clip_value(gradients: _Array, limit: float) -> None: ...
def to_bfloat16(x: NDArray[np.float32], rounded: NDArray[np.uint16]) -> None: ...
def from_bfloat16(rounded: NDArray[np.uint16], x: NDArray[np.float32]) -> None: ...
def sample(logits: _Array, temperature: float, top_k: int, top_p: float, u: float) -> int: ...
def top_k(values: _Array, k: int) -> tuple[_Ids, _Array]: ...
def log_softmax(o: _Array) -> _Array: ...
def best_continuations(
    scores: _Array,
    totals: _Array,
    starts: _Ids,
    keep: int,
    rules: tuple[_Ids, _Ids, int | None, bool, _Ids, int],
) -> tuple[_Ids, _Ids, _Array]: ...
def draw_tokens(
    scores: _Array,
    rules: tuple[_Ids, _Ids, int | None, bool, _Ids, int],
    settings: tuple[float, int, float],
    seed: int,
    keys: _Ids,
) -> tuple[_Ids, _Array]: ...
def serialize(tensors: dict[str, _Array], metadata: str) -> bytes: ...
def deserialize(data: bytes) -> tuple[dict[str, _Array], str | None]: ...

@final
class Stepper:
    def __new__(
        cls,
        E: _Array,
        layers: Sequence[tuple[str, _Array, _Array, _Array, _Extras | None]],
        V: _Array,
        c: _Array,
        batch: int = 1,
    ) -> Stepper: ...
    @property
    def batch(self) -> int: ...
    @property
    def state(self) -> _Array: ...
    @state.setter
    def state(self, state: _Array) -> None: ...
    def reset(self) -> None: ...
    def step(self, ids: _Array | int) -> _Array: ...
    def read(self, ids: _Array) -> _Array: ...

@final
class Decoder:
    def __new__(
        cls,
        E: _Array,
        layers: Sequence[tuple[str, _Array, _Array, _Array, _Extras | None]],
        V: _Array,
        c: _Array,
        context: int = 0,
        query: tuple[_Array, _Array] | None = None,
        additive: _Array | None = None,
        combination: tuple[_Array, _Array] | None = None,
        gate: tuple[_Array, _Array] | None = None,
    ) -> Decoder: ...
    @property
    def count(self) -> int: ...
    def begin(
        self,
        state: _Array,
        keys: _Array | None = None,
        values: _Array | None = None,
        lengths: _Ids | None = None,
    ) -> None: ...
    def step(self, ids: _Array, rows: _Array) -> tuple[_Array, _Array | None, _Array | None]: ...
