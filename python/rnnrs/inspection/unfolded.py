"""One recurrent layer's pass through time: each cell's quantities at every step, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..errors import ShapeError
from ..nn.gru import GRU
from ..nn.lstm import LSTM
from ..nn.recurrent import Recurrent
from ..nn.recurrent_cache import RecurrentCache
from ..nn.rnn import RNN
from ..shown import short_repr
from ..types import Array


def _block(of: str, k: int, what: str) -> Any:
    """Returns a property: the k-th block of H numbers of an array (T, B, blocks·H)."""

    def part(self: UnfoldedLayer) -> Array:
        H = self.layer.hidden_size
        whole: Array = getattr(self, of)
        return whole[..., k * H : (k + 1) * H]

    return property(part, doc=f"(T, B, H), {what}")


@dataclass(frozen=True, eq=False)
class UnfoldedLayer:
    """The quantities of every cell. First axis: the step t; second: the sequence.

    h, da, dx, dh0 and the gates are the engine's results; the rest follows from them by the equation beside
    it. The sum of every `…_steps` array over its first axis is the gradient. These arrays are large, and are
    computed when first read.
    """

    layer: Recurrent
    cache: RecurrentCache  #: of the forward pass
    x: Array  #: (T, B, I), the inputs
    h0: Array  #: (B, H), h before the first step
    h: Array  #: (T, B, H)
    dh_local: Array  #: (T, B, H), ∂L/∂h_t through the step's own loss (or the layer above)
    dh_through_time: Array  #: (T, B, H), ∂L/∂h_t through all later steps
    dh: Array  #: (T, B, H), ∂L/∂h_t, their sum
    da: Array  #: (T, B, sums·H), ∂L/∂a_t
    dh0: Array  #: (B, H), ∂L/∂h_0
    dx: Array  #: (T, B, I), Uᵀ da_t

    #: Blocks of da that belong to U and b, and those that belong to W; all of them by default.
    _input_blocks: ClassVar[list[int] | None] = None
    _recurrent_blocks: ClassVar[list[int] | None] = None

    __repr__ = short_repr

    @property
    def h_before(self) -> Array:
        """(T, B, H), h_{t−1}"""
        return np.concatenate([self.h0[None], self.h[:-1]])

    @cached_property
    def a(self) -> Array:
        """(T, B, sums·H), a_t = b + W h_{t−1} + U x_t"""
        p = self.layer.parameters
        a: Array = p["b"] + self.h_before @ p["W"].T + self.x @ p["U"].T
        return a

    @property
    def da_input(self) -> Array:
        """(T, B, rows of U), the part of da that belongs to U and b"""
        return self._blocks(self._input_blocks)

    @property
    def da_recurrent(self) -> Array:
        """(T, B, rows of W), the part of da that belongs to W"""
        return self._blocks(self._recurrent_blocks)

    @cached_property
    def dU_steps(self) -> Array:
        """(T, rows of U, I), da_t x_tᵀ, summed over the batch"""
        return np.asarray(np.einsum("tba,tbi->tai", self.da_input, self.x))

    @cached_property
    def dW_steps(self) -> Array:
        """(T, rows of W, H), da_t h_{t−1}ᵀ, summed over the batch"""
        return np.asarray(np.einsum("tba,tbh->tah", self.da_recurrent, self.h_before))

    @cached_property
    def db_steps(self) -> Array:
        """(T, rows of U), da_t, summed over the batch"""
        return np.asarray(self.da_input.sum(axis=1))

    def _blocks(self, which: list[int] | None) -> Array:
        if which is None:
            return self.da
        parts = np.split(self.da, self.da.shape[-1] // self.layer.hidden_size, axis=-1)
        return np.concatenate([parts[k] for k in which], axis=-1)


@dataclass(frozen=True, eq=False)
class UnfoldedRNN(UnfoldedLayer):
    """h_t = f(a_t); da_t = dh_t ⊙ f′(a_t), dh_through_time_t = Wᵀ da_{t+1}; see `UnfoldedLayer`."""


@dataclass(frozen=True, eq=False)
class UnfoldedLSTM(UnfoldedLayer):
    """c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = o ⊙ tanh(c_t); a and da in the order i, f, g, o.

    c_t affects L through h_t and through c_{t+1}: dc_t = dh_t ⊙ o_t ⊙ (1 − tanh²(c_t)) + dc_{t+1} ⊙ f_{t+1}.
    Here `do` is the gradient of the output gate.
    """

    c0: Array  #: (B, H), c before the first step
    c: Array  #: (T, B, H)
    tanh_c: Array  #: (T, B, H), tanh(c_t)
    dc_through_time: Array  #: (T, B, H), dc_{t+1} ⊙ f_{t+1}: ∂L/∂c_t through later steps, not through h_t
    dc: Array  #: (T, B, H), ∂L/∂c_t
    dc0: Array  #: (B, H), ∂L/∂c_0
    gates: Array  #: (T, B, 4H), i, f, g, o

    __repr__ = short_repr

    i = _block("gates", 0, "the input gate, σ(a_i)")
    f = _block("gates", 1, "the forget gate, σ(a_f)")
    g = _block("gates", 2, "the candidate, tanh(a_g)")
    o = _block("gates", 3, "the output gate, σ(a_o)")
    a_i = _block("a", 0, "the input gate's sum")
    a_f = _block("a", 1, "the forget gate's sum")
    a_g = _block("a", 2, "g's sum")
    a_o = _block("a", 3, "the output gate's sum")
    da_i = _block("da", 0, "di ⊙ i ⊙ (1 − i)")
    da_f = _block("da", 1, "df ⊙ f ⊙ (1 − f)")
    da_g = _block("da", 2, "dg ⊙ (1 − g²)")
    da_o = _block("da", 3, "do ⊙ o ⊙ (1 − o)")

    @property
    def c_before(self) -> Array:
        """(T, B, H), c_{t−1}"""
        return np.concatenate([self.c0[None], self.c[:-1]])

    @property
    def di(self) -> Array:
        """(T, B, H), dc_t ⊙ g_t"""
        return np.asarray(self.dc * self.g)

    @property
    def df(self) -> Array:
        """(T, B, H), dc_t ⊙ c_{t−1}"""
        return self.dc * self.c_before

    @property
    def dg(self) -> Array:
        """(T, B, H), dc_t ⊙ i_t"""
        return np.asarray(self.dc * self.i)

    @property
    def do(self) -> Array:
        """(T, B, H), dh_t ⊙ tanh(c_t): the gradient of the output gate"""
        return self.dh * self.tanh_c

    @property
    def dtanh_c(self) -> Array:
        """(T, B, H), dh_t ⊙ o_t"""
        return np.asarray(self.dh * self.o)


@dataclass(frozen=True, eq=False)
class UnfoldedGRU(UnfoldedLayer):
    """n_t = tanh(a_x + r_t ⊙ a_h), h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}.

    The sums a and da have four blocks: r, z, n's part from W h (a_h = b_h + W_n h_{t−1}) and n's part from U
    x (a_x = b_n + U_n x_t). dh_through_time_t = dh_{t+1} ⊙ z_{t+1} + Wᵀ (da_r, da_z, da_h)_{t+1}.
    """

    gates: Array  #: (T, B, 4H), r, z, a_h, n

    _input_blocks: ClassVar[list[int] | None] = [0, 1, 3]
    _recurrent_blocks: ClassVar[list[int] | None] = [0, 1, 2]

    __repr__ = short_repr

    r = _block("gates", 0, "the reset gate, σ(a_r)")
    z = _block("gates", 1, "the update gate, σ(a_z)")
    n = _block("gates", 3, "the candidate, tanh(a_x + r ⊙ a_h)")
    h_tilde = _block("gates", 3, "h̃, the candidate: another name for n")
    a_r = _block("a", 0, "the reset gate's sum")
    a_z = _block("a", 1, "the update gate's sum")
    a_h = _block("gates", 2, "b_h + W_n h_{t−1}")
    a_x = _block("a", 3, "b_n + U_n x_t")
    da_r = _block("da", 0, "dr ⊙ r ⊙ (1 − r)")
    da_z = _block("da", 1, "dz ⊙ z ⊙ (1 − z)")
    da_h = _block("da", 2, "da_x ⊙ r")
    da_x = _block("da", 3, "dn ⊙ (1 − n²)")

    @cached_property
    def a(self) -> Array:
        """(T, B, 4H), the sums: a_r, a_z, a_h, a_x"""
        p, H = self.layer.parameters, self.layer.hidden_size
        fed = p["b"] + self.x @ p["U"].T
        before = self.h_before @ p["W"].T
        gates = fed[..., : 2 * H] + before[..., : 2 * H]
        return np.concatenate([gates, p["b_h"] + before[..., 2 * H :], fed[..., 2 * H :]], axis=-1)

    @cached_property
    def db_h_steps(self) -> Array:
        """(T, H), da_h, summed over the batch: the shares of b_h's gradient"""
        return np.asarray(self.da_h.sum(axis=1))

    @property
    def dr(self) -> Array:
        """(T, B, H), da_x ⊙ a_h"""
        return np.asarray(self.da_x * self.a_h)

    @property
    def dz(self) -> Array:
        """(T, B, H), dh_t ⊙ (h_{t−1} − n_t)"""
        return np.asarray(self.dh * (self.h_before - self.n))

    @property
    def dn(self) -> Array:
        """(T, B, H), dh_t ⊙ (1 − z_t)"""
        return np.asarray(self.dh * (1 - self.z))


