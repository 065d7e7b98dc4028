"""Pairs of texts as an encoder–decoder takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import PairBatch, PairBatches
from ...data.sequence_batches import fill
from ...types import Ids
from ..writer.copying import source_copies, target_copies

if TYPE_CHECKING:
    from .seq2seq import Seq2Seq


#: (source, target), for each pair.
Pairs = Sequence[tuple[str, str]]

#: Pairs that are judged side by side.
BATCH = 128


def check_pairs(op: str, pairs: Any) -> list[tuple[str, str]]:
    """Pairs of texts.

    Raises:
        ValueError: if there are none.
        TypeError: if one is no pair of strings.
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


def encode_source(model: Seq2Seq, text: str) -> tuple[Ids, Ids | None, list[str]]:
    """A source's ids with its end, the same as what may be copied (or None), and what the target's vocabulary lacks."""
    vocabulary = model.source_vocabulary
    ids = np.append(vocabulary.encode(text), vocabulary.end_id)
    if not model.network.copy:
        return ids, None, []
    pieces = [*vocabulary.pieces(text), vocabulary.tokens[vocabulary.end_id]]
    return ids, *source_copies(model.target_vocabulary, pieces)


def encode_pairs(model: Seq2Seq, pairs: Pairs) -> tuple[list[Ids], list[Ids], list[Ids] | None]:
    """Ids of sources and targets, and copies or None, as `PairBatches` takes them.

    Raises:
        ValueError, TypeError: without pairs, or for what are none.
    """
    checked = check_pairs(type(model).__name__, pairs)
    sources, targets, copies = [], [], []
    for source, target in checked:
        ids, copied, lacking = encode_source(model, source)
        sources.append(ids)
        if copied is None:
            targets.append(model.target_vocabulary.encode(target))
        else:
            copies.append(copied)
            pieces = model.target_vocabulary.pieces(target)
            targets.append(target_copies(model.target_vocabulary, pieces, lacking))
    return sources, targets, copies or None


def pair_batches(model: Seq2Seq, pairs: Pairs, batch_size: int, seed: int) -> PairBatches:
    """Pairs in batches, for training and validation."""
    sources, targets, copies = encode_pairs(model, pairs)
    end = model.target_vocabulary.end_id
    return PairBatches(sources, targets, batch_size, end, copies=copies, seed=seed)


def evaluation_batches(model: Seq2Seq, pairs: Pairs) -> Iterator[tuple[Ids, PairBatch]]:
    """Which pairs, and they as a batch."""
    for batch in pair_batches(model, pairs, BATCH, 0).epoch(0):
        yield batch.keys, batch


def sources_batch(encoded: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Sources (S, B) and their lengths."""
    return fill(encoded, 0), np.array([len(ids) for ids in encoded])
