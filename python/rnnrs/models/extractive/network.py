"""The network of summaries that choose: words → sentences → document → keep or not (SummaRuNNer)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ...data.sequence_batches import fill
from ...losses import SigmoidCrossEntropy
from ...nn import Dropout, Embedding, Linear, Pooling, join
from ...nn.build import build_recurrent
from ...nn.guarded import adding_with_gradients, reading
from ...nn.noise import part_noise
from ...shown import short_repr
from ...types import Array, Floats, Ids
from ..base.groups import groups_of_similar_length
from .batches import DocumentBatch, batch_of
from .bilinear import Bilinear
from .centrality import CENTRALITIES, Centrality
from .documents import PLACE, SIZE, Document
from .novelty import Novelty

#: The parts of a score, in the order of `ExtractiveNetwork.scores`.
PARTS = ("content", "salience", "novelty", "position", "length", "bias")

#: The number of words, the most frequent ones, with weights of their own in `Centrality`.
WEIGHTED = 300

#: The factors of the learning rates of the words' weights in `Centrality` and of the features' weights.
FACTORS = {"centrality.u": 50.0, "features.*": 50.0}

#: The id of the unknown word in vocabularies of words.
UNKNOWN = 1

#: The most documents, sentences and positions (words × sentences) that are read side by side without
#: gradients.
DOCUMENTS, SENTENCES, POSITIONS = 64, 1024, 1 << 15


class ReadCache(NamedTuple):
    """The caches of the layers up to h, for `ExtractiveNetwork._read_backward`."""

    words: Any
    pooling: Any
    dropout: Any
    document: Any
    h_dropout: Any

    def __repr__(self) -> str:
        return short_repr(self)


class ExtractiveNetwork:
    """P(y_j = 1) = σ(c + V h_j + h_jᵀ W_s d − h_jᵀ W_r tanh(s_j) + w · f_j).

    v_j is the mean of a bidirectional network's states over the words of sentence j; h_j the state of a
    second one over the sentences; d = tanh(b + W_d mean_j h_j) the document; s_j = Σ_{i<j} P(y_i = 1) h_i
    what is kept so far (`Novelty`). f_j holds the sentence's centrality (`Centrality`), its place and its
    size. This is SummaRuNNer (Nallapati, Zhai and Zhou 2017, section 2) with centralities and sizes, and with
    numbers for places.

    In training, what was kept before is expected in the same way as when a text is summarized, not taken from
    the labels: these would tell the network how many sentences are still to come.

    Args:
        vocabulary_size, embedding_size: of the words.
        hidden_size: H of each direction, of both networks.
        cell: "gru", "lstm" or "rnn".
        dropout: the dropout rate of v and h.
        seed: the seed of the initial weights.
        dtype: float32 or float64.
        op: the caller's name, for error messages.
    """

    __repr__ = short_repr

    def __init__(
        self,
        vocabulary_size: int,
        *,
        embedding_size: int,
        hidden_size: int,
        cell: str,
        dropout: float,
        seed: int,
        dtype: DTypeLike,
        op: str,
    ) -> None:
        def rnn(width: int, stream: int) -> Any:
            return build_recurrent(
                op, cell, width, hidden_size, bidirectional=True, seed=seed + stream, dtype=dtype
            )

        H = 2 * hidden_size
        self.embedding = Embedding(vocabulary_size, embedding_size, seed=seed, dtype=dtype)
        self.sentence_rnn, self.document_rnn = rnn(embedding_size, 1), rnn(H, 2)
        self.document = Linear(H, H, seed=seed + 3, dtype=dtype)
        self.content = Linear(H, 1, seed=seed + 4, dtype=dtype)
        self.salience = Bilinear(H, H, seed=seed + 5, dtype=dtype)
        self.novelty = Novelty(H, seed=seed + 6, dtype=dtype)
        self.centrality = Centrality(min(vocabulary_size, WEIGHTED), dtype=dtype)
        self.features = Linear(len(CENTRALITIES) + len(PLACE) + len(SIZE), 1, seed=seed + 7, dtype=dtype)
        self.pooling, self.dropout = Pooling("mean"), Dropout(dropout)
        self.loss_function = SigmoidCrossEntropy()
        layers = ("embedding", "sentence_rnn", "document_rnn", "document", "content", "salience", "novelty")
        self.parameters, self.gradients = join(
            **{name: getattr(self, name) for name in (*layers, "centrality", "features")}
        )
        # Adam moves all numbers alike, but these have farther to go than the weights of the recurrent layers.
        for pattern, factor in FACTORS.items():
            self.parameters.scale_learning_rate(pattern, factor)

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return bool(self.dropout.rate)

    @adding_with_gradients
    def loss(
        self, batch: DocumentBatch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """Returns the mean over a batch's sentences of −ln P(label), in nats; adds its gradient.

        Args:
            batch: the batch.
            state: unused; present for the `Trainer`.
            gradient: whether to compute gradients.
            noise: the number that dropout masks are derived from, see `rnnrs.nn.noise`; None: no dropout.
        """
        with _quiet():
            return self._loss(batch, gradient, noise), None

    def _loss(self, batch: DocumentBatch, gradient: bool, noise: int | None) -> float:
        h, read = self._read(batch, gradient, noise)
        rows = self._rows(h, batch)
        content, cache_c = self.content.forward(rows)
        d, cache_d = self._document(h, batch)
        salience, cache_s = self.salience.forward(rows, d)
        f, cache_g = self._feature_values(batch)
        features, cache_f = self.features.forward(f)
        base = self._columns(content[:, 0] + salience + features[:, 0], batch)
        novelty, cache_n = self.novelty.forward(h, base)
        o = (base + novelty).ravel()[batch.places]
        L, dscore = self.loss_function(o[:, None], batch.labels.astype(o.dtype)[:, None])
        if not gradient:
            return float(L)
        dh, do_columns = self.novelty.backward(cache_n, self._columns(dscore[:, 0], batch))
        do = do_columns.ravel()[batch.places]
        df = self.features.backward(cache_f, do[:, None])
        assert df is not None  # it was asked for
        self.centrality.backward(cache_g, df[:, : len(CENTRALITIES)])
        drows, dd = self.salience.backward(cache_s, do)
        dcontent = self.content.backward(cache_c, do[:, None])
        assert dcontent is not None  # it was asked for
        dh += self._columns(drows + dcontent, batch) + self._document_backward(cache_d, dd, batch)
        self._read_backward(read, dh, batch)
        return float(L)

    @reading
    def scores(self, documents: Sequence[Document]) -> list[Floats]:
        """Returns the parts of every sentence's score (N_b, 6), see `PARTS`; their sum is ln P / (1 − P).

        A document's scores do not depend on the others, and memory grows with the longest one alone.

        Args:
            documents: documents of at least one sentence each.
        """
        found: list[Floats] = [np.zeros((0, len(PARTS)))] * len(documents)
        sizes = [len(document) for document in documents]
        for group in groups_of_similar_length(sizes, DOCUMENTS, SENTENCES):
            with _quiet():
                own = self._scores([documents[i] for i in group])
            for i, parts in zip(group, own, strict=True):
                found[i] = parts
        return found

    def _scores(self, documents: Sequence[Document]) -> list[Floats]:
        """Returns the parts of the scores of documents that are read side by side."""
        batch = batch_of(documents, None, np.arange(len(documents)))
        v = self._vectors([ids for document in documents for ids in document.ids])
        h, _ = self.document_rnn.forward(self._columns(v, batch), lengths=batch.sizes, gradient=False)
        rows = self._rows(h, batch)
        f = self._feature_values(batch)[0] * self.features.parameters["V"]
        central, place, size = np.split(f, [len(CENTRALITIES), f.shape[1] - len(SIZE)], axis=1)
        parts = np.zeros((batch.positions, len(PARTS)))
        bias = self.content.parameters["c"]
        parts[:, 0] = (self.content.forward(rows)[0] - bias)[:, 0]
        parts[:, 1] = self.salience.forward(rows, self._document(h, batch)[0])[0] + central.sum(axis=1)
        parts[:, 3], parts[:, 4] = place.sum(axis=1), size.sum(axis=1)
        parts[:, 5] = bias + self.features.parameters["c"]
        base = self._columns(parts.sum(axis=1).astype(h.dtype), batch)
        parts[:, 2] = self.novelty.forward(h, base)[0].ravel()[batch.places]
        return np.split(parts, np.cumsum(batch.sizes)[:-1])

    def _vectors(self, ids: Sequence[Ids]) -> Array:
        """Returns v (M, 2H) of sentences, without gradients, in groups of similar length."""
        v = np.zeros((len(ids), self.document_rnn.input_size), self.parameters.dtype)
        for group in groups_of_similar_length([len(own) for own in ids], SENTENCES, POSITIONS):
            own = [ids[i] for i in group]
            lengths = np.array([len(one) for one in own])
            words, _ = self.sentence_rnn.forward_tokens(
                self.embedding, fill(own, 0), lengths=lengths, gradient=False
            )
            v[group] = self.pooling.forward(words, lengths)[0]
        return v

    def _read(self, batch: DocumentBatch, gradient: bool, noise: int | None) -> tuple[Array, ReadCache]:
        """Returns h (N, B, 2H), zero after the end of a document, and the caches."""
        words, cache_w = self.sentence_rnn.forward_tokens(
            self.embedding, batch.ids, lengths=batch.lengths, gradient=gradient
        )
        v, cache_p = self.pooling.forward(words, batch.lengths)
        v, cache_d = self.dropout.forward(v, part_noise(noise, 0), batch.sentence_keys)
        h, cache_r = self.document_rnn.forward(
            self._columns(v, batch), lengths=batch.sizes, gradient=gradient
        )
        h, cache_h = self.dropout.forward(h, part_noise(noise, 1), batch.keys)
        return h, ReadCache(cache_w, cache_p, cache_d, cache_r, cache_h)

    def _read_backward(self, cache: ReadCache, dh: Array, batch: DocumentBatch) -> None:
        dh = self.dropout.backward(cache.h_dropout, dh)
        dv, _ = self.document_rnn.backward(cache.document, dh)
        assert dv is not None  # it was asked for
        drows = self.dropout.backward(cache.dropout, self._rows(dv, batch))
        dwords = self.pooling.backward(cache.pooling, drows)
        self.sentence_rnn.backward_tokens(self.embedding, cache.words, dwords)

    def _columns(self, rows: Array, batch: DocumentBatch) -> Array:
        """Returns rows (M, …) of sentences as columns (N, B, …) of documents, padded with 0."""
        B = len(batch.sizes)
        columns = np.zeros((int(batch.sizes.max()) * B, *rows.shape[1:]), rows.dtype)
        columns[batch.places] = rows
        return columns.reshape(-1, B, *rows.shape[1:])

    @staticmethod
    def _rows(columns: Array, batch: DocumentBatch) -> Array:
        """Returns columns (N, B, H) of documents as rows (M, H) of sentences."""
        return np.ascontiguousarray(columns.reshape(-1, columns.shape[-1])[batch.places])

    def _document(self, h: Array, batch: DocumentBatch) -> tuple[Array, Any]:
        """Returns d for each sentence (M, 2H)."""
        mean, cache_p = self.pooling.forward(h, batch.sizes)
        d, cache_l = self.document.forward(mean)
        d = np.tanh(d)
        return np.repeat(d, batch.sizes, axis=0), (cache_p, cache_l, d)

    def _document_backward(self, cache: Any, dd: Array, batch: DocumentBatch) -> Array:
        cache_p, cache_l, d = cache
        total = np.add.reduceat(dd, np.cumsum(batch.sizes) - batch.sizes, axis=0)
        dmean = self.document.backward(cache_l, total * (1 - d * d))
        assert dmean is not None  # it was asked for
        return self.pooling.backward(cache_p, dmean)

    def _feature_values(self, batch: DocumentBatch) -> tuple[Array, Any]:
        """Returns f (M, 17): centrality, place and size of each sentence, and the cache of the centrality.

        Words without a weight of their own have that of the unknown word.
        """
        ids = np.where(batch.words.id < self.centrality.vocabulary_size, batch.words.id, UNKNOWN)
        g, cache = self.centrality.forward(batch.words._replace(id=ids))
        return np.concatenate([g, batch.features.astype(g.dtype)], axis=1), cache


def _quiet() -> Any:
    """Returns the context in which numbers overflow without a warning: loss and scores are checked later."""
    return np.errstate(over="ignore", invalid="ignore")
