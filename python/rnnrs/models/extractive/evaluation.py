"""How well summaries that choose sentences agree with given ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics import Rouge, rouge
from ...metrics.words import Tokenize, tokenizer, words_by_script
from ...shown import short_repr
from ...types import Floats, Ids
from ..base.sums import sigmoid
from .choosing import choose
from .fitting import Labeled


@dataclass(frozen=True)
class SentenceScores:
    """The agreement of chosen sentences with those of the given summaries: means over the texts, 0..1.

    Attributes:
        precision: the share of the chosen sentences that belong in the summary.
        recall: the share of the sentences that belong in the summary which are chosen.
        f1: the mean of each text's harmonic mean of the two.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ExtractEvaluation:
    """The quality of summaries that choose sentences.

    Attributes:
        sentences: the agreement with the sentences that belong in the given summaries.
        rouge: ROUGE of the summaries.
        lead_sentences, lead_rouge: the same of each text's first sentences of the same length, for
            comparison.
        loss: the mean of −ln P(label) over all sentences, in nats.
        count: the number of sentences.
        summaries: the summaries, in the order of the pairs.
    """

    sentences: SentenceScores
    rouge: Rouge
    lead_sentences: SentenceScores
    lead_rouge: Rouge
    loss: float
    count: int
    summaries: tuple[str, ...]

    __repr__ = short_repr

    def __str__(self) -> str:
        lines = [f"{'F1':<24}sentences  ROUGE-1  ROUGE-2  ROUGE-L"]
        rows = (
            ("chosen", self.sentences, self.rouge),
            ("the first sentences", self.lead_sentences, self.lead_rouge),
        )
        for name, sentences, words in rows:
            scores = (words.rouge_1, words.rouge_2, words.rouge_l)
            lines.append(
                f"{name:<24}{sentences.f1:<11.4f}" + "".join(f"{s.f1:<9.4f}" for s in scores).rstrip()
            )
        return "\n".join([*lines, f"loss {self.loss:.4f} nats a sentence ({self.count:,} sentences)"])


def sentence_scores(chosen: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> SentenceScores:
    """Returns how well chosen sentences agree with wanted ones, given by index for each text.

    Where both are empty, they agree.
    """
    rows = []
    for mine, theirs in zip(chosen, wanted, strict=True):
        common = len(set(mine) & set(theirs))
        if not mine and not theirs:
            rows.append((1.0, 1.0, 1.0))
            continue
        rows.append(
            (common / max(len(mine), 1), common / max(len(theirs), 1), 2 * common / (len(mine) + len(theirs)))
        )
    return SentenceScores(*(sum(column) / len(rows) for column in zip(*rows, strict=True)))


def evaluated(
    found: Labeled,
    wanted: Sequence[str],
    scores: Sequence[Floats],
    length: tuple[str, float] | None,
    tokenize: Tokenize | None,
) -> ExtractEvaluation:
    """Returns the quality of summaries of one length, or of the given ones' lengths.

    Args:
        found: the texts, with labels.
        wanted: the given summaries.
        scores: ln P / (1 − P) of each text's sentences (N_b,).
        length: unit and number, see `choose`; None: the given summary's number of words, as ROUGE counts
            them.
        tokenize: see `metrics.rouge`.
    """
    _, split = tokenizer("evaluate", words_by_script(wanted) if tokenize is None else tokenize)
    chosen, lead = [], []
    for document, score, summary in zip(found.documents, scores, wanted, strict=True):
        words = np.array([len(list(split(sentence))) for sentence in document.sentences], np.int64)
        unit, number = length or ("words", len(list(split(summary))))
        chosen.append(choose(sigmoid(score), words, unit, number))
        lead.append(first_sentences(words, unit, number))
    labels = [np.flatnonzero(own).tolist() for own in found.labels]
    texts = [
        [" ".join(d.sentences[i] for i in kept) for d, kept in zip(found.documents, some, strict=True)]
        for some in (chosen, lead)
    ]
    o, y = np.concatenate(scores), np.concatenate(found.labels)
    return ExtractEvaluation(
        sentence_scores(chosen, labels),
        rouge(texts[0], wanted, tokenize=tokenize),
        sentence_scores(lead, labels),
        rouge(texts[1], wanted, tokenize=tokenize),
        float(np.mean(np.logaddexp(0.0, o) - y * o)),
        len(o),
        tuple(texts[0]),
    )


def first_sentences(words: Ids, unit: str, length: float) -> list[int]:
    """Returns the first sentences of a text, of a length as in `choose`; at least one."""
    if unit == "words":
        return list(range(max(1, int(np.searchsorted(np.cumsum(words), length, side="right")))))
    return choose(-np.arange(len(words), dtype=np.float64), words, unit, length)
