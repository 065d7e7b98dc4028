"""The output-to-hidden recurrence of Jordan's network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _rnnrs
from ..checks import as_array, check_size, sampling_temperature
from ..errors import ShapeError
from ..shown import short_repr
from ..types import Array
from . import feedback as kinds
from .feedback import FEEDBACKS, NOTHING
from .layer import Layer
from .rnn import ACTIVATIONS

_FORWARD = "JordanRNN.forward"


class JordanCache(NamedTuple):
    """The forward-pass values that `JordanRNN.backward` needs, and the values fed back.

    Attributes:
        x: (T, B, I).
        h: (T, B, H).
        fed: (first, values, ids). `first` is z at the first step (B, O), None if it is zero or a token. z at
            the later steps comes from `values` (T, B, O), each row of which is fed at the step after its own,
            or from the tokens `ids` (T, B), −1 for none.
        z: (T + 1, B, O), the values fed, if the network may have fed its own output as numbers; else None.
        own: (T + 1, B), where the network's own output was fed; None if nowhere.
        beyond: (T, B), the positions beyond the sequences' ends; None without lengths.
        next: the input z of the step after the last: (B, O), or tokens (B,). It is the next call's
            `previous`.
    """

    x: Array
    h: Array
    fed: tuple[Array | None, Array | None, Array | None]
    z: Array | None
    own: NDArray[np.bool_] | None
    beyond: NDArray[np.bool_] | None
    next: Array

    def __repr__(self) -> str:
        return short_repr(self)


class JordanRNN(Layer):
    """h_t = f(b + U x_t + W z_t), o_t = c + V h_t, with z_t from o_{t−1}: the output-to-hidden network.

    Goodfellow, Bengio and Courville, *Deep Learning*, section 10.2.1 and figure 10.4 (Jordan 1986). z_t is
    the target y_{t−1} (teacher forcing), o_{t−1}, ŷ_{t−1} = softmax(o_{t−1}), or a token chosen from o_{t−1},
    as a one-hot vector or an embedding. The output is the network's only memory, so it is weaker than `RNN`.
    With teacher forcing, however, no step depends on another: training is one product over all T·B rows.

    Parameters: U (H, I), W (H, O), b (H), V (O, H), c (O); with an embedding W (H, E) and E (O, E). U, W, b
    and V are initialized uniformly on ±1/√H, c to zero, E to standard normal values.

    Args:
        input_size: I; 0 if the output is the only input.
        hidden_size: H.
        output_size: O.
        feedback: how the network feeds its own output back, one of `rnnrs.nn.FEEDBACKS`. Gradients flow
            through "output" and "softmax", but not through the choice of a token, "sample" and "argmax".
        embedding_size: E, the size of a token's embedding; None: one-hot vectors. Only for "sample" and
            "argmax".
        activation: f, one of `rnnrs.nn.ACTIVATIONS`.
        temperature: for "sample": tokens are sampled from softmax(o / temperature).
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: if a size is not a whole number or is too small, or another argument is out of
            range.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        *,
        feedback: str = "output",
        embedding_size: int | None = None,
        activation: str = "tanh",
        temperature: float = 1.0,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        I = self.input_size = check_size("JordanRNN", "input_size", input_size, 0)
        H = self.hidden_size = check_size("JordanRNN", "hidden_size", hidden_size)
        O = self.output_size = check_size("JordanRNN", "output_size", output_size)
        for name, value, choices in (
            ("feedback", feedback, FEEDBACKS),
            ("activation", activation, ACTIVATIONS),
        ):
            if value not in choices:
                raise ValueError(f"JordanRNN: {name}: expected one of {', '.join(choices)}, got {value!r}")
        self.feedback, self.activation = feedback, activation
        self.embedding_size = kinds.check_embedding(feedback, embedding_size)
        self.temperature = kinds.check_temperature(temperature)
        F = O if self.embedding_size is None else self.embedding_size
        shapes: dict[str, tuple[int, ...]] = {"U": (H, I), "W": (H, F), "b": (H,), "V": (O, H), "c": (O,)}
        if self.embedding_size is not None:
            shapes["E"] = (O, F)
        super().__init__(shapes, dtype)
        for name in ("U", "W", "b", "V"):
            self.initialize(name, "uniform", H**-0.5, seed)
        if self.embedding_size is not None:
            self.initialize("E", "normal", 1.0, seed)

    @property
    def feeds_tokens(self) -> bool:
        """Whether the network feeds back tokens instead of numbers."""
        return self.feedback in ("sample", "argmax")

    def forward(
        self,
        x: ArrayLike,
        targets: ArrayLike | None = None,
        *,
        teacher_forcing: float = 1.0,
        previous: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
        seed: int = 0,
        step: int = 0,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, JordanCache]:
        """Computes all outputs of a batch of sequences.

        Args:
            x: (T, B, I).
            targets: y, ids (T, B) (−1: nothing is fed after this step) or values (T, B, O); without them the
                network runs free.
            teacher_forcing: ε, the probability that a step of a sequence is fed the target instead of the
                network's own output (scheduled sampling, Bengio et al. 2015): 1 is teacher forcing, without a
                loop over time; 0 is a free run.
            previous: the value fed at the first step, ids (B,) or values (B, O); zero by default. An earlier
                call's `cache.next` continues from there.
            lengths: (B,), from 0 to T: from a sequence's length on, its outputs and their gradients are zero.
            seed: seed of the random choices for ε and "sample", from 0 to 2⁶⁴ − 1.
            step: the number of this call, from 0: another step makes other choices.
            keys: (B,), whole numbers that identify the sequences; by default their places in the batch. A
                choice depends only on seed, step, key and t.

        Returns:
            (o (T, B, O), cache).

        Raises:
            ShapeError, DTypeError: if an array has the wrong shape or dtype.
            IndexError: if an id is not a token.
            ValueError: if an argument is out of range, or the scores from which to choose a token are not
                finite.
        """
        forcing = kinds.check_probability(_FORWARD, "teacher_forcing", teacher_forcing)
        words = kinds.check_word(_FORWARD, "seed", seed), kinds.check_word(_FORWARD, "step", step)
        x = kinds.check_inputs(x, self.input_size)
        T, B = x.shape[:2]
        values, ids = kinds.split("targets", targets, "T, B", self.output_size)
        first, token = kinds.split("previous", previous, "B", self.output_size)
        if self.feeds_tokens:
            for name, numbers in (("targets", values), ("previous", first)):
                if numbers is not None:
                    raise ShapeError(
                        f"{_FORWARD}: {name}: expected ids for token feedback, got values {numbers.shape}"
                    )
        array, beyond = kinds.ends(lengths, T, B)
        x = kinds.without(x, beyond)
        values = None if values is None else kinds.without(values, beyond)
        ids = None if ids is None else kinds.without(ids, beyond, NOTHING)
        if forcing == 1.0 and targets is not None:
            return self._forced(x, values, ids, (first, token), array, beyond)
        draws = np.arange(B) if keys is None else as_array("JordanRNN.forward", "keys", keys)
        temperature = 0.0 if self.feedback == "argmax" else sampling_temperature(self.temperature)
        settings = (self.feedback, temperature, forcing, *words, draws)
        return self._driven(x, values, ids, (first, token), settings, array, beyond)

    def _forced(
        self,
        x: Array,
        values: Array | None,
        ids: Array | None,
        previous: tuple[Array | None, Array | None],
        lengths: Array | None,
        beyond: NDArray[np.bool_] | None,
    ) -> tuple[Array, JordanCache]:
        """Runs the forward pass with all feedback known: no loop over time."""
        (first, token), B = previous, x.shape[1]
        if ids is not None:
            # Each token is fed one step later; `previous` comes first.
            start = np.full(B, NOTHING) if token is None else token
            if ids.shape != x.shape[:2] or start.shape != (B,):
                raise ShapeError(
                    f"{_FORWARD}: targets, previous: expected ids (T={len(x)}, B={B}) and (B={B},), "
                    f"got {ids.shape} and {start.shape}"
                )
            moved = np.concatenate([start[None], ids])
            fed: tuple[Array | None, Array | None, Array | None] = (first, None, moved[:-1])
            after = moved[-1] if len(x) or first is None else first
        else:
            assert values is not None  # the caller has checked for targets
            first = first if token is None else kinds.one_hot(token, self.output_size, self.dtype)
            fed = (first, values, None)
            after = values[-1] if len(x) else np.zeros((B, self.output_size)) if first is None else first
        o, h = _rnnrs.jordan_forced(x, fed, self._arrays(self.parameters), self.activation, lengths)
        return o, JordanCache(x, h, fed, None, None, beyond, after)

    def _driven(
        self,
        x: Array,
        values: Array | None,
        ids: Array | None,
        previous: tuple[Array | None, Array | None],
        settings: tuple[str, float, float, int, int, Array],
        lengths: Array | None,
        beyond: NDArray[np.bool_] | None,
    ) -> tuple[Array, JordanCache]:
        """Runs the forward pass with the network's own output fed back, at every step or at some."""
        first, token = previous
        if token is not None and not self.feeds_tokens:
            first, token = kinds.one_hot(token, self.output_size, self.dtype), None
        start = token if self.feeds_tokens else first
        o, h, fed, own = _rnnrs.jordan_driven(
            x, (start, values, ids), self._arrays(self.parameters), self.activation, settings, lengths
        )
        if self.feeds_tokens:
            return o, JordanCache(x, h, (None, None, fed[:-1]), None, own, beyond, fed[-1])
        return o, JordanCache(x, h, (fed[0], fed[1:], None), fed, own, beyond, fed[-1])

    def backward(
        self, cache: JordanCache, do: ArrayLike, need_dx: bool = True
    ) -> tuple[Array | None, Array | None]:
        """Back-propagates; adds to dU, dW, db, dV, dc (and dE).

        Where o or ŷ was fed back, the gradient flows through time: do_t gets Wᵀ da_{t+1}, through the
        softmax's Jacobian for ŷ. Nothing flows back through a target or a chosen token, and all steps are one
        product.

        Args:
            cache: from `forward`.
            do: ∂L/∂o (T, B, O).
            need_dx: whether to compute dx and dprevious.

        Returns:
            (dx (T, B, I), dprevious (B, O)). dprevious is the gradient of the first step's z; None if tokens
            are fed back. (None, None) without `need_dx`.

        Raises:
            ShapeError: if do does not have the shape of o.
        """
        p, g = self.parameters, self.gradients
        do = as_array("JordanRNN.backward", "do", do)
        expected = (*cache.h.shape[:2], self.output_size)
        if do.shape != expected:
            raise ShapeError(f"JordanRNN.backward: do: expected (T, B, O) = {expected}, got {do.shape}")
        do = kinds.without(do, cache.beyond)
        if cache.z is None or cache.own is None:
            da = _rnnrs.jordan_local(do, cache.h, p["V"], self.activation)
        else:
            da, do = _rnnrs.jordan_through(
                do, cache.h, cache.z, cache.own, p["W"], p["V"], self.activation, self.feedback
            )
        inputs = _rnnrs.jordan_gradients(
            da, do, cache.x, cache.h, cache.fed, self._arrays(p), self._arrays(g), need_dx
        )
        if inputs is None:
            return None, None
        return inputs[0], None if self.feeds_tokens else inputs[1]

    def _arrays(self, of: Any) -> tuple[Array, Array, Array, Array, Array, Array | None]:
        return of["U"], of["W"], of["b"], of["V"], of["c"], of.get("E")
