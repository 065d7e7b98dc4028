"""ROUGE (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries"): overlap with a reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..shown import short_repr
from .references import References, check_references
from .words import Tokenize, tokenizer, words_by_script


@dataclass(frozen=True)
class RougeScore:
    """Means over the candidates, 0..1.

    Attributes:
        precision: the share of the candidate's units that are in the reference.
        recall: the share of the reference's units that are in the candidate.
        f1: the mean of each candidate's harmonic mean of the two.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Rouge:
    """ROUGE by words, by word pairs, and by the longest common subsequence.

    Attributes:
        rouge_1, rouge_2, rouge_l: the scores.
        tokenize: the name of the tokenizer; scores with different ones cannot be compared.
    """

    rouge_1: RougeScore
    rouge_2: RougeScore
    rouge_l: RougeScore
    tokenize: str = "ascii"

    __repr__ = short_repr

    def __str__(self) -> str:
        scores = (self.rouge_1, self.rouge_2, self.rouge_l)
        figures = " / ".join(f"{100 * score.f1:.1f}" for score in scores)
        return f"ROUGE-1/2/L F1 {figures}" + ("" if self.tokenize == "ascii" else f" (tok:{self.tokenize})")


def rouge(
    candidates: Sequence[str],
    references: References,
    *,
    tokenize: Tokenize | None = None,
) -> Rouge:
    """Computes ROUGE-1, ROUGE-2 and ROUGE-L of N summaries, without stemming.

    ROUGE-n counts n-grams, each as often as both texts have it. ROUGE-L uses the length of the longest common
    subsequence of all words, with a text as one sentence. Of several references, each score uses the one with
    the best F1.

    Args:
        candidates: the N generated texts.
        references: the reference of each candidate, or several.
        tokenize: the tokenizer: "ascii", runs of a–z and 0–9 in lower case, as for published figures of
            English; "unicode", runs of letters and digits of any script, with each letter of a script
            without spaces by itself; "char"; or a function that splits a text into words. By default "ascii"
            if all letters of the references are Latin, else "unicode"; the result says which.

    Raises:
        ShapeError: if the numbers of candidates and references differ.
        ValueError: without candidates, or for one without a reference; for an unknown tokenizer.
        TypeError: for an item that is not a text.

    Example:
        >>> str(rouge(["Кошка спит."], ["Кошка не спит"]))
        'ROUGE-1/2/L F1 80.0 / 0.0 / 80.0 (tok:unicode)'
    """
    listed = check_references("rouge", candidates, references)
    every = (text for own in listed for text in own)
    name, split = tokenizer("rouge", words_by_script(every) if tokenize is None else tokenize)
    rows = [
        _best([list(split(text)) for text in own], list(split(candidate)))
        for candidate, own in zip(candidates, listed, strict=True)
    ]
    means = [
        [sum(values) / len(rows) for values in zip(*column, strict=True)]
        for column in zip(*rows, strict=True)
    ]
    one, two, longest = (RougeScore(*mean) for mean in means)
    return Rouge(one, two, longest, name)


Triple = tuple[float, float, float]


def _best(references: list[list[str]], candidate: list[str]) -> list[Triple]:
    """Returns (precision, recall, F1) by words, pairs and subsequence, each for the reference of best F1."""
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
    """Returns the length of the longest common subsequence.

    A row of the usual table is stored as the bits of one integer (Hyyrö 2004, "Bit-parallel LCS-length
    computation revisited"): the length increases by one at every bit of `a` that is 0.
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
