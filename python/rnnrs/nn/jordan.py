"""The output-to-hidden recurrence of Jordan's network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _rnnrs
from ..checks import check_size
from ..errors import ShapeError
from ..types import Array
from . import feedback as kinds
from .feedback import FEEDBACKS, NOTHING
from .layer import Layer
from .rnn import ACTIVATIONS

_FORWARD = "JordanRNN.forward"


class JordanCache(NamedTuple):
    """What `JordanRNN.backward` needs of the forward pass, and what was fed in it.

    Attributes:
        x: (T, B, I).
        h: (T, B, H).
        fed: (first, values, ids). `first` is z at the first step (B, O), None where that is zero or a token; z at the
            later steps is `values`, where each row of (T, B, O) is fed at the step after its own, or the tokens `ids`
            (T, B), −1 for none.
        z: (T + 1, B, O), what was fed, where the network's own output may have been, as numbers; else None.
        own: (T + 1, B), where the network's own output was fed; None where it was nowhere.
        beyond: (T, B), the places beyond the sequences' ends; None without lengths.
        next: what the step after the last would be fed: (B, O), or tokens (B,). The next call's `previous`.
    """

    x: Array
    h: Array
    fed: tuple[Array | None, Array | None, Array | None]
    z: Array | None
    own: NDArray[np.bool_] | None
    beyond: NDArray[np.bool_] | None
    next: Array


class JordanRNN(Layer):
    """h_t = f(b + U x_t + W z_t), o_t = c + V h_t, with z_t of the output at t − 1: the output-to-hidden network.

    Goodfellow, Bengio and Courville, *Deep Learning*, section 10.2.1 and figure 10.4 (Jordan 1986). z_t is the target
    y_{t−1} (teacher forcing), o_{t−1}, ŷ_{t−1} = softmax(o_{t−1}), or a token that o_{t−1} chose, as a one-hot vector
    or by an embedding. All that the network remembers is in its output; so it is weaker than `RNN`. But with teacher
    forcing no step waits for another: training is one product over all T·B rows.

    Parameters: U (H, I), W (H, O), b (H), V (O, H), c (O); with an embedding W (H, E) and E (O, E). U, W, b and V begin
    uniform on ±1/√H, c at zero, E standard normal.

    Args:
        input_size: I; 0 where nothing but the output is read.
        hidden_size: H.
        output_size: O.
        feedback: what the network makes of its own output, one of `rnnrs.nn.FEEDBACKS`. Through "output" and "softmax"
            BPTT flows; through the choice of a token, "sample" and "argmax", nothing does.
        embedding_size: E, numbers of a token's embedding; None: one-hot. Only for "sample" and "argmax".
        activation: f, one of `rnnrs.nn.ACTIVATIONS`.
        temperature: of "sample": tokens are drawn from softmax(o / temperature).
        seed: of the first weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: for sizes that are no whole numbers or too small, or a setting out of its range.
        MemoryError: if the weights do not fit.
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
        """Whether the network feeds a token back, not numbers."""
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
        """All outputs of a batch of sequences.

        Args:
            x: (T, B, I).
            targets: y, ids (T, B) (−1: nothing is fed after this step) or values (T, B, O); without them the network
                runs free.
            teacher_forcing: ε, the probability with which each step and sequence is fed its target and not the
                network's own output (scheduled sampling, Bengio et al. 2015): 1 is teacher forcing, without any
                loop over time; 0 runs free.
            previous: what the first step is fed, ids (B,) or values (B, O); nothing (zero) by default. An earlier
                call's `cache.next` goes on from there.
            lengths: (B,), from 0 to T: at and after a sequence's length its outputs are zero, and so are its gradients.
            seed: of the draws for ε and for "sample", from 0 to 2⁶⁴ − 1.
            step: which call this is, from 0: at another step the draws are others.
            keys: (B,), whole numbers: each sequence's own; by default its place in the batch. A draw depends on seed,
                step, key and t alone.

        Returns:
            (o (T, B, O), cache).

        Raises:
            ShapeError, DTypeError: for arrays that do not fit.
            IndexError: for a token that is none.
            ValueError: for a setting out of its range; for scores that are not finite, where a token is to be chosen.
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
                        f"{_FORWARD}: {name}: expected ids, for tokens are fed back, got {numbers.shape}"
                    )
        array, beyond = kinds.ends(lengths, T, B)
        x = kinds.without(x, beyond)
        values = None if values is None else kinds.without(values, beyond)
        ids = None if ids is None else kinds.without(ids, beyond, NOTHING)
        if forcing == 1.0 and targets is not None:
            return self._forced(x, values, ids, (first, token), array, beyond)
        draws = np.arange(B) if keys is None else np.asarray(keys)
        temperature = 0.0 if self.feedback == "argmax" else self.temperature
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
        """All that is fed is known: no loop over time."""
        (first, token), B = previous, x.shape[1]
        if ids is not None:
            # The tokens move one step on; `previous` comes before them.
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
            assert values is not None  # the caller saw targets
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
        """The network's own output is fed, at every step or at some."""
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
        """Back-propagation: adds dU, dW, db, dV, dc (and dE).

        Where o or ŷ was fed back, through time: do_t gets Wᵀ da_{t+1}, through the softmax's Jacobian where it was ŷ.
        After a target, or a token that was chosen, nothing flows back, and all steps are one product.

        Args:
            cache: from `forward`.
            do: ∂L/∂o (T, B, O).
            need_dx: whether dx and dprevious are wanted.

        Returns:
            (dx (T, B, I), dprevious (B, O)): the second is what L says of the first step's z, None where tokens are fed
            back. (None, None) where they are not wanted.

        Raises:
            ShapeError: if do has not the shape of o.
        """
        p, g = self.parameters, self.gradients
        do = np.asarray(do)
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
