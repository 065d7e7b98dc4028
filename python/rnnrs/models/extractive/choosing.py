"""Which sentences a summary of a given length keeps, by their probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import check_number, check_size
from ...types import Array, Floats, Ids

#: The number of sentences of a summary unless its length is given.
SENTENCES = 3

#: The most cells (sentences × words) of the table by which the last words of a summary are filled.
CELLS = 1 << 22


def check_length(op: str, sentences: Any, words: Any, share: Any) -> tuple[str, float]:
    """Returns what a summary's length is measured in, and the length.

    Raises:
        ValueError, TypeError: if more than one is given, or one is out of range.
    """
    given = {"sentences": sentences, "words": words, "share": share}
    given = {name: value for name, value in given.items() if value is not None} or {"sentences": SENTENCES}
    if len(given) > 1:
        raise ValueError(f"{op}: expected one of sentences, words and share, got {' and '.join(given)}")
    ((name, value),) = given.items()
    if name == "share":
        expected = "a share above 0, at most 1"
        return name, check_number(op, name, value, expected, lambda x: 0 < x <= 1)
    return name, check_size(op, name, value)


def choose(probabilities: Floats, words: Ids, unit: str, length: float) -> list[int]:
    """Returns the sentences of a summary, by index, in rising order.

    Of a number or share of sentences, they are the likeliest ones. Of a number of words, they are those which
    together have at most so many, and of which the largest number of words is expected to belong in the
    summary, Σ P_j n_j; none, if every sentence is longer. Sentences without a word, such as "---", are kept
    last.

    Args:
        probabilities: (N,), of keeping each sentence.
        words: (N,), n_j, the number of words of each sentence.
        unit: "sentences", "words" or "share", the share of the sentences; at least one is kept.
        length: how many.
    """
    order = np.lexsort((-probabilities, words == 0))
    if unit == "words":
        return sorted(_filled(order, probabilities, words, min(int(length), int(words.sum()))))
    count = round(length * len(order)) if unit == "share" else int(length)
    return sorted(order[: max(count, 1)].tolist())


def _filled(order: Array, probabilities: Floats, words: Ids, budget: int) -> list[int]:
    """Returns sentences with at most `budget` words.

    The knapsack problem is solved exactly for the sentences near the border, all of them in a text of usual
    length; likelier ones are kept, less likely ones are not.
    """
    order = order[words[order] <= budget]
    sums = np.concatenate([[0], np.cumsum(words[order])])
    first = last = int(np.searchsorted(sums, budget, side="right")) - 1
    while True:  # widen the part around the border while its table is small
        wider = max(first - 1, 0), min(last + 1, len(order))
        if wider == (first, last) or (wider[1] - wider[0]) * (budget + 1 - sums[wider[0]]) > CELLS:
            break
        first, last = wider
    near = order[first:last]
    filled = near[_knapsack(probabilities[near], words[near], budget - int(sums[first]))]
    return [*order[:first].tolist(), *filled.tolist()]


def _knapsack(probabilities: Floats, words: Ids, room: int) -> list[int]:
    """Returns the items with at most `room` words and the largest Σ P_j n_j."""
    best = np.zeros(room + 1)
    taken = np.zeros((len(words), room + 1), np.bool_)
    for j, (p, n) in enumerate(zip(probabilities.tolist(), words.tolist(), strict=True)):
        if n > room:
            continue
        with_it = best[: room + 1 - n] + p * n
        taken[j, n:] = with_it > best[n:]
        best[n:] = np.maximum(best[n:], with_it)
    kept, left = [], room
    for j in reversed(range(len(words))):
        if taken[j, left]:
            kept.append(j)
            left -= int(words[j])
    return kept
