"""Attention from one sequence to another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _rnnrs
from ..checks import as_array, check_size
from ..errors import DTypeError, ShapeError
from ..shown import short_repr
from ..types import Array
from .layer import Layer
from .order import check_lengths

#: The ways to compare a query with a state.
ATTENTIONS = ("dot", "general", "additive")


class AttentionCache(NamedTuple):
    """The forward-pass values that `Attention.backward` needs."""

    h: Array  #: the queries, before projection
    memory: Array
    q: Array  #: the queries as compared
    keys: Array
    alpha: Array  #: (B, T, S), the weight of each step of the memory in each context
    lengths: NDArray[np.int64] | None
    memory_lengths: NDArray[np.int64] | None

    def __repr__(self) -> str:
        return short_repr(self)


class Attention(Layer):
    """Attention: at every step of one sequence, a weighted mean of another sequence's states.

    context_t = Σ_s α_ts m_s, α_t = softmax_s(e_ts), with the scores e_ts = h_t · m_s ("dot"); m_s · W h_t
    ("general"; Luong, Pham and Manning 2015, equation 8); or v · tanh(W h_t + U m_s + b) ("additive";
    Bahdanau, Cho and Bengio 2015, appendix A.1.2).

    All steps are computed at once: W and U are one product over all rows each, a sequence's scores are one
    product.

    Parameters: none for "dot"; W (K, Q), uniform on ±1/√Q, for "general"; W (A, Q), U (A, K), v (A), uniform
    on ±1/√Q, ±1/√K and ±1/√A, and b (A), zero, for "additive".

    Args:
        query_size: Q, the size of h_t.
        memory_size: K, the size of m_s; equal to Q for "dot".
        kind: one of `ATTENTIONS`.
        attention_size: A, for "additive" only; Q by default.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        query_size, memory_size, attention_size: Q, K, A.

    Raises:
        ValueError, TypeError: if the kind is unknown, sizes do not match or are not positive whole numbers.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        kind: str = "general",
        *,
        attention_size: int | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if kind not in ATTENTIONS:
            raise ValueError(f"Attention: kind: expected one of {', '.join(ATTENTIONS)}, got {kind!r}")
        Q = self.query_size = check_size("Attention", "query_size", query_size)
        K = self.memory_size = check_size("Attention", "memory_size", memory_size)
        if kind == "dot" and Q != K:
            raise ValueError(f"Attention: memory_size: expected query_size {Q} for 'dot', got {K}")
        if kind != "additive" and attention_size is not None:
            raise ValueError(f"Attention: attention_size: expected None for {kind!r}, got {attention_size}")
        self.kind = kind
        A = Q if attention_size is None else check_size("Attention", "attention_size", attention_size)
        self.attention_size = A if kind == "additive" else K
        shapes: dict[str, dict[str, tuple[int, ...]]] = {
            "dot": {},
            "general": {"W": (K, Q)},
            "additive": {"W": (A, Q), "U": (A, K), "b": (A,), "v": (A,)},
        }
        super().__init__(shapes[kind], dtype)
        for name, width in (("W", Q), ("U", K), ("v", A)):
            if name in self.parameters:
                self.initialize(name, "uniform", width**-0.5, seed)

    def forward(
        self,
        h: ArrayLike,
        memory: ArrayLike,
        memory_lengths: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
    ) -> tuple[Array, AttentionCache]:
        """Computes the contexts (T, B, K); `cache.alpha` (B, T, S) holds the weights α.

        Args:
            h: the queries (T, B, Q).
            memory: the states to attend to (S, B, K).
            memory_lengths: (B,), the number of steps of each memory; S by default. Without steps, the context
                is 0.
            lengths: (B,), the number of steps of each sequence of queries; T by default. Later contexts are
                0.

        Raises:
            ShapeError, DTypeError, ValueError: if an array has the wrong shape or dtype, or a length is out
                of range.
        """
        h, memory = (
            _states("h", h, "T", "Q", self.query_size),
            _states("memory", memory, "S", "K", self.memory_size),
        )
        if h.shape[1] != memory.shape[1]:
            raise ShapeError(
                f"Attention: memory: expected (S, B={h.shape[1]}, K={self.memory_size}), got {memory.shape}"
            )
        given = None if lengths is None else check_lengths("Attention", lengths, *h.shape[:2])
        sources = (
            None if memory_lengths is None else check_lengths("Attention", memory_lengths, *memory.shape[:2])
        )
        q, keys = self.queries(h), self.keys(memory)
        context, alpha = _rnnrs.attention_forward(q, keys, memory, self._v(), given, sources)
        return context, AttentionCache(h, memory, q, keys, alpha, given, sources)

    def backward(
        self, cache: AttentionCache, dcontext: ArrayLike, dalpha: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Computes (dh (T, B, Q), dmemory (S, B, K)); adds to the gradients of the parameters.

        dα_ts = dcontext_t · m_s plus α's own upstream gradient; de_ts = α_ts (dα_ts − Σ_s α_ts dα_ts); then
        through the scores.

        Args:
            cache: from `forward`.
            dcontext: (T, B, K).
            dalpha: (B, T, S), an upstream gradient of α itself; None for zero.

        Raises:
            ShapeError, DTypeError: if dcontext or dalpha does not have the shape of the context or of α.
        """
        upstream = None if dalpha is None else as_array("Attention.backward", "dalpha", dalpha)
        dv = self.gradients["v"] if self.kind == "additive" else None
        dq, dkeys, dmemory = _rnnrs.attention_backward(
            cache.q,
            cache.keys,
            cache.memory,
            self._v(),
            cache.lengths,
            cache.memory_lengths,
            cache.alpha,
            as_array("Attention.backward", "dcontext", dcontext),
            upstream,
            dv,
        )
        if self.kind == "additive":
            dkeys = self._through("U", cache.memory, dkeys, np.zeros(self.attention_size, self.dtype))
        dmemory += dkeys
        if self.kind == "dot":
            return dq, dmemory
        db = self.gradients["b"] if self.kind == "additive" else np.zeros(self.attention_size, self.dtype)
        return self._through("W", cache.h, dq, db), dmemory

    def queries(self, h: Array) -> Array:
        """Returns the queries as compared, for h (…, Q): h, or W h + b."""
        query = self.query_weights()
        return h if query is None else _rnnrs.linear_forward(h, *query)

    def keys(self, memory: Array) -> Array:
        """Returns the keys that queries are compared with: the memory (…, K), or U m."""
        if self.kind != "additive":
            return memory
        return _rnnrs.linear_forward(memory, self.parameters["U"], np.zeros(self.attention_size, self.dtype))

    def query_weights(self) -> tuple[Array, Array] | None:
        """Returns W and b of the queries' projection; None without one."""
        if self.kind == "dot":
            return None
        p = self.parameters
        return p["W"], p["b"] if self.kind == "additive" else np.zeros(self.attention_size, self.dtype)

    def _v(self) -> Array | None:
        """Returns v for "additive", else None."""
        return self.parameters["v"] if self.kind == "additive" else None

    def _through(self, name: str, x: Array, do: Array, dc: Array) -> Array:
        """Returns dx of a projection of x; adds to the gradients."""
        dx = _rnnrs.linear_backward(x, self.parameters[name], do, self.gradients[name], dc, True)
        assert dx is not None  # need_dx is True
        return dx


def _states(argument: str, values: ArrayLike, steps: str, letter: str, size: int) -> Array:
    """Returns values as an array (steps, B, size) of float32 or float64."""
    array = as_array("Attention", argument, values)
    if array.ndim != 3 or array.shape[2] != size:
        raise ShapeError(f"Attention: {argument}: expected ({steps}, B, {letter}={size}), got {array.shape}")
    if array.dtype not in (np.float32, np.float64):
        raise DTypeError(f"Attention: {argument}: expected float32 or float64, got {array.dtype}")
    return array
