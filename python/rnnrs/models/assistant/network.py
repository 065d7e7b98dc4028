"""The assistant's network: a tracker that reads a turn, and an encoder–decoder that writes the answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ...data import Batch, PairBatch
from ...data.batch import run_of
from ...losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from ...nn import Dropout, Embedding, Linear, Pooling
from ...nn.build import build_recurrent
from ...nn.guarded import adding_with_gradients, reading
from ...nn.layer import Layer
from ...nn.noise import part_noise
from ...shown import short_repr
from ...types import Array
from ..text_to_text.network import EncoderDecoder


class AssistantBatch(NamedTuple):
    """A minibatch: answers to write, and turns to track.

    Attributes:
        pairs: what an answer depends on, and the answer.
        turns: token ids (T, B) and tags (T, B); None for a batch without turns.
        answers: 0 or 1 for each question about these turns (B, Q).
    """

    pairs: PairBatch
    turns: Batch | None
    answers: Array | None

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def positions(self) -> int:
        """The number of scored words of the answers."""
        return self.pairs.positions

    @property
    def sequences(self) -> int:
        """B of the answers."""
        return self.pairs.sequences

    def part(self, index: int, count: int) -> AssistantBatch:
        """Returns micro-batch `index` of `count`: a run of the answers, and one of the turns."""
        pairs = self.pairs.part(index, count)
        if self.turns is None or self.answers is None:
            return AssistantBatch(pairs, None, None)
        own = run_of(len(self.answers), index, count)
        return AssistantBatch(pairs, self.turns.part(index, count), self.answers[own])


class AssistantNetwork(EncoderDecoder):
    """An `EncoderDecoder` for the answers, and beside it a tracker, in one vector of parameters.

    The tracker reads the ids x_1 … x_T of a turn: h_t = [→h_t; ←h_t] of a bidirectional recurrence over their
    embeddings. P(tag_t) = softmax(c + V h_t) tells whose slot's value x_t says; P(yes to question q) =
    σ(c_q + v_q · max_t h_t), over t from the border on, what the person asks for. L is the sum of the losses
    of words, tags and questions.

    Args:
        turn_tokens: the number of ids that the tracker reads.
        border: the id before the person's turn.
        tags, questions: the numbers of its outputs.
        tracker_embedding, tracker_size: I, and H of each direction.
        options: those of `EncoderDecoder`.

    Attributes:
        parameters, gradients: those of all layers, one flat vector each.

    Raises:
        ValueError, TypeError: for options out of range.
    """

    def __init__(
        self,
        *sizes: int,
        turn_tokens: int,
        border: int,
        tags: int,
        questions: int,
        tracker_embedding: int,
        tracker_size: int,
        dropout: float,
        seed: int,
        dtype: DTypeLike,
        op: str,
        **options: Any,
    ) -> None:
        first = seed + 1000  # other streams than those of the encoder–decoder
        self.turn_embedding = Embedding(turn_tokens, tracker_embedding, seed=first, dtype=dtype)
        self.tracker = build_recurrent(
            op,
            "gru",
            tracker_embedding,
            tracker_size,
            bidirectional=True,
            dropout=dropout,
            seed=first + 1,
            dtype=dtype,
        )
        self.pooling, self._border = Pooling("max"), border
        self.tagging = Linear(self.tracker.hidden_size, tags, seed=first + 2, dtype=dtype)
        self.asking = Linear(self.tracker.hidden_size, questions, seed=first + 3, dtype=dtype)
        self.state_dropout = Dropout(dropout)
        super().__init__(*sizes, op=op, dropout=dropout, seed=seed, dtype=dtype, **options)
        self._tag_loss, self._answer_loss = SoftmaxCrossEntropy(), SigmoidCrossEntropy()

    def writing_layers(self) -> dict[str, Layer]:
        """Returns the layers that have parameters besides the encoder, by the prefix of their names."""
        own: dict[str, Layer] = {
            "turn_embedding": self.turn_embedding,
            "tracker": self.tracker,
            "tagging": self.tagging,
            "asking": self.asking,
        }
        return super().writing_layers() | own

    @reading
    def track(
        self, turns: Batch, *, noise: int | None = None, gradient: bool = False
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """Returns the scores of the tags (T, B, ·) and of yes to each question (B, Q), and the caches.

        Args:
            turns: ids (T, B) with lengths.
            noise: the number that dropout masks are derived from; None: no dropout.
            gradient: whether `track_backward` follows.
        """
        x, embedded = self.turn_embedding.forward(turns.inputs)
        own = part_noise(noise, 7)
        h, rnn = self.tracker.forward(x, lengths=turns.lengths, noise=own, keys=turns.keys, gradient=gradient)
        h, dropped = self.state_dropout.forward(h, own, turns.keys)
        tags, tagged = self.tagging.forward(h)
        # The largest values of the person's turn: −1e4 is none of them.
        persons = np.logical_or.accumulate(np.asarray(turns.inputs) == self._border, axis=0)
        own_turn = np.where(persons[:, :, None], h, h.dtype.type(-1e4))
        pooled, pooling = self.pooling.forward(own_turn, turns.lengths)
        answers, asked = self.asking.forward(pooled)
        return tags, answers, (embedded, rnn, dropped, tagged, persons, pooling, asked)

    def track_backward(self, caches: tuple[Any, ...], dtags: Array, danswers: Array) -> None:
        """Adds the gradients of the tracker's layers."""
        embedded, rnn, dropped, tagged, persons, pooling, asked = caches
        dh, dpooled = self.tagging.backward(tagged, dtags), self.asking.backward(asked, danswers)
        assert dh is not None and dpooled is not None
        dh = dh + self.pooling.backward(pooling, dpooled) * persons[:, :, None]
        dx, _ = self.tracker.backward(rnn, self.state_dropout.backward(dropped, dh))
        assert dx is not None
        self.turn_embedding.backward(embedded, dx)

    #: `loss` accepts `whole`: it consists of means over words, over tags and over turns.
    accepts_whole = True

    @adding_with_gradients
    def loss(
        self,
        batch: Any,
        state: Any = None,
        *,
        gradient: bool = True,
        noise: int | None = None,
        whole: AssistantBatch | None = None,
    ) -> tuple[float, None]:
        """Returns the sum of the mean losses of words, of tags and of questions, and adds its gradient.

        With `whole`, it is the share of this micro-batch in the loss of the whole batch.

        Raises:
            IndexError: for an id out of range.
            ShapeError: if the shapes do not match.
        """
        L = self._words_loss(batch.pairs, gradient, noise, None if whole is None else whole.positions or 1)
        if batch.turns is None or not len(batch.answers):
            return L, None
        turns, answers = batch.turns.without_padding(), batch.answers
        tags, o, caches = self.track(turns, noise=noise, gradient=gradient)
        tag_loss, answer_loss = self._tag_loss, self._answer_loss
        tag_weights = answer_weights = None
        if whole is not None and whole.turns is not None and whole.answers is not None:
            tag_loss, answer_loss = SoftmaxCrossEntropy("sum"), SigmoidCrossEntropy("sum")
            tag_weights = np.full(np.shape(turns.targets), 1 / whole.turns.positions)
            answer_weights = np.full(len(answers), 1 / len(whole.answers))
        L_tags, _, dtags = tag_loss.evaluate(tags, turns.targets, tag_weights, gradient)
        L_answers, _, danswers = answer_loss.evaluate(o, answers.astype(o.dtype), answer_weights, gradient)
        if dtags is not None and danswers is not None:
            self.track_backward(caches, dtags, danswers)
        return L + float(L_tags) + float(L_answers), None
