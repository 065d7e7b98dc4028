"""Copying words from the source: ids for words that no vocabulary has, and how much attention leads to a word.

A source's words stand in `PairBatch.copies` as ids of the target vocabulary; what that lacks has a number from V on,
its place among the words of its own source that the vocabulary lacks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...data import PairBatch
from ...errors import ShapeError
from ...nn.attention import AttentionCache
from ...text import Vocabulary
from ...types import Array, Ids


def source_copies(vocabulary: Vocabulary, pieces: Sequence[str]) -> tuple[Ids, list[str]]:
    """A source's pieces as ids of the target vocabulary and beyond; and those that it lacks, in their ids' order."""
    ids, lacking = np.empty(len(pieces), np.int64), dict[str, int]()
    for i, piece in enumerate(pieces):
        known = vocabulary.id_of(piece)
        if known is None:
            known = lacking.setdefault(piece, len(vocabulary) + len(lacking))
        ids[i] = known
    return ids, list(lacking)


def target_copies(vocabulary: Vocabulary, pieces: Sequence[str], lacking: Sequence[str]) -> Ids:
    """A target's pieces as ids: of the vocabulary, or of what only its source has; else unknown."""
    places = {piece: len(vocabulary) + i for i, piece in enumerate(lacking)}
    known = [vocabulary.id_of(piece) for piece in pieces]
    unknown = vocabulary.unknown_id
    return np.array(
        [places.get(p, unknown) if id is None else id for p, id in zip(pieces, known, strict=True)], np.int64
    )


def _matches(batch: PairBatch) -> NDArray[np.bool_]:
    """(B, T, S): whether the word at a place in the source is the one that is to be said."""
    if batch.copies is None:
        raise ShapeError(f"Seq2Seq: copies: expected (S, B) {np.shape(batch.source)}, got None")
    copies, targets = np.asarray(batch.copies), np.asarray(batch.targets)
    if copies.shape != np.shape(batch.source):
        raise ShapeError(f"Seq2Seq: copies: expected (S, B) {np.shape(batch.source)}, got {copies.shape}")
    return np.asarray((copies.T[:, None] == targets.T[:, :, None]) & (targets.T[:, :, None] >= 0))


def attended(attention: AttentionCache, batch: PairBatch) -> Array:
    """p (T, B): how much attention goes to the places where each target stands in its source."""
    # Added up place after place, so that no padding changes the sum.
    shares = np.ascontiguousarray((attention.alpha * _matches(batch)).transpose(2, 1, 0))
    return np.asarray(shares.sum(axis=0))


def attended_backward(attention: AttentionCache, batch: PairBatch, dcopied: Array) -> Array:
    """dα (B, T, S) of dp (T, B)."""
    return (_matches(batch) * dcopied.T[..., None]).astype(attention.alpha.dtype)
