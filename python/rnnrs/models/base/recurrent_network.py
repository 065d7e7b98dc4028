"""The article's network: recurrence, output layer, and a loss over time, whichever the task needs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...data import Batch
from ...losses import Loss
from ...nn import AttentionPooling, Bidirectional, Dropout, Embedding, Linear, Pooling, Recurrent, Stack, join
from ...nn.embedding import EmbeddingCache
from ...nn.layer import Layer
from ...nn.linear import LinearCache
from ...nn.noise import DropoutCache
from ...types import Array


class NetworkCache(NamedTuple):
    """What `RecurrentNetwork.backward` needs of the forward pass: its layers' caches."""

    embedding: EmbeddingCache | None
    rnn: Any
    pooling: Any  #: None without pooling
    dropout: DropoutCache
    output: LinearCache


class RecurrentNetwork:
    """h_t = f(b + W h_{t−1} + U x_t), o_t = c + V h_t, L = Σ_t L_t(o_t, y_t).

    Goodfellow, Bengio and Courville, *Deep Learning*, equations 10.8–10.11. With an embedding, inputs are token ids.

    Args:
        rnn: the recurrence: a layer, a stack of them, or both directions.
        output: the output layer, of H inputs.
        loss: a class of `rnnrs.losses`, or any function (o, y) -> (L, do); for values of sequences of
            different lengths, one that takes `weights`, too.
        embedding: token ids → x, of I numbers each; None where the inputs are x (T, B, I) themselves.
        pooling: makes one vector of a sequence's states, so that o (B, O) is one output for a sequence (figure 10.5);
            without it, there is one for each step.
        output_dropout: with which probability a number is dropped on its way into the output layer.

    Attributes:
        parameters, gradients: of all layers, one flat vector each, named "rnn.U", …, "output.c".

    Raises:
        ValueError: if the layers' sizes or dtypes do not belong together.
    """

    def __init__(
        self,
        rnn: Recurrent | Stack | Bidirectional,
        output: Linear,
        loss: Loss,
        *,
        embedding: Embedding | None = None,
        pooling: Pooling | AttentionPooling | None = None,
        output_dropout: float = 0.0,
    ) -> None:
        if output.input_size != rnn.hidden_size:
            raise ValueError(
                f"RecurrentNetwork: output: expected an input size of {rnn.hidden_size} (H), got {output.input_size}"
            )
        if embedding is not None and embedding.embedding_size != rnn.input_size:
            raise ValueError(
                f"RecurrentNetwork: embedding: expected a size of {rnn.input_size} (I), got {embedding.embedding_size}"
            )
        self.rnn, self.output, self.loss_function, self.embedding = rnn, output, loss, embedding
        self.pooling, self.output_dropout = pooling, Dropout(output_dropout)
        layers = {"embedding": embedding, "rnn": rnn, "pooling": pooling, "output": output}
        self.parameters, self.gradients = join(
            **{name: layer for name, layer in layers.items() if isinstance(layer, Layer)}
        )

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout."""
        embedded = self.embedding is not None and self.embedding.stochastic
        return embedded or self.rnn.stochastic or bool(self.output_dropout.rate)

    def forward(
        self, inputs: ArrayLike, state: ArrayLike | None = None, **options: Any
    ) -> tuple[Array, NetworkCache]:
        """o (T, B, O) of x (T, B, I), or of ids (T, B) with an embedding, from a state (B, S) or zero.

        With pooling, o (B, O).

        Args:
            inputs, state: see there.
            options: of the recurrent layer's forward: `lengths`, `resets`, `noise`, ….

        Raises:
            ShapeError, DTypeError, IndexError: for inputs that do not fit.
        """
        x, cache_e = np.asarray(inputs), None
        cache_p: Any = None
        noise = options.get("noise")
        if self.embedding is not None:
            x, cache_e = self.embedding.forward(inputs, noise)
        h, cache_r = self.rnn.forward(x, state, **options)
        if self.pooling is not None:
            h, cache_p = self.pooling.forward(h, options.get("lengths"))
        h, cache_d = self.output_dropout.forward(h, noise, options.get("keys"))
        o, cache_o = self.output.forward(h)
        return o, NetworkCache(cache_e, cache_r, cache_p, cache_d, cache_o)

    def backward(self, cache: NetworkCache, do: ArrayLike) -> tuple[Array | None, Array]:
        """BPTT from do, of o's shape: adds to all gradients.

        Returns:
            (dx (T, B, I), or None with an embedding; that of the first state (B, S)).

        Raises:
            ShapeError: if do has not the shape of o.
        """
        dh = self.output.backward(cache.output, do)
        assert dh is not None
        dh = self.output_dropout.backward(cache.dropout, dh)
        if self.pooling is not None:
            dh = self.pooling.backward(cache.pooling, dh)
        dx, dstate = self.rnn.backward(cache.rnn, dh)
        if self.embedding is None or cache.embedding is None:
            return dx, dstate
        assert dx is not None
        self.embedding.backward(cache.embedding, dx)
        return None, dstate

    def loss(
        self, batch: Batch, state: Array | None = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, Array | None]:
        """L of a batch, and the state (B, S) to go on from; adds to the gradients where they are wanted.

        Args:
            batch: inputs, targets as the loss takes them, and what else there is. Where values (T, B, O) have lengths,
                the loss is told by weights (T, B) of 0 and 1 which of them count.
            state: (B, S), carried over from the batch before; by default the initial one.
            gradient: whether to go back through time.
            noise: from which dropout is drawn; None for none.

        Raises:
            ShapeError, DTypeError, IndexError: for a batch that does not fit.
        """
        batch = Batch(*batch)
        if batch.warm:
            before = batch.cut(0, batch.warm)
            _, cache = self.forward(before.inputs, state, gradient=False, noise=noise, **before.options)
            batch, state = batch.cut(batch.warm, None), cache.rnn.state
        o, cache = self.forward(batch.inputs, state, gradient=gradient, noise=noise, **batch.options)
        loss: Any = self.loss_function  # may be asked for weights, too
        L, do = loss(o, batch.targets, **_weights(batch))
        if gradient:
            self.backward(cache, do)
        if batch.carry is None or batch.carry == len(batch.inputs):
            return float(L), cache.rnn.state
        if batch.carry > 0:
            return float(L), self.rnn.state_after(cache.rnn, batch.carry)
        return float(L), state


def _weights(batch: Batch) -> dict[str, Array]:
    """Weights that keep the steps after the sequences' ends from being scored; ids are −1 there."""
    targets = np.asarray(batch.targets)
    if batch.lengths is None or targets.ndim != 3:
        return {}
    inside = np.arange(len(targets))[:, None] < np.asarray(batch.lengths)
    return {"weights": inside.astype(targets.dtype if targets.dtype.kind == "f" else np.float64)}
