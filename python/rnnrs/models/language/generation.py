"""Writing: one token after another, each drawn from what the model expects next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..._rnnrs import sample
from ...decoding import Sampling
from ...text import Vocabulary
from .network import LanguageNetwork


def stream(
    network: LanguageNetwork, prompt: str, sampling: Sampling, stop: str | Iterable[str] | None = None
) -> Iterator[str]:
    """What the model writes after a prompt, piece by piece, up to any of the texts to stop at."""
    stops = [stop] if isinstance(stop, str) else list(stop or ())
    return until([text for text in stops if text], _pieces(network, prompt, sampling))


def _pieces(network: LanguageNetwork, prompt: str, sampling: Sampling) -> Iterator[str]:
    vocabulary = network.vocabulary
    context = network.context(prompt)
    stepper = network.stepper()
    o = stepper.read(context)
    pieces = Pieces(vocabulary, context[1:].tolist(), prompt)
    draw = np.random.default_rng(sampling.seed)
    for _ in range(sampling.length):
        if vocabulary.unknown_id is not None:
            o[vocabulary.unknown_id] = -np.inf
        token = sample(o, sampling.temperature, sampling.top_k, sampling.top_p, draw.random())
        if piece := pieces.push(token):
            yield piece
        if network.by_sentence and token == vocabulary.end_id:
            stepper.reset()
        o = stepper.step(token)


class Pieces:
    """Turns tokens into text as they come, with the spaces that the whole text would have.

    What is new is what decoding the last tokens gives beyond what it gave without the newest.

    Args:
        vocabulary: that the tokens are of.
        ids: the tokens before.
        text: what these stand for.
    """

    #: As many tokens decide how the next one is written.
    MEMORY = 8

    def __init__(self, vocabulary: Vocabulary, ids: Sequence[int], text: str) -> None:
        self._vocabulary = vocabulary
        self._ids = list(ids[-self.MEMORY :])
        self._given = len(vocabulary.decode(self._ids))
        self._after_space = not text or text[-1].isspace()

    def push(self, token: int) -> str:
        """The text that a token adds; empty while a character is not complete yet."""
        self._ids.append(token)
        text = self._vocabulary.decode(self._ids)
        piece = text[self._given :]
        if not piece or piece.endswith("\ufffd"):
            return ""
        self._given = len(text)
        if len(self._ids) >= 2 * self.MEMORY:
            del self._ids[: -self.MEMORY]
            self._given = len(self._vocabulary.decode(self._ids))
        if self._after_space and len(piece) > 1:
            piece = piece.removeprefix(" ")
        self._after_space = False
        return piece


def until(stops: Sequence[str], pieces: Iterable[str]) -> Iterator[str]:
    """Passes pieces on, up to the first of the texts to stop at.

    The end of a piece is held back for as long as it may be the beginning of such a text.
    """
    held = ""
    for piece in pieces:
        held += piece
        places = [place for text in stops if (place := held.find(text)) >= 0]
        if places:
            yield from filter(None, [held[: min(places)]])
            return
        keep = max((_overlap(held, text) for text in stops), default=0)
        ready, held = held[: len(held) - keep], held[len(held) - keep :]
        if ready:
            yield ready
    if held:
        yield held


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that `stop` begins with."""
    return next((n for n in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:n])), 0)
