"""Corpora on disk as the texts of a language model: their parts, held-out parts, what evaluation reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...data import Batch, Corpus, CorpusSentences, CorpusStream, SentenceBatches
from ...data.corpus import CorpusPart
from ...text import Vocabulary
from ...types import Ids
from ..base.groups import groups_of_similar_length
from ..base.validation import held_out_count, held_out_flags, spread

#: A text, in memory or on disk.
AnyText = str | Corpus | CorpusPart

#: The number of sentences of a corpus that are shuffled together, unless `shuffle_block` says otherwise.
SHUFFLE_BLOCK = 1_000_000


def is_text(text: Any) -> bool:
    """Returns whether an object is a text, in memory or on disk."""
    return isinstance(text, (str, Corpus, CorpusSentences, CorpusStream))


def part_of(
    op: str, argument: str, text: Corpus | CorpusPart, vocabulary: Vocabulary, by_sentence: bool
) -> CorpusPart:
    """Returns the lines of a corpus as separate sequences, or all of it as one stream.

    Raises:
        ValueError: for a corpus with another vocabulary than the model; for a part of the other kind.
    """
    corpus = text if isinstance(text, Corpus) else text.corpus
    if corpus.vocabulary is not vocabulary and corpus.vocabulary.to_config() != vocabulary.to_config():
        raise ValueError(
            f"{op}: {argument}: expected a corpus with the model's vocabulary ({len(vocabulary):,} tokens), got "
            f"{corpus.folder} with another one ({len(corpus.vocabulary):,}); prepare it with that of the model"
        )
    if isinstance(text, Corpus):
        return text.sentences() if by_sentence else text.stream()
    if isinstance(text, CorpusSentences) != by_sentence:
        wanted, got = ("sentences", "a stream") if by_sentence else ("a stream", "sentences")
        raise ValueError(f"{op}: {argument}: expected {wanted} of a corpus, got {got}")
    return text


def hold_out_part(op: str, part: CorpusPart, share: float, seed: int) -> tuple[CorpusPart, CorpusPart]:
    """Divides a part of a corpus as `fitting.hold_out` divides the same text in memory.

    A stream of words without a line end near the cut is divided at the token that is nearest by proportion.

    Returns:
        (the part to train on, the held-out part).

    Raises:
        ValueError: if no text is left to train on.
    """
    if isinstance(part, CorpusSentences):
        chosen = held_out_flags(len(part), held_out_count(op, len(part), share, "lines"), seed)
        kept, held_out = part.which.subset(~chosen), part.which.subset(chosen)
        return CorpusSentences(part.corpus, kept), CorpusSentences(part.corpus, held_out)
    corpus = part.corpus
    first, last = corpus.character_at(part.start), corpus.character_at(part.stop)
    cut = last - first - held_out_count(op, last - first, share, "characters")
    line = corpus.places(n := corpus.line_at(first + cut), n + 1)[0]
    place = int(line[0]) if line[1] > first + cut // 2 else corpus.token_at(first + cut)
    sides = CorpusStream(corpus, part.start, place), CorpusStream(corpus, place, part.stop)
    if not all(side.has_text() for side in sides):
        raise ValueError(
            f"{op}: validation: expected a longer text to hold out a share of it, got {last - first} characters"
        )
    return sides


def example_texts(part: CorpusPart, count: int) -> list[str]:
    """Returns some lines of a part of a corpus, as the vocabulary writes them, from its first to its last."""
    lines = part if isinstance(part, CorpusSentences) else part.lines()
    places = (
        part.corpus.places(n, n + 2)[:, 0] for n in (lines.number(i) for i in spread(len(lines), count))
    )
    return [part.corpus.vocabulary.decode(part.corpus.ids(int(a), int(b) - 1)) for a, b in places]


def windows_of(part: CorpusStream, end_id: int, window: int) -> Iterator[Batch]:
    """Yields the windows (T, 1) of a stream, which begins after an end of a sentence."""
    before = end_id
    for start in range(0, len(part), window):
        targets = part.read(start, min(start + window, len(part))).astype(np.int64)
        inputs = np.concatenate([[before], targets[:-1]])
        before = int(targets[-1])
        yield Batch(inputs[:, None], targets[:, None])


def sentences_of(part: CorpusSentences, end_id: int) -> Iterator[Batch]:
    """Yields sentences one by one, as batches (T, 1), in the order of the text."""
    for first in range(0, len(part), SHUFFLE_BLOCK):
        for start, length in zip(*part.places(first, min(first + SHUFFLE_BLOCK, len(part))), strict=True):
            ids = part.corpus.ids(int(start), int(start + length)).astype(np.int64)
            inputs, targets = np.concatenate([[end_id], ids]), np.concatenate([ids, [end_id]])
            yield Batch(inputs[:, None], targets[:, None])


def batches_of(part: CorpusSentences, end_id: int, most: int, positions: int) -> Iterator[Batch]:
    """Yields batches (T, B) with a sequence per line; few share a batch with a long one, to bound memory.

    Args:
        part: the lines.
        end_id: the token that ends a sentence.
        most: the most sequences of a batch.
        positions: the most positions of a batch.
    """
    blocks = [(n, min(n + SHUFFLE_BLOCK, len(part))) for n in range(0, len(part), SHUFFLE_BLOCK)]
    if most * max((int(part.places(*block)[1].max()) + 1 for block in blocks), default=0) <= positions:
        if len(part):
            yield from SentenceBatches(part, most, end_id, shuffle_block=SHUFFLE_BLOCK).epoch(0)
        return
    for first, last in blocks:
        starts, words = part.places(first, last)
        for group in groups_of_similar_length((words + 1).tolist(), most, positions):
            sentences = [part.corpus.ids(int(starts[i]), int(starts[i] + words[i])) for i in group]
            yield from SentenceBatches(sentences, len(group), end_id).epoch(0)


def blocks_of(part: CorpusPart) -> Iterator[Ids]:
    """Yields all ids of the corpus that a part belongs to, some at a time."""
    for start in range(0, part.corpus.tokens, SHUFFLE_BLOCK):
        yield part.corpus.ids(start, min(start + SHUFFLE_BLOCK, part.corpus.tokens)).astype(np.int64)
