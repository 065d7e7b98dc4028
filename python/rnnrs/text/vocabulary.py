"""Vocabularies: text ↔ token ids.

Every vocabulary has an `end` token, which ends a sentence and also serves as the input before its first
token, and an `unknown` token for everything outside the vocabulary, so that any text can be encoded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..checks import check_size
from ..errors import DTypeError, ShapeError
from ..types import Ids
from .words import Spacing, find_words


class Vocabulary(ABC):
    """The tokens of a language model.

    Attributes:
        tokens: every token, by id.
        end_id: the id of the token that ends a sentence.
        unknown_id: the id of the token for text outside the vocabulary.
    """

    #: "char", "word" or "subword".
    level: str

    def __init__(self, tokens: Sequence[str], end_id: int, unknown_id: int) -> None:
        self.tokens = list(tokens)
        self.end_id = end_id
        self.unknown_id = unknown_id
        self._ids_of_tokens: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens)"

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of a text; unknown pieces become `unknown_id`."""

    def encode_all(self, sentences: Iterable[str]) -> list[Ids]:
        """Returns the ids of several sentences, one vector (N,) each."""
        return [self.encode(sentence) for sentence in sentences]

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids.

        Raises:
            IndexError: for an id outside the vocabulary.
            DTypeError, ShapeError: if `ids` is not a vector of whole numbers.
        """

    def pieces(self, text: str) -> list[str]:
        """Splits a text into pieces, one per id of `encode`.

        A piece is a token, or the original text where `encode` gives `unknown_id`.
        """
        return [self.tokens[i] for i in self.encode(text)]

    def id_of(self, piece: str) -> int | None:
        """Returns the id of a piece, or None if it is not in the vocabulary."""
        if self._ids_of_tokens is None:
            self._ids_of_tokens = {token: i for i, token in enumerate(self.tokens)}
        return self._ids_of_tokens.get(piece)

    def join(self, pieces: Sequence[str]) -> str:
        """Joins pieces into a text; they need not be in the vocabulary."""
        return "".join(pieces)

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """Returns the vocabulary as JSON types, for a model file."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: dict[str, Any]) -> Vocabulary:
        """Returns the vocabulary that `to_config` described.

        Raises:
            KeyError, TypeError, ValueError: if `config` does not describe a vocabulary.
        """

    def _known(self, ids: Iterable[int]) -> list[int]:
        """Returns ids as a list after checking that each one is in the vocabulary."""
        op = f"{type(self).__name__}.decode"
        array = np.asarray(list(ids) if isinstance(ids, Iterator) else ids)
        if array.ndim != 1:
            raise ShapeError(f"{op}: ids: expected a vector (N,), got shape {array.shape}")
        if array.dtype.kind not in "iu" and array.size:
            raise DTypeError(f"{op}: ids: expected whole numbers, got {array.dtype}")
        outside = (array < 0) | (array >= len(self))
        if outside.any():
            place = int(outside.argmax())
            raise IndexError(
                f"{op}: ids: expected 0 to {len(self) - 1}, got {array[place]} at position {place}"
            )
        known: list[int] = array.tolist()
        return known


