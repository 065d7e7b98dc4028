"""BLEU and chrF, by sacrebleu (Post 2018), with the signature that makes figures comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ShapeError, require
from .references import References, check_references


@dataclass(frozen=True)
class CorpusScore:
    """A score of all candidates together.

    Attributes:
        score: 0..100.
        name: "BLEU", "chrF2", ….
        signature: how it was computed, as sacrebleu writes it; scores with different ones cannot be compared.
    """

    score: float
    name: str
    signature: str

    def __str__(self) -> str:
        return f"{self.name}|{self.signature} = {self.score:.1f}"


def bleu(
    candidates: Sequence[str], references: References, *, lowercase: bool = False, tokenize: str = "13a"
) -> CorpusScore:
    """BLEU (Papineni et al. 2002) of N translations. Needs the extra "metrics".

    Args:
        candidates: the N texts that were written, readable ones: sacrebleu cuts them up itself.
        references: for each the text that was wanted, or several, as many for all.
        lowercase: whether upper and lower case are the same.
        tokenize: how, by sacrebleu's names: "13a", "intl", "char", "zh", "none", ….

    Raises:
        MissingExtraError: if sacrebleu is missing.
        ShapeError: if there are not as many references as candidates, or not as many for all.
        ValueError: without candidates or references, or for a tokenization that sacrebleu does not know.
        TypeError: for what is no text.
    """
    streams = _streams("bleu", candidates, references)
    metrics = require("sacrebleu.metrics", "metrics")
    known = sorted(metrics.BLEU.TOKENIZERS)
    if tokenize not in known:
        raise ValueError(f"bleu: tokenize: expected one of {', '.join(known)}, got {tokenize!r}")
    return _score(metrics.BLEU(lowercase=lowercase, tokenize=tokenize), candidates, streams)


def chrf(candidates: Sequence[str], references: References, *, word_order: int = 0) -> CorpusScore:
    """chrF (Popović 2015) of N translations: F_2 of n-grams of characters. Needs the extra "metrics".

    Args:
        candidates, references: see `bleu`.
        word_order: the longest n-grams of words that count too: 0 for chrF, 2 for chrF++.

    Raises:
        See `bleu`.
    """
    streams = _streams("chrf", candidates, references)
    metrics = require("sacrebleu.metrics", "metrics")
    if isinstance(word_order, bool) or not isinstance(word_order, int) or word_order < 0:
        raise ValueError(f"chrf: word_order: expected a whole number from 0, got {word_order!r}")
    return _score(metrics.CHRF(word_order=word_order), candidates, streams)


def _streams(op: str, candidates: Sequence[str], references: References) -> list[list[str]]:
    """The references as sacrebleu has them: first all candidates' first ones, then the second ones."""
    listed = check_references(op, candidates, references)
    for i, own in enumerate(listed):
        if len(own) != len(listed[0]):
            raise ShapeError(
                f"{op}: references[{i}]: expected as many as of the first, {len(listed[0])}, got {len(own)}"
            )
    return [list(stream) for stream in zip(*listed, strict=True)]


def _score(metric: Any, candidates: Sequence[str], streams: list[list[str]]) -> CorpusScore:
    result = metric.corpus_score(list(candidates), streams)
    return CorpusScore(float(result.score), str(result.name), str(metric.get_signature()))
