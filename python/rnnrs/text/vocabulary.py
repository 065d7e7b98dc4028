"""Vocabularies: text ↔ token ids.

Every vocabulary has an `end` token, which ends a sentence and also serves as the input before its first
token, and an `unknown` token for everything outside the vocabulary, so that any text can be encoded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from ..checks import as_ids, check_text
from ..errors import DTypeError, ShapeError
from ..types import Ids
from .rules import end_of_signs, ends_in_word


class Vocabulary(ABC):
    """The tokens of a language model.

    Attributes:
        tokens: every token, by id.
        end_id: the id of the token that ends a sentence.
        unknown_id: the id of the token for text outside the vocabulary.
    """

    #: "char", "word", "subword" or "token".
    level: str
    #: Whether each token is a whole word or symbol.
    whole_words: ClassVar[bool] = False
    #: How often a token may have occurred without being counted, in a text of more than `MOST_TYPES` of them.
    undercount: int = 0

    def __init__(self, tokens: Sequence[str], end_id: int, unknown_id: int) -> None:
        self.tokens = list(tokens)
        self.end_id = end_id
        self.unknown_id = unknown_id
        self._ids_of_tokens: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens)"

    @property
    def spells_one_way(self) -> bool:
        """Whether no other tokens than those of `encode` spell a text."""
        return True

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
        return self._index().get(piece)

    def ids_of(self, words: Iterable[str]) -> Ids:
        """Returns the ids (N,) of tokens that are given one by one; `unknown_id` for those it lacks."""
        index, unknown = self._index(), self.unknown_id
        return np.array([index.get(word, unknown) for word in words], np.int64)

    def _index(self) -> dict[str, int]:
        if self._ids_of_tokens is None:
            self._ids_of_tokens = {token: i for i, token in enumerate(self.tokens)}
        return self._ids_of_tokens

    def surface(self, piece: str) -> str:
        """Returns a piece as it is shown by itself: the text that it stands for."""
        return piece

    def join(self, pieces: Sequence[str]) -> str:
        """Joins pieces into a text; they need not be in the vocabulary."""
        return "".join(pieces)

    def context(self, text: str) -> Ids:
        """Returns the ids (N,) of a text that goes on: its end need not be that of a sentence."""
        return self.encode(text)

    def cut(self, text: str) -> int:
        """Returns the last known place that divides a text, which may go on, into two; 0 if there is none.

        For every text that begins so, `context` returns the ids of the part before the place, by `encode`,
        and then the `context` of the rest. The word at the end of the text, see `unfinished`, is in the rest.

        Example:
            >>> from rnnrs.text import WordVocabulary
            >>> vocabulary = WordVocabulary.build("so be it", min_count=1)
            >>> vocabulary.cut("so be it, be it s")
            10
        """
        return text.rfind("\n") + 1

    @staticmethod
    def divided(text: str) -> int:
        """Returns the last known place that divides a text for every vocabulary of this kind; 0 for none.

        The ids of the part before it and those of the part after it are the ids of the text, and so are the
        counts of their tokens. The end of the text is not such a place, unless a line ends there.
        """
        return text.rfind("\n") + 1

    def piece(self, id: int) -> bytes:
        """Returns the bytes, in UTF-8, that a token adds to a text; a subword may end within a letter."""
        return self.decode([id]).encode()

    def unfinished(self, text: str) -> str:
        """Returns the word, or the beginning of one, at the end of a text; empty after a space or symbol."""
        return ends_in_word(text)

    def stream(self, ids: Iterable[int] = ()) -> Callable[[int], str]:
        """Returns a function from the next id to the text that it adds to the text so far.

        Args:
            ids: the ids of the text before.

        Example:
            >>> from rnnrs.text import WordVocabulary
            >>> vocabulary = WordVocabulary.build("Go, go!", min_count=1)
            >>> add = vocabulary.stream()
            >>> [add(id) for id in vocabulary.encode("Go, go!")]
            ['Go', ',', ' go', '!']
        """
        return self.tokens.__getitem__

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
        array = as_ids(op, "ids", list(ids) if isinstance(ids, Iterator) else ids)
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


#: The length of the parts in which a text that comes in pieces is counted.
PART = 1 << 18

#: The number of different words, of a text that comes in pieces, that are counted without a loss.
MOST_TYPES = 10_000_000


def without_surrogates(text: str) -> str:
    """Returns a text that UTF-8 can encode: a lone surrogate becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def parts_of(op: str, text: str | Iterable[str]) -> Iterator[str]:
    """Yields a text, or the lines of a list in parts of some length, each of one line or several.

    Raises:
        TypeError: if `text` is not a string or a collection of strings.
        ValueError: at the end, if there was nothing but white space.
    """
    if isinstance(text, (str, bytes)) or not isinstance(text, Iterable):
        text = [check_text(op, "text", text)]
    waiting, size, blank, empty = list[str](), 0, True, True
    for part in text:
        waiting.append(check_text(op, "text", part))
        size += len(part)
        if size >= PART:
            together = "\n".join(waiting)
            blank, empty, waiting, size = blank and not together.strip(), False, [], 0
            yield together
    if waiting:
        together = "\n".join(waiting)
        blank, empty = blank and not together.strip(), empty and not together
        yield together
    if blank:
        raise ValueError(f"{op}: text: expected some text, got {'nothing' if empty else 'only white space'}")


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
        self._table = np.full(int(codes.max()) + 2, self.unknown_id, np.int64)
        self._table[codes] = np.arange(len(codes))

    @classmethod
    def build(cls, text: str | Iterable[str]) -> CharVocabulary:
        """Collects the characters of a text or of sentences, in the order of their code points.

        Raises:
            ValueError: for an empty text.
        """
        return cls(sorted({cls.END, cls.UNKNOWN}.union(*map(set, parts_of("CharVocabulary", text)))))

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of a text's characters."""
        check_text("CharVocabulary.encode", "text", text)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        return self._table.take(codes, mode="clip")  # the last place is that of unknown characters

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the concatenated characters of ids."""
        return self.join([self.tokens[i] for i in self._known(ids)])

    def pieces(self, text: str) -> list[str]:
        """Returns the characters of a text."""
        check_text("CharVocabulary.pieces", "text", text)
        return list(text)

    def cut(self, text: str) -> int:
        """Returns the place before the word at the end of a text, see `Vocabulary.cut`."""
        return end_of_signs(text)

    @staticmethod
    def divided(text: str) -> int:
        """Returns the end of a text: any place divides it."""
        return len(text)

    def to_config(self) -> dict[str, Any]:
        return {"level": self.level, "tokens": self.tokens}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CharVocabulary:
        return cls(strings(config["tokens"]))


def strings(tokens: Any) -> list[str]:
    """Checks that tokens from a file are a list of strings, and returns it."""
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise TypeError("tokens: expected a list of strings")
    return tokens
