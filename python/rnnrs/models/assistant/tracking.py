"""A turn as the tracker reads it, and its outputs as the state of the dialogue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.annotated_dialogues import DONTCARE, AnnotatedTurn
from ...data.records import Records
from ...shown import short_repr
from ...text.lexicon import TokenVocabulary
from ...types import Array, Ids
from .domain import Domain
from .mentions import Lexicon, Token, nearest, tokens_of

#: The most tokens of a turn that are read: of the person's and the assistant's, the last ones.
LONGEST = 60

#: The share of other words that are unknown in examples with hidden values, lest unknown mean a value.
HIDDEN = 0.2

#: The least P of a word that is copied as a value, and of a mention that is accepted.
SURE, LEAST = 0.7, 0.1

#: The least P of having no preference for a slot in a turn that names a value of it, and in one that replaces
#: a value of another: "no, I meant Italian" does not answer the question for the area.
CLEAR, CORRECTS = 0.9, 0.7

#: The word between the assistant's turn and the person's.
BORDER = "<user>"


class TurnTokens(NamedTuple):
    """A turn as the tracker reads it.

    Attributes:
        words: the input: the assistant's last act, what is known of each slot, the assistant's last turn, a
            border, the person's turn.
        tokens: the mention or word at each place; None for what is known and for the border.
        user: the first place of the person's turn.
    """

    words: list[str]
    tokens: list[Token | None]
    user: int

    def __repr__(self) -> str:
        return short_repr(self)

    def meant(self, place: int) -> tuple[tuple[str, str], ...]:
        """Returns the columns and values that are mentioned at a place; empty for a word."""
        token = self.tokens[place]
        return () if token is None else token.meant


class Example(NamedTuple):
    """A turn to learn from.

    Attributes:
        words: see `TurnTokens`.
        tags: for each place the slot, from 1, whose value it says; 0 for none; −1 where nothing is scored.
        answers: 0 or 1 for each of the questions, see `Tracking.questions`.
    """

    words: list[str]
    tags: NDArray[np.int64]
    answers: NDArray[np.float64]

    def __repr__(self) -> str:
        return short_repr(self)


class Tracking:
    """Between dialogues and the tracker network.

    Args:
        table: the rows.
        domain: their columns.
        synonyms: (words, slot, value) that were learned.

    Attributes:
        lexicon: the values that can be mentioned.
        questions: the questions about a turn as a whole: ("dontcare", slot) and ("request", column), and
            whether another row is wanted.
    """

    __repr__ = short_repr

    def __init__(self, table: Records, domain: Domain, synonyms: Sequence[tuple[str, str, str]] = ()) -> None:
        self.table, self.domain = table, domain
        entries = [
            (value, column, value)
            for column in domain.columns
            for value in (
                domain.known_values(table, column) if column in domain.slots else table.values(column)
            )
            if column != domain.key or len(value) > 3 or not value.isascii()
        ]
        for slot, values in domain.synonyms.items():
            entries += [(text, slot, value) for value, texts in values.items() for text in texts]
        self.lexicon = Lexicon([*entries, *synonyms])
        self._forms: dict[str, dict[str, str]] = {slot: {} for slot in domain.slots}
        for text, column, value in [*entries, *synonyms]:
            if column in self._forms:
                self._forms[column].setdefault(text, value)
        self._names = {
            tuple(token.words[0] for token in tokens_of(name)): column
            for column in reversed([*domain.slots, *(c for c in domain.requests if c not in domain.slots)])
            for name in reversed(domain.names(column))
        }
        self._longest = max(map(len, self._names))
        self.questions: list[tuple[str, str]] = [
            *(("dontcare", slot) for slot in domain.slots),
            *(("request", column) for column in domain.requests),
            ("another", ""),
        ]

    def read(self, user: str, system: str, values: Mapping[str, str], act: str = "") -> TurnTokens:
        """Returns a turn as it is read, after the state `values` and the assistant's act."""
        known = [f"last:{act or 'none'}".replace(" ", "_")]
        for slot in self.domain.slots:
            value = values.get(slot)
            known.append(f"{slot}:{'none' if value is None else 'any' if value == DONTCARE else 'set'}")
        before, now = (self._with_names(self.lexicon.tokens(text)[-LONGEST:]) for text in (system, user))
        words = [*known, *map(self._written, before), BORDER, *map(self._written, now)]
        return TurnTokens(words, [*([None] * len(known)), *before, None, *now], len(known) + len(before) + 1)

    def _with_names(self, tokens: Sequence[Token]) -> list[Token]:
        """Returns tokens in which each name of a column, such as "price range", is one token."""
        found, place = list[Token](), 0
        while place < len(tokens):
            for count in range(min(self._longest, len(tokens) - place), 0, -1):
                run = tokens[place : place + count]
                form = tuple(token.words[0] for token in run)
                if form in self._names and not any(token.meant for token in run):
                    found.append(Token(form, run[0].start, run[-1].end))
                    break
            else:
                count = 1
                found.append(tokens[place])
            place += count
        return found

    def named_columns(self, text: str) -> list[str]:
        """Returns the columns whose names occur in a text, in order."""
        return [column for _, column in self.names_at(text)]

    def names_at(self, text: str) -> list[tuple[int, str]]:
        """Returns the places in a text where names of columns begin, with the columns, in order."""
        tokens = self._with_names(self.lexicon.tokens(text))
        named = [token for token in tokens if not token.meant and token.words in self._names]
        return [(token.start, self._names[token.words]) for token in named]

    def _written(self, token: Token) -> str:
        """Returns a token as the tracker reads it: a name of a column by the column."""
        named = None if token.meant else self._names.get(token.words)
        return written(token) if named is None else f"#{named}".replace(" ", "_")

    def example(
        self,
        turn: AnnotatedTurn,
        system: str,
        before: Mapping[str, str],
        another: bool,
        act: str = "",
        draw: np.random.Generator | None = None,
    ) -> Example:
        """Returns an annotated turn with what is to be found in it.

        Args:
            turn: the turn.
            system: the assistant's turn before it.
            before: the state before it.
            another: whether it asks for another row.
            act: the assistant's act before it.
            draw: with it, mentions in the person's turn stand as unknown words, so that values that are not
                known are learned, too; and some words are unknown.
        """
        read, state = self.read(turn.user, system, before, act), turn.state
        words, tags = list(read.words), np.zeros(len(read.words), np.int64)
        changed = {slot for slot in self.domain.slots if state.get(slot) != before.get(slot)}
        said = {pair for token in read.tokens[read.user :] if token for pair in token.meant}
        for place, token in enumerate(read.tokens):
            if token is None or (draw is None and not token.meant):
                tags[place] = -1  # so that mentions have weight; other words are scored in the copies
                continue
            for slot, value in token.meant:
                meant = state.get(slot) == value
                if place < read.user:
                    meant = meant and slot in changed and (slot, value) not in said
                if meant:
                    tags[place] = self.domain.slots.index(slot) + 1
        if draw is not None:
            words, tags = _hidden(words, tags, read, draw)
        right = [
            *(state.get(slot) == DONTCARE and slot in changed for slot in self.domain.slots),
            *(column in turn.requests for column in self.domain.requests),
            another,
        ]
        return Example(words, tags, np.array(right, np.float64))

    def decoded(
        self,
        read: TurnTokens,
        values: Mapping[str, str],
        tags: Array,
        answers: Array,
        refused: Collection[int] = (),
    ) -> tuple[dict[str, str], tuple[str, ...], bool]:
        """Returns the state after a turn, the columns that it asks for, and whether it wants another row.

        Args:
            read: the turn.
            values: the state before it.
            tags: P of each tag at each place (T, S + 1).
            answers: P of yes to each question.
            refused: the places of what the turn says is not wanted.
        """
        after, found = dict(values), self._mentioned(read, tags, refused)
        for slot, value in self._copied(read, tags, found, refused):
            found[slot] = 2.0, value
        own = {slot: value for slot, (rank, value) in found.items() if rank >= 1}
        corrects = any(values.get(slot, DONTCARE) not in (DONTCARE, value) for slot, value in own.items())
        for (kind, name), p in zip(self.questions, answers, strict=True):
            if kind == "dontcare" and p > (CLEAR if name in own else CORRECTS if corrects else 0.5):
                found[name] = 2.0, DONTCARE
        after |= {slot: value for slot, (_, value) in found.items()}
        asked = tuple(
            name
            for (kind, name), p in zip(self.questions, answers, strict=True)
            if kind == "request" and p > 0.5
        )
        return after, asked, bool(answers[-1] > 0.5)

    def _mentioned(
        self, read: TurnTokens, tags: Array, refused: Collection[int]
    ) -> dict[str, tuple[float, str]]:
        """Returns the likeliest mention for each slot: (its rank, the value).

        The person's own words count more than the assistant's. Of the person's, the likeliest one is accepted
        even if P is below one half: to mention a value and not to mean it is rare.
        """
        found = dict[str, tuple[float, str]]()
        for place, token in enumerate(read.tokens):
            for column, value in () if token is None else token.meant:
                if column not in self.domain.slots or place in refused:
                    continue
                likely, own = float(tags[place, self.domain.slots.index(column) + 1]), place >= read.user
                rank = own + min(likely, 0.999)
                if likely >= (LEAST if own else 0.5) and rank > found.get(column, (0.0, ""))[0]:
                    found[column] = rank, value
        return found

    def _copied(
        self,
        read: TurnTokens,
        tags: Array,
        found: Mapping[str, tuple[float, str]],
        refused: Collection[int],
    ) -> list[tuple[str, str]]:
        """Returns the values that consist of words which are not known as a value.

        A word that misspells a known value needs no higher P than a mention.
        """
        best, runs = tags[:, 1:].argmax(axis=1), dict[str, list[list[str]]]()
        before = -1
        for place in range(read.user, len(read.tokens)):
            token, k = read.tokens[place], int(best[place])
            likely, slot = float(tags[place, k + 1]), self.domain.slots[k]
            if token is None or token.meant or place in refused or likely < LEAST:
                continue
            word = token.words[0]
            if not any(map(str.isalnum, word)):
                continue
            if likely < SURE and nearest(word, list(self._forms[slot])) is None:
                continue
            own = runs.setdefault(slot, [])
            if own and before == place - 1 and best[before] == k:
                own[-1].append(word)
            else:
                own.append([word])
            before = place
        copied = []
        for slot, words in runs.items():
            if slot in found and found[slot][0] >= 1:
                continue
            text, forms = " ".join(words[-1]), self._forms[slot]
            known = nearest(text, list(forms))
            copied.append((slot, text if known is None else forms[known]))
        return copied


def written(token: Token) -> str:
    """Returns a token as it is read: a mention by the names of the columns that it may belong to."""
    if not token.meant:
        return token.words[0]
    return "@" + "|".join(sorted({column.replace(" ", "_") for column, _ in token.meant}))


def _hidden(
    words: list[str], tags: NDArray[np.int64], read: TurnTokens, draw: np.random.Generator
) -> tuple[list[str], NDArray[np.int64]]:
    """Returns an example whose mentions are unknown words, or spelled out; other words may be unknown."""
    kept: list[str] = []
    marks: list[int] = []
    for place, (word, tag) in enumerate(zip(words, tags.tolist(), strict=True)):
        token = read.tokens[place]
        if token is not None and token.meant and place >= read.user and draw.random() < 0.7:
            shown = token.words if draw.random() < 0.3 else ("<unk>",) * len(token.words)
            kept += shown
            marks += [tag] * len(shown)
        else:
            kept.append("<unk>" if token is not None and draw.random() < HIDDEN else word)
            marks.append(tag)
    return kept, np.array(marks, np.int64)


def ids_of(vocabulary: TokenVocabulary, words: Sequence[str]) -> Ids:
    """Returns words as ids; "<unk>" is the unknown word."""
    return vocabulary.ids_of(list(words))
