"""BLEU and chrF, computed by sacrebleu (Post 2018), with the signature that makes scores comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ShapeError, require
from .references import References, check_references


@dataclass(frozen=True)
class CorpusScore:
    """A score over all candidates together.

    Attributes:
        score: 0..100.
        name: "BLEU", "chrF2", ….
        signature: how the score was computed, in sacrebleu's notation; scores with different signatures
            cannot be compared.
    """

    score: float
    name: str
    signature: str

    def __str__(self) -> str:
        return f"{self.name}|{self.signature} = {self.score:.1f}"


def bleu(
    candidates: Sequence[str], references: References, *, lowercase: bool = False, tokenize: str = "13a"
) -> CorpusScore:
    """Computes BLEU (Papineni et al. 2002) of N translations. Needs the extra "metrics".

    Args:
        candidates: the N generated texts in readable form; sacrebleu tokenizes them.
        references: the reference of each candidate, or several, the same number for all.
        lowercase: whether to ignore case.
        tokenize: the name of sacrebleu's tokenization: "13a", "intl", "char", "zh", "none", ….

    Raises:
        MissingExtraError: if sacrebleu is missing.
        ShapeError: if the numbers of candidates and references differ, or not all have the same number of
            references.
        ValueError: without candidates or references, or for a tokenization that sacrebleu does not know.
        TypeError: for an item that is not a text.
    """
    streams = _streams("bleu", candidates, references)
    metrics = require("sacrebleu.metrics", "metrics")
    known = sorted(metrics.BLEU.TOKENIZERS)
    if tokenize not in known:
        raise ValueError(f"bleu: tokenize: expected one of {', '.join(known)}, got {tokenize!r}")
    return _score(metrics.BLEU(lowercase=lowercase, tokenize=tokenize), candidates, streams)


def chrf(candidates: Sequence[str], references: References, *, word_order: int = 0) -> CorpusScore:
    """Computes chrF (Popović 2015) of N translations: F_2 of character n-grams. Needs the extra "metrics".

    Args:
        candidates, references: see `bleu`.
        word_order: the maximum length of word n-grams: 0 for chrF, 2 for chrF++.

    Raises:
        See `bleu`.
    """
    streams = _streams("chrf", candidates, references)
    metrics = require("sacrebleu.metrics", "metrics")
    if isinstance(word_order, bool) or not isinstance(word_order, int) or word_order < 0:
        raise ValueError(f"chrf: word_order: expected a whole number from 0, got {word_order!r}")
    return _score(metrics.CHRF(word_order=word_order), candidates, streams)


def _streams(op: str, candidates: Sequence[str], references: References) -> list[list[str]]:
    """Returns the references in sacrebleu's order: all first references, then all second ones."""
    listed = check_references(op, candidates, references)
    for i, own in enumerate(listed):
        if len(own) != len(listed[0]):
            raise ShapeError(
                f"{op}: references[{i}]: "
                f"expected as many as in references[0], {len(listed[0])}, got {len(own)}"
            )
    return [list(stream) for stream in zip(*listed, strict=True)]


def _score(metric: Any, candidates: Sequence[str], streams: list[list[str]]) -> CorpusScore:
    result = metric.corpus_score(list(candidates), streams)
    return CorpusScore(float(result.score), str(result.name), str(metric.get_signature()))
