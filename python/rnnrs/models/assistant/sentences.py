"""Sentences by rule, for every act, and what words of a sentence claim; in English unless given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...shown import short_repr


@dataclass(frozen=True)
class Sentences:
    """Templates of the sentences that are said where no written one is right, and words that claim something.

    Attributes:
        ask: the question for a slot, with {slot}.
        offer: the sentence that names a row, with {name} and {facts}.
        offer_all: the same without known facts, with {name}.
        fact, join: how a fact is said, with {slot} and {value}, and the word between the last two facts.
        inform: an answer to a request, with {slot}, {name} and {value}.
        missing: the sentence for a cell that is empty, with {slot} and {name}.
        refused: how a value is said that is not wanted, with {value}.
        nothing: the sentence if no row fits, with {noun} and {facts}.
        nothing_to_tell: the answer to a request if no row fits, with {slot}.
        exhausted: the sentence if there is no other row.
        more: the sentence when there is nothing new to say.
        numbers: the words for numbers, from 0.
        denials: words that say that nothing fits.
        claims: (regular expression, the fewest, the most rows) of words that are true of so many rows that
            fit; a most of −1 for any number.
        refusals: regular expressions of words directly before a value, in lower case with a space after each
            word and sign, that say that it is not wanted.
        confirmations: words that are not said of a row that the person has named and that does not fit.
        unknowable: words that no table tells: a sentence with one is never said.
    """

    ask: str = "What {slot} would you like?"
    offer: str = "{name} has {facts}."
    offer_all: str = "{name} fits."
    fact: str = "{slot} {value}"
    join: str = "and"
    inform: str = "The {slot} of {name} is {value}."
    missing: str = "I do not know the {slot} of {name}."
    refused: str = "not {value}"
    nothing: str = "Sorry, there is no {noun} with {facts}. Would you like something else?"
    nothing_to_tell: str = "Sorry, I know no {noun} whose {slot} I could tell."
    exhausted: str = "Sorry, there is no other {noun} that fits."
    more: str = "Can I help you with anything else?"
    numbers: Sequence[str] = (
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    )  # fmt: skip
    denials: Sequence[str] = (
        "no", "not", "none", "nothing", "don't", "doesn't", "isn't", "aren't", "didn't", "can't", "cannot", "couldn't",
        "wasn't", "dont", "unable", "unfortunately",
    )  # fmt: skip
    claims: Sequence[tuple[str, int, int]] = (
        (r"\bonly\b|\b(is|have|found|just) one\b|\bone result\b", 1, 1),
        (r"\bboth\b|\bcouple\b|\beither\b", 2, 2),
        (
            r"\bseveral\b|\bmany\b|\bmultiple\b|\bvarious\b|\bnumber of\b|\blots?\b|\ball of\b|\ball the\b",
            3,
            -1,
        ),
        (r"\bsome\b|\bfew\b|\bone of\b|\bthere are\b|\bresults\b", 2, -1),
    )
    refusals: Sequence[str] = (
        r"(?<!why )(?:not|no|except|anything but|instead of|rather than|neither|nor|hate|dislike|"
        r"(?:do not|don't|dont|didn't|did not|not) (?:really )?(?:want|like|need|mean))"
        r"(?: (?:the|a|an|any|in|for|from|with|some|it|is|be|too|to|eat|have|go|interested|really|that|or|nor))*",
    )
    confirmations: Sequence[str] = ("yes", "yep", "sure", "certainly", "indeed", "correct", "right", "course")
    unknowable: Sequence[str] = (
        "best", "cheapest", "nearest", "closest", "open", "opens", "hours", "reservation", "reserve", "reserved",
        "book", "booked", "booking", "minutes", "miles", "star", "rated", "popular", "delivery", "parking", "website",
    )  # fmt: skip

    __repr__ = short_repr

    @classmethod
    def of(cls, op: str, given: Mapping[str, Any] | None) -> Sentences:
        """Returns the sentences with some replaced.

        Raises:
            TypeError: for an unknown one, or one of another type.
            ValueError: for a template with an unknown field, or an invalid regular expression.
        """
        known = {f.name: getattr(cls(), f.name) for f in fields(cls)}
        for name, value in (given or {}).items():
            if name not in known:
                raise TypeError(f"{op}: sentences: unexpected {name!r}; expected {', '.join(known)}")
            if isinstance(value, str) != isinstance(known[name], str):
                raise TypeError(f"{op}: sentences: {name}: expected {known[name]!r:.60}, got {value!r:.60}")
            if isinstance(value, str):
                _check_template(op, name, value, known[name])
        said = cls(**{name: _frozen(value) for name, value in (given or {}).items()})
        _check_patterns(op, said)
        return said

    def to_config(self) -> dict[str, Any]:
        """Returns the sentences as JSON types."""
        return {
            name: value if isinstance(value, str) else list(value) for name, value in asdict(self).items()
        }

    def number(self, count: int) -> str:
        """Returns a number as it is said."""
        return self.numbers[count] if 2 <= count < len(self.numbers) else str(count)

    def false_claim(self, text: str, count: int | None, known: str = "") -> bool:
        """Returns whether words are untrue of `count` rows (None: any number), or cannot be known.

        Args:
            text: the words.
            count: the number of rows.
            known: words that the table does tell of: the names of its columns.
        """
        low = text.lower()
        for word in self.unknowable:
            pattern = rf"\b{re.escape(word)}\b"
            if re.search(pattern, low) and not re.search(pattern, known.lower()):
                return True
        return count is not None and any(
            re.search(pattern, low) is not None and not (least <= count and (most < 0 or count <= most))
            for pattern, least, most in self.claims
        )

    def facts(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Returns (slot, value) pairs as one phrase."""
        said = [self.fact.format(slot=slot, value=value) for slot, value in pairs]
        return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} {self.join} {said[-1]}" if said else ""


def _frozen(value: Any) -> Any:
    """Returns lists as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _check_patterns(op: str, said: Sentences) -> None:
    """Checks the regular expressions."""
    for claim in said.claims:
        if len(claim) != 3 or isinstance(claim, str) or list(map(type, claim[1:])) != [int, int]:
            raise TypeError(f"{op}: sentences: claims: expected (pattern, fewest, most), got {claim!r:.80}")
    for name, patterns in (("claims", [claim[0] for claim in said.claims]), ("refusals", said.refusals)):
        for pattern in patterns:
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                raise ValueError(
                    f"{op}: sentences: {name}: expected regular expressions, got {pattern!r:.80}: {error}"
                ) from None


def _check_template(op: str, name: str, value: str, default: str) -> None:
    """Checks that a template has only the fields of the default."""
    allowed = set(re.findall(r"{(\w+)}", default)) | {"noun"}
    found = set(re.findall(r"{(\w*)}", value))
    if found - allowed or re.sub(r"{\w+}", "", value).count("{"):
        raise ValueError(f"{op}: sentences: {name}: expected the fields {sorted(allowed)}, got {value!r}")
