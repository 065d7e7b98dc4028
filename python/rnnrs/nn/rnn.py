"""The recurrence of Elman's network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _rnnrs
from .embedding import Embedding, EmbeddingCache
from .layer import Layer
from .parameters import check_size

Array = NDArray[Any]

#: The nonlinearities f: tanh a, max(0, a), 1 / (1 + e^−a), a, and a clamped to 0..1.
ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity", "saturated_linear")


class RNNCache(NamedTuple):
    """What BPTT needs of the forward pass: x (T, B, I), h0 (B, H) or None for zero, h (T, B, H)."""

    x: Array
    h0: Array | None
    h: Array


class TokensCache(NamedTuple):
    """What BPTT needs of `forward_tokens`: ids (T, B), x (T, B, I) or None where it was never there, h0, h."""

    ids: Array
    x: Array | None
    h0: Array | None
    h: Array


class RNN(Layer):
    """h_t = f(a_t), a_t = b + W h_{t−1} + U x_t: the same U, W and b at every step.

    Goodfellow, Bengio and Courville, *Deep Learning*, equations 10.8 and 10.9 (Elman 1990). The network without
    outputs; with a `Linear` on top of h it is the hidden-to-hidden network.

    Parameters: U (H, I), W (H, H), b (H). U and b begin uniform on ±1/√H, W as `recurrent` says.

    Args:
        input_size: I.
        hidden_size: H.
        activation: f, one of `ACTIVATIONS`.
        recurrent: how W begins: "uniform" (±1/√H), "xavier", "orthogonal", "identity" (with "relu" the IRNN of Le,
            Jaitly and Hinton 2015), "normal" (standard deviation 1/√H).
        recurrent_scale: times that.
        seed: of the first weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: for sizes that are no positive whole numbers, an unknown activation or initialiser.
        MemoryError: if the weights do not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        recurrent: str = "uniform",
        recurrent_scale: float = 1.0,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        I = self.input_size = check_size("RNN", "input_size", input_size)
        H = self.hidden_size = check_size("RNN", "hidden_size", hidden_size)
        if activation not in ACTIVATIONS:
            raise ValueError(f"RNN: activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.activation = activation
        super().__init__({"U": (H, I), "W": (H, H), "b": (H,)}, dtype)
        bound = H**-0.5
        self.initialise("U", "uniform", bound, seed)
        self.initialise(
            "W", recurrent, recurrent_scale * (bound if recurrent in ("uniform", "normal") else 1.0), seed
        )
        self.initialise("b", "uniform", bound, seed)

    def forward(self, x: ArrayLike, h0: ArrayLike | None = None) -> tuple[Array, RNNCache]:
        """All states of a batch of sequences, from the first step to the last.

        Args:
            x: (T, B, I).
            h0: the state before the first step (B, H); zero by default.

        Returns:
            (h (T, B, H), cache). The last state is h[-1].

        Raises:
            ShapeError: if x or h0 has another shape.
            DTypeError: if it holds no real numbers.
            MemoryError: if h does not fit.
        """
        p = self.parameters
        x = np.asarray(x)
        h0 = None if h0 is None else np.asarray(h0)
        h = _rnnrs.rnn_forward(x, h0, p["U"], p["W"], p["b"], self.activation)
        return h, RNNCache(x, h0, h)

    def backward(self, cache: RNNCache, dh: ArrayLike, need_dx: bool = True) -> tuple[Array | None, Array]:
        """Back-propagation through time: exact, in O(T).

        For t = T … 1: dh_t + Wᵀ da_{t+1} is what L feels of h_t, da_t that times f′(a_t). Then, over all steps,
        dU += Σ da_t x_tᵀ, dW += Σ da_t h_{t−1}ᵀ, db += Σ da_t, and dx_t = Uᵀ da_t.

        Args:
            cache: from `forward`.
            dh: (T, B, H), what the layers above say of h: zero at steps without a loss.
            need_dx: whether dx is wanted.

        Returns:
            (dx (T, B, I) or None, dh0 (B, H)): the gradients of forward's two inputs.

        Raises:
            ShapeError: if dh has not the shape of h.
        """
        da, dh0 = self.bptt(cache, dh)
        g = self.gradients
        x, h0, h = cache
        dx = _rnnrs.rnn_gradients(da, x, h0, h, self.parameters["U"], g["U"], g["W"], g["b"], need_dx)
        return dx, dh0

    def forward_tokens(
        self, embedding: Embedding, ids: ArrayLike, h0: ArrayLike | None = None
    ) -> tuple[Array, TokensCache]:
        """`forward` of x = E[ids], with the same bits, for less where the vocabulary is smaller than the batch.

        b + U E[id] is the same wherever a token stands: with V < T·B, the V rows of P = b + U E are computed once and
        a_t = P[id_t] + W h_{t−1}.

        Args:
            embedding: whose table E (V, I) is read.
            ids: (T, B).
            h0: the state before the first step (B, H); zero by default.

        Returns:
            (h (T, B, H), cache).

        Raises:
            IndexError: for an id outside the table.
            ShapeError, DTypeError: for arrays that do not fit.
        """
        ids = np.asarray(ids)
        if ids.ndim != 2 or embedding.vocabulary_size >= ids.size:
            x, _ = embedding.forward(ids)
            h, rnn_cache = self.forward(x, h0)
            return h, TokensCache(ids, rnn_cache.x, rnn_cache.h0, h)
        p = self.parameters
        table = _rnnrs.linear_forward(embedding.parameters["E"], p["U"], p["b"])
        h0 = None if h0 is None else np.asarray(h0)
        h = _rnnrs.rnn_forward_rows(ids, table, h0, p["W"], self.activation)
        return h, TokensCache(ids, None, h0, h)

    def backward_tokens(self, embedding: Embedding, cache: TokensCache, dh: ArrayLike) -> Array:
        """BPTT through `forward_tokens`: adds dU, dW, db, and dE to the embedding's gradient.

        With the table P, dP[id_t] += da_t, and then dU = dPᵀ E, db = Σ dP and dE += dP U.

        Args:
            embedding: the one of the way forward.
            cache: from `forward_tokens`.
            dh: (T, B, H).

        Returns:
            dh0 (B, H).

        Raises:
            ShapeError: if dh has not the shape of h.
        """
        ids, x, h0, h = cache
        if x is not None:
            dx, dh0 = self.backward(RNNCache(x, h0, h), dh)
            assert dx is not None  # wanted by default
            embedding.backward(EmbeddingCache(ids), dx)
            return dh0
        E, p, g = embedding.parameters["E"], self.parameters, self.gradients
        da, dh0 = _rnnrs.rnn_backward(np.asarray(dh), h, p["W"], self.activation)
        _rnnrs.rnn_recurrent_gradient(da, h0, h, g["W"])
        dP = np.zeros((len(E), self.hidden_size), self.dtype)
        _rnnrs.embedding_backward(ids, da, dP)
        dE = _rnnrs.linear_backward(E, p["U"], dP, g["U"], g["b"], True)
        assert dE is not None  # asked for
        embedding.gradients.touch("E", np.unique(ids))[...] += dE
        return dh0

    def bptt(self, cache: RNNCache, dh: ArrayLike) -> tuple[Array, Array]:
        """The way back through time alone: (da (T, B, H), dh0 (B, H)); no gradient is added to.

        Raises:
            ShapeError: if dh has not the shape of h.
        """
        return _rnnrs.rnn_backward(np.asarray(dh), cache.h, self.parameters["W"], self.activation)
