"""The unfolded network: every quantity of the equations, at every step, forward and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _rnnrs
from ..errors import ShapeError
from .rnn import RNN

if TYPE_CHECKING:
    from ..data import Batch
    from ..models.network import RecurrentNetwork

Array = NDArray[Any]


@dataclass(frozen=True)
class Unfolded:
    """One pass through time, laid open. First axis: the step t; second: the sequence.

    The pass is the one that the training takes: h, o, da, dh0 are what the engine computed; the rest follows from
    them by the equation beside it. Every `…_steps` array adds up over its first axis to the gradient.
    """

    x: Array  #: (T, B, I), the inputs; with an embedding, E[ids]
    h0: Array  #: (B, H), the state before the first step
    a: Array  #: (T, B, H), a_t = b + W h_{t−1} + U x_t
    h: Array  #: (T, B, H), h_t = f(a_t)
    o: Array  #: (T, B, O), o_t = c + V h_t
    y_hat: Array  #: (T, B, O), ŷ_t = softmax(o_t)
    losses: Array  #: (T,), L_t, the step's share of L
    loss: float  #: L = Σ_t L_t
    do: Array  #: (T, B, O), ∂L/∂o_t
    dh_local: Array  #: (T, B, H), Vᵀ do_t: what the step's own loss says of h_t
    dh_through_time: Array  #: (T, B, H), Wᵀ da_{t+1}: what all later losses say of h_t
    dh: Array  #: (T, B, H), their sum
    da: Array  #: (T, B, H), dh_t ⊙ f′(a_t)
    dh0: Array  #: (B, H), Wᵀ da_1
    dx: Array  #: (T, B, I), Uᵀ da_t
    dU_steps: Array  #: (T, H, I), da_t x_tᵀ, added up over the batch
    dW_steps: Array  #: (T, H, H), da_t h_{t−1}ᵀ
    db_steps: Array  #: (T, H), da_t
    dV_steps: Array  #: (T, O, H), do_t h_tᵀ
    dc_steps: Array  #: (T, O), do_t


def unfold(network: RecurrentNetwork, batch: Batch, h0: Array | None = None) -> Unfolded:
    """Unfolds a network over a batch and goes back through time, keeping everything.

    Memory grows with T·(H·I + H² + O·H): meant for looking, not for training. The network's gradients stay as they
    are.

    Args:
        network: the network.
        batch: (inputs, targets).
        h0: (B, H); zero by default.

    Raises:
        ShapeError, DTypeError, IndexError: for a batch that does not fit; ShapeError without any step.
        MemoryError: if all that does not fit.
    """
    rnn, output = network.rnn, network.output
    if not isinstance(rnn, RNN):
        raise TypeError(f"unfold: network: expected one with an RNN, got {type(rnn).__name__}")
    o, cache = network.forward(batch.inputs, h0)
    x, h = np.asarray(cache.rnn.x, rnn.dtype), cache.rnn.h
    if len(h) == 0:
        raise ShapeError("unfold: batch: expected at least one step, got T=0")
    start = np.zeros_like(h[0]) if h0 is None else np.asarray(h0, rnn.dtype)
    L, do = network.loss_function(o, batch.targets)

    h_before = np.concatenate([start[None], h[:-1]])
    p, q = rnn.parameters, output.parameters
    dh_local = do @ q["V"]
    da, dh0 = rnn.bptt(cache.rnn, dh_local)
    da_after = np.concatenate([da[1:], np.zeros_like(da[:1])])
    dh_through_time = da_after @ p["W"]
    return Unfolded(
        x=x,
        h0=start,
        a=p["b"] + h_before @ p["W"].T + x @ p["U"].T,
        h=h,
        o=o,
        y_hat=np.exp(_rnnrs.log_softmax(o)),
        losses=_losses_by_step(network, o, batch.targets, float(L)),
        loss=float(L),
        do=do,
        dh_local=dh_local,
        dh_through_time=dh_through_time,
        dh=dh_local + dh_through_time,
        da=da,
        dh0=dh0,
        dx=da @ p["U"],
        dU_steps=np.einsum("tbh,tbi->thi", da, x),
        dW_steps=np.einsum("tbh,tbk->thk", da, h_before),
        db_steps=da.sum(axis=1),
        dV_steps=np.einsum("tbo,tbh->toh", do, h),
        dc_steps=do.sum(axis=1),
    )


def _losses_by_step(network: RecurrentNetwork, o: Array, targets: Any, total: float) -> Array:
    """L_t for every t: the step's share of L = Σ_t L_t.

    The library's losses give each position's loss; of a loss of the user's own, step t is asked alone, and the
    shares are scaled to add up to L (a mean over all steps is not the sum of the means over each).
    """
    loss = network.loss_function
    evaluate = getattr(loss, "evaluate", None)
    if evaluate is not None:
        weighted = (
            _position_weights(loss, np.asarray(targets), o) * evaluate(o, targets, gradient=False).positions
        )
        by_step = weighted.sum(axis=1).astype(np.float64)
    else:
        by_step = np.array([float(loss(o[t : t + 1], targets[t : t + 1])[0]) for t in range(len(o))])
    whole = float(by_step.sum())
    shares: Array = by_step * (total / whole) if whole != 0 else by_step
    return shares


def _position_weights(loss: Any, y: Array, o: Array) -> Array:
    """The weights of the positions (T, B) that the loss itself applies."""
    class_weights = getattr(loss, "class_weights", None)
    if class_weights is None:
        return np.ones(o.shape[:2])
    weights: Array = class_weights[np.clip(y, 0, o.shape[-1] - 1)]
    return weights
