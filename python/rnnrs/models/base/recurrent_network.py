"""A recurrent network for any task: recurrence, output layer, and a loss over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...checks import as_array
from ...data import Batch
from ...losses import Loss
from ...nn import AttentionPooling, Bidirectional, Dropout, Embedding, Linear, Pooling, Recurrent, Stack, join
from ...nn.embedding import EmbeddingCache
from ...nn.guarded import adding, adding_with_gradients, reading
from ...nn.layer import Layer
from ...nn.linear import LinearCache
from ...nn.noise import DropoutCache
from ...nn.stack import learn
from ...shown import short_repr
from ...types import Array
from .scoring import ScoredByLoss, counted, weight_of

#: The options of recurrent layers that models have, too.
RECURRENT = (
    "layers",
    "bidirectional",
    "dropout",
    "activation",
    "recurrent_initializer",
    "recurrent_dropout",
    "zoneout",
    "weight_drop",
    "layer_norm",
)


class NetworkCache(NamedTuple):
    """The caches of the layers, for `RecurrentNetwork.backward`."""

    embedding: EmbeddingCache | None
    rnn: Any
    pooling: Any  #: None without pooling
    dropout: DropoutCache
    output: LinearCache

    def __repr__(self) -> str:
        return short_repr(self)


class RecurrentNetwork(ScoredByLoss):
    """h_t = f(b + W h_{t−1} + U x_t), o_t = c + V h_t, L = Σ_t L_t(o_t, y_t).

    Goodfellow, Bengio and Courville, *Deep Learning*, equations 10.8–10.11. With an embedding, inputs are
    token ids.

    Args:
        rnn: the recurrence: a layer, a stack, or a bidirectional layer.
        output: the output layer, with H inputs.
        loss: a class of `rnnrs.losses`, or any function (o, y) -> (L, do). For values (T, B, O) of sequences
            of different lengths, it must also accept `weights`.
        embedding: token ids → x (I); None if the inputs are x (T, B, I) themselves.
        pooling: reduces a sequence's states to one vector, so that o (B, O) is one output per sequence
            (figure 10.5); without it, o has one output per step.
        output_dropout: dropout rate of the output layer's input.

    Attributes:
        parameters, gradients: of all layers, one flat vector each, named "rnn.U", …, "output.c".

    Raises:
        ValueError: if the layers' sizes or dtypes do not match.

    Example:
        >>> import numpy as np
        >>> from rnnrs import losses, nn
        >>> from rnnrs.data import Batch
        >>> network = RecurrentNetwork(nn.RNN(3, 8), nn.Linear(8, 2), losses.SquaredError())
        >>> o, cache = network.forward(np.zeros((5, 4, 3)))
        >>> o.shape
        (5, 4, 2)
        >>> L, state = network.loss(Batch(np.zeros((5, 4, 3)), np.zeros((5, 4, 2))))
        >>> state.shape
        (4, 8)
    """

    __repr__ = short_repr

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
        """Whether `loss` accepts noise, i.e. whether there is dropout."""
        embedded = self.embedding is not None and self.embedding.stochastic
        return embedded or self.rnn.stochastic or bool(self.output_dropout.rate)

    @reading
    def forward(
        self, inputs: ArrayLike, state: ArrayLike | None = None, **options: Any
    ) -> tuple[Array, NetworkCache]:
        """Returns o (T, B, O), or with pooling o (B, O), and the cache.

        Args:
            inputs: x (T, B, I); with an embedding, ids (T, B).
            state: the initial state (B, S); zero by default.
            options: options of the recurrent layer's `forward`: `lengths`, `resets`, `noise`, ….

        Raises:
            ShapeError, DTypeError, IndexError: for invalid inputs or an invalid state.
        """
        x, cache_e = as_array(type(self).__name__, "inputs", inputs), None
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

    @adding
    def backward(self, cache: NetworkCache, do: ArrayLike) -> tuple[Array | None, Array]:
        """Backpropagates do, of o's shape, through time, and adds to the gradients of all layers.

        Returns:
            (dx (T, B, I), or None with an embedding; ∂L/∂(initial state) (B, S)).

        Raises:
            ShapeError: if do does not have the shape of o.
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

    def _learn(self, cache: NetworkCache, do: Array) -> None:
        """Adds the gradients, as `backward` does; computes nothing that only frozen parameters need."""
        embedded = self.embedding is not None and self.embedding.parameters.are_trained
        below = embedded or self.rnn.parameters.are_trained
        pooled = isinstance(self.pooling, Layer) and self.pooling.parameters.are_trained
        dh = self.output.backward(cache.output, do, need_dx=below or pooled)
        if dh is None:
            return
        dh = self.output_dropout.backward(cache.dropout, dh)
        if self.pooling is not None:
            dh = self.pooling.backward(cache.pooling, dh)
        if not embedded:
            learn(self.rnn, None, cache.rnn, dh)
            return
        dx, _ = self.rnn.backward(cache.rnn, dh)
        assert self.embedding is not None and cache.embedding is not None and dx is not None
        self.embedding.backward(cache.embedding, dx)

    @adding_with_gradients
    def loss(
        self, batch: Batch, state: Array | None = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, Array | None]:
        """Returns L of a batch and the state (B, S) after it, and adds to the gradients.

        Args:
            batch: inputs, and targets as the loss expects them. Steps behind a sequence's end do not count:
                    ids are −1 there (0 with the weight 0, if the loss ignores no id); for values (T, B, O),
                    the loss receives weights (T, B): 1 up to the end, 0 after it. A batch in which nothing
                    counts has L = 0.
            state: the initial state (B, S), carried over from the previous batch; zero by default.
            gradient: whether to compute gradients.
            noise: seed of dropout; None: no dropout.

        Raises:
            ShapeError, DTypeError, IndexError: for an invalid batch.
        """
        batch = Batch(*batch).without_padding()
        if batch.warm:
            before = batch.cut(0, batch.warm)
            _, cache = self.forward(before.inputs, state, gradient=False, noise=noise, **before.options)
            batch, state = batch.cut(batch.warm, None), cache.rnn.state
        o, cache = self.forward(batch.inputs, state, gradient=gradient, noise=noise, **batch.options)
        L = 0.0
        if weight_of(self.loss_function, batch):
            loss: Any = self.loss_function  # may accept weights
            each = batch if self.pooling is None else batch._replace(lengths=None)  # one target: no padding
            targets, weights = counted(self.loss_function, each)
            L, do = loss(o, targets, **weights)
            if gradient and self.parameters.frozen:
                self._learn(cache, do)
            elif gradient:
                self.backward(cache, do)
        if batch.carry is None or batch.carry == len(batch.inputs):
            return float(L), cache.rnn.state
        if batch.carry > 0:
            return float(L), self.rnn.state_after(cache.rnn, batch.carry)
        return float(L), state

    def batch_weight(self, batch: Batch) -> float:
        """Returns the weight of a batch: the number of scored positions, or the sum of their weights.

        With pooling, values (B, O) are those of B sequences, even if O = B = T.
        """
        values = np.ndim(batch[1]) == 2 and self.pooling is not None
        return float(len(batch[1])) if values else super().batch_weight(batch)


def recurrent_options(sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of a model's sizes that are options of its recurrent layers (`build_recurrent`)."""
    return {name: sizes[name] for name in RECURRENT if name in sizes}
