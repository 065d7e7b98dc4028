"""What the network of summaries that choose is trained on: documents with labels, from pairs of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...text import Vocabulary
from ...types import Array
from ..base.training import TrainingSettings
from ..text_to_text.pairs import check_pairs
from .documents import Document, read_document
from .labels import labels_of

#: (text, summary), for each pair.
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ExtractiveTraining(TrainingSettings):
    """The options of `ExtractiveSummarizer.fit`."""

    epochs: int | None = 8
    batch_size: int = 16


class Labeled(NamedTuple):
    """Documents, and 1 for every sentence of each that belongs in its summary, else 0 (N_b,)."""

    documents: list[Document]
    labels: list[Array]


def usable(op: str, pairs: Any) -> list[tuple[str, str]]:
    """Returns the pairs that have text on both sides.

    Raises:
        ValueError: if there is no such pair.
        TypeError: for a pair that is not two strings.
    """
    checked = check_pairs(op, pairs)
    kept = [pair for pair in checked if all(side.strip() for side in pair)]
    if not kept:
        raise ValueError(
            f"{op}: pairs: expected at least one with text on both sides, got {len(checked)} without"
        )
    return kept


def labeled(op: str, pairs: Pairs, vocabulary: Vocabulary) -> Labeled:
    """Returns the texts of pairs with labels from their summaries, without those that nothing is kept of.

    Raises:
        ValueError: if no summary has a word in common with its text.
    """
    found = with_labels(pairs, vocabulary)
    kept = [i for i, labels in enumerate(found.labels) if labels.any()]
    if not kept:
        raise ValueError(
            f"{op}: pairs: expected a summary with words of its text, got {len(pairs)} without any"
        )
    return Labeled([found.documents[i] for i in kept], [found.labels[i] for i in kept])


def with_labels(pairs: Pairs, vocabulary: Vocabulary) -> Labeled:
    """Returns the texts of pairs with labels from their summaries."""
    documents = [read_document(text, vocabulary) for text, _ in pairs]
    labels = [
        np.array(labels_of(document.sentences, summary), np.float64)
        for document, (_, summary) in zip(documents, pairs, strict=True)
    ]
    return Labeled(documents, labels)
