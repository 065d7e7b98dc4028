"""The unfolded network: every quantity of the equations, at every step, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from .. import _rnnrs
from ..checks import as_array
from ..data import Batch
from ..errors import ShapeError
from ..losses import SoftmaxCrossEntropy
from ..nn.guarded import reading_first
from ..nn.recurrent import Recurrent
from ..nn.recurrent_cache import RecurrentCache
from ..nn.stack import Stack
from ..shown import short_repr
from ..types import Array
from .unfolded import UnfoldedGRU, UnfoldedLSTM, UnfoldedRNN, unfold_layer


class Unfoldable(Protocol):
    """A network for `unfold`, such as `models.RecurrentNetwork` and `models.LanguageModel`.

    If it has a `loss_function`, this is its loss; otherwise the loss is the mean cross-entropy.
    """

    @property
    def rnn(self) -> Any:
        """The recurrence: an RNN, LSTM, GRU, or a `Stack` of these."""
        ...

    @property
    def output(self) -> Any:
        """The output layer, with V and c."""
        ...

    @property
    def embedding(self) -> Any:
        """The embedding of token ids; None if the inputs are numbers."""
        ...


@dataclass(frozen=True, eq=False)
class Unfolded:
    """One pass through time, with every quantity. First axis: the step t; second: the sequence.

    It is the same pass as in training. `layers` holds the quantities of the recurrence, the lowest layer
    first. A single layer's quantities are also attributes here: `u.h`, `u.da`, `u.dW_steps`, an LSTM's `u.f`,
    …. The exception is an LSTM's output gate, since `u.o` and `u.do` are the network's outputs and their
    gradient.
    """

    layers: tuple[UnfoldedRNN | UnfoldedLSTM | UnfoldedGRU, ...]  #: see these classes
    o: Array  #: (T, B, O), o_t = c + V h_t
    losses: Array  #: (T,), L_t, the step's share of L
    loss: float  #: L = Σ_t L_t
    do: Array  #: (T, B, O), ∂L/∂o_t
    output_input: Array  #: (T, B, H), the input of the output layer: h of the highest layer

    __repr__ = short_repr

    @cached_property
    def y_hat(self) -> Array:
        """(T, B, O), ŷ_t = softmax(o_t)"""
        return np.exp(_rnnrs.log_softmax(self.o))

    @cached_property
    def dV_steps(self) -> Array:
        """(T, O, H), do_t h_tᵀ, summed over the batch"""
        return np.asarray(np.einsum("tbo,tbh->toh", self.do, self.output_input))

    @cached_property
    def dc_steps(self) -> Array:
        """(T, O), do_t, summed over the batch"""
        return np.asarray(self.do.sum(axis=1))

    def __getattr__(self, name: str) -> Any:
        """Returns the single layer's quantity of that name."""
        layers = self.__dict__.get("layers", ())
        if name.startswith("_") or not layers:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if len(layers) > 1:
            raise AttributeError(f"Unfolded: {name}: with {len(layers)} layers, expected layers[i].{name}")
        return getattr(layers[0], name)

    def __dir__(self) -> list[str]:
        only = dir(self.layers[0]) if len(self.layers) == 1 else []
        return sorted({*super().__dir__(), *only})


@reading_first
def unfold(network: Unfoldable, batch: Batch, h0: Array | None = None) -> Unfolded:
    """Unfolds a network over a batch, back-propagates through time, and keeps every quantity.

    Memory grows with T·B·(I + H + O), and with T·(H·I + H² + O·H) once the gradients' shares (`dW_steps`, …)
    are read: this is for inspection, not for training. The network's gradients are unchanged.

    Args:
        network: a network with an RNN, LSTM, GRU, or a `Stack` of these. A language model's loss is the mean
            cross-entropy.
        batch: (inputs, targets).
        h0: (B, S), the state before the first step; zero (or the learned one) by default.

    Raises:
        TypeError: if the network has another form, such as a bidirectional layer.
        ValueError: if a layer has layer normalization or zoneout, whose steps have other equations.
        ShapeError, DTypeError, IndexError: if the batch does not fit; ShapeError also if there are no steps.
        MemoryError: if the quantities do not fit in memory.
    """
    rnn, output, loss = _parts(network)
    inputs, targets = batch.inputs, batch.targets
    x = (
        as_array("unfold", "inputs", inputs)
        if network.embedding is None
        else network.embedding.forward(inputs)[0]
    )
    if x.ndim and len(x) == 0:
        raise ShapeError("unfold: batch: expected at least one step, got T=0")
    h, cache = rnn.forward(x, h0)
    o, _ = output.forward(h)
    L, do = loss(o, targets)
    return Unfolded(
        layers=_unfold_layers(rnn, cache, do @ output.parameters["V"]),
        o=o,
        losses=_losses_by_step(loss, o, targets, float(L)),
        loss=float(L),
        do=do,
        output_input=h,
    )


def _parts(network: Any) -> tuple[Any, Any, Any]:
    """Returns recurrence, output layer and loss."""
    rnn, output = getattr(network, "rnn", None), getattr(network, "output", None)
    layers = rnn.layers if isinstance(rnn, Stack) else (rnn,)
    wrong = [type(layer).__name__ for layer in layers if not isinstance(layer, Recurrent)]
    if wrong or output is None or not hasattr(network, "embedding"):
        raise TypeError(
            "unfold: network: expected one with RNN, LSTM, GRU or a Stack of these (`rnn`), `output` and "
            f"`embedding`, got {type(network).__name__}"
            + (f" with {wrong[0]}" if rnn is not None and wrong else "")
        )
    if any(layer.layer_norm or any(layer.zoneout) for layer in layers if isinstance(layer, Recurrent)):
        raise ValueError(
            "unfold: network: expected layers without layer_norm and zoneout, got some with them"
        )
    return rnn, output, getattr(network, "loss_function", None) or SoftmaxCrossEntropy()


def _unfold_layers(
    rnn: Recurrent | Stack, cache: Any, dh: Array
) -> tuple[UnfoldedRNN | UnfoldedLSTM | UnfoldedGRU, ...]:
    """Unfolds the layers from the highest down, each with dh from the one above; the lowest is first."""
    if isinstance(rnn, Recurrent):
        assert isinstance(cache, RecurrentCache)
        return (unfold_layer(rnn, cache, dh),)
    unfolded: list[UnfoldedRNN | UnfoldedLSTM | UnfoldedGRU] = []
    for place in reversed(range(len(rnn.layers))):
        layer = rnn.layers[place]
        assert isinstance(layer, Recurrent)  # checked by `_parts`
        here = unfold_layer(layer, cache.layers[place], dh)
        adds = rnn.residual and place > 0 and layer.input_size == layer.hidden_size
        dh = here.dx + dh if adds else here.dx
        unfolded.insert(0, here)
    return tuple(unfolded)


def _losses_by_step(loss: Any, o: Array, targets: Any, total: float) -> Array:
    """Returns L_t for every t: the step's share of L = Σ_t L_t.

    The library's losses return each position's loss. A user's own loss is evaluated for each step alone, and
    the shares are scaled to add up to L (a mean over all steps is not the sum of the steps' means).
    """
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
    """Returns the weights (T, B) that the loss itself applies to the positions."""
    class_weights = getattr(loss, "class_weights", None)
    if class_weights is None:
        return np.ones(o.shape[:2])
    weights: Array = class_weights[np.clip(y, 0, o.shape[-1] - 1)]
    return weights
