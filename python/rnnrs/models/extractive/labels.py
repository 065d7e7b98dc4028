"""Which sentences of a text its summary keeps: found in the summary, or chosen to resemble it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...metrics.words import tokenizer, words_by_script

#: A summary is taken to consist of sentences of the text if this share of its words is found in them.
ALIGNED = 0.5

#: The share of a sentence's word triples that a summary must have if it does not have the whole sentence.
TOLERANCE = 0.7


def labels_of(sentences: Sequence[str], summary: str) -> list[bool]:
    """Returns whether each sentence of a text belongs in its summary.

    If at least half of the summary's words are in sentences of the text that stand there as a whole, or
    nearly, those are kept (`aligned`); otherwise the sentences that together resemble it most (`resembling`).

    Args:
        sentences: the sentences of the text.
        summary: the summary, in any order, with or without spaces between its sentences.

    Example:
        >>> labels_of(["It rained.", "He left.", "All was wet."], "All was wet.It rained.")
        [True, False, True]
        >>> labels_of(["It rained all day.", "He left."], "A day on which it rained.")
        [True, False]
    """
    _, split = tokenizer("labels_of", words_by_script([summary, *sentences]))
    words, wanted = [list(split(sentence)) for sentence in sentences], list(split(summary))
    kept, share = aligned(words, wanted)
    return kept if share >= ALIGNED else resembling(words, wanted)


def aligned(sentences: Sequence[Sequence[str]], summary: Sequence[str]) -> tuple[list[bool], float]:
    """Returns which sentences stand in a summary, and the share of the summary's words that they cover.

    Longer sentences come first, and each takes its words away, so that "he said" is not found within another
    sentence. A sentence that is not there as a whole is kept if 70 % of its triples of words are left.

    Args:
        sentences: the words of each sentence.
        summary: the words of the summary.
    """
    left = " " + " ".join(summary) + " "
    kept = [False] * len(sentences)
    order = sorted((i for i, words in enumerate(sentences) if words), key=lambda i: -len(sentences[i]))
    for i in order:
        phrase = " " + " ".join(sentences[i]) + " "
        place = left.find(phrase)
        if place >= 0:
            kept[i] = True
            left = f"{left[:place]} \0 {left[place + len(phrase) :]}"
    triples = Counter({unit: count for unit, count in _units(left.split(), 3).items() if "\0" not in unit})
    for i in order:
        own = _units([] if kept[i] else sentences[i], 3)
        found = own & triples
        if own and found.total() >= TOLERANCE * own.total():
            kept[i] = True
            triples -= found
    covered = sum(len(words) for words, keeps in zip(sentences, kept, strict=True) if keeps)
    return kept, min(1.0, covered / max(len(summary), 1))


def resembling(sentences: Sequence[Sequence[str]], summary: Sequence[str]) -> list[bool]:
    """Returns the sentences that a greedy search chooses to resemble a summary.

    The sentence that increases ROUGE-1 + ROUGE-2 (F1) most is added, until none does (Nallapati, Zhai and
    Zhou 2017, section 3.2). Of several equal ones, it is the first.

    Args:
        sentences: the words of each sentence.
        summary: the words of the summary.
    """
    needed = [_units(summary, n) for n in (1, 2)]
    goals = [units.total() for units in needed]
    own = [[_units(words, n) for n in (1, 2)] for words in sentences]
    sizes = [[units.total() for units in pair] for pair in own]
    found, lengths = [0, 0], [0, 0]
    kept, best = [False] * len(sentences), 0.0
    candidates = list(range(len(sentences)))
    while True:
        gains = {i: [(a & b).total() for a, b in zip(own[i], needed, strict=True)] for i in candidates}
        candidates = [i for i in candidates if gains[i][0]]  # what gives nothing now gives nothing later
        scores = [
            sum(2 * (found[n] + gains[i][n]) / max(1, lengths[n] + sizes[i][n] + goals[n]) for n in (0, 1))
            for i in candidates
        ]
        if not scores or max(scores) <= best:
            return kept
        best = max(scores)
        i = candidates.pop(scores.index(best))
        kept[i] = True
        needed = [units - mine for units, mine in zip(needed, own[i], strict=True)]
        found = [total + gain for total, gain in zip(found, gains[i], strict=True)]
        lengths = [total + size for total, size in zip(lengths, sizes[i], strict=True)]


def _units(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """Returns the n-grams of words with their counts."""
    return Counter(zip(*(words[k:] for k in range(n)), strict=False))
