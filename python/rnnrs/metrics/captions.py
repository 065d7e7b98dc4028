"""Scores of picture descriptions: BLEU-1 to 4, ROUGE-L and CIDEr, with several references per picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..shown import short_repr
from ..text.words import find_words, is_word
from .references import References, check_references
from .rouge import rouge
from .words import Tokenize, is_unspaced, tokenizer, unicode_words

#: The maximum length of n-grams.
ORDERS = 4

#: The standard deviation of CIDEr-D's length penalty, in words.
SIGMA = 6.0

Ngram = tuple[str, ...]


@dataclass(frozen=True)
class CaptionScores:
    """The similarity of descriptions to the references.

    Attributes:
        bleu_1, bleu_2, bleu_3, bleu_4: BLEU with n-grams of up to 1, …, 4 words over all descriptions
            together, 0..1, without smoothing: 0 if no n-gram of that length is correct.
        rouge_l: the mean of the descriptions' F1, 0..1.
        cider: the mean of the descriptions' CIDEr-D, 0..10; 0 for a single picture, since no n-gram
            distinguishes it from others.
        tokenize: the name of the tokenizer.
    """

    bleu_1: float
    bleu_2: float
    bleu_3: float
    bleu_4: float
    rouge_l: float
    cider: float
    tokenize: str = "words"

    __repr__ = short_repr

    def __str__(self) -> str:
        bleus = (self.bleu_1, self.bleu_2, self.bleu_3, self.bleu_4)
        return (
            f"BLEU-1/2/3/4 {' / '.join(f'{100 * bleu:.1f}' for bleu in bleus)}, "
            f"ROUGE-L {100 * self.rouge_l:.1f}, CIDEr {self.cider:.3f}"
            + ("" if self.tokenize == "words" else f" (tok:{self.tokenize})")
        )


def caption_words(text: str) -> list[str]:
    """Returns the words of a description in lower case, without punctuation.

    Of a script that is written without spaces, each letter is a word.
    """
    words = [word for word in find_words(text.lower()) if is_word(word)]
    return [part for word in words for part in (unicode_words(word) if is_unspaced(word) else [word])]


def caption_scores(
    found: Sequence[str],
    wanted: References,
    *,
    tokenize: Tokenize | None = None,
) -> CaptionScores:
    """Computes BLEU, ROUGE-L and CIDEr-D of the descriptions of N pictures.

    BLEU (Papineni et al. 2002): clipped n-gram precisions over the whole corpus, their geometric mean, and
    the brevity penalty with the references closest in length. ROUGE-L: see `rouge`. CIDEr-D (Vedantam,
    Zitnick and Parikh 2015), as in COCO's caption evaluation: for each n-gram length n the cosine of tf-idf
    vectors, clipped to the reference's, times a Gaussian penalty on the difference of lengths; the mean over
    n and references, times 10. A document for idf is a picture: all its references together.

    Args:
        found: the description of each picture.
        wanted: the reference of each picture, or several.
        tokenize: see `rouge`; by default words in lower case, with the apostrophes and hyphens in them, and
            each letter of a script without spaces by itself. COCO's evaluation uses the Penn Treebank
            tokenizer, which splits some words differently ("don't"); its ROUGE-L gives more weight to recall.

    Raises:
        ShapeError: if the numbers of descriptions and lists of references differ.
        ValueError: without descriptions, or for one without a reference.
        TypeError: for an item that is not a text.
    """
    listed = check_references("caption_scores", found, wanted)
    name, split = tokenizer("caption_scores", tokenize or caption_words)
    candidates = [_counts(split(text)) for text in found]
    references = [[_counts(split(text)) for text in own] for own in listed]
    one, two, three, four = _bleu(candidates, references)
    rouge_l = rouge(found, listed, tokenize=split).rouge_l.f1
    cider = _cider(candidates, references)
    return CaptionScores(one, two, three, four, rouge_l, cider, "words" if tokenize is None else name)


@dataclass(frozen=True)
class _Counts:
    """The number of words of a text, and its n-grams by length."""

    words: int
    ngrams: tuple[Counter[Ngram], ...]


def _counts(words: Sequence[str]) -> _Counts:
    return _Counts(len(words), tuple(Counter(_ngrams(words, n)) for n in range(1, ORDERS + 1)))


def _ngrams(words: Sequence[str], n: int) -> Iterator[Ngram]:
    return zip(*(words[start:] for start in range(n)), strict=False)


def _bleu(candidates: list[_Counts], references: list[list[_Counts]]) -> list[float]:
    """Returns BLEU-1 to BLEU-4."""
    right, all_ = [0] * ORDERS, [0] * ORDERS
    length = nearest = 0
    for candidate, own in zip(candidates, references, strict=True):
        length += candidate.words
        nearest += min((abs(r.words - candidate.words), r.words) for r in own)[1]
        for n, ngrams in enumerate(candidate.ngrams):
            most: Counter[Ngram] = Counter()
            for reference in own:
                most |= reference.ngrams[n]
            right[n] += (ngrams & most).total()
            all_[n] += ngrams.total()
    brevity = min(1.0, math.exp(1 - nearest / length)) if length else 0.0
    bleus, product = [], 1.0
    for n in range(ORDERS):
        product *= right[n] / all_[n] if all_[n] else 0.0
        bleus.append(brevity * product ** (1 / (n + 1)))
    return bleus


class Cider:
    """CIDEr-D with the idf of given references.

    Args:
        references: the references of each document.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        counted = [[_counts(caption_words(text)) for text in own] for own in references]
        self._idf, self._rarest = _document_idf(counted)

    def share(self, candidate: str, reference: str) -> float:
        """Returns the CIDEr-D of a candidate in proportion to that of the reference itself, 0..1.

        If no n-gram distinguishes the reference from others, only the same words agree.
        """
        one, other = _counts(caption_words(candidate)), _counts(caption_words(reference))
        vectors = _weigh(other, self._idf, self._rarest)
        most = _similarity(vectors, vectors)
        if not most:
            return float(one == other)
        return _penalty(one, other) * _similarity(_weigh(one, self._idf, self._rarest), vectors) / most