def unfold_layer(
    layer: Recurrent, cache: RecurrentCache, dh: ArrayLike | None, dstate: ArrayLike | None = None
) -> UnfoldedRNN | UnfoldedLSTM | UnfoldedGRU:
    """Back-propagates through time in one layer and keeps every quantity; its gradients are unchanged.

    Args:
        layer: an RNN, LSTM or GRU.
        cache: from its `forward`, without lengths, resets or `reverse`.
        dh: (T, B, H), the upstream gradient of h; None for zero.
        dstate: (B, S), the upstream gradient of the state after the last step; None for zero.

    Returns:
        The layer's `UnfoldedRNN`, `UnfoldedLSTM` or `UnfoldedGRU`.

    Raises:
        TypeError: if the layer is of another kind.
        ValueError: if the cache is from `forward_tokens`, or from a pass with lengths, resets or `reverse`,
            or lacks the gates.
        ShapeError: if dh or dstate has the wrong shape, or there are no steps.
        MemoryError: if the quantities do not fit in memory.
    """
    if not isinstance(layer, (RNN, LSTM, GRU)):
        raise TypeError(f"unfold: layer: expected an RNN, LSTM or GRU, got {type(layer).__name__}")
    check_plain("unfold", cache)
    if cache.x is None:
        raise ValueError("unfold: cache: expected one from forward, got one from forward_tokens")
    if len(cache.h) == 0:
        raise ShapeError("unfold: batch: expected at least one step, got T=0")
    local = np.zeros_like(cache.h) if dh is None else np.asarray(dh, layer.dtype)
    da, dfirst = layer.bptt(cache, local, dstate)
    H, start = layer.hidden_size, first_state(layer, cache)
    last = np.zeros_like(start) if dstate is None else np.asarray(dstate, layer.dtype)
    shared: dict[str, Any] = {
        "layer": layer,
        "cache": cache,
        "x": np.asarray(cache.x, layer.dtype),
        "h0": start[:, :H],
        "h": cache.h,
        "dh_local": local,
        "da": da,
        "dh0": dfirst[:, :H],
        "dx": _input_gradient(layer, cache, da),
    }
    if isinstance(layer, GRU):
        through = _through_gru(layer, cache, local, da, last)
    else:
        after: Array = da[1:] @ layer.parameters["W"]
        through = np.concatenate([after, last[None, :, :H]])
    shared |= {"dh_through_time": through, "dh": local + through}
    if isinstance(layer, GRU):
        return UnfoldedGRU(**(shared | {"gates": cache.kept}))
    if isinstance(layer, LSTM):
        return UnfoldedLSTM(**(shared | _memory(cache, local + through, start, last, dfirst)))
    return UnfoldedRNN(**shared)


