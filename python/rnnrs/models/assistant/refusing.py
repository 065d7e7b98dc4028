"""What a turn refuses: values that it mentions and does not want."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ...data.annotated_dialogues import DONTCARE
from ...types import Array
from .domain import Domain
from .tracking import TurnTokens

#: (column, value) that rows must not have.
Refused = tuple[tuple[str, str], ...]


def refused_places(read: TurnTokens, patterns: Sequence[str]) -> frozenset[int]:
    """Returns the places of the person's turn directly before which its words refuse what follows.

    Mentions that are refused are left out of what stands before the next word, so that in "not thai or greek"
    both are.

    Args:
        read: the turn.
        patterns: regular expressions of words that refuse, see `Sentences.refusals`.
    """
    found, before = set[int](), ""
    for place in range(read.user, len(read.tokens)):
        token = read.tokens[place]
        if token is None:
            continue
        if any(re.search(rf"\b(?:{pattern}) $", before) for pattern in patterns):
            found.add(place)
        if place not in found or not token.meant:
            before += " ".join(token.words) + " "
    return frozenset(found)


def refused_values(
    read: TurnTokens, tags: Array, places: Collection[int], domain: Domain
) -> list[tuple[str, str]]:
    """Returns the values that a turn refuses, each with its likeliest column: a slot, or the key.

    Args:
        read: the turn.
        tags: P of each tag at each place (T, S + 1).
        places: see `refused_places`.
        domain: the columns.
    """
    found = []
    for place in sorted(places):
        likely = {
            pair: float(tags[place, domain.slots.index(pair[0]) + 1]) if pair[0] in domain.slots else 0.0
            for pair in read.meant(place)
            if pair[0] in domain.slots or pair[0] == domain.key
        }
        if likely:
            found.append(max(likely, key=lambda pair: likely[pair]))
    return found


def after_refusal(
    values: Mapping[str, str], refused: Refused, more: Sequence[tuple[str, str]]
) -> tuple[dict[str, str], Refused]:
    """Returns the values without refused ones, and what is refused: nothing of a slot that has a value.

    Args:
        values: the values after a turn.
        refused: what was refused before it.
        more: what it refuses.
    """
    left = {slot: value for slot, value in values.items() if (slot, value) not in more}
    pairs = dict.fromkeys([*refused, *more])
    return left, tuple(pair for pair in pairs if left.get(pair[0], DONTCARE) == DONTCARE)
