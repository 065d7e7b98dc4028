"""Batches of documents, each a text of sentences of words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ...data.batch import batches_of_like, digest, run_of
from ...data.contents import Contents
from ...data.sequence_batches import fill
from ...shown import batches_repr, short_repr
from ...types import Array, Floats, Ids
from .centrality import Words
from .documents import Document


class DocumentBatch(NamedTuple):
    """A minibatch of B documents with M sentences in all, N in the longest one.

    Attributes:
        ids: (T, M), the token ids of each sentence, padded with 0.
        lengths: (M,), the number of tokens of each sentence.
        places: (M,), where each sentence stands in an array (N, B), row by row: document b's i-th at i·B + b.
        sizes: (B,), the number of sentences of each document.
        words: the words of the sentences.
        features: (M, 14), `Document.place` and `Document.size`.
        labels: (M,), 1 for a sentence that is kept, else 0.
        keys: integers (B,) that identify the documents for dropout.
    """

    ids: Ids
    lengths: Ids
    places: Ids
    sizes: Ids
    words: Words
    features: Floats
    labels: Floats
    keys: Ids

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def positions(self) -> int:
        """The number of scored positions: the sentences."""
        return len(self.labels)

    def part(self, index: int, count: int) -> DocumentBatch:
        """Returns micro-batch `index` of `count`, a run of the documents; see `data.Batch.part`."""
        own, B = run_of(self.sequences, index, count), self.sequences
        ends = np.append(0, np.cumsum(self.sizes))
        sentences = slice(int(ends[own.start]), int(ends[own.stop]))
        rows, columns = np.divmod(self.places[sentences], B)
        return DocumentBatch(
            self.ids[:, sentences],
            self.lengths[sentences],
            rows * (own.stop - own.start) + columns - own.start,
            self.sizes[own],
            self.words.part(own, sentences),
            self.features[sentences],
            self.labels[sentences],
            self.keys[own],
        )

    @property
    def sequences(self) -> int:
        """B."""
        return len(self.sizes)

    @property
    def sentence_keys(self) -> Ids:
        """Integers (M,) that identify the sentences for dropout, whatever the batch."""
        document = self.places % len(self.sizes)
        return np.asarray(self.keys[document] * np.int64(0x1E3779B97F4A7C15) + self.places // len(self.sizes))


def batch_of(documents: Sequence[Document], labels: Sequence[Array] | None, keys: Ids) -> DocumentBatch:
    """Returns documents of at least one sentence each as a batch.

    Args:
        documents: the documents.
        labels: (N_b,) for each; 0 by default.
        keys: see `DocumentBatch`.
    """
    ids = [own for document in documents for own in document.ids]
    sizes = np.array([len(document) for document in documents])
    places = [i * len(sizes) + b for b, size in enumerate(sizes.tolist()) for i in range(size)]
    features = [np.concatenate([d.place, d.size], axis=1) for d in documents]
    return DocumentBatch(
        fill(ids, 0),
        np.array([len(own) for own in ids]),
        np.array(places),
        sizes,
        words_of_batch(documents, sizes),
        np.concatenate(features),
        np.zeros(len(ids)) if labels is None else np.concatenate(labels).astype(np.float64),
        keys,
    )


def words_of_batch(documents: Sequence[Document], sizes: Ids) -> Words:
    """Returns the words of several documents, with numbers of their own for each document."""
    starts = np.cumsum(sizes) - sizes
    sentence, word, id, count = (
        [document.terms[row] for document in documents] for row in range(4)
    )  # fmt: skip
    first = 0
    for b, start in enumerate(starts.tolist()):
        different = int(word[b].max(initial=-1)) + 1
        sentence[b], word[b] = sentence[b] + start, word[b] + first
        first += different
    joined = [np.concatenate(parts) for parts in (sentence, word, id, count)]
    return Words(joined[0], joined[1], joined[2], joined[3].astype(np.float64), starts, int(sizes.sum()))


class DocumentBatches:
    """Documents with labels; those with similar numbers of sentences share a batch.

    In every epoch they are shuffled, cut into batches by their numbers of sentences, and the batches
    shuffled.

    Args:
        documents: documents of at least one sentence each.
        labels: (N_b,) for each.
        batch_size: B; the last batch may have fewer.
        seed: the seed of the shuffling.
    """

    carries_state = False

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(
        self, documents: Sequence[Document], labels: Sequence[Array], batch_size: int, *, seed: int = 0
    ) -> None:
        self._documents, self._labels = documents, labels
        self.batch_size, self.seed = batch_size, seed
        self._sizes = np.array([len(document) for document in documents])

    def __len__(self) -> int:
        return -(-len(self._documents) // self.batch_size)

    def epoch(self, number: int) -> Sequence[DocumentBatch]:
        """Returns the batches in the order of this epoch."""
        draw = np.random.default_rng([self.seed, number])
        return batches_of_like(self._sizes, self.batch_size, draw, self._batch)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        parts = [part for document in self._documents for part in (document.terms, *document.ids)]
        return digest("documents", self.batch_size, self.seed, *parts, *self._labels)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        texts = [np.concatenate(document.ids) for document in self._documents]
        return Contents(
            "pair", [texts, list(self._labels)], {"batch_size": self.batch_size, "seed": self.seed}
        )

    def _batch(self, members: Array) -> DocumentBatch:
        documents, labels = ([items[n] for n in members] for items in (self._documents, self._labels))
        return batch_of(documents, labels, members)
