"""The network of a language model: embedding, recurrence, softmax over the next token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..._rnnrs import Stepper
from ...data import Batch
from ...losses import AdaptiveCrossEntropy, Criterion, SoftmaxCrossEntropy
from ...nn import AdaptiveSoftmax, Bidirectional, Dropout, Embedding, Linear, TiedLinear, join
from ...nn.build import build_recurrent
from ...text import Vocabulary
from ...types import Array, Ids
from ..base.saved import sizes_of
from .adaptive_stepper import AdaptiveStepper, AnyStepper

#: The options of the recurrent layers.
RECURRENT = (
    "layers",
    "dropout",
    "activation",
    "recurrent_initializer",
    "recurrent_dropout",
    "zoneout",
    "weight_drop",
    "layer_norm",
)


class LanguageNetwork:
    """P(w_1 … w_n) = Π_t P(w_t | w_1 … w_{t−1}), by a recurrent network over characters, words or subwords.

    x_t = E[w_{t−1}]; a_t = b + W h_{t−1} + U x_t; h_t = f(a_t); o_t = c + V h_t; ŷ_t = softmax(o_t)

    with f's place taken by an LSTM's or GRU's step where the cell is one, and as many layers as are wanted.

    (Goodfellow, Bengio and Courville, *Deep Learning*, equations 10.8 to 10.11; Mikolov et al. 2010.) A text
    begins with h_0 = 0 and, as its first input, the token that ends a sentence: so the beginning of a
    sentence is scored too.

    Args:
        vocabulary: what text is made of, see `rnnrs.text`; V tokens.
        embedding_size: I.
        hidden_size: H.
        cell: "rnn", "lstm" or "gru".
        layers: recurrent layers on top of each other, each of H.
        activation: f of an "rnn", one of `rnnrs.nn.ACTIVATIONS`.
        recurrent_initializer: how W begins, see `rnnrs.nn.Recurrent`.
        dropout: with which probability, in training, a number is dropped on its way into a recurrent layer or
            the output layer (Zaremba, Sutskever and Vinyals 2014).
        row_dropout: with which a token's embedding is, wherever it stands (`rnnrs.nn.Embedding`).
        recurrent_dropout, zoneout, weight_drop, layer_norm: of the recurrent layers, see `rnnrs.nn.Recurrent`.
        tied: whether V is E, one array for both (`rnnrs.nn.TiedLinear`; Press and Wolf 2017); needs I = H.
        cutoffs: of an adaptive softmax (`rnnrs.nn.AdaptiveSoftmax`), which takes the place of the full one; for
            vocabularies whose tokens are in the order of falling frequency, as words are.
        seed: of the first weights.
        dtype: float32 or float64.

    Attributes:
        vocabulary: as given.
        parameters: embedding.E (V, I), rnn.U (H, I), rnn.W (H, H), rnn.b (H), output.V (V, H), output.c (V).
            With several layers rnn.0.U, …; a gated cell's as its class says; a tied model has no output.V of its
            own, one with cutoffs the parameters of `AdaptiveSoftmax` instead.
        gradients: ∂L/∂ each of them, of the same layout.
        by_sentence: whether every line is a sequence of its own, from h_0 = 0 (`fit` decides), or a text is
            one stream.
        cross_entropy: what the model is judged by, −ln P of the targets over the whole vocabulary.
        objective: what `loss` gives along with gradients: the same, but for a `fit` with a sampled loss.
        sizes: the constructor's arguments besides the vocabulary.

    Raises:
        ValueError, TypeError: for sizes that are no positive whole numbers, an unknown activation or
            initializer; for a tied model whose embedding and state differ in size, or that has cutoffs.
        MemoryError: if the weights do not fit.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        embedding_size: int = 64,
        hidden_size: int = 256,
        cell: str = "rnn",
        layers: int = 1,
        activation: str = "tanh",
        recurrent_initializer: str = "orthogonal",
        dropout: float = 0.0,
        row_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        layer_norm: bool = False,
        tied: bool = False,
        cutoffs: Sequence[int] | None = None,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        self.sizes = sizes_of(locals(), "vocabulary")
        op = type(self).__name__
        if tied and embedding_size != hidden_size:
            raise ValueError(
                f"{op}: tied: expected an embedding_size equal to hidden_size, "
                f"got {embedding_size} and {hidden_size}"
            )
        self.vocabulary = vocabulary
        self.embedding = Embedding(
            len(vocabulary), embedding_size, row_dropout=row_dropout, seed=seed, dtype=dtype
        )
        recurrent = {name: self.sizes[name] for name in RECURRENT}
        rnn = build_recurrent(op, cell, embedding_size, hidden_size, seed=seed + 1, dtype=dtype, **recurrent)
        assert not isinstance(rnn, Bidirectional)  # a language model reads forwards
        self.rnn = rnn
        self.output_dropout = Dropout(dropout)
        self.output: Linear | AdaptiveSoftmax
        self.cross_entropy: Criterion = SoftmaxCrossEntropy()
        if cutoffs is not None:
            if tied:
                raise ValueError(f"{op}: cutoffs: expected None for a tied model, got {list(cutoffs)}")
            self.output = AdaptiveSoftmax(
                hidden_size, len(vocabulary), cutoffs=cutoffs, seed=seed + 2, dtype=dtype
            )
            self.cross_entropy = AdaptiveCrossEntropy()
        elif tied:
            self.output = TiedLinear(self.embedding)
            # E starts as small as a V, so U is enlarged: inputs too weak to drive W would leave the state alone.
            self.embedding.initialize("E", "normal", hidden_size**-0.5, seed)
            self.rnn.parameters["U" if layers == 1 else "0.U"][...] *= hidden_size**0.5
        else:
            self.output = Linear(hidden_size, len(vocabulary), seed=seed + 2, dtype=dtype)
        self.parameters, self.gradients = join(embedding=self.embedding, rnn=self.rnn, output=self.output)
        self.objective: Criterion = self.cross_entropy
        self.by_sentence = False

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout of any kind."""
        return bool(self.output_dropout.rate) or self.embedding.stochastic or self.rnn.stochastic

    def loss(
        self,
        batch: Batch,
        state: ArrayLike | None = None,
        *,
        gradient: bool = True,
        noise: int | None = None,
    ) -> tuple[float, Any]:
        """The mean loss of a batch in nats a token and, added to `gradients`, its gradient by BPTT.

        With gradients it is `objective`, without them always `cross_entropy`.

        Args:
            batch: inputs (T, B), token ids; targets (T, B), the token after each, or −1 where none is to be
                scored.
            state: (B, S); zero by default. No gradient goes back beyond it (truncated BPTT).
            gradient: whether the way back is wanted.
            noise: from which dropout is drawn, see `rnnrs.nn.noise`; None for none.

        Returns:
            (L, (B, S)): the state to go on with in the next batch of the same stream.

        Raises:
            IndexError: for an id that is not of the vocabulary.
            ShapeError: if the shapes do not belong together.
        """
        cache: Any
        batch = Batch(*batch)
        if batch.warm:
            before = batch.cut(0, batch.warm)
            options: dict[str, Any] = before.options | {"noise": noise, "gradient": False}
            _, cache = self.rnn.forward_tokens(self.embedding, before.inputs, state, **options)
            batch, state = batch.cut(batch.warm, None), cache.state
        criterion = self.objective if gradient else self.cross_entropy
        options = batch.options | {"noise": noise, "gradient": gradient}
        h, cache = self.rnn.forward_tokens(self.embedding, batch.inputs, state, **options)
        y, dropped = self.output_dropout.forward(h, noise, batch.keys)
        L, _, dy = criterion.through(self.output, y, batch.targets, gradient=gradient)
        if dy is not None:
            self.rnn.backward_tokens(self.embedding, cache, self.output_dropout.backward(dropped, dy))
        if batch.carry is None or batch.carry == len(batch.inputs):
            return L, cache.state
        return L, state if batch.carry == 0 else self.rnn.state_after(cache, batch.carry)

    def stepper(self) -> AnyStepper:
        """The network with its weights packed once, for one token at a time; h is zero.

        `read(ids)` and `step(id)` give the scores o (V,) of the next token. Weights trained afterwards are
        not seen.
        """
        E, layers = self.embedding.parameters["E"], self.rnn.engine_weights()

        def packed(V: Array, c: Array) -> Stepper:
            return Stepper(E, layers, V, c)

        if isinstance(self.output, AdaptiveSoftmax):
            return AdaptiveStepper(self.output, packed)
        return packed(self.output.parameters["V"], self.output.parameters["c"])

    def context(self, text: str) -> Ids:
        """The ids that stand for a text before its next token: an end of sentence, then the text's tokens.

        Where every line is a sequence of its own, only the last line counts.
        """
        if self.by_sentence:
            text = text.rpartition("\n")[2]
        if self.vocabulary.level == "subword":  # the next piece brings its own space
            text = text.rstrip(" ")
        return np.concatenate([[self.vocabulary.end_id], self.vocabulary.encode(text)]).astype(np.int64)
