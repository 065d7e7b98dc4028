"""The network of a language model: embedding, recurrence, softmax over the next token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..._rnnrs import Stepper
from ...checks import IGNORE, check_size
from ...data import Batch
from ...losses import AdaptiveCrossEntropy, Criterion, SoftmaxCrossEntropy
from ...nn import AdaptiveSoftmax, Bidirectional, Dropout, Embedding, Linear, TiedLinear, join
from ...nn.build import build_recurrent
from ...nn.feedback import check_word
from ...nn.guarded import adding, adding_with_gradients, reading
from ...nn.noise import check_rate
from ...nn.runs import Sums, backward_runs, runs_together
from ...nn.stack import learn
from ...text import Vocabulary
from ...types import Array, Ids
from ..base.recurrent_network import recurrent_options
from ..base.saved import sizes_of
from .adaptive_stepper import AdaptiveStepper, AnyStepper


class LanguageNetwork:
    """The network of `LanguageModel`, which describes its equations, arguments and attributes."""

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
        check_size(op, "embedding_size", embedding_size)
        check_rate(op, "row_dropout", row_dropout)
        check_word(op, "seed", seed)
        if tied and embedding_size != hidden_size:
            raise ValueError(
                f"{op}: tied: expected an embedding_size equal to hidden_size, "
                f"got {embedding_size} and {hidden_size}"
            )
        self.vocabulary = vocabulary
        self.embedding = Embedding(
            len(vocabulary), embedding_size, row_dropout=row_dropout, seed=seed, dtype=dtype
        )
        recurrent = recurrent_options(self.sizes)
        rnn = build_recurrent(op, cell, embedding_size, hidden_size, seed=seed + 1, dtype=dtype, **recurrent)
        assert not isinstance(rnn, Bidirectional)  # the following tokens are not known
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
            # E is initialized as V would be, with small values. A larger U compensates: otherwise the inputs
            # would hardly affect the state.
            self.embedding.initialize("E", "normal", hidden_size**-0.5, seed)
            self.rnn.parameters["U" if layers == 1 else "0.U"][...] *= hidden_size**0.5
        else:
            self.output = Linear(hidden_size, len(vocabulary), seed=seed + 2, dtype=dtype)
        self.parameters, self.gradients = join(embedding=self.embedding, rnn=self.rnn, output=self.output)
        self.objective: Criterion = self.cross_entropy
        self.by_sentence = False

    @property
    def stochastic(self) -> bool:
        """Whether `loss` accepts noise, i.e. whether there is dropout of any kind."""
        return bool(self.output_dropout.rate) or self.embedding.stochastic or self.rnn.stochastic

    @property
    def samplers(self) -> list[Any]:
        """The losses that sample words, by their `step`."""
        return [self.objective] if hasattr(self.objective, "step") else []

    @adding_with_gradients
    def loss(
        self,
        batch: Batch,
        state: ArrayLike | None = None,
        *,
        gradient: bool = True,
        noise: int | None = None,
    ) -> tuple[float, Any]:
        """Returns the mean loss of a batch in nats per token, and adds its gradient (BPTT) to `gradients`.

        With gradients, the loss is `objective`; without them, always `cross_entropy`.

        Args:
            batch: inputs (T, B), token ids; targets (T, B), the token after each, or −1 at positions that are
                not scored. L = 0 for a batch without a scored position.
            state: the initial state (B, S); zero by default. No gradient flows beyond it (truncated BPTT).
            gradient: whether to compute gradients.
            noise: seed of dropout, see `rnnrs.nn.noise`; None: no dropout.

        Returns:
            (L, the state (B, S) after the batch, for the next batch of the same stream).

        Raises:
            IndexError: for an id outside the vocabulary.
            ShapeError: if the shapes do not match.
        """
        cache: Any
        batch = Batch(*batch).without_padding()
        if batch.warm:
            before = batch.cut(0, batch.warm)
            options: dict[str, Any] = before.options | {"noise": noise, "gradient": False}
            _, cache = self.rnn.forward_tokens(self.embedding, before.inputs, state, **options)
            batch, state = batch.cut(batch.warm, None), cache.state
        criterion = self.objective if gradient else self.cross_entropy
        options = batch.options | {"noise": noise, "gradient": gradient}
        h, cache = self.rnn.forward_tokens(self.embedding, batch.inputs, state, **options)
        y, dropped = self.output_dropout.forward(h, noise, batch.keys)
        L, dy = 0.0, None
        if batch.positions:
            L, _, dy = criterion.through(self.output, y, batch.targets, gradient=gradient)
        if dy is not None:
            learn(self.rnn, self.embedding, cache, self.output_dropout.backward(dropped, dy))
        if batch.carry is None or batch.carry == len(batch.inputs):
            return L, cache.state
        return L, state if batch.carry == 0 else self.rnn.state_after(cache, batch.carry)

    @adding
    def learn_runs(
        self,
        batch: Batch,
        state: ArrayLike | None,
        runs: Sequence[slice],
        sums: Sums,
        noise: int | None = None,
    ) -> tuple[list[float], Array] | None:
        """Computes the losses of runs of a batch's sequences, each by itself, with one pass through time.

        Losses and state have the bits of `loss` for each run.

        Args:
            batch, state, noise: see `loss`.
            runs: the sequences of each run, all of the batch's together.
            sums: takes each layer's gradients after each run, see `nn.runs`; all are zero before the call.

        Returns:
            (L of each run, the state after the batch); None if the runs must be computed one by one.
        """
        changed = getattr(self.loss, "__func__", None) is not LanguageNetwork.loss  # by a subclass
        batch = Batch(*batch).without_padding()
        if changed or batch.warm or batch.carry is not None or isinstance(self.output, TiedLinear):
            return None
        if not runs_together(self.rnn, self.embedding, self.output):
            return None
        options: dict[str, Any] = batch.options | {"noise": noise}
        h, cache = self.rnn.forward_tokens(self.embedding, batch.inputs, state, **options)
        y, dropped = self.output_dropout.forward(h, noise, batch.keys)
        targets, dy, losses = np.asarray(batch.targets), np.zeros_like(y), []
        samplers = [(sampler, sampler.step) for sampler in self.samplers]
        for i, run in enumerate(runs):
            for sampler, step in samplers:
                sampler.step = step  # all runs have the same samples
            own, L = targets[:, run], 0.0
            if np.any(own != IGNORE):
                L, _, dy[:, run] = self.objective.through(self.output, y[:, run], own)
            sums.take(self.output.gradients, i)
            losses.append(L)
        dh, uneven = self.output_dropout.backward(dropped, dy), (batch.lengths, batch.resets)
        lengths, resets = (None if part is None else np.asarray(part) for part in uneven)
        backward_runs(self.rnn, self.embedding, cache, dh, runs, sums, lengths=lengths, resets=resets)
        return losses, cache.state

    @reading
    def stepper(self) -> AnyStepper:
        """Returns the network with packed weights, for one token at a time; its state is zero.

        `read(ids)` and `step(id)` return the scores o (V,) of the next token. The weights are copied, so
        later training has no effect.
        """
        E, layers = self.embedding.parameters["E"], self.rnn.engine_weights()

        def packed(V: Array, c: Array) -> Stepper:
            return Stepper(E, layers, V, c)

        if isinstance(self.output, AdaptiveSoftmax):
            return AdaptiveStepper(self.output, packed)
        return packed(self.output.parameters["V"], self.output.parameters["c"])

    def context(self, text: str) -> Ids:
        """Returns the ids before the next token of a text: the end-of-sentence token, then the text's tokens.

        If every line is a separate sequence, only the last line counts.
        """
        if self.by_sentence:
            text = text.rpartition("\n")[2]
        return np.concatenate([[self.vocabulary.end_id], self.vocabulary.context(text)]).astype(np.int64)
