"""From one vector to a whole sequence: a network that is told at every step what the sequence is to be about."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..._rnnrs import Stepper, sample
from ...checks import IGNORE, check_size
from ...data import Batch
from ...decoding import Sampling
from ...errors import ShapeError
from ...losses import Loss
from ...nn import Embedding, Linear, Recurrent, Stack, join
from ...nn.embedding import EmbeddingCache
from ...nn.layer import Layer
from ...nn.linear import LinearCache
from ...types import Array


class VectorCache(NamedTuple):
    """What `VectorToSequence.backward` needs of the forward pass: its layers' caches."""

    embedding: EmbeddingCache | None
    rnn: Any
    output: LinearCache


class VectorToSequence:
    """a_t = b + W h_{t−1} + U [E[y_{t−1}]; v], o_t = c + V h_t: the vector v is an input of every step.

    Goodfellow, Bengio and Courville, *Deep Learning*, section 10.2.4, figure 10.9; U's last C columns are its R.
    Without an embedding nothing but v goes in: a_t = b + W h_{t−1} + U v. For `rnnrs.Trainer`.

    Args:
        rnn: the recurrence, which reads forwards; of I = C inputs, or of the embedding's size and C.
        output: the output layer, of H inputs.
        loss: a class of `rnnrs.losses`, or any function (o, y) -> (L, do).
        embedding: of the tokens y; then every step is told the token before it, which in training is the target.
        begin_id: the token before the first one.

    Attributes:
        vector_size: C.
        parameters, gradients: of all layers, one flat vector each.

    Raises:
        ValueError: if the layers' sizes do not belong together.
    """

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
        """Whether `loss` takes noise: whether there is dropout."""
        return self.rnn.stochastic or (self.embedding is not None and self.embedding.stochastic)

    def forward(
        self, vectors: ArrayLike, steps: int, tokens: ArrayLike | None = None, **options: Any
    ) -> tuple[Array, VectorCache]:
        """o (T, B, O) of v (B, C).

        Args:
            vectors: v (B, C).
            steps: T.
            tokens: with an embedding, y (T, B); −1 where there is none. Without one, None.
            options: of the recurrent layer's forward: `lengths`, `noise`, ….

        Raises:
            ShapeError, DTypeError, IndexError: for arrays that do not fit.
            ValueError: for tokens without an embedding, or none with one.
        """
        v = np.asarray(vectors)
        if v.ndim != 2 or v.shape[1] != self.vector_size:
            raise ShapeError(f"VectorToSequence: vectors: expected (B, C={self.vector_size}), got {v.shape}")
        if (tokens is None) != (self.embedding is None):
            expected = "tokens" if self.embedding is not None else "none"
            raise ValueError(
                f"VectorToSequence: tokens: expected {expected}, got {'none' if tokens is None else 'some'}"
            )
        x = np.empty((steps, len(v), self.rnn.input_size), self.parameters.dtype)
        x[..., -self.vector_size :] = v
        cache_e = None
        if self.embedding is not None:
            before = self._before(np.asarray(tokens), (steps, len(v)))
            fed, cache_e = self.embedding.forward(before, options.get("noise"))
            x[..., : -self.vector_size] = fed
        h, cache_r = self.rnn.forward(x, None, **options)
        o, cache_o = self.output.forward(h)
        return o, VectorCache(cache_e, cache_r, cache_o)

    def backward(self, cache: VectorCache, do: ArrayLike) -> Array:
        """BPTT from do (T, B, O): adds to all gradients; gives dv (B, C).

        Raises:
            ShapeError: if do has not the shape of o.
        """
        dh = self.output.backward(cache.output, do)
        dx, _ = self.rnn.backward(cache.rnn, dh)
        assert dx is not None
        if self.embedding is not None and cache.embedding is not None:
            self.embedding.backward(cache.embedding, np.ascontiguousarray(dx[..., : -self.vector_size]))
        dv: Array = dx[..., -self.vector_size :].sum(axis=0)
        return dv

    def loss(
        self, batch: Batch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """L of a batch; adds to the gradients where they are wanted.

        Args:
            batch: inputs v (B, C); targets ids (T, B), −1 where none is scored, or what else the loss takes.
            state: None: every sequence begins from the initial state.
            gradient: whether to go back through time.
            noise: from which dropout is drawn; None for none.

        Raises:
            ShapeError, DTypeError, IndexError: for a batch that does not fit.
        """
        batch = Batch(*batch)
        targets = np.asarray(batch.targets)
        tokens = None if self.embedding is None else targets
        options = batch.options | {"gradient": gradient, "noise": noise}
        o, cache = self.forward(batch.inputs, len(targets), tokens, **options)
        L, do = self.loss_function(o, targets)
        if gradient:
            self.backward(cache, do)
        return float(L), None

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
        """The tokens that the network writes, told of v (C,), up to `end_id` (not included) or a length.

        Args:
            vector: v (C,).
            length: how many tokens, at most.
            end_id: the token that ends a sequence; None for none.
            temperature, top_k, top_p, seed: see `LanguageModel.generate`.

        Raises:
            ValueError: for a network without an embedding, or settings out of their range.
            ShapeError: if v is not (C,).
        """
        how = Sampling(length, temperature, top_k, top_p, seed)
        if self.embedding is None:
            raise ValueError(
                "VectorToSequence: generate: expected an embedding, got a network without tokens"
            )
        v = np.asarray(vector, self.parameters.dtype)
        if v.shape != (self.vector_size,):
            raise ShapeError(f"VectorToSequence: vector: expected (C={self.vector_size},), got {v.shape}")
        E = self.embedding.parameters["E"]
        told = np.concatenate([E, np.broadcast_to(v, (len(E), len(v)))], axis=1)
        p = self.output.parameters
        stepper = Stepper(told, self.rnn.engine_weights(), p["V"], p["c"])
        draw, token, tokens = np.random.default_rng(how.seed), self.begin_id, []
        for _ in range(how.length):
            token = sample(stepper.step(token), how.temperature, how.top_k, how.top_p, draw.random())
            if token == end_id:
                break
            tokens.append(token)
        return tokens

    def _before(self, tokens: Array, shape: tuple[int, int]) -> Array:
        """The token before each one: `begin_id` before the first, and where there is none."""
        if tokens.shape != shape:
            raise ShapeError(f"VectorToSequence: tokens: expected (T, B) = {shape}, got {tokens.shape}")
        before = np.full_like(tokens, self.begin_id)
        before[1:] = tokens[:-1]
        return np.where(before == IGNORE, self.begin_id, before)