def check_text(op: str, text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{op}: text: expected a string, got {type(text).__name__}")
    return text


def as_text(op: str, text: str | Iterable[str]) -> str:
    """Returns a text, or the sentences of a list joined as lines.

    Raises:
        TypeError: if `text` is not a string or a list of strings.
        ValueError: if it is empty or only whitespace.
    """
    if not isinstance(text, (str, bytes)) and isinstance(text, Iterable):
        text = "\n".join([check_text(op, sentence) for sentence in text])
    if not check_text(op, text).strip():
        raise ValueError(
            f"{op}: text: expected some text, got {'nothing' if not text else 'only white space'}"
        )
    return text


class CharVocabulary(Vocabulary):
    """A vocabulary with one token per character (code point); "\\n" is the end, "\\ufffd" the unknown token.

    Args:
        characters: the characters, by id; "\\n" and "\\ufffd" among them.

    Raises:
        ValueError: if one of those two is missing, or a character occurs twice.
    """

    level = "char"
    END = "\n"
    UNKNOWN = "\ufffd"

    def __init__(self, characters: Sequence[str]) -> None:
        if len(set(characters)) != len(characters) or any(len(c) != 1 for c in characters):
            raise ValueError("CharVocabulary: characters: expected different single characters")
        missing = [c for c in (self.END, self.UNKNOWN) if c not in characters]
        if missing:
            raise ValueError(f"CharVocabulary: characters: expected {missing[0]!r} among them")
        super().__init__(characters, characters.index(self.END), characters.index(self.UNKNOWN))
        codes = np.array([ord(c) for c in characters])
        self._table = np.full(int(codes.max()) + 1, self.unknown_id, np.int64)
        self._table[codes] = np.arange(len(codes))

    @classmethod
    def build(cls, text: str | Iterable[str]) -> CharVocabulary:
        """Collects the characters of a text or of sentences, in the order of their code points.

        Raises:
            ValueError: for an empty text.
        """
        text = as_text("CharVocabulary", text)
        return cls(sorted(set(text) | {cls.END, cls.UNKNOWN}))

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of a text's characters."""
        check_text("CharVocabulary.encode", text)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
        known = codes < len(self._table)
        return np.where(known, self._table[np.where(known, codes, 0)], self.unknown_id)

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the concatenated characters of ids."""
        return self.join([self.tokens[i] for i in self._known(ids)])

    def pieces(self, text: str) -> list[str]:
        """Returns the characters of a text."""
        check_text("CharVocabulary.pieces", text)
        return list(text)

    def to_config(self) -> dict[str, Any]:
        return {"level": self.level, "tokens": self.tokens}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CharVocabulary:
        return cls(_strings(config["tokens"]))


class WordVocabulary(Vocabulary):
    """A vocabulary with one token per word or symbol (`text.find_words`); a line break ends a sentence.

    Whitespace is not preserved: `decode` inserts spaces by the rules of European languages
    (`text.join_words`).

    Args:
        tokens: the tokens by id; "<eos>" and "<unk>" first.
        lowercase: whether text is converted to lower case before lookup.
        marks: whether combining marks belong to the letter before them. In files of earlier versions they did
            not.

    Raises:
        ValueError: if the first two tokens are others, or a token occurs twice.
    """

    level = "word"
    SPECIAL = ("<eos>", "<unk>")

    def __init__(self, tokens: Sequence[str], *, lowercase: bool = False, marks: bool = True) -> None:
        if tuple(tokens[:2]) != self.SPECIAL or len(set(tokens)) != len(tokens):
            raise ValueError('WordVocabulary: tokens: expected "<eos>", "<unk>" and then different words')
        super().__init__(tokens, 0, 1)
        self.lowercase, self.marks = lowercase, marks
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        self._sorted: list[tuple[str, str, int]] | None = None

    @classmethod
    def build(
        cls,
        text: str | Iterable[str],
        *,
        min_count: int = 2,
        max_size: int | None = None,
        lowercase: bool = False,
    ) -> WordVocabulary:
        """Collects the words of a text, the most frequent first.

        Args:
            text: the text, or a list of sentences.
            min_count: the minimum number of occurrences; rarer words are left out and become unknown.
            max_size: the maximum number of tokens.
            lowercase: whether to convert text to lower case.

        Raises:
            ValueError: for an empty text, a text without any word that frequent, or a size that is not
                positive.
        """
        text = as_text("WordVocabulary", text)
        check_size("WordVocabulary", "min_count", min_count)
        counts = Counter(find_words(text.lower() if lowercase else text))
        words = [word for word, count in counts.items() if count >= min_count]
        words.sort(key=lambda word: (-counts[word], word))
        if max_size is not None:
            words = words[: check_size("WordVocabulary", "max_size", max_size, least=3) - 2]
        if not words:
            raise ValueError(
                f"WordVocabulary: text: expected a word that occurs {min_count} times, got none; "
                "lower min_count or give more text"
            )
        return cls([*cls.SPECIAL, *words], lowercase=lowercase)

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of a text's words; every line break becomes `<eos>`."""
        check_text("WordVocabulary.encode", text)
        look_up, unknown = self._ids.get, self.unknown_id
        return np.array([look_up(word, unknown) for word in self.pieces(text)], np.int64)

    def pieces(self, text: str) -> list[str]:
        """Returns the words and symbols of a text, with `<eos>` for every line break.

        They are in lower case if the vocabulary is.
        """
        check_text("WordVocabulary.pieces", text)
        words: list[str] = []
        for number, line in enumerate((text.lower() if self.lowercase else text).split("\n")):
            if number:
                words.append(self.SPECIAL[0])
            words.extend(find_words(line, marks=self.marks))
        return words

    def decode(self, ids: Iterable[int]) -> str:
        """Returns readable text: spaces between words, none before a comma, a line break for `<eos>`."""
        return self.join([self.tokens[i] for i in self._known(ids)])

    def join(self, pieces: Sequence[str]) -> str:
        """Joins words into readable text, as `decode` does; they need not be in the vocabulary."""
        text: list[str] = []
        spacing = Spacing()
        for word in pieces:
            if word == self.SPECIAL[0]:
                text.append("\n")
                spacing = Spacing()
            else:
                text.append(spacing.add(word))
        return "".join(text)

    def with_prefix(self, prefix: str) -> Ids:
        """Returns the ids of the words with a prefix, ascending; ignores case if no word matches exactly."""
        if self._sorted is None:
            words = ((word.lower(), word, i) for word, i in self._ids.items() if i > 1 and word[:1].isalnum())
            self._sorted = sorted(words)
        low = prefix.lower()
        start = bisect_left(self._sorted, (low, "", 0))
        end = bisect_left(self._sorted, (low + "\U0010ffff", "", 0))
        found = self._sorted[start:end]
        exact = [i for _, word, i in found if word.startswith(prefix)]
        return np.array(sorted(exact or [i for _, _, i in found]), np.int64)

    def to_config(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "tokens": self.tokens,
            "lowercase": self.lowercase,
            "marks": self.marks,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WordVocabulary:
        tokens, lowercase = _strings(config["tokens"]), bool(config["lowercase"])
        return cls(tokens, lowercase=lowercase, marks=bool(config.get("marks", False)))


def _strings(tokens: Any) -> list[str]:
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise TypeError("tokens: expected a list of strings")
    return tokens
