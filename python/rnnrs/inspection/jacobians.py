"""The dependence of a state on earlier ones: exact Jacobians of a cell's steps, and their products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import ShapeError
from ..nn import GRU, LSTM, RNN, Recurrent
from ..nn.recurrent_cache import RecurrentCache
from ..shown import short_repr
from ..types import Array
from .unfolded import UnfoldedLayer, check_plain, first_state

Seen = RecurrentCache | UnfoldedLayer

#: f′ as a function of h = f(a), by the name of f.
_SLOPES: dict[str, Callable[[Array], Array]] = {
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).astype(h.dtype),
    "sigmoid": lambda h: h * (1 - h),
    "identity": np.ones_like,
    "saturated_linear": lambda h: ((h > 0) & (h < 1)).astype(h.dtype),
}


@dataclass(frozen=True, eq=False)
class Linearized:
    """A layer's steps as linear maps of the previous state, around one pass, in float64.

    A state has m parts of H numbers: h, and in an LSTM also c. With the k blocks of W that are applied to
    h_{t−1},

    ∂(part p)_t/∂h_{t−1} = Σ_k diag(gates[t, b, p, k]) W_k + diag(direct[t, b, p, 0]),

    ∂(part p)_t/∂(part q)_{t−1} = diag(direct[t, b, p, q]) for q > 0.
    """

    W: Array  #: (k, H, H)
    gates: Array  #: (T, B, m, k, H)
    direct: Array  #: (T, B, m, m, H)

    __repr__ = short_repr

    @property
    def steps(self) -> int:
        """T, the number of steps."""
        return len(self.gates)

    def step(self, t: int) -> Array:
        """Returns ∂s_t/∂s_{t−1} of every sequence (B, S, S): a row for each number of s_t."""
        return self._matrices(self.gates[t], self.direct[t])

    def mean(self) -> Array:
        """Returns the mean of ∂s_t/∂s_{t−1} over all steps and sequences (S, S)."""
        gates, direct = self.gates.mean(axis=(0, 1)), self.direct.mean(axis=(0, 1))
        mean: Array = self._matrices(gates[None], direct[None])[0]
        return mean

    def _matrices(self, gates: Array, direct: Array) -> Array:
        B, m, k, H = gates.shape
        J = np.zeros((B, m, H, m, H))
        for j in range(k):  # one block at a time: no array of (B, m, k, H, H)
            J[:, :, :, 0, :] += gates[:, :, j, :, None] * self.W[j]
        diagonal = np.arange(H)
        J[:, :, diagonal, :, diagonal] += np.moveaxis(direct, -1, 0)
        return J.reshape(B, m * H, m * H)


def linearize(layer: Recurrent, seen: Seen) -> Linearized:
    """Returns the exact derivative of every step of a pass.

    An LSTM's state is (h, c). With c_t = f c_{t−1} + i g and h_t = o tanh(c_t) (all products elementwise):

    ∂c/∂h = Σ over i, f, g of diag(·) W, ∂c/∂c = diag(f), ∂h = diag(tanh(c) o (1 − o)) W_o + diag(o (1 −
    tanh²(c))) ∂c.

    Args:
        layer: an RNN, LSTM or GRU.
        seen: the cache of its `forward` or `forward_tokens`, or the unfolded layer.

    Raises:
        TypeError: if the layer is of another kind.
        ValueError: if the pass had lengths, resets or `reverse`, or, for a gated cell, kept no gates.
        ShapeError: if there are no steps.
        MemoryError: if the result does not fit in memory.
    """
    if not isinstance(layer, (RNN, LSTM, GRU)):
        raise TypeError(f"linearize: layer: expected an RNN, LSTM or GRU, got {type(layer).__name__}")
    cache = seen.cache if isinstance(seen, UnfoldedLayer) else seen
    check_plain("linearize", cache)
    if len(cache.h) == 0:
        raise ShapeError("linearize: cache: expected at least one step, got T=0")
    if cache.kept is None and not isinstance(layer, RNN):
        raise ValueError(
            "linearize: cache: expected one from forward(…, gradient=True), got one without gates"
        )
    H = layer.hidden_size
    W = np.asarray(layer.parameters["W"], np.float64).reshape(-1, H, H)
    start, h = first_state(layer, cache).astype(np.float64), np.asarray(cache.h, np.float64)
    if isinstance(layer, LSTM):
        return Linearized(W, *_lstm(cache, start[:, H:]))
    if isinstance(layer, GRU):
        return Linearized(W, *_gru(cache, np.concatenate([start[None], h[:-1]])))
    slope = _SLOPES[layer.activation](h)
    return Linearized(W, slope[:, :, None, None], np.zeros_like(slope)[:, :, None, None])


def _blocks(cache: RecurrentCache) -> list[Array]:
    assert cache.kept is not None  # checked by `linearize`
    return np.split(np.asarray(cache.kept, np.float64), 4, axis=-1)


def _lstm(cache: RecurrentCache, c0: Array) -> tuple[Array, Array]:
    i, f, g, o = _blocks(cache)
    c = np.asarray(cache.c, np.float64)
    c_before, tanh_c = np.concatenate([c0[None], c[:-1]]), np.tanh(c)
    of_c = np.stack([g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g), np.zeros_like(c)], axis=2)
    through_c = o * (1 - tanh_c * tanh_c)
    of_h = of_c * through_c[:, :, None]
    of_h[:, :, 3] = tanh_c * o * (1 - o)
    none = np.zeros_like(c)
    direct = np.stack([np.stack([none, through_c * f], 2), np.stack([none, f], 2)], axis=2)
    return np.stack([of_h, of_c], axis=2), direct


def _gru(cache: RecurrentCache, h_before: Array) -> tuple[Array, Array]:
    r, z, a_h, n = _blocks(cache)
    of_n = (1 - z) * (1 - n * n)
    gates = np.stack([of_n * a_h * r * (1 - r), (h_before - n) * z * (1 - z), of_n * r], axis=2)
    return gates[:, :, None], z[:, :, None, None]


@dataclass(frozen=True, eq=False)
class JacobianNorms:
    """How strongly the state after step t depends on the state after each step s ≤ t, by sequence.

    Norms are stored as logarithms, since over many steps they leave the range of a float64.
    """

    t: int  #: the step
    log_spectral: Array  #: (t + 1, B), ln of the largest singular value of ∂s_t/∂s_s; 0 at s = t
    log_frobenius: Array  #: (t + 1, B), ln of √(Σ of the squared elements)

    __repr__ = short_repr

    @property
    def spectral(self) -> Array:
        """The largest factor by which a small change of s_s can grow until s_t (t + 1, B)."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.log_spectral))

    @property
    def frobenius(self) -> Array:
        """The Frobenius norm of ∂s_t/∂s_s (t + 1, B)."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.log_frobenius))


#: The parts of a state's Jacobian that can be measured.
PARTS = ("state", "h", "c")


def jacobian_norms(layer: Recurrent, seen: Seen, t: int | None = None, *, of: str = "state") -> JacobianNorms:
    """Returns the norms of ∂s_t/∂s_s = J_t J_{t−1} … J_{s+1}, from exact Jacobians, for every s ≤ t.

    Their decay with t − s is the vanishing gradient, their growth the exploding one (Hochreiter 1991; Bengio,
    Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013). The inputs are held fixed; in a stack, each
    layer is considered alone. The cost is O(t·B·S³).

    Args:
        layer: an RNN, LSTM or GRU.
        seen: the cache of its `forward` or `forward_tokens`, or the unfolded layer.
        t: the step, from 0; negative steps count from the end; the last step by default.
        of: "state", ∂s_t/∂s_s, in an LSTM of (h, c); "h", the block ∂h_t/∂h_s; "c", an LSTM's ∂c_t/∂c_s.

    Raises:
        TypeError, ValueError, ShapeError, MemoryError: see `linearize`.
        IndexError: if the step is not in the pass.
        ValueError: if `of` is unknown, or "c" for a cell without c.
    """
    rows = _part(layer, of)
    linear = linearize(layer, seen)
    if t is not None and not -linear.steps <= t < linear.steps:
        raise IndexError(f"jacobian_norms: t: expected {-linear.steps} to {linear.steps - 1}, got {t}")
    last = (linear.steps - 1 if t is None else t) % linear.steps
    norms = [_log_norms(P[:, rows, rows], scale) for P, scale in products(linear, last)]
    spectral, frobenius = zip(*reversed(norms), strict=True)
    return JacobianNorms(last, np.array(spectral), np.array(frobenius))


def products(linear: Linearized, t: int) -> Iterator[tuple[Array, Array]]:
    """Yields ∂s_t/∂s_s for s = t, t − 1, …, 0, each as (P (B, S, S), λ (B,)): P·e^λ.

    P is rescaled to a Frobenius norm of 1 after every product, so that it neither overflows nor underflows.
    """
    _, B, m, _, H = linear.gates.shape
    P, scale = np.broadcast_to(np.eye(m * H), (B, m * H, m * H)), np.zeros(B)
    yield P, scale
    for s in range(t, 0, -1):
        P = P @ linear.step(s)
        size = np.linalg.norm(P, axis=(1, 2))
        P = P / np.where(size > 0, size, 1.0)[:, None, None]
        scale = scale + _log(size)
        yield P, scale


def _log_norms(P: Array, scale: Array) -> tuple[Array, Array]:
    """Returns ln of the spectral and of the Frobenius norm of P·e^scale."""
    largest = np.linalg.svd(P, compute_uv=False)[:, 0]
    return _log(largest) + scale, _log(np.linalg.norm(P, axis=(1, 2))) + scale


def _log(values: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values))


def _part(layer: Recurrent, of: str) -> slice:
    """Returns the place of a part in a state."""
    H = layer.hidden_size
    known = PARTS if isinstance(layer, LSTM) else PARTS[:2]
    if of not in known:
        kind = type(layer).__name__
        raise ValueError(f"jacobian_norms: of: expected one of {', '.join(known)} for {kind}, got {of!r}")
    return {"state": slice(None), "h": slice(0, H), "c": slice(H, 2 * H)}[of]
