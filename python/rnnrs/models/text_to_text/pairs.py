"""Pairs of texts as an encoder–decoder takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data import PairBatch, PairBatches, clean_pairs, clean_text
from ...data.sequence_batches import fill
from ...text import Vocabulary
from ...types import Ids
from ..writer.copying import source_copies, target_copies

#: (source, target), for each pair.
Pairs = Sequence[tuple[str, str]]

#: Pairs that are scored side by side.
BATCH = 128


def check_pairs(op: str, pairs: Any) -> list[tuple[str, str]]:
    """Checks pairs of texts.

    Raises:
        ValueError: if there are none.
        TypeError: if one is not a pair of strings.
    """
    checked = list(pairs)
    if not checked:
        raise ValueError(f"{op}: pairs: expected at least one, got none")
    for i, pair in enumerate(checked):
        if (
            isinstance(pair, str)
            or not isinstance(pair, Sequence)
            or len(pair) != 2
            or not all(isinstance(text, str) for text in pair)
        ):
            raise TypeError(f"{op}: pairs[{i}]: expected two strings, got {pair!r}")
    return checked


def usable(op: str, pairs: Pairs) -> list[tuple[str, str]]:
    """Pairs, cleaned, with text on both sides.

    Raises:
        ValueError: if there are none.
        TypeError: if one is not a pair of strings.
    """
    checked = check_pairs(op, pairs)
    kept, _ = clean_pairs(checked)
    if not kept:
        raise ValueError(
            f"{op}: pairs: expected text on both sides of one at least, got {len(checked)} without"
        )
    return kept


def cleaned(pairs: Pairs) -> list[tuple[str, str]]:
    """All pairs, cleaned, the empty ones too: to judge by."""
    return [(clean_text(source), clean_text(target)) for source, target in pairs]


@dataclass(frozen=True)
class PairEncoding:
    """Texts as token ids, and what of a source may be copied.

    Attributes:
        source_vocabulary: of the sources.
        target_vocabulary: of the targets.
        copy: whether words of the source may be copied.
    """

    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    copy: bool

    def source(self, text: str) -> tuple[Ids, Ids | None, list[str]]:
        """(a source's ids with its end, the same as copies or None, its words that the target's vocabulary lacks)."""
        vocabulary = self.source_vocabulary
        ids = np.append(vocabulary.encode(text), vocabulary.end_id)
        if not self.copy:
            return ids, None, []
        pieces = [*vocabulary.pieces(text), vocabulary.tokens[vocabulary.end_id]]
        return ids, *source_copies(self.target_vocabulary, pieces)

    def pairs(self, op: str, pairs: Pairs) -> tuple[list[Ids], list[Ids], list[Ids] | None]:
        """Ids of sources and targets, and copies or None, as `PairBatches` takes them.

        Raises:
            ValueError, TypeError: without pairs, or for one that is not a pair of strings.
        """
        sources, targets, copies = [], [], []
        for source, target in check_pairs(op, pairs):
            ids, copied, lacking = self.source(source)
            sources.append(ids)
            if copied is None:
                targets.append(self.target_vocabulary.encode(target))
            else:
                copies.append(copied)
                pieces = self.target_vocabulary.pieces(target)
                targets.append(target_copies(self.target_vocabulary, pieces, lacking))
        return sources, targets, copies or None

    def batches(self, op: str, pairs: Pairs, batch_size: int, seed: int) -> PairBatches:
        """Pairs in batches, for training and validation."""
        sources, targets, copies = self.pairs(op, pairs)
        end = self.target_vocabulary.end_id
        return PairBatches(sources, targets, batch_size, end, copies=copies, seed=seed)

    def evaluation_batches(self, op: str, pairs: Pairs) -> Iterator[tuple[Ids, PairBatch]]:
        """(the indices of some pairs, these pairs as a batch), until all were given."""
        for batch in self.batches(op, pairs, BATCH, 0).epoch(0):
            yield batch.keys, batch


def sources_batch(encoded: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Sources (S, B) and their lengths."""
    return fill(encoded, 0), np.array([len(ids) for ids in encoded])