def _document_idf(references: list[list[_Counts]]) -> tuple[dict[Ngram, float], float]:
    """Returns the idf of each n-gram, and that of an n-gram that no reference has."""
    pictures: Counter[Ngram] = Counter()  # the number of pictures with an n-gram
    for own in references:
        pictures.update({ngram for reference in own for ngrams in reference.ngrams for ngram in ngrams})
    idf = {ngram: math.log(len(references) / count) for ngram, count in pictures.items()}
    return idf, math.log(len(references))


def _cider(candidates: list[_Counts], references: list[list[_Counts]]) -> float:
    """Returns the mean CIDEr-D."""
    idf, rarest = _document_idf(references)
    total = 0.0
    for candidate, own in zip(candidates, references, strict=True):
        vectors = _weigh(candidate, idf, rarest)
        similar = sum(
            _similarity(vectors, _weigh(reference, idf, rarest)) * _penalty(candidate, reference)
            for reference in own
        )
        total += 10 * similar / len(own)
    return total / len(candidates)


def _penalty(candidate: _Counts, reference: _Counts) -> float:
    """Returns the factor for the difference of the lengths."""
    return math.exp(-((candidate.words - reference.words) ** 2) / (2 * SIGMA**2))


def _weigh(text: _Counts, idf: dict[Ngram, float], rarest: float) -> list[dict[Ngram, float]]:
    """Returns one tf-idf vector per n-gram length."""
    return [{g: count * idf.get(g, rarest) for g, count in ngrams.items()} for ngrams in text.ngrams]


def _similarity(candidate: list[dict[Ngram, float]], reference: list[dict[Ngram, float]]) -> float:
    """Returns the mean over n of the vectors' cosines, with the candidate clipped to the reference."""
    total = 0.0
    for a, b in zip(candidate, reference, strict=True):
        norms = math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
        if norms:
            total += sum(min(a[g], b[g]) * b[g] for g in a.keys() & b.keys()) / norms
    return total / ORDERS
