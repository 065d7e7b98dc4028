"""Generating text: each token is sampled from the model's distribution of the next token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..._rnnrs import sample
from ...decoding import Sampling
from ...text import Vocabulary
from ..base.validation import spread
from .network import LanguageNetwork


def stream(
    network: LanguageNetwork, prompt: str, sampling: Sampling, stop: str | Iterable[str] | None = None
) -> Iterator[str]:
    """Yields the text that a model generates after a prompt, piece by piece, up to a text in `stop`."""
    stops = [stop] if isinstance(stop, str) else list(stop or ())
    return until([text for text in stops if text], _pieces(network, prompt, sampling))


def example_lines(network: LanguageNetwork, held_out: str, count: int) -> list[str]:
    """Returns lines with the likeliest continuations of the first halves of some held-out lines."""
    lines = [line.split(" ") for line in held_out.split("\n") if line.strip()]
    shown = []
    for words in (lines[place] for place in spread(len(lines), count)):
        half = len(words) // 2
        prompt, wanted = " ".join(words[:half]), " ".join(words[half:])
        got = "".join(stream(network, prompt, Sampling(length=40, temperature=0), "\n"))
        shown += [f"  {prompt}", f"    wanted  {wanted}", f"    got     {got.strip()}"]
    return shown


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


def until(stops: Sequence[str], pieces: Iterable[str]) -> Iterator[str]:
    """Yields pieces of text up to the first of the texts in `stops`.

    The end of a piece is delayed for as long as it may be the beginning of such a text.
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
    """Returns the length of the longest suffix of `text` that is a prefix of `stop`."""
    return next((n for n in range(min(len(stop), len(text)), 0, -1) if text.endswith(stop[:n])), 0)
