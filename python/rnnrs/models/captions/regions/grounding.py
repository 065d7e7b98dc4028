"""Phrases in pictures: how well each fits each region, and which phrases a sentence consists of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from ....types import Array, Floats, Ids
from ...base.groups import groups_of_similar_length
from ...base.sums import over_time
from ...writer.network import Encoded
from ..batches import caption_batch
from ..evaluation import POSITIONS
from .network import RegionNetwork

#: What may separate the phrases of a sentence: punctuation, and "and" in English, German and French.
SEPARATOR = re.compile(r"(?:\s*[,;.!?、。，；！？،؛؟।]+|\s+(?:and|und|et|&)(?=\s))\s*", re.IGNORECASE)

#: The largest number of parts between separators that may be one phrase: "a woman with a black, curly dog".
PARTS = 4


def phrase_log_probs(
    network: RegionNetwork, end_id: int, encoded: Encoded, regions: Ids, phrases: Sequence[Ids]
) -> Floats:
    """Returns ln P of phrases (M,), given by their ids without the end token, each for one encoded region.

    Args:
        network: the network.
        end_id: the token that ends a phrase.
        encoded: N regions.
        regions: the index of each phrase's region (M,).
        phrases: the ids of M phrases.
    """
    found = np.zeros(len(phrases))
    lengths = [len(ids) + 1 for ids in phrases]
    for group in groups_of_similar_length(lengths, len(phrases), POSITIONS):
        members = np.array(group)
        own = chosen_regions(encoded, regions[members])
        words = [phrases[m] for m in group]
        batch = caption_batch(np.zeros(len(group)), words, end_id, np.arange(len(group)), np.float64)
        found[members] = -over_time(network.losses_of(own, batch))
    return found


def chosen_regions(encoded: Encoded, regions: Ids) -> Encoded:
    """Returns some of the encoded regions, for the decoder."""
    assert encoded.memory is not None
    memory = np.ascontiguousarray(encoded.memory[:, regions])
    return encoded._replace(memory=memory, state=encoded.state[regions])


def parts_of(sentence: str) -> list[tuple[int, int]]:
    """Returns where the parts of a sentence between separators begin and end.

    Example:
        >>> sentence = "A red kite, a tree and two dogs."
        >>> [sentence[start:end] for start, end in parts_of(sentence)]
        ['A red kite', 'a tree', 'two dogs']
    """
    starts, ends = [0], []
    for match in SEPARATOR.finditer(sentence):
        ends.append(match.start())
        starts.append(match.end())
    ends.append(len(sentence))
    parts = [(start, end) for start, end in zip(starts, ends, strict=True) if sentence[start:end].strip()]
    return parts or [(0, len(sentence))]


def likeliest_phrases(sentence: str, scores: Callable[[list[str]], Array]) -> list[str]:
    """Returns the phrases of a sentence: the division at some of its separators with the highest score.

    So the comma in "woman: light skin tone, beard" divides only what the pictures' phrases divide.

    Args:
        sentence: the sentence.
        scores: returns the score of each phrase, which add up (the best region's ln P).
    """
    parts = parts_of(sentence)
    spans = [(i, j) for i in range(len(parts)) for j in range(i + 1, min(i + PARTS, len(parts)) + 1)]
    texts = {(i, j): sentence[parts[i][0] : parts[j - 1][1]] for i, j in spans}
    values = dict(zip(spans, scores([texts[span] for span in spans]), strict=True))
    best: list[tuple[float, list[str]]] = [(0.0, [])]
    for end in range(1, len(parts) + 1):
        options = [
            (best[start][0] + float(values[start, end]), start) for start in range(max(0, end - PARTS), end)
        ]
        total, start = max(options)
        best.append((total, [*best[start][1], texts[start, end]]))
    return best[-1][1]
