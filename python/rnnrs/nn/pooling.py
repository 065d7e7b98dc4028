"""Pooling over time: a sequence's last state, or its states' mean, maximum or attention-weighted mean."""

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

#: The ways to reduce a sequence's states to one vector.
POOLINGS = ("last", "mean", "max", "attention")


class PoolingCache(NamedTuple):
    """The forward-pass values that `Pooling.backward` needs."""

    shape: tuple[int, int, int]
    lengths: NDArray[np.int64] | None
    h: Array | None  #: for a mean
    kept: Array  #: the weights (T, B) for a mean; else the step of each unit's last or maximum value (B, H)

    def __repr__(self) -> str:
        return short_repr(self)


class Pooling:
    """y (B, H) for h (T, B, H): a sequence's last state, its states' mean, or each unit's maximum.

    A sequence ends with its length: later states are not read and get no gradient. For a sequence without
    steps, y = 0. There are no parameters.

    Args:
        kind: "last" (Goodfellow et al., figure 10.5), "mean" or "max".
        back_size: the number of units, at the end of h, that belong to a backward layer (`Bidirectional` with
            "concat"); its last state is at the first step.

    Raises:
        ValueError: if the kind is unknown, or the size is negative.
    """

    __repr__ = short_repr

    def __init__(self, kind: str = "last", *, back_size: int = 0) -> None:
        kinds = POOLINGS[:3]
        if kind not in kinds:
            raise ValueError(f"Pooling: kind: expected one of {', '.join(kinds)}, got {kind!r}")
        self.kind = kind
        self.back_size = check_size("Pooling", "back_size", back_size, least=0)

    def forward(self, h: ArrayLike, lengths: ArrayLike | None = None) -> tuple[Array, PoolingCache]:
        """Computes y (B, H).

        Args:
            h: (T, B, H), float32 or float64.
            lengths: (B,), the number of steps of each sequence; T by default.

        Raises:
            ShapeError, DTypeError, ValueError: if an array has the wrong shape or dtype, or a length is out
                of range.
        """
        h, length = _states("Pooling", h, lengths)
        shape = h.shape
        if self.kind == "mean":
            y, alpha = _rnnrs.pool_weighted(h, None, length)
            return y, PoolingCache(shape, length, h, alpha)
        if self.kind == "max":
            y, at = _rnnrs.pool_largest(h, length)
            return y, PoolingCache(shape, length, None, at)
        if self.back_size > shape[2]:
            raise ShapeError(f"Pooling: h: expected at least back_size={self.back_size} units, got {shape}")
        at = self._ends(shape, length)
        y = (
            np.take_along_axis(h, np.maximum(at, 0)[None], axis=0)[0]
            if shape[0]
            else np.zeros(shape[1:], h.dtype)
        )
        y[at < 0] = 0.0
        return y, PoolingCache(shape, length, None, at)

    def backward(self, cache: PoolingCache, dy: ArrayLike) -> Array:
        """Computes dh (T, B, H) from dy (B, H).

        Raises:
            ShapeError, DTypeError: if dy does not have the shape of y.
        """
        dy = as_array("Pooling.backward", "dy", dy)
        if cache.h is not None:
            return _rnnrs.pool_weighted_backward(cache.h, cache.kept, dy, cache.lengths, False)[0]
        return _rnnrs.pool_largest_backward(cache.kept, dy, cache.shape[0], cache.lengths)

    def _ends(self, shape: tuple[int, int, int], length: Array | None) -> Array:
        """Returns the last step of each unit of each sequence (B, H); −1 for a sequence without steps."""
        T, B, H = shape
        last = np.full(B, T) - 1 if length is None else length - 1
        at = np.repeat(last[:, None], H, axis=1)
        ahead = H - self.back_size
        at[:, ahead:] = np.minimum(at[:, ahead:], 0)
        return at


