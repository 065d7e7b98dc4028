"""Pairs of texts: their checks, and their encoding as token ids and batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...checks import check_repeatable, check_text
from ...data import PairBatch, PairBatches, clean_pairs, clean_text
from ...data.sequence_batches import fill
from ...text import Vocabulary
from ...types import Ids
from ..base.groups import groups_of_similar_length
from ..writer.copying import source_copies, target_copies

#: (source, target), for each pair.
Pairs = Sequence[tuple[str, str]]

#: The number of pairs that are scored together.
BATCH = 128

#: The most positions (tokens of both sides × pairs) of such a batch.
POSITIONS = 1 << 16


def check_texts(op: str, name: str, texts: Any) -> list[str]:
    """Checks that an argument is a list of texts, and returns it.

    Raises:
        TypeError: if it is not one.
    """
    check_repeatable(op, name, texts)
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(f"{op}: {name}: expected several strings, got {texts!r}")
    return [check_text(op, f"{name}[{i}]", text) for i, text in enumerate(texts)]


def check_pairs(op: str, pairs: Any) -> list[tuple[str, str]]:
    """Checks pairs of texts, and returns them.

    Raises:
        ValueError: without pairs.
        TypeError: for a pair that is not two strings.
    """
    check_repeatable(op, "pairs", pairs)
    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Iterable):
        raise TypeError(f"{op}: pairs: expected pairs of strings, got {pairs!r}")
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
    """Returns the pairs, cleaned, that have text on both sides.

    Raises:
        ValueError: if there is no such pair.
        TypeError: for a pair that is not two strings.
    """
    checked = check_pairs(op, pairs)
    kept, _ = clean_pairs(checked)
    if not kept:
        raise ValueError(
            f"{op}: pairs: expected at least one with text on both sides, got {len(checked)} without"
        )
    return kept


def cleaned(pairs: Pairs) -> list[tuple[str, str]]:
    """Returns all pairs, cleaned, including those with an empty side: for evaluation.

    Example:
        >>> cleaned([("so  be\\tit", "")])
        [('so be it', '')]
    """
    return [(clean_text(source), clean_text(target)) for source, target in pairs]


@dataclass(frozen=True)
class PairEncoding:
    """Encodes texts as token ids, with the words of a source that may be copied.

    Attributes:
        source_vocabulary: the vocabulary of the sources.
        target_vocabulary: the vocabulary of the targets.
        copy: whether words of the source may be copied.
    """

    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    copy: bool

    def source(self, text: str) -> tuple[Ids, Ids | None, list[str]]:
        """Encodes a source.

        Returns:
            Its ids with the end token; with `copy`, the same tokens as ids of the target vocabulary and
            beyond (see `writer.copying`), else None; and the words that the target vocabulary lacks.
        """
        vocabulary = self.source_vocabulary
        ids = np.append(vocabulary.encode(text), vocabulary.end_id)
        if not self.copy:
            return ids, None, []
        pieces = [*vocabulary.pieces(text), vocabulary.tokens[vocabulary.end_id]]
        return ids, *source_copies(self.target_vocabulary, pieces)

    def pairs(self, op: str, pairs: Pairs) -> tuple[list[Ids], list[Ids], list[Ids] | None]:
        """Encodes pairs, as `PairBatches` accepts them.

        Returns:
            The ids of the sources and of the targets; with `copy`, the sources' copies, else None.

        Raises:
            ValueError, TypeError: without pairs, or for one that is not two strings.
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
        """Returns pairs in batches, for training and validation."""
        sources, targets, copies = self.pairs(op, pairs)
        end = self.target_vocabulary.end_id
        return PairBatches(sources, targets, batch_size, end, copies=copies, seed=seed)

    def evaluation_batches(self, op: str, pairs: Pairs) -> Iterator[PairBatch]:
        """Yields all pairs in batches, for evaluation; a batch's `keys` are the indices of its pairs.

        Few pairs share a batch where one of them is long: the memory is bounded.
        """
        sources, targets, copies = self.pairs(op, pairs)
        data = PairBatches(sources, targets, BATCH, self.target_vocabulary.end_id, copies=copies)
        lengths = [len(a) + len(b) + 1 for a, b in zip(sources, targets, strict=True)]
        if BATCH * max(lengths) <= POSITIONS:
            yield from data.epoch(0)
            return
        for group in groups_of_similar_length(lengths, BATCH, POSITIONS):
            yield data.batch(np.array(group))


def sources_batch(encoded: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Returns sources, padded with 0 (S, B), and their lengths (B,)."""
    return fill(encoded, 0), np.array([len(ids) for ids in encoded])
