"""Generates the sentences about journeys on which `why_share_weights.py` trains and evaluates.

The sentences are read character by character. A place name or a year that never occurs in training is still
spelled with characters that do, so both networks can recognize it. Nearly half of the sentences have a
second number from the same list of years. Only the words before a number tell whether it is the year of the
journey.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

WINDOW = 72  #: the length of the longest training sentence, in characters
#: The positions at which the year begins in training. All up to 27 are included, so that every clause also
#: occurs as a sentence's first: the position of the year is new, not the material of the sentence.
SEEN = (range(0, 28), range(40, 52))
DIGITS = 4  #: the number of digits in a year
ALPHABET = "\0 ,.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  #: id 0 is padding

PLACES = (
    "India", "Nepal", "China", "Japan", "Peru", "Chile", "Kenya", "Ghana", "Egypt", "Spain", "France", "Italy",
    "Greece", "Turkey", "Norway", "Sweden", "Iceland", "Ireland", "Scotland", "Wales", "Quebec", "Mexico",
    "Cuba", "Bolivia", "Uruguay", "Vietnam", "Jordan", "Lebanon", "Zambia", "Oman", "Fiji", "Poland", "Latvia",
    "Malta", "Samoa", "Austria", "Belgium", "Bulgaria", "Cambodia", "Cameroon", "Colombia", "Croatia", "Cyprus",
    "Denmark", "Estonia", "Ethiopia", "Gabon", "Georgia", "Germany", "Guatemala", "Guyana", "Honduras",
    "Hungary", "Indonesia", "Iran", "Iraq", "Israel", "Kuwait", "Libya", "Lithuania", "Madagascar", "Malawi",
    "Mali", "Moldova", "Mongolia", "Mozambique", "Namibia", "Nigeria", "Pakistan", "Panama", "Paraguay",
    "Qatar", "Romania", "Rwanda", "Serbia", "Singapore", "Slovakia", "Somalia", "Sudan", "Syria", "Taiwan",
    "Thailand", "Togo", "Tonga", "Uganda", "Ukraine", "Venezuela", "Yemen", "Zimbabwe", "Algeria", "Angola",
    "Armenia", "Bahrain", "Benin", "Bhutan", "Botswana", "Chad", "Haiti", "Amsterdam", "Barcelona", "Chicago",
    "Dublin", "Edinburgh", "Florence", "Geneva", "Hamburg", "Istanbul", "Jakarta", "Kyoto", "Lisbon", "Manila",
    "Naples", "Oxford", "Prague", "Rome", "Seville", "Tokyo", "Utrecht", "Venice", "Warsaw", "York", "Zurich",
    "Xiamen", "Vilnius", "Osaka", "Leipzig",
)  # fmt: skip
HELD_OUT_PLACES = (
    "Brazil", "Canada", "Finland", "Morocco", "Jamaica", "Senegal", "Tunisia", "Laos", "Ecuador", "Portugal",
    "Albania", "Nicaragua", "Slovenia", "Tanzania", "Vienna", "Boston", "Madrid", "Kathmandu", "Bombay",
    "Havana",
)  # fmt: skip
YEARS = [year for year in range(1950, 2030) if sum(map(int, str(year))) % 5]
HELD_OUT_YEARS = [year for year in range(1950, 2030) if year not in YEARS]

JOURNEYS = (
    "I went to {place} in {year}", "I flew to {place} in {year}", "I first saw {place} in {year}",
    "my journey to {place} was in {year}", "in {year} I went to {place}", "in {year} I saw {place}",
    "in {year} my journey led me to {place}",
)  # fmt: skip
OTHERS = (
    "I was born in {number}", "my son was born in {number}", "I paid {number} rupees", "I lived in room {number}",
    "my house has the number {number}", "I read a novel of {number}", "I took flight {number}",
)  # fmt: skip
ASIDES = (
    "well", "yes", "so", "then", "you know", "of course", "my friend", "to be honest", "as I said", "by the way",
    "if you ask me", "as you will remember",
)  # fmt: skip


class Sentences(NamedTuple):
    """N sentences as characters.

    Attributes:
        texts: the sentences.
        starts: (N,), the position at which the year of the journey begins, from 0.
        ids: (T, N), characters as indices into `ALPHABET`; 0 after the end.
        tags: (T, N), 1 at the digits of that year, 0 at other characters, −1 (not scored) after the end.
    """

    texts: list[str]
    starts: np.ndarray
    ids: np.ndarray
    tags: np.ndarray


def compose(
    draw: random.Random, places: Sequence[str], years: Sequence[int], others: range
) -> tuple[str, int]:
    """Returns a random sentence and the position at which the year of its journey begins.

    Args:
        draw: the generator.
        places, years: the place names and years to choose from; other numbers are years, too.
        others: the allowed counts of other numbers.
    """
    journey = draw.choice(JOURNEYS).format(place=draw.choice(places), year="#" * DIGITS)
    numbers = draw.sample(OTHERS, draw.choice(others))
    clauses = [journey, *(clause.format(number=draw.choice(years)) for clause in numbers)]
    draw.shuffle(clauses)
    asides = draw.sample(ASIDES, draw.choice((0, 1, 1, 2, 3)))
    text = ", ".join([*asides, draw.choice((" and ", ", ")).join(clauses)]) + "."
    start = text.index("#")
    text = text[0].upper() + text[1:start] + str(draw.choice(years)) + text[start + DIGITS :]
    return text, start


def sentences(
    count: int,
    seed: int,
    *,
    held_out: bool,
    lengths: range = range(1, WINDOW + 1),
    starts: Sequence[range] = (range(10**6),),
    others: range = range(2),
) -> Sentences:
    """Returns sentences of given lengths whose year begins at given positions, determined by the seed.

    Args:
        count: N.
        seed: the seed of the choices.
        held_out: whether to use the held-out place names and years, or those of training.
        lengths: the allowed lengths in characters; T is the largest.
        starts: the allowed positions of the year; any by default.
        others: the allowed counts of other numbers.
    """
    draw = random.Random(seed)
    places, years = (HELD_OUT_PLACES, HELD_OUT_YEARS) if held_out else (PLACES, YEARS)
    chosen: list[tuple[str, int]] = []
    while len(chosen) < count:
        text, start = compose(draw, places, years, others)
        if len(text) in lengths and any(start in part for part in starts):
            chosen.append((text, start))

    shape = (lengths[-1], count)
    ids, tags = np.zeros(shape, np.int64), np.full(shape, -1)
    for i, (text, start) in enumerate(chosen):
        ids[: len(text), i] = [ALPHABET.index(character) for character in text]
        tags[: len(text), i] = 0
        tags[start : start + DIGITS, i] = 1
    return Sentences([text for text, _ in chosen], np.array([start for _, start in chosen]), ids, tags)


def where(starts: np.ndarray) -> np.ndarray:
    """Classifies each start of a year (N,).

    Returns 1 where training has years that begin there, −1 where none of the four positions ever holds a
    year's digit in training, and 0 where some do.
    """
    begins = {start for part in SEEN for start in part}
    digits = {start + i for start in begins for i in range(DIGITS)}
    new = np.array([digits.isdisjoint(range(start, start + DIGITS)) for start in starts])
    return np.where(np.isin(starts, sorted(begins)), 1, np.where(new, -1, 0))


if __name__ == "__main__":
    some = sentences(12, 0, held_out=True)
    for text, start in zip(some.texts, some.starts, strict=True):
        print(text, " " * start + "^" * DIGITS, sep="\n")
