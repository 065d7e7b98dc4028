"""Copying words from the source: ids for words outside the vocabulary, and the attention to a target's word.

`PairBatch.copies` holds a source's words as ids of the target vocabulary, of size V. A word that this
vocabulary lacks has the id V + i, if it is the i-th such word of its own source.
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
    """Returns a source's pieces as ids of the target vocabulary and beyond, and the pieces that it lacks.

    The lacking pieces are in the order of their ids.

    Example:
        >>> from rnnrs.text import WordVocabulary
        >>> source_copies(WordVocabulary.build("so it is", min_count=1), ["it", "rains", "so", "rains"])
        (array([3, 5, 4, 5]), ['rains'])
    """
    ids, lacking = np.empty(len(pieces), np.int64), dict[str, int]()
    for i, piece in enumerate(pieces):
        known = vocabulary.id_of(piece)
        if known is None:
            known = lacking.setdefault(piece, len(vocabulary) + len(lacking))
        ids[i] = known
    return ids, list(lacking)


def target_copies(vocabulary: Vocabulary, pieces: Sequence[str], lacking: Sequence[str]) -> Ids:
    """Returns a target's pieces as ids: of the vocabulary, of its source's lacking words, or unknown."""
    places = {piece: len(vocabulary) + i for i, piece in enumerate(lacking)}
    known = [vocabulary.id_of(piece) for piece in pieces]
    unknown = vocabulary.unknown_id
    return np.array(
        [places.get(p, unknown) if id is None else id for p, id in zip(pieces, known, strict=True)], np.int64
    )


def check_copies(op: str, batch: PairBatch) -> None:
    """Checks that a batch has copies of its source's shape.

    Raises:
        ShapeError: if it has not.
    """
    expected, got = np.shape(batch.source), None if batch.copies is None else np.shape(batch.copies)
    if got != expected:
        raise ShapeError(f"{op}: copies: expected (S, B) {expected}, got {got}")


def _matches(batch: PairBatch) -> NDArray[np.bool_]:
    """Returns whether the word at each source position is the target's word (B, T, S)."""
    copies, targets = np.asarray(batch.copies), np.asarray(batch.targets)
    return np.asarray((copies.T[:, None] == targets.T[:, :, None]) & (targets.T[:, :, None] >= 0))


def attended(attention: AttentionCache, batch: PairBatch) -> Array:
    """Returns p (T, B): the total attention to the source positions at which each target's word occurs."""
    # Added position by position, so that the padding does not change the sum.
    shares = np.ascontiguousarray((attention.alpha * _matches(batch)).transpose(2, 1, 0))
    return np.asarray(shares.sum(axis=0))


def attended_backward(attention: AttentionCache, batch: PairBatch, dcopied: Array) -> Array:
    """Returns dα (B, T, S) from dp (T, B)."""
    return (_matches(batch) * dcopied.T[..., None]).astype(attention.alpha.dtype)
