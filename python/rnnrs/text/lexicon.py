"""Vocabularies that list whole words, and the one of texts that come in tokens already."""

from __future__ import annotations

import re
from abc import abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from ..checks import check_size, check_text
from ..types import Ids
from .folding import folded, with_straight_apostrophes
from .vocabulary import MOST_TYPES, Vocabulary, parts_of, strings

#: White space between two tokens.
_SPACE = re.compile(r"(?<=\S)\s")


class Lexicon(Vocabulary):
    """A vocabulary that lists whole words and symbols.

    Args:
        tokens: the tokens by id, those in `SPECIAL` first.
        lowercase: whether text is converted to lower case before lookup.

    Raises:
        ValueError: if other tokens come first, or a token occurs twice.
    """

    whole_words: ClassVar[bool] = True
    #: The tokens that every such vocabulary begins with.
    SPECIAL: ClassVar[tuple[str, ...]] = ("<eos>", "<unk>")

    def __init__(self, tokens: Sequence[str], *, lowercase: bool = False) -> None:
        special = self.SPECIAL
        if tuple(tokens[: len(special)]) != special or len(set(tokens)) != len(tokens):
            first = ", ".join(f'"{token}"' for token in special)
            raise ValueError(f"{type(self).__name__}: tokens: expected {first} and then different words")
        super().__init__(tokens, 0, 1)
        self.lowercase = lowercase
        self._sorted: list[tuple[str, str, int]] | None = None
        self._words = np.zeros(0, np.int64)

    @abstractmethod
    def _adding(self) -> Callable[[str], str]:
        """Returns a function from the next token to the text that it adds to the text so far."""

    def join(self, pieces: Sequence[str]) -> str:
        """Joins pieces into a text, as `decode` does; they need not be in the vocabulary."""
        add = self._adding()
        return "".join([add(piece) for piece in pieces])

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids; a line break for `<eos>`."""
        return self.join([self.tokens[i] for i in self._known(ids)])

    def stream(self, ids: Iterable[int] = ()) -> Callable[[int], str]:
        """Returns a function from the next id to the text that it adds, see `Vocabulary.stream`."""
        add, tokens = self._adding(), self.tokens
        for id in ids:
            add(tokens[id])
        return lambda id: add(tokens[id])

    def cut(self, text: str) -> int:
        """Returns the last place between two words where neither marks the space, see `Vocabulary.cut`."""
        # No token reaches over white space, but its marks say what stands beside it. Two finished runs after
        # the place settle the marks of the token there, however the text goes on.
        runs = [match.span() for match in re.finditer(r"\S+", text)]
        if runs and runs[-1][1] == len(text):
            runs.pop()  # it may go on
        for (place, _), (_, end) in zip(runs[-2:0:-1], runs[:1:-1], strict=True):
            parts = np.concatenate([self.encode(text[:place]), self.encode(text[place:end])])
            if np.array_equal(parts, self.encode(text[:end])):
                return place
        return super().cut(text)

    def with_prefix(self, prefix: str) -> Ids:
        """Returns the ids of the words with a prefix, ascending; ignores case if no word matches exactly.

        Apostrophes of all kinds are the same.
        """
        if self._sorted is None:
            words = [(self.surface(token), i) for i, token in enumerate(self.tokens)][len(self.SPECIAL) :]
            self._sorted = sorted(
                (folded(word), with_straight_apostrophes(word), i) for word, i in words if word[:1].isalnum()
            )
            self._words = np.array(sorted(i for _, _, i in self._sorted), np.int64)
        if not prefix:
            return self._words.copy()
        low, as_typed = folded(prefix), with_straight_apostrophes(prefix)
        start = bisect_left(self._sorted, (low, "", 0))
        end = bisect_left(self._sorted, (low + "\U0010ffff", "", 0))
        found = self._sorted[start:end]
        exact = [i for _, word, i in found if word.startswith(as_typed)]
        return np.array(sorted(exact or [i for _, _, i in found]), np.int64)


class TokenVocabulary(Lexicon):
    """A vocabulary of texts that come in tokens already, with white space between them.

    Nothing else is a border; a line break ends a sentence, and a token is taken as it stands. `<unk>` in a
    text is the unknown token; `<eos>` in a text is unknown, too, since it would end the sentence. `decode`
    puts one space between two tokens.

    Args:
        tokens: the tokens by id; "<eos>" and "<unk>" first.
        lowercase: whether text is converted to lower case before lookup.

    Raises:
        ValueError: if the first two tokens are others, or a token occurs twice.

    Example:
        >>> vocabulary = TokenVocabulary.build("do n't <unk> @-@", min_count=1)
        >>> vocabulary.tokens
        ['<eos>', '<unk>', '@-@', 'do', "n't"]
        >>> vocabulary.encode("do n't <unk>").tolist()
        [3, 4, 1]
    """

    level = "token"

    @classmethod
    def build(
        cls,
        text: str | Iterable[str],
        *,
        min_count: int = 2,
        max_size: int | None = None,
        lowercase: bool = False,
    ) -> TokenVocabulary:
        """Collects the tokens of a text, the most frequent first.

        Args:
            text: the text, or a list of sentences.
            min_count: the minimum number of occurrences; rarer tokens are left out and become unknown.
            max_size: the maximum number of tokens.
            lowercase: whether to convert text to lower case.

        Raises:
            ValueError: for an empty text, a text without any token that frequent, or a size that is not
                positive.
        """
        check_size("TokenVocabulary", "min_count", min_count)
        counts, undercount = Counter[str](), 0
        for part in parts_of("TokenVocabulary", text):
            counts.update((part.lower() if lowercase else part).split())
            if len(counts) > MOST_TYPES:
                counts, rarest = pruned(counts, MOST_TYPES * 3 // 4)
                undercount += rarest
        tokens = [token for token, count in counts.items() if count >= min_count]
        tokens = sorted(set(tokens).difference(cls.SPECIAL), key=lambda token: (-counts[token], token))
        if max_size is not None:
            tokens = tokens[: check_size("TokenVocabulary", "max_size", max_size, least=3) - 2]
        if not tokens:
            raise too_rare("TokenVocabulary", min_count)
        vocabulary = cls([*cls.SPECIAL, *tokens], lowercase=lowercase)
        vocabulary.undercount = undercount
        return vocabulary

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of a text's tokens; every line break becomes `<eos>`."""
        return super().ids_of(self._split("TokenVocabulary.encode", text))

    def ids_of(self, words: Iterable[str]) -> Ids:
        """Returns the ids (N,) of tokens that are given one by one; `unknown_id` for those it lacks."""
        end, unknown = self.SPECIAL
        return super().ids_of([unknown if word == end else word for word in words])

    def pieces(self, text: str) -> list[str]:
        """Returns the tokens of a text, one for each id; `<unk>` for an `<eos>` that stands in the text.

        They are in lower case if the vocabulary is.
        """
        return self._split("TokenVocabulary.pieces", text)

    def _split(self, op: str, text: str) -> list[str]:
        check_text(op, "text", text)
        end, unknown = self.SPECIAL
        lines = (line.split() for line in (text.lower() if self.lowercase else text).split("\n"))
        whole = [token for line in lines for token in (None, *line)][1:]
        return [end if token is None else unknown if token == end else token for token in whole]

    @staticmethod
    def divided(text: str) -> int:
        """Returns a place between two lines or tokens, see `Vocabulary.divided`."""
        return text.rfind("\n") + 1 or last_match(_SPACE, text)

    def unfinished(self, text: str) -> str:
        """Returns the token, or the beginning of one, at the end of a text; empty after white space."""
        return "" if text[-1:].isspace() else "".join(text.rsplit(maxsplit=1)[-1:])

    def _adding(self) -> Callable[[str], str]:
        """Returns a function from the next token to the text that it adds."""
        gap = ""

        def add(token: str) -> str:
            nonlocal gap
            if token == self.SPECIAL[0]:
                gap = ""
                return "\n"
            before, gap = gap, " "
            return before + token

        return add

    def to_config(self) -> dict[str, Any]:
        return {"level": self.level, "tokens": self.tokens, "lowercase": self.lowercase}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TokenVocabulary:
        return cls(strings(config["tokens"]), lowercase=bool(config["lowercase"]))


def too_rare(op: str, min_count: int) -> ValueError:
    """Returns the error for a text without any word that occurs `min_count` times."""
    return ValueError(
        f"{op}: text: expected a word that occurs {min_count} times, got none; "
        "lower min_count or give more text"
    )


def pruned(counts: Counter[str], most: int) -> tuple[Counter[str], int]:
    """Returns the most frequent of counted tokens, at most `most`, and the highest count among the others.

    All tokens that occur as often are left out together, so the order of the text does not matter.
    """
    rarest = sorted(counts.values(), reverse=True)[most]
    return Counter({token: count for token, count in counts.items() if count > rarest}), rarest


def last_match(pattern: re.Pattern[str], text: str, near: int = 1 << 12) -> int:
    """Returns the place of the last match of a pattern in a text, 0 if there is none.

    Args:
        pattern: matches one character, perhaps with others around it.
        text: the text.
        near: the number of characters at the end of the text that are searched first.
    """
    for start in (max(0, len(text) - near), 0):
        *_, place = [0, *(match.start() for match in pattern.finditer(text, start))]
        if place:
            return place
    return 0
