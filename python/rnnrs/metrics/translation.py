"""BLEU and chrF, computed by sacrebleu (Post 2018), with the signature that makes scores comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from ..errors import MissingExtraError, require
from ..shown import short_repr
from .references import References, check_references
from .words import bleu_by_script


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

    __repr__ = short_repr

    def __str__(self) -> str:
        return f"{self.name}|{self.signature} = {self.score:.1f}"


def bleu(
    candidates: Sequence[str],
    references: References,
    *,
    lowercase: bool = False,
    tokenize: str | None = None,
) -> CorpusScore:
    """Computes BLEU (Papineni et al. 2002) of N translations. Needs the extra "metrics".

    Args:
        candidates: the N generated texts in readable form; sacrebleu tokenizes them.
        references: the reference of each candidate, or several.
        lowercase: whether to ignore case.
        tokenize: the name of sacrebleu's tokenization: "13a", "intl", "char", "zh", "none", …. By default it
            is chosen by the script of the references: "zh" for Chinese, "ja-mecab" and "ko-mecab" for
            Japanese and Korean where MeCab is installed, "char" for them otherwise and for Thai and other
            scripts without spaces, "13a" for all others. The signature says which.

    Raises:
        MissingExtraError: if sacrebleu is missing, or what the tokenization needs.
        ShapeError: if the numbers of candidates and references differ.
        ValueError: without candidates or references, or for a tokenization that sacrebleu does not know.
        TypeError: for an item that is not a text.
    """
    listed = check_references("bleu", candidates, references)
    metrics = require("sacrebleu.metrics", "metrics")
    if tokenize is None:
        tokenize = bleu_by_script(text for own in listed for text in own)
    known = sorted(metrics.BLEU.TOKENIZERS)
    if tokenize not in known:
        raise ValueError(f"bleu: tokenize: expected one of {', '.join(known)}, got {tokenize!r}")
    try:
        metric = metrics.BLEU(lowercase=lowercase, tokenize=tokenize)
    except RuntimeError as error:
        raise MissingExtraError(f"bleu: tokenize: {tokenize!r} needs another package: {error}") from error
    return _score(metric, candidates, listed)


def chrf(
    candidates: Sequence[str], references: References, *, lowercase: bool = False, word_order: int = 0
) -> CorpusScore:
    """Computes chrF (Popović 2015) of N translations: F_2 of character n-grams. Needs the extra "metrics".

    Args:
        candidates, references, lowercase: see `bleu`.
        word_order: the maximum length of word n-grams: 0 for chrF, 2 for chrF++.

    Raises:
        See `bleu`.
    """
    listed = check_references("chrf", candidates, references)
    metrics = require("sacrebleu.metrics", "metrics")
    if isinstance(word_order, bool) or not isinstance(word_order, int) or word_order < 0:
        raise ValueError(f"chrf: word_order: expected a whole number from 0, got {word_order!r}")
    return _score(metrics.CHRF(lowercase=lowercase, word_order=word_order), candidates, listed)


def _score(metric: Any, candidates: Sequence[str], references: list[list[str]]) -> CorpusScore:
    """Returns the score; sacrebleu takes all first references, all second ones, …, None for missing ones."""
    streams = [list(texts) for texts in zip_longest(*references)]
    result = metric.corpus_score(list(candidates), streams)
    return CorpusScore(float(result.score), str(result.name), str(metric.get_signature()))
