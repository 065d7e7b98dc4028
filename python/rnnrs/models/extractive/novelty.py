"""What a sentence says beside what was kept before it, sentence by sentence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ... import _rnnrs
from ...checks import as_array, check_size
from ...nn.layer import Layer
from ...shown import short_repr
from ...types import Array
from ..base.sums import sigmoid


class NoveltyCache(NamedTuple):
    """The forward-pass values that `Novelty.backward` needs."""

    h: Array
    asked: Array  #: W_rᵀ h_j (N, B, H)
    a: Array  #: tanh(s_j) (N, B, H)
    p: Array  #: P_j (N, B)

    def __repr__(self) -> str:
        return short_repr(self)


class Novelty(Layer):
    """r_j = −h_jᵀ W tanh(s_j), with s_j = Σ_{i<j} P_i h_i and P_i = σ(o_i + r_i): N sentences of B documents.

    Each P_i depends on those before it (Nallapati, Zhai and Zhou 2017, equation 6), in training as well: the
    gradient flows through all of them. This is the only loop over sentences; its steps are small, since the
    product with W is one for all.

    Parameters: W (H, H), uniform on ±1/H.

    Args:
        hidden_size: H.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: if the size is not a positive whole number.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(self, hidden_size: int, *, seed: int = 0, dtype: DTypeLike = np.float32) -> None:
        H = self.hidden_size = check_size("Novelty", "hidden_size", hidden_size)
        super().__init__({"W": (H, H)}, dtype)
        self.initialize("W", "uniform", 1 / H, seed)

    def forward(self, h: ArrayLike, o: ArrayLike) -> tuple[Array, NoveltyCache]:
        """Computes r (N, B).

        Args:
            h: (N, B, H), 0 after the end of a document.
            o: (N, B), the other parts of the scores.

        Raises:
            ShapeError, DTypeError: if an array has the wrong shape or dtype.
        """
        h, o = as_array("Novelty.forward", "h", h), as_array("Novelty.forward", "o", o)
        W = np.ascontiguousarray(self.parameters["W"].T)
        asked = _rnnrs.linear_forward(h, W, np.zeros(self.hidden_size, self.dtype))
        a, p, r = np.zeros_like(h), np.zeros_like(o), np.zeros_like(o)
        s = np.zeros(h.shape[1:], h.dtype)
        for j in range(len(h)):
            np.tanh(s, out=a[j])
            r[j] = -(asked[j] * a[j]).sum(axis=1)
            p[j] = sigmoid(o[j] + r[j])
            s += p[j, :, None] * h[j]
        return r, NoveltyCache(h, asked, a, p)

    def backward(self, cache: NoveltyCache, dscore: ArrayLike) -> tuple[Array, Array]:
        """Adds to dW.

        Args:
            cache: from `forward`.
            dscore: ∂L/∂(o + r) (N, B), without what goes through later sentences.

        Returns:
            dh (N, B, H) and do (N, B), with what goes through later sentences.

        Raises:
            ShapeError, DTypeError: if `dscore` does not have the shape of o.
        """
        h, asked, a, p = cache.h, cache.asked, cache.a, cache.p
        do = as_array("Novelty.backward", "dscore", dscore).astype(h.dtype)
        dh, ds = np.zeros_like(h), np.zeros(h.shape[1:], h.dtype)
        for j in reversed(range(len(h))):
            np.multiply(p[j, :, None], ds, out=dh[j])
            do[j] += (ds * h[j]).sum(axis=1) * p[j] * (1 - p[j])
            ds -= do[j, :, None] * asked[j] * (1 - a[j] * a[j])
        W, dW = np.ascontiguousarray(self.parameters["W"].T), np.zeros_like(self.parameters["W"])
        nothing = np.zeros(self.hidden_size, self.dtype)
        dx = _rnnrs.linear_backward(h, W, -do[..., None] * a, dW, nothing, True)
        assert dx is not None  # it was asked for
        self.gradients["W"][...] += dW.T
        return dh + dx, do
