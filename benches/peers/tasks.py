"""The tasks: their inputs and weights, and the number of floating-point operations that each requires.

A multiplication and an addition count as two operations. Only the products that the task requires are
counted: not activations, gathers, softmax, clipping or the optimizer, and nothing that a library computes
beyond the task.

Inputs and weights are sampled with the same seed for all libraries. Letters: T steps, B sequences, I inputs,
H hidden, V vocabulary, E embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]

#: Adam's learning rate, β₁, β₂ and ε, and the clipping norm of the gradients, in `LanguageModelStep`.
LEARNING_RATE, BETA1, BETA2, EPSILON, MAX_NORM = 1e-3, 0.9, 0.999, 1e-8, 0.25

#: Steps whose losses and effects are compared before a `LanguageModelStep` is timed.
CHECKED_STEPS = 3


def _uniform(rng: np.random.Generator, H: int, *shape: int) -> Array:
    """Samples uniformly from ±1/√H, as PyTorch does for the weights of its recurrent layers."""
    return rng.uniform(-(H**-0.5), H**-0.5, shape).astype(np.float32)


@dataclass(frozen=True)
class Recurrence:
    """h_t = tanh(b + W h_{t−1} + U x_t) over a sequence, from h0; or an LSTM's or a GRU's step.

    Mode "forward" computes h from x and h0. Mode "train" also computes dU, dW, db (and a GRU's db_h) from a
    given dh, but neither dx nor dh0. An LSTM's gates are i, f, g, o, and c0 is zero; a GRU's are r, z, n,
    with b_h inside the reset.
    """

    I: int
    H: int
    B: int
    T: int
    mode: str
    cell: str = "rnn"

    @property
    def kind(self) -> str:
        return self.mode if self.cell == "rnn" else f"{self.cell} {self.mode}"

    @property
    def gates(self) -> int:
        """The number of blocks of H rows in U, W and b."""
        return {"rnn": 1, "lstm": 4, "gru": 3}[self.cell]

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the weights."""
        return ("U", "W", "b", "b_h") if self.cell == "gru" else ("U", "W", "b")

    @property
    def label(self) -> str:
        return f"I={self.I} H={self.H} B={self.B} T={self.T}"

    @property
    def flops(self) -> float:
        """Operations of U x_t and W h_{t−1}; in training also of Wᵀ da_t, Σ da_t h_{t−1}ᵀ and Σ da_t x_tᵀ."""
        rows = 2.0 * self.gates * self.T * self.B * self.H
        forward, backward = rows * (self.I + self.H), rows * (2 * self.H + self.I)
        return forward + (backward if self.mode == "train" else 0.0)

    def inputs(self) -> Arrays:
        """Returns the inputs in float32.

        x (T, B, I), h0 (B, H), dh (T, B, H), U (gates·H, I), W (gates·H, H), b (gates·H), and a GRU's b_h
        (H).
        """
        rng = np.random.default_rng(0)
        T, B, I, H = self.T, self.B, self.I, self.H
        arrays = {
            "x": rng.standard_normal((T, B, I), np.float32),
            "h0": 0.5 * rng.standard_normal((B, H), np.float32),
        }
        arrays["dh"] = rng.standard_normal((T, B, H), np.float32)
        rows = self.gates * H
        arrays |= {
            "U": _uniform(rng, H, rows, I),
            "W": _uniform(rng, H, rows, H),
            "b": _uniform(rng, H, rows),
        }
        return arrays | ({"b_h": _uniform(rng, H, H)} if self.cell == "gru" else {})


@dataclass(frozen=True)
class LanguageModelStep:
    """A training step of a language model, with the last state carried over to the next step.

    The step consists of embedding, recurrence, output layer, mean softmax cross-entropy, BPTT, clipping by
    the norm, and Adam.
    """

    V: int
    E: int
    H: int
    B: int
    T: int
    kind: str = "step"

    @property
    def label(self) -> str:
        return f"V={self.V} E={self.E} H={self.H} B={self.B} T={self.T}"

    @property
    def flops(self) -> float:
        """Operations of U x_t, W h_{t−1}, V h_t and, for each, the two products of its backward pass."""
        return 6.0 * self.T * self.B * self.H * (self.E + self.H + self.V)

    def inputs(self) -> Arrays:
        """Returns the weights E, U, W, b, V, c (float32), and ids, y (T, B) (int64)."""
        rng = np.random.default_rng(1)
        weights = language_model_weights(rng, self.V, self.E, self.H)
        ids = rng.integers(self.V, size=(self.T + 1, self.B))
        return weights | {"ids": ids[:-1].copy(), "y": ids[1:].copy()}


@dataclass(frozen=True)
class NextToken:
    """`tokens` single steps of a language model at batch 1, each called from Python: id → scores (V,)."""

    V: int
    E: int
    H: int
    tokens: int = 64
    kind: str = "next"

    @property
    def label(self) -> str:
        return f"V={self.V} E={self.E} H={self.H}"

    @property
    def flops(self) -> float:
        """Operations of U x, W h and V h for every token."""
        return 2.0 * self.tokens * self.H * (self.E + self.H + self.V)

    def inputs(self) -> Arrays:
        """Returns the weights, and ids (tokens,)."""
        rng = np.random.default_rng(2)
        weights = language_model_weights(rng, self.V, self.E, self.H)
        return weights | {"ids": rng.integers(self.V, size=self.tokens)}


@dataclass(frozen=True)
class Sgemm:
    """C = A B of n × n float32 matrices: the machine's rate, with which the others are compared."""

    n: int
    kind: str = "sgemm"

    @property
    def label(self) -> str:
        return f"{self.n}³"

    @property
    def flops(self) -> float:
        return 2.0 * self.n**3

    def inputs(self) -> Arrays:
        """Returns A, B (n, n)."""
        rng = np.random.default_rng(3)
        return {name: rng.standard_normal((self.n, self.n), np.float32) for name in "AB"}


Task = Recurrence | LanguageModelStep | NextToken | Sgemm


def language_model_weights(rng: np.random.Generator, V: int, E: int, H: int) -> Arrays:
    """Returns E (V, E), U (H, E), W (H, H), b (H), V (V, H), c (V)."""
    weights = {"E": rng.standard_normal((V, E), np.float32)}
    weights |= {"U": _uniform(rng, H, H, E), "W": _uniform(rng, H, H, H), "b": _uniform(rng, H, H)}
    return weights | {"V": _uniform(rng, H, V, H), "c": np.zeros(V, np.float32)}


#: (I = H, B, T)
RECURRENCES = (
    (64, 1, 100),
    (64, 32, 100),
    (64, 16, 1000),
    (128, 32, 100),
    (128, 256, 50),
    (256, 32, 100),
    (256, 128, 100),
    (512, 32, 35),
    (512, 1, 100),
    (1024, 32, 35),
)

#: (I = H, B, T) of the gated cells
GATED = ((64, 32, 100), (128, 32, 100), (256, 32, 100), (512, 32, 35), (512, 1, 100))

#: (V, E, H, B, T)
STEPS = (
    (65, 64, 128, 32, 64),
    (65, 128, 256, 32, 64),
    (65, 256, 512, 50, 50),
    (10_000, 200, 200, 20, 35),
    (33_278, 200, 200, 20, 35),
    (10_000, 650, 650, 20, 35),
    (65, 64, 64, 1, 25),
)

#: (V, E, H)
NEXT_TOKENS = ((65, 128, 256), (10_000, 200, 200))
