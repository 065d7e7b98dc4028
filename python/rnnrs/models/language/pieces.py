"""Generated tokens as text, piece by piece, up to a text that ends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...shown import short_repr
from ...text import Vocabulary


class GeneratedToken(NamedTuple):
    """A generated token.

    Attributes:
        text: the token as it is shown by itself, without the space before it.
        log_prob: ln P of the token after all tokens before it, by the model: at temperature 1 and among all
            tokens.
        likeliest: the likeliest tokens at this place, the likeliest first, each with ln P: as many as were
            asked for. The unknown token, which is never generated, is not among them.
    """

    text: str
    log_prob: float
    likeliest: tuple[tuple[str, float], ...] = ()

    def __repr__(self) -> str:
        return short_repr(self)


class GeneratedPiece(NamedTuple):
    """A piece of a generated text.

    Attributes:
        text: the text; several tokens may be needed for it, as for a letter of several bytes.
        tokens: the tokens that it consists of. They come with the last of their text. A token of which a stop
            text cuts off the end is one of them.
        finished: "stop" if a stop text follows, "length" after the last token, None if the text goes on.
        generated: the number of tokens that were generated since the piece before.
    """

    text: str
    tokens: tuple[GeneratedToken, ...] = ()
    finished: str | None = None
    generated: int = 0

    def __repr__(self) -> str:
        return short_repr(self)


class Generated(NamedTuple):
    """A generated text, with the attributes of a `GeneratedPiece`; `str` of it is the text."""

    text: str
    tokens: tuple[GeneratedToken, ...]
    finished: str

    def __repr__(self) -> str:
        return short_repr(self)

    def __str__(self) -> str:
        return self.text


class Pieces:
    """Converts tokens to text one by one, with the spaces of the whole text.

    Args:
        vocabulary: the vocabulary of the tokens.
        ids: the tokens before the first one.
        text: the text of these tokens.
    """

    def __init__(self, vocabulary: Vocabulary, ids: Sequence[int], text: str) -> None:
        self._add = vocabulary.stream(ids)
        self._after_space = not text or text[-1].isspace()

    def push(self, token: int) -> str:
        """Returns the text that a token adds; empty until a character is complete."""
        piece = self._add(token)
        if not piece:
            return ""
        if self._after_space and len(piece) > 1:
            piece = piece.removeprefix(" ")
        self._after_space = False
        return piece


class Until:
    """Text that arrives piece by piece, up to the first of some texts.

    The end of a piece is held back for as long as it may be the beginning of such a text, and with it the
    tokens of which something is held back.

    Args:
        stops: the texts.

    Attributes:
        has_ended: whether one of the texts has come.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.has_ended = False
        self._stops = stops
        self._held = ""
        # Tokens that are held back, each with the places in `_held` where its text begins and ends.
        self._tokens: list[tuple[GeneratedToken, int, int]] = []
        self._unspelled: list[GeneratedToken] = []  # those of which the text is not complete

    def add(self, piece: str, tokens: tuple[GeneratedToken, ...]) -> tuple[str, tuple[GeneratedToken, ...]]:
        """Adds a piece and its tokens; returns the text that is certain now, and the tokens of it."""
        if not piece:
            self._unspelled += tokens
            return "", ()
        if self._unspelled:
            tokens, self._unspelled = (*self._unspelled, *tokens), []
        if not self._stops:
            return piece, tokens
        begin = len(self._held)
        self._held += piece
        self._tokens += [(token, begin, len(self._held)) for token in tokens]
        places = [place for text in self._stops if (place := self._held.find(text)) >= 0]
        if places:
            self.has_ended = True
            text = self._held[: min(places)]
            return text, tuple(token for token, begin, _ in self._tokens if begin < len(text))
        return self._release(len(self._held) - max(_overlap(self._held, text) for text in self._stops))

    def rest(self) -> tuple[str, tuple[GeneratedToken, ...]]:
        """Returns all that is held back, at the end."""
        text, tokens = self._release(len(self._held))
        return text, (*tokens, *self._unspelled)

    def _release(self, length: int) -> tuple[str, tuple[GeneratedToken, ...]]:
        """Returns the beginning of the text that is held back, and the tokens that end in it."""
        text, self._held = self._held[:length], self._held[length:]
        ready = tuple(token for token, _, end in self._tokens if end <= length)
        self._tokens = [(t, begin - length, end - length) for t, begin, end in self._tokens[len(ready) :]]
        return text, ready


def _overlap(text: str, stop: str) -> int:
    """Returns the length of the longest suffix of `text` that is a prefix of `stop`."""
    return next((n for n in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:n])), 0)
