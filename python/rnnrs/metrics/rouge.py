"""ROUGE (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries"): how much of a reference a summary has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .references import References, check_references

_WORD = re.compile("[a-z0-9]+")


@dataclass(frozen=True)
class RougeScore:
    """Means over the candidates, 0..1.

    Attributes:
        precision: the share of the candidate's units that the reference has.
        recall: the share of the reference's units that the candidate has.
        f1: the mean of each candidate's harmonic mean of the two.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Rouge:
    """ROUGE by words, by pairs of words, and by the longest common subsequence.

    Attributes:
        rouge_1, rouge_2, rouge_l: the scores.
    """

    rouge_1: RougeScore
    rouge_2: RougeScore
    rouge_l: RougeScore

    def __str__(self) -> str:
        scores = (self.rouge_1, self.rouge_2, self.rouge_l)
        return "ROUGE-1/2/L F1 " + " / ".join(f"{100 * score.f1:.1f}" for score in scores)


def ascii_words(text: str) -> list[str]:
    """The words as Lin's program has them: lower case, runs of a–z and 0–9; all else separates."""
    return _WORD.findall(text.lower())


def rouge(
    candidates: Sequence[str],
    references: References,
    *,
    tokenize: Callable[[str], Sequence[str]] = ascii_words,
) -> Rouge:
    """ROUGE-1, ROUGE-2 and ROUGE-L of N summaries, without stemming.

    ROUGE-n counts n-grams, each as often as both have it; ROUGE-L takes the length of the longest common subsequence of
    all words of a text, as one sentence. Of several references the one with the best F1 counts, for each score.

    Args:
        candidates: the N texts that were written.
        references: for each the text that was wanted, or several.
        tokenize: what makes words of a text; by default runs of a–z and 0–9 in lower case, as published figures have
            it. For other languages give another one, `rnnrs.text.find_words` for example.

    Raises:
        ShapeError: if there are not as many references as candidates.
        ValueError: without candidates, or for one without a reference.
        TypeError: for what is no text.
    """
    listed = check_references("rouge", candidates, references)
    rows = [
        _best([list(tokenize(text)) for text in own], list(tokenize(candidate)))
        for candidate, own in zip(candidates, listed, strict=True)
    ]
    means = [
        [sum(values) / len(rows) for values in zip(*column, strict=True)]
        for column in zip(*rows, strict=True)
    ]
    return Rouge(*(RougeScore(*mean) for mean in means))


Triple = tuple[float, float, float]


def _best(references: list[list[str]], candidate: list[str]) -> list[Triple]:
    """(precision, recall, F1) by words, pairs and subsequence, each with the reference for which F1 is best."""
    rows = [_scores(reference, candidate) for reference in references]
    return [max(column, key=lambda score: score[2]) for column in zip(*rows, strict=True)]


def _scores(reference: list[str], candidate: list[str]) -> list[Triple]:
    m, n = len(reference), len(candidate)
    words = (Counter(reference) & Counter(candidate)).total()
    pairs = (Counter(pairwise(reference)) & Counter(pairwise(candidate))).total()
    longest = longest_common_subsequence(reference, candidate)
    return [_triple(words, m, n), _triple(pairs, m - 1, n - 1), _triple(longest, m, n)]


def _triple(common: int, wanted: int, got: int) -> Triple:
    if not common:
        return 0.0, 0.0, 0.0
    return common / got, common / wanted, 2 * common / (got + wanted)


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence.

    A row of the usual table as the bits of one number (Hyyrö 2004, "Bit-parallel LCS-length computation revisited"):
    a bit of a that is 0 says that there the length goes up by one.
    """
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    every = (1 << len(a)) - 1
    row = every
    for word in b:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(a) - row.bit_count()
