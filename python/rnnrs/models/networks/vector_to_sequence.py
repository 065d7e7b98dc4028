"""From a vector to a sequence: a network with the same vector as an input of every step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..._rnnrs import Stepper, sample
from ...checks import IGNORE, as_array, as_ids, check_size
from ...data import Batch
from ...decoding import Sampling, check_stopped
from ...errors import ShapeError
from ...losses import Loss
from ...nn import Embedding, Linear, Recurrent, Stack, join
from ...nn.embedding import EmbeddingCache
from ...nn.guarded import adding, adding_with_gradients, reading
from ...nn.layer import Layer
from ...nn.linear import LinearCache
from ...shown import short_repr
from ...types import Array
from ..base.scoring import ScoredByLoss, counted, weight_of


class VectorCache(NamedTuple):
    """The caches of the layers, for `VectorToSequence.backward`."""

    embedding: EmbeddingCache | None
    rnn: Any
    output: LinearCache

    def __repr__(self) -> str:
        return short_repr(self)


class VectorToSequence(ScoredByLoss):
    """a_t = b + W h_{t−1} + U [E[y_{t−1}]; v], o_t = c + V h_t: the vector v is an input of every step.

    Goodfellow, Bengio and Courville, *Deep Learning*, section 10.2.4, figure 10.9; the last C columns of U
    are R there. Without an embedding, v is the only input: a_t = b + W h_{t−1} + U v. For `rnnrs.Trainer`.

    Args:
        rnn: the recurrence, not bidirectional; its input size is the embedding's size, if there is one, plus
            C.
        output: the output layer, with H inputs.
        loss: a class of `rnnrs.losses`, or any function (o, y) -> (L, do).
        embedding: embedding of the tokens y. Every step then reads the previous token; in training, the
            previous target.
        begin_id: the token before the first one.

    Attributes:
        vector_size: C.
        parameters, gradients: of all layers, one flat vector each.

    Raises:
        ValueError: if the layers' sizes do not match.

    Example:
        >>> from rnnrs import Trainer, losses, nn, optim
        >>> words = np.array([[1, 2, 3, 0], [3, 3, 1, 0]])
        >>> network = VectorToSequence(
        ...     nn.GRU(6, 16), nn.Linear(16, 4), losses.SoftmaxCrossEntropy(), embedding=nn.Embedding(4, 4)
        ... )
        >>> batch = Batch(np.eye(2), words.T)
        >>> history = Trainer(network, optim.Adam(0.02)).fit([batch], max_steps=200)
        >>> network.generate([1.0, 0.0], end_id=0, temperature=0)
        [1, 2, 3]
    """

    __repr__ = short_repr

    def __init__(
        self,
        rnn: Recurrent | Stack,
        output: Linear,
        loss: Loss,
        *,
        embedding: Embedding | None = None,
        begin_id: int = 0,
    ) -> None:
        op = "VectorToSequence"
        fed = 0 if embedding is None else embedding.embedding_size
        if output.input_size != rnn.hidden_size:
            raise ValueError(
                f"{op}: output: expected an input size of {rnn.hidden_size} (H), got {output.input_size}"
            )
        if rnn.input_size <= fed:
            raise ValueError(
                f"{op}: rnn: expected an input size above {fed}, the embedding's, got {rnn.input_size}"
            )
        if embedding is not None and embedding.vocabulary_size != output.output_size:
            raise ValueError(
                f"{op}: embedding: expected {output.output_size} tokens, as many as outputs, "
                f"got {embedding.vocabulary_size}"
            )
        self.rnn, self.output, self.loss_function, self.embedding = rnn, output, loss, embedding
        self.begin_id = check_size(op, "begin_id", begin_id, least=0)
        if embedding is not None and begin_id >= embedding.vocabulary_size:
            raise ValueError(
                f"{op}: begin_id: expected one of {embedding.vocabulary_size} tokens, got {begin_id}"
            )
        self.vector_size = rnn.input_size - fed
        layers = {"embedding": embedding, "rnn": rnn, "output": output}
        self.parameters, self.gradients = join(
            **{name: layer for name, layer in layers.items() if isinstance(layer, Layer)}
        )

    @property
    def stochastic(self) -> bool:
        """Whether `loss` accepts noise, i.e. whether there is dropout."""
        return self.rnn.stochastic or (self.embedding is not None and self.embedding.stochastic)

    @reading
    def forward(
        self, vectors: ArrayLike, steps: int, tokens: ArrayLike | None = None, **options: Any
    ) -> tuple[Array, VectorCache]:
        """Returns o (T, B, O) and the cache.

        Args:
            vectors: v (B, C).
            steps: T.
            tokens: with an embedding, y (T, B), −1 at steps without a token; without an embedding, None.
            options: options of the recurrent layer's `forward`: `lengths`, `noise`, ….

        Raises:
            ShapeError, DTypeError, IndexError: for invalid arrays.
            ValueError: for tokens without an embedding, or an embedding without tokens.
        """
        op = f"{type(self).__name__}.forward"
        v = as_array(op, "vectors", vectors)
        if v.ndim != 2 or v.shape[1] != self.vector_size:
            raise ShapeError(f"{op}: vectors: expected (B, C={self.vector_size}), got {v.shape}")
        if (tokens is None) != (self.embedding is None):
            expected = "tokens" if self.embedding is not None else "none"
            raise ValueError(f"{op}: tokens: expected {expected}, got {'none' if tokens is None else 'some'}")
        x = np.empty((steps, len(v), self.rnn.input_size), self.parameters.dtype)
        x[..., -self.vector_size :] = v
        cache_e = None
        if self.embedding is not None:
            before = self._before(op, as_ids(op, "tokens", tokens), (steps, len(v)))
            fed, cache_e = self.embedding.forward(before, options.get("noise"))
            x[..., : -self.vector_size] = fed
        h, cache_r = self.rnn.forward(x, None, **options)
        o, cache_o = self.output.forward(h)
        return o, VectorCache(cache_e, cache_r, cache_o)

    @adding
    def backward(self, cache: VectorCache, do: ArrayLike) -> Array:
        """Backpropagates do (T, B, O) through time, adds to all layers' gradients, and returns dv (B, C).

        Raises:
            ShapeError: if do does not have the shape of o.
        """
        dh = self.output.backward(cache.output, do)
        dx, _ = self.rnn.backward(cache.rnn, dh)
        assert dx is not None
        if self.embedding is not None and cache.embedding is not None:
            self.embedding.backward(cache.embedding, np.ascontiguousarray(dx[..., : -self.vector_size]))
        dv: Array = dx[..., -self.vector_size :].sum(axis=0)
        return dv

    @property
    def _learns_below(self) -> bool:
        """Whether a layer below the output layer is not frozen."""
        layers = (self.rnn, self.embedding)
        return any(layer is not None and layer.parameters.are_trained for layer in layers)

    def divisible(self, batch: Batch) -> Batch:
        """Returns a batch with vectors of the network's dtype: whole numbers would be taken for ids."""
        vectors = as_array("Batch", "inputs", batch[0]).astype(self.parameters.dtype, copy=False)
        return Batch(*batch)._replace(inputs=vectors)

    @adding_with_gradients
    def loss(
        self, batch: Batch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """Returns (L of a batch, None), and adds to the gradients.

        Args:
            batch: inputs v (B, C); targets ids (T, B), −1 at positions that are not scored, or other targets
                of the loss. What counts is as in `RecurrentNetwork.loss`.
            state: no effect; every sequence starts from the initial state.
            gradient: whether to compute gradients.
            noise: seed of dropout; None: no dropout.

        Raises:
            ShapeError, DTypeError, IndexError: for an invalid batch.
        """
        batch = Batch(*batch).without_padding()
        targets = as_ids("Batch", "targets", batch.targets)
        tokens = None if self.embedding is None else targets
        options = batch.options | {"gradient": gradient, "noise": noise}
        o, cache = self.forward(batch.inputs, len(targets), tokens, **options)
        if not weight_of(self.loss_function, batch):
            return 0.0, None
        loss: Any = self.loss_function  # may accept weights
        targets, weights = counted(self.loss_function, batch)
        L, do = loss(o, targets, **weights)
        if gradient and self._learns_below:
            self.backward(cache, do)
        elif gradient:
            self.output.backward(cache.output, do, need_dx=False)
        return float(L), None

    @reading
    def generate(
        self,
        vector: ArrayLike,
        length: int = 100,
        *,
        end_id: int | None = None,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
    ) -> list[int]:
        """Generates the tokens of a sequence, without `end_id`.

        Args:
            vector: v (C,).
            length: the maximum number of tokens.
            end_id: the token that ends a sequence; None: only the length ends it.
            temperature, top_k, top_p, seed: see `LanguageModel.generate`.

        Raises:
            ValueError: for a network without an embedding, or a setting outside its range.
            ShapeError: if v is not (C,).
        """
        op = f"{type(self).__name__}.generate"
        how = Sampling(length, temperature, top_k, top_p, seed, op=op)
        if self.embedding is None:
            raise ValueError(f"{op}: embedding: expected an embedding, got None")
        v = as_array("VectorToSequence.generate", "vector", vector).astype(self.parameters.dtype)
        if v.shape != (self.vector_size,):
            raise ShapeError(f"{op}: vector: expected (C={self.vector_size},), got {v.shape}")
        E = self.embedding.parameters["E"]
        inputs = np.concatenate(
            [E, np.broadcast_to(v, (len(E), len(v)))], axis=1
        )  # [E[y]; v] of every token y
        p = self.output.parameters
        stepper = Stepper(inputs, self.rnn.engine_weights(), p["V"], p["c"])
        draw, token, tokens = np.random.default_rng(how.seed), self.begin_id, []
        for _ in range(how.length):
            check_stopped()
            token = sample(stepper.step(token), how.temperature, how.top_k, how.top_p, draw.random())
            if token == end_id:
                break
            tokens.append(token)
        return tokens

    def _before(self, op: str, tokens: Array, shape: tuple[int, int]) -> Array:
        """Returns the token before each step's: `begin_id` for the first step, and after a −1."""
        if tokens.shape != shape:
            raise ShapeError(f"{op}: tokens: expected (T, B) = {shape}, got {tokens.shape}")
        before = np.full_like(tokens, self.begin_id)
        before[1:] = tokens[:-1]
        return np.where(before == IGNORE, self.begin_id, before)
