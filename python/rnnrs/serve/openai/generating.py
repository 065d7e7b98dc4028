"""The texts that one language model generates side by side: requests join and leave between two steps."""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...decoding import Stopped, stoppable
from ...models.language.generation import Generation
from ...models.language.pieces import GeneratedPiece
from ..batching import WATCH_AFTER, ClientLeft, Worker, full
from ..limits import Limits
from ..problems import Problem, problem_of

#: The pieces of a text that wait for its client; then the text waits, too.
AHEAD = 64


@dataclass(eq=False)
class Choice:
    """One text that is to be generated.

    Attributes:
        texts: the request that it belongs to.
        index: its number there.
        settings: the arguments of `Generation.add`.
        read, written: the number of tokens of its prompt, and of those that follow.
        made, taken: the number of its pieces that were handed over, and of those that the client took.
        pieces: the pieces that were not handed over yet.
    """

    texts: Texts
    index: int
    settings: Mapping[str, Any]
    read: int = 0
    written: int = 0
    made: int = 0
    taken: int = 0
    pieces: list[GeneratedPiece] = field(default_factory=list)

    @property
    def is_ahead(self) -> bool:
        """Whether the text waits for its client."""
        return self.made - self.taken >= AHEAD


class Texts:
    """The texts of one request: pieces arrive as they are generated, or all at the end.

    Args:
        generating: generates them.
        settings: the arguments of `Generation.add` for each text.
        echo: whether each text begins with its prompt.
        seconds: the time within which the next piece is needed, or the whole.
        streams: whether pieces are wanted as they are generated.
        gone: returns when the client has left. It is not called once the first pieces of a stream are there.

    Attributes:
        choices: the texts.
        left: whether nobody waits for them any more.
    """

    def __init__(
        self,
        generating: Generating,
        settings: Sequence[Mapping[str, Any]],
        *,
        echo: bool,
        seconds: float,
        streams: bool,
        gone: Callable[[], Awaitable[None]],
    ) -> None:
        self.generating, self.echo, self.streams, self.left = generating, echo, streams, False
        self._seconds, self._gone = seconds, gone
        self._loop = asyncio.get_running_loop()
        self.choices = [Choice(self, i, own) for i, own in enumerate(settings)]
        self._arrived: list[tuple[Choice, list[GeneratedPiece]]] = []
        self._error: BaseException | None = None
        self._news = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    async def pieces(self) -> AsyncGenerator[list[tuple[int, GeneratedPiece]]]:
        """Yields the pieces that have arrived since the last time, each with the number of its text.

        Raises:
            Problem: 429 if too many requests wait, 504 at the deadline, 503 if the server is ending.
            ClientLeft: when the client leaves.
            Exception: what the model raised.
        """
        late = Problem(504, f"the text was not ready within {self._seconds:g} seconds")
        watch = self._loop.call_later(WATCH_AFTER, self._watch)
        timer: asyncio.TimerHandle | None = None
        try:
            self.generating.start(self.choices)
            missing = len(self.choices)
            while missing:
                timer = timer or self._loop.call_later(self._seconds, self._fail, late)
                await self._news.wait()
                self._check()
                if self.streams:
                    timer.cancel()
                    timer = None
                    self._end_watch(watch)
                found = self._taken()
                missing -= sum(piece.finished is not None for _, piece in found)
                yield found
        finally:
            self._end_watch(watch)
            if timer is not None:
                timer.cancel()
            self.left = True
            self.generating.wake()

    def _check(self) -> None:
        if self._error is not None:
            problem = problem_of(self._error, self.choices[0].settings)
            if problem is None or problem is self._error:
                raise self._error
            raise problem from self._error

    def _taken(self) -> list[tuple[int, GeneratedPiece]]:
        arrived, self._arrived = self._arrived, []
        self._news.clear()
        for choice, pieces in arrived:
            choice.taken += len(pieces)
        if self.streams:
            self.generating.wake()  # texts may have waited for this
        return [(choice.index, piece) for choice, pieces in arrived for piece in pieces]

    def _watch(self) -> None:
        async def watching() -> None:
            await self._gone()
            self._fail(ClientLeft())

        self._watcher = asyncio.ensure_future(watching())

    def _end_watch(self, timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def hand_over(self, choices: Sequence[Choice]) -> None:
        """Hands new pieces to the event loop that waits for them; called by the model's thread."""
        arrived = []
        for choice in choices:
            arrived.append((choice, choice.pieces))
            choice.made, choice.pieces = choice.made + len(choice.pieces), []
        self._call(self._arrive, arrived)

    def fail(self, error: BaseException) -> None:
        """Ends with an error; called by the model's thread."""
        self._call(self._fail, error)

    def _call(self, function: Any, argument: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop has ended, and with it the one who waited
            self.left = True

    def _arrive(self, arrived: list[tuple[Choice, list[GeneratedPiece]]]) -> None:
        self._arrived += arrived
        self._news.set()

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self._news.set()


class Generating:
    """A stream of a model's worker, whose step is one token of each text.

    Args:
        model: the language model.
        worker: its worker.
        limits: the server's limits.

    Attributes:
        fingerprint: of the model's parameters; texts with a seed are the same as long as it is the same.
    """

    def __init__(self, model: Any, worker: Worker, limits: Limits) -> None:
        self.fingerprint = ""
        self._model, self._worker, self._limits = model, worker, limits
        self._generation: Generation | None = None
        self._lock = threading.Lock()
        self._is_scheduled = False
        self._waiting: deque[Choice] = deque()
        self._new: list[Choice] = []
        self._running: dict[Any, Choice] = {}

    def start(self, choices: Sequence[Choice]) -> None:
        """Begins texts as soon as there are places for them; called by an event loop.

        Raises:
            Problem: 429 if too many requests wait, 503 if the server is ending.
        """
        with self._lock:
            self._waiting = deque(one for one in self._waiting if not one.texts.left)
            waiting = len(self._waiting) + self._worker.waiting
            if waiting and waiting + len(choices) > self._limits.queue:
                raise full(self._worker.name, waiting)
            self._schedule()
            self._waiting.extend(choices)

    def wake(self) -> None:
        """Looks again for texts that can go on, or that nobody wants any more; called by an event loop."""
        try:
            with self._lock:
                if self._waiting or self._running:
                    self._schedule()
        except Problem as ending:  # the server is ending
            self.fail(ending)

    def step(self) -> bool:
        """Generates a token of each text, and returns whether there are texts that can go on."""
        with self._lock:
            skipped = self._admit()
            if not self._new and len(skipped) == len(self._running):
                self._is_scheduled = False
                return False
        if self._generation is None:
            self._generation = self._model.generation()
            self.fingerprint = f"{zlib.crc32(self._model.parameters.flat.data):08x}"
        try:
            with stoppable(self._is_left):
                for choice in self._new:
                    self._add(self._generation, choice)
                self._new = []
                found = self._generation.step(skipped)
        except Stopped:  # nobody waits for any of these
            self._new, self._running, self._generation = [], {}, None
        else:
            self._hand_out(found)
        return True

    def fail(self, error: BaseException) -> None:
        """Ends all texts with an error."""
        with self._lock:
            ended = [*self._running.values(), *self._new, *self._waiting]
            self._running, self._new, self._generation, self._is_scheduled = {}, [], None, False
            self._waiting.clear()
        for texts in dict.fromkeys(choice.texts for choice in ended):
            texts.fail(error)

    def _is_left(self) -> bool:
        """Returns whether nobody waits for any text that is being generated."""
        return all(choice.texts.left for choice in (*self._new, *self._running.values()))

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._worker.run(self)
            self._is_scheduled = True

    def _admit(self) -> list[Any]:
        """Lets texts begin for which there is a place; returns the keys of those that wait for their clients.

        Texts that nobody wants any more are removed.
        """
        for key in [key for key, choice in self._running.items() if choice.texts.left]:
            del self._running[key]
            if self._generation is not None:
                self._generation.remove(key)
        skipped = [key for key, choice in self._running.items() if choice.is_ahead]
        places = self._limits.batch - len(self._running) + len(skipped)
        while self._waiting and len(self._new) < places:
            choice = self._waiting.popleft()
            if not choice.texts.left:
                self._new.append(choice)
        return skipped

    def _add(self, generation: Generation, choice: Choice) -> None:
        try:
            self._running[generation.add(**choice.settings)] = choice
            self._read(choice)
        except Exception as error:  # of its settings: the others go on
            choice.texts.fail(error)

    def _read(self, choice: Choice) -> None:
        """Notes what is to be said of a prompt."""
        prompt, likeliest = choice.settings["prompt"], choice.settings["logprobs"]
        choice.read = len(self._model.context(prompt)) - 1
        if choice.texts.echo:
            tokens = () if likeliest is None else self._model.prompt_tokens(prompt, likeliest=likeliest)
            unread = prompt.rfind("\n") + 1 if self._model.by_sentence else 0
            choice.pieces += [GeneratedPiece(prompt[:unread]), GeneratedPiece(prompt[unread:], tuple(tokens))]

    def _hand_out(self, found: Sequence[tuple[Any, GeneratedPiece]]) -> None:
        ready: dict[Texts, list[Choice]] = {}
        for key, piece in found:
            choice = self._running[key]
            choice.written += piece.generated
            self._worker.tokens += piece.generated
            choice.pieces.append(piece)
            if piece.finished is not None:
                del self._running[key]
            if piece.finished is not None or choice.texts.streams:
                ready.setdefault(choice.texts, []).append(choice)
        for texts, choices in ready.items():
            texts.hand_over(choices)