class AttentionPoolingCache(NamedTuple):
    """The forward-pass values that `AttentionPooling.backward` needs."""

    h: Array
    u: Array
    alpha: Array  #: (T, B), the weight of each step in y
    lengths: NDArray[np.int64] | None

    def __repr__(self) -> str:
        return short_repr(self)


class AttentionPooling(Layer):
    """y = Σ_t α_t h_t, α = softmax_t(q · u_t), u_t = tanh(a + A h_t): a mean weighted by relevance.

    Yang et al. 2016, *Hierarchical attention networks for document classification*, equations 5 to 7.

    Parameters: A (K, H), uniform on ±1/√H; a (K), zero; q (K), uniform on ±1/√K.

    Args:
        hidden_size: H.
        attention_size: K; H by default.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: if a size is not a positive whole number.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(
        self,
        hidden_size: int,
        attention_size: int | None = None,
        *,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        H = self.hidden_size = check_size("AttentionPooling", "hidden_size", hidden_size)
        K = H if attention_size is None else check_size("AttentionPooling", "attention_size", attention_size)
        self.attention_size = K
        super().__init__({"A": (K, H), "a": (K,), "q": (K,)}, dtype)
        self.initialize("A", "uniform", H**-0.5, seed)
        self.initialize("q", "uniform", K**-0.5, seed)

    def forward(self, h: ArrayLike, lengths: ArrayLike | None = None) -> tuple[Array, AttentionPoolingCache]:
        """Computes y (B, H); `cache.alpha` (T, B) holds the weights α.

        Args:
            h: (T, B, H).
            lengths: (B,), the number of steps of each sequence; T by default. Without steps, y = 0.

        Raises:
            ShapeError, DTypeError, ValueError: if an array has the wrong shape or dtype, or a length is out
                of range.
        """
        h, length = _states("AttentionPooling", h, lengths)
        p = self.parameters
        u = _rnnrs.linear_forward(h, p["A"], p["a"])
        np.tanh(u, out=u)
        e = _rnnrs.linear_forward(u, p["q"][None], np.zeros(1, self.dtype))[..., 0]
        y, alpha = _rnnrs.pool_weighted(h, e, length)
        return y, AttentionPoolingCache(h, u, alpha, length)

    def backward(self, cache: AttentionPoolingCache, dy: ArrayLike) -> Array:
        """Computes dh (T, B, H) from dy (B, H); adds to dA, da, dq.

        dh_t = α_t dy + Aᵀ da_t, with de_t = α_t (dα_t − Σ_s α_s dα_s), dα_t = dy · h_t, da_t = de_t q ⊙ (1 −
        u_t²).

        Raises:
            ShapeError, DTypeError: if dy does not have the shape of y.
        """
        p, g = self.parameters, self.gradients
        dh, de = _rnnrs.pool_weighted_backward(
            cache.h, cache.alpha, as_array("AttentionPooling.backward", "dy", dy), cache.lengths, True
        )
        assert de is not None  # need_de is True
        nothing = np.zeros(1, self.dtype)
        du = _rnnrs.linear_backward(cache.u, p["q"][None], de[..., None], g["q"][None], nothing, True)
        assert du is not None
        du *= 1.0 - cache.u * cache.u
        dx = _rnnrs.linear_backward(cache.h, p["A"], du, g["A"], g["a"], True)
        assert dx is not None
        dh += dx
        return dh


def _states(op: str, h: ArrayLike, lengths: ArrayLike | None) -> tuple[Array, NDArray[np.int64] | None]:
    """Returns h as an array (T, B, H) of float32 or float64, and the checked lengths."""
    h = as_array(op, "h", h)
    if h.ndim != 3:
        raise ShapeError(f"{op}: h: expected (T, B, H), got {h.shape}")
    if h.dtype not in (np.float32, np.float64):
        raise DTypeError(f"{op}: h: expected float32 or float64, got {h.dtype}")
    return h, None if lengths is None else check_lengths(op, lengths, *h.shape[:2])