def check_plain(op: str, cache: RecurrentCache) -> None:
    """Rejects the cache of a pass in which not all sequences run from the first step to the last.

    Raises:
        ValueError: for such a cache.
    """
    if cache.order is not None:
        raise ValueError(
            f"{op}: cache: expected one of whole sequences, got one with lengths, resets or reverse=True"
        )


def first_state(layer: Recurrent, cache: RecurrentCache) -> Array:
    """Returns the state before the first step (B, S) of a pass over whole sequences."""
    if cache.first is None:
        return np.zeros((cache.h.shape[1], layer.state_size), layer.dtype)
    return np.asarray(cache.first, layer.dtype)


def _input_gradient(layer: Recurrent, cache: RecurrentCache, da: Array) -> Array:
    """Returns the engine's dx; the parameter gradients computed with it are discarded."""
    [(cell, U, _, b, _)] = layer.engine_weights()
    x = np.asarray(cache.x)
    dx = _rnnrs.recurrent_input_gradients(cell, da, x, U, np.zeros_like(U), np.zeros_like(b), True)
    assert dx is not None  # need_dx is True
    return dx


def _memory(cache: RecurrentCache, dh: Array, start: Array, last: Array, dfirst: Array) -> dict[str, Array]:
    """Returns an LSTM's own quantities: c, the gates, and ∂L/∂c_t from the last step to the first."""
    assert cache.c is not None and cache.kept is not None  # BPTT needed them
    H = dh.shape[-1]
    tanh_c = np.tanh(cache.c)
    f, o = cache.kept[..., H : 2 * H], cache.kept[..., 3 * H :]
    dc, through = dh * o * (1 - tanh_c * tanh_c), np.empty_like(dh)
    later = last[:, H:]
    for t in reversed(range(len(dh))):
        through[t] = later
        dc[t] += later
        later = dc[t] * f[t]
    return {
        "c0": start[:, H:],
        "c": cache.c,
        "tanh_c": tanh_c,
        "dc_through_time": through,
        "dc": dc,
        "dc0": dfirst[:, H:],
        "gates": cache.kept,
    }


def _through_gru(layer: GRU, cache: RecurrentCache, local: Array, da: Array, last: Array) -> Array:
    """Returns dh_{t+1} ⊙ z_{t+1} + Wᵀ da_{t+1} for every t."""
    assert cache.kept is not None  # BPTT needed them
    H, W = layer.hidden_size, layer.parameters["W"]
    z, by_weights = cache.kept[..., H : 2 * H], da[..., : 3 * H] @ W
    through, later = np.empty_like(local), last
    for t in reversed(range(len(local))):
        through[t] = later
        later = (local[t] + later) * z[t] + by_weights[t]
    return through
