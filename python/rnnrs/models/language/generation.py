"""Generating text: each token is sampled from the model's distribution of the next token.

Texts are generated side by side: a step of the network is one call for all of them. The engine's results do
not depend on what is computed beside them, so each text is the one that would be generated alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from ..._rnnrs import log_softmax, sample, top_k
from ...checks import check_size, check_text
from ...data.corpus import CorpusPart
from ...data.sequence_batches import fill
from ...decoding import Sampling, check_stopped
from ...shown import short_repr
from ...types import Array
from ..base.validation import spread
from .corpora import example_texts
from .network import LanguageNetwork
from .pieces import Generated, GeneratedPiece, GeneratedToken, Pieces, Until

#: The most texts that are generated side by side; more of them wait.
SIDE_BY_SIDE = 64

#: The most tokens of prompts that are read at a step: a bound of the memory, and of the time of other texts.
POSITIONS = 1 << 13

#: The length up to which one prompt by itself is read with the weights that are packed already.
_SHORT = 256

#: The number of random numbers that are drawn at a time.
_DRAWS = 64


class Generation:
    """Texts that are generated side by side, token by token; they join and leave between two steps.

    A text is the one that `LanguageModel.generate` returns for the same prompt, settings and seed, whatever
    is generated beside it. At most 64 texts are continued in a step, others wait; memory grows neither with
    their number nor with the length of the prompts. One thread at a time may use a generation.

    Args:
        network: a language model; its weights are copied. `LanguageModel.generation` returns its generation.

    Example:
        >>> from rnnrs.models import LanguageModel
        >>> model = LanguageModel.from_text("abc" * 50, hidden_size=16)
        >>> history = model.fit("abc" * 50, epochs=30, learning_rate=0.02, progress=False)
        >>> generation = model.generation()
        >>> first = generation.add("abcab", length=3, temperature=0)
        >>> generation.step()[0][1].text
        'c'
        >>> second = generation.add("bc", length=1, temperature=0)
        >>> [(key == first, piece.text, piece.finished) for key, piece in generation.step()]
        [(True, 'a', None), (False, 'a', 'length')]
    """

    __repr__ = short_repr

    def __init__(self, network: LanguageNetwork) -> None:
        self._changes = network.parameters.changes  # first: a change between the two is noticed
        self._network, self._stepper = network, network.stepper()
        self._waiting: list[_Text] = []  # their prompts are not read yet
        self._running: list[_Text] = []
        self._held: list[_Text] = []  # those of which the stepper holds the states, in this order
        self._empty: list[_Text] = []  # those that end before their first token
        self._has_changed = False  # whether those that go on may be others than the stepper holds
        self._returns_tokens = False  # whether one of those that go on does
        self._unknown = network.vocabulary.unknown_id
        self._line_end = network.vocabulary.end_id if network.by_sentence else None
        self._keys = 0
        self._surfaces: dict[int, str] = {}

    def __reduce__(self) -> str:
        raise TypeError("Generation: expected no copy or pickle of a generation that is under way")

    def __len__(self) -> int:
        """The number of texts that have not ended."""
        return len(self._waiting) + len(self._running) + len(self._empty)

    def add(
        self,
        prompt: str = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: str | Iterable[str] | None = None,
        logprobs: int | None = 0,
    ) -> int:
        """Adds a text, which begins with the next step, and returns the key by which its pieces are known.

        Args:
            prompt, length, temperature, top_k, top_p, seed, stop: see `LanguageModel.generate`.
            logprobs: the number of likeliest tokens to return with each token; None: pieces have no tokens,
                which takes less time.

        Raises:
            ValueError, TypeError: for a setting outside its range, or of another type.
        """
        op = "Generation.add"
        settings = Sampling(length, temperature, top_k, top_p, seed, op=op)
        return self._begin(op, prompt, settings, stops_of(op, stop), logprobs)

    def _begin(
        self, op: str, prompt: str, settings: Sampling, stops: Sequence[str], logprobs: int | None
    ) -> int:
        if logprobs is not None:
            check_size(op, "logprobs", logprobs, least=0)
        check_text(op, "prompt", prompt)
        text = _Text(self._keys, self._network, prompt, settings, stops, logprobs)
        (self._waiting if settings.length else self._empty).append(text)
        self._keys += 1
        return text.key

    def remove(self, key: int) -> None:
        """Ends a text, of which no more pieces come. The key of a text that has ended has no effect."""
        for texts in (self._waiting, self._running, self._empty):
            texts[:] = [text for text in texts if text.key != key]
        self._has_changed = True

    def step(self, skipped: Collection[int] = ()) -> list[tuple[int, GeneratedPiece]]:
        """Generates a token of each text, and returns the pieces of text that are certain now.

        Texts that were added are read first: up to 8,192 tokens of their prompts. Those of which the prompt
        is not read yet do not hold up the others.

        Args:
            skipped: the keys of texts that wait for a later step.

        Returns:
            (key, piece) of texts with a new piece, in no particular order. A piece with `finished` is the
            last one of its text.

        Raises:
            Stopped: see `rnnrs.decoding.stoppable`; the generation can go on.
            ValueError: for a model whose scores are not finite: its training diverged.
            RuntimeError: if the parameters were changed since the generation began (by `fit`, an assignment),
                and a prompt is to be read.
        """
        check_stopped()
        found: list[tuple[int, GeneratedPiece]] = []
        if self._empty:
            found = [(text.key, GeneratedPiece("", (), "length")) for text in self._empty]
            self._empty.clear()
        if self._waiting:
            self._read(SIDE_BY_SIDE - sum(text.key not in skipped for text in self._running))
        rows = self._hold(skipped) if skipped or self._has_changed else self._held
        if not rows:
            return found
        for text, scores, log_p in self._scores(rows):
            if self._unknown is not None:
                scores[self._unknown] = -np.inf
            token = text.token = sample(scores, *text.how, next(text.draws))
            if token == self._line_end:
                text.state, self._has_changed = self._zeros(), True  # the next line is a sequence of its own
            piece = text.push(token, () if log_p is None else self._token(token, log_p, text.logprobs))
            if piece is not None:
                found.append((text.key, piece))
                if piece.finished is not None:
                    self._running.remove(text)
                    self._has_changed = True
        return found

    def _read(self, most: int) -> None:
        """Reads a part of at most so many prompts that wait; those that are read begin."""
        group = self._waiting[: max(most, 0)]
        if not group:
            return
        if len(group) == 1 and not self._running and len(group[0].ids) <= _SHORT:
            [text] = group
            self._stepper.state = (self._zeros() if text.state is None else text.state)[None]
            if text.ids:
                self._stepper.read(np.array(text.ids))
            text.ids, text.state, self._held = [], None, group
        else:
            self._read_group(group)
        for text in group:
            if not text.ids:
                self._waiting.remove(text)
                self._running.append(text)
                self._has_changed = True

    def _read_group(self, group: Sequence[_Text]) -> None:
        """Reads the next tokens of some prompts side by side."""
        network, count = self._network, POSITIONS // len(group)
        parts = [np.array(text.ids[:count], np.int64) for text in group]
        states = np.stack([self._zeros() if text.state is None else text.state for text in group])
        lengths = np.array([len(part) for part in parts])
        with network.parameters.reading:
            if network.parameters.changes != self._changes:
                raise RuntimeError(
                    "Generation.step: expected the parameters with which the generation began, "
                    "got ones that were changed since"
                )
            if lengths.any():
                _, cache = network.rnn.forward_tokens(
                    network.embedding, fill(parts, 0), states, lengths=lengths, gradient=False
                )
                states = cache.state
        for text, state in zip(group, states, strict=True):
            text.ids, text.state = text.ids[count:], state

    def _hold(self, skipped: Collection[int]) -> list[_Text]:
        """Lets the stepper hold the states of the texts that go on now, and returns these."""
        rows = [text for text in self._running if text.key not in skipped][:SIDE_BY_SIDE]
        self._has_changed = bool(skipped) or len(rows) < len(self._running)
        self._returns_tokens = any(text.logprobs is not None for text in rows)
        if rows == self._held and all(text.state is None for text in rows):
            return rows
        if self._held:
            for text, state in zip(self._held, self._stepper.state, strict=True):
                text.state = state if text.state is None else text.state
        if rows:
            self._stepper.state = np.stack([text.state for text in rows if text.state is not None])
        for text in rows:
            text.state = None
        self._held = rows
        return rows

    def _scores(self, rows: Sequence[_Text]) -> Iterable[tuple[_Text, Array, Array | None]]:
        """Advances texts by their last tokens; returns the scores (V,) of each, and ln P if asked for."""
        if len(rows) == 1:
            o = self._stepper.step(rows[0].token)
            return ((rows[0], o, log_softmax(o) if self._returns_tokens else None),)
        o = self._stepper.step(np.array([text.token for text in rows]))
        log_p = log_softmax(o) if self._returns_tokens else [None] * len(rows)
        return zip(rows, o, log_p, strict=True)

    def _zeros(self) -> Array:
        return np.zeros(self._network.rnn.state_size, self._network.parameters.dtype)

    def _token(self, token: int, log_p: Array, count: int | None) -> tuple[GeneratedToken, ...]:
        """Returns a token with its likeliest alternatives by ln P (V,); nothing if `count` is None."""
        if count is None:
            return ()
        own = float(log_p[token])
        likeliest: tuple[tuple[str, float], ...] = ()
        if count:
            if self._unknown is not None:
                log_p[self._unknown] = -np.inf
            places, values = top_k(log_p, min(count, len(log_p) - (self._unknown is not None)))
            names = map(self._surface, places.tolist())
            likeliest = tuple(zip(names, map(float, values), strict=True))
        return (GeneratedToken(self._surface(token), own, likeliest),)

    def _surface(self, token: int) -> str:
        """Returns a token as it is shown by itself."""
        if token not in self._surfaces:
            vocabulary = self._network.vocabulary
            self._surfaces[token] = vocabulary.surface(vocabulary.tokens[token])
        return self._surfaces[token]


class _Text:
    """A text that is generated.

    Attributes:
        key: its key.
        ids: the ids of the prompt that are not read yet, without the last one.
        token: the last id of the prompt, then the token that was generated last.
        state: the state (S,) before that token; None while the stepper holds it, and at the beginning.
        how: temperature, top_k and top_p.
        draws: the random numbers of its tokens.
        logprobs: see `Generation.add`.
    """

    def __init__(
        self,
        key: int,
        network: LanguageNetwork,
        prompt: str,
        settings: Sampling,
        stops: Sequence[str],
        logprobs: int | None,
    ) -> None:
        context: list[int] = network.context(prompt).tolist()
        self.key, self.logprobs = key, logprobs
        self.how = settings.temperature, settings.top_k, settings.top_p
        self.ids, self.token = context[:-1], context[-1]
        self.state: Array | None = None
        self._left, self._since = settings.length, 0
        self._pieces, self._until = Pieces(network.vocabulary, context[1:], prompt), Until(stops)
        self.draws = _random_numbers(settings.seed)

    def push(self, token: int, tokens: tuple[GeneratedToken, ...]) -> GeneratedPiece | None:
        """Adds a token, and returns the piece of text that is certain now, if there is one."""
        self._left -= 1
        self._since += 1
        text, ready = self._until.add(self._pieces.push(token), tokens)
        finished = None
        if self._until.has_ended:
            finished = "stop"
        elif not self._left:
            rest, last = self._until.rest()
            text, ready, finished = text + rest, (*ready, *last), "length"
        elif not text and not ready:
            return None
        since, self._since = self._since, 0
        return GeneratedPiece(text, ready, finished, since)


def _random_numbers(seed: int | None) -> Iterator[float]:
    """Yields uniform random numbers, some drawn at a time."""
    generator = np.random.default_rng(seed)
    while True:
        yield from generator.random(_DRAWS).tolist()


def stops_of(op: str, stop: str | Iterable[str] | None) -> list[str]:
    """Returns the texts before which a text ends; an empty one ends none.

    Raises:
        TypeError: for one that is not a string.
    """
    if not (stop is None or isinstance(stop, Iterable)):
        raise TypeError(f"{op}: stop: expected a text, or several, got {stop!r:.80}")
    stops = [stop] if isinstance(stop, str) else list(stop or ())
    return [text for text in stops if check_text(op, "stop", text)]


def stream(network: LanguageNetwork, prompt: str, settings: Sampling, stops: Sequence[str]) -> Iterator[str]:
    """Yields the text that a model generates after a prompt, piece by piece, up to a text in `stops`."""
    generation = Generation(network)
    generation._begin("stream", prompt, settings, stops, None)
    while len(generation):
        for _, piece in generation.step():
            if piece.text:
                yield piece.text


def generated(
    op: str,
    network: LanguageNetwork,
    prompts: Sequence[str],
    settings: Sequence[Sampling],
    stops: Sequence[str],
    logprobs: int | None = None,
) -> list[Generated]:
    """Returns the texts that a model generates after several prompts; see `LanguageModel.generate_all`."""
    generation = Generation(network)
    found: dict[int, list[GeneratedPiece]] = {
        generation._begin(op, prompt, own, stops, logprobs): []
        for prompt, own in zip(prompts, settings, strict=True)
    }
    while len(generation):
        for key, piece in generation.step():
            found[key].append(piece)
    return [
        Generated(
            "".join(piece.text for piece in own),
            tuple(chain.from_iterable(piece.tokens for piece in own)),
            own[-1].finished or "length",
        )
        for own in found.values()
    ]


def example_lines(network: LanguageNetwork, held_out: str | CorpusPart, count: int) -> list[str]:
    """Returns lines with the likeliest continuations of the first halves of some held-out lines."""
    if isinstance(held_out, str):
        lines = [line for line in held_out.split("\n") if line.strip()]
        examples = [lines[place] for place in spread(len(lines), count)]
    else:
        examples = example_texts(held_out, count)
    chosen = [line.split(" ") for line in examples]
    prompts = [" ".join(words[: len(words) // 2]) for words in chosen]
    likeliest = [Sampling(length=40, temperature=0)] * len(prompts)
    shown = []
    found = generated("example_lines", network, prompts, likeliest, ["\n"])
    for words, prompt, got in zip(chosen, prompts, found, strict=True):
        wanted = " ".join(words[len(words) // 2 :])
        shown += [f"  {prompt}", f"    wanted  {wanted}", f"    got     {got.text.strip()}"]
    return shown
