"""A model's worker: requests that wait together are computed together.

Each served model has one thread. It takes the request that waits longest and all others that can be computed
with it, and answers them by one call; the core's results do not depend on batch mates. Between such calls it
computes steps of the texts that are being generated, for as long as the call took. Requests wait in a bounded
queue.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..decoding import Stopped, stoppable
from .limits import Limits
from .problems import RETRY_AFTER, Problem

#: Computes the answers to items that came with the same key; an exception may be one of them.
Compute = Callable[[list[Any]], Sequence[Any]]

#: The most characters or numbers that are computed together, where there is more than one request: a short
#: request does not wait for many long ones.
TOGETHER = 100_000

#: The most seconds of the steps of streams between two calls, where that is more than one step of each.
TURN = 0.2

#: The seconds after which a request that waits watches for its client's leaving. Most are answered before,
#: and watching costs more than a suggestion.
WATCH_AFTER = 0.05

_log = logging.getLogger("rnnrs.serve")


class ClientLeft(Exception):
    """The client closed the connection before its answer was ready."""


class Stream(Protocol):
    """Work that a worker does step by step, between the answers of other requests."""

    def step(self) -> bool:
        """Computes one step, and returns whether there are more."""
        ...

    def fail(self, error: BaseException) -> None:
        """Ends after an error of `step`, or when the server ends."""
        ...


@dataclass(eq=False)
class Job:
    """A request that waits for its answer.

    Attributes:
        key: requests with equal keys are computed together.
        compute: computes them.
        item: what `compute` needs to know of this one.
        size: the characters or numbers to read.
        deadline: the time (`time.monotonic`) after which nobody waits.
        answer: the future answer.
        left: whether nobody waits any more.
        watcher: the task that waits for the client's leaving.
    """

    key: Hashable
    compute: Compute
    item: Any
    size: int
    deadline: float
    answer: asyncio.Future[Any]
    left: bool = False
    watcher: asyncio.Task[None] | None = None

    def is_over(self) -> bool:
        """Returns whether nobody waits for the answer any more."""
        return self.left or time.monotonic() > self.deadline

    def settle(self, result: Any) -> None:
        """Sets the answer, or the error that it is; only the event loop that waits for it calls this."""
        if self.answer.done():
            return
        if isinstance(result, BaseException):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)

    def expire(self, seconds: float) -> None:
        """Settles the job at its deadline."""
        self.settle(Problem(504, f"the answer was not ready within {seconds:g} seconds"))

    def watch(self, gone: Callable[[], Awaitable[None]]) -> None:
        """Settles the job when its client leaves."""

        async def watching() -> None:
            await gone()
            self.settle(ClientLeft())

        self.watcher = asyncio.ensure_future(watching())


@dataclass(eq=False)
class Worker:
    """The thread of one model.

    Args:
        name: the model's name.
        limits: the server's limits.

    Attributes:
        batches, computed: the number of calls so far, and of the requests that they answered.
        tokens: the number of tokens that streams have generated; they count them.
    """

    name: str
    limits: Limits
    batches: int = 0
    computed: int = 0
    tokens: int = 0
    _jobs: deque[Job] = field(default_factory=deque)
    _streams: list[Stream] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _closed: bool = False

    @property
    def waiting(self) -> int:
        """The number of requests in the queue."""
        return len(self._jobs)

    async def submit(
        self,
        key: Hashable,
        compute: Compute,
        item: Any,
        *,
        size: int = 1,
        seconds: float | None = None,
        gone: Callable[[], Awaitable[None]] | None = None,
    ) -> Any:
        """Returns the answer to a request.

        Args:
            key: requests with equal keys may be computed together.
            compute: computes the answers of such requests.
            item: what it needs to know of this one.
            size: the characters or numbers to read.
            seconds: the time within which the answer is needed; the limit by default.
            gone: returns when the client has left.

        Raises:
            Problem: 429 if the queue is full, 504 at the deadline, 503 if the server is ending.
            ClientLeft: when the client leaves.
            Exception: what `compute` raised for this item.
        """
        seconds = self.limits.seconds if seconds is None else seconds
        loop = asyncio.get_running_loop()
        job = Job(key, compute, item, size, time.monotonic() + seconds, loop.create_future())
        self._add(job)
        timers = [loop.call_later(seconds, job.expire, seconds)]
        if gone is not None:
            timers.append(loop.call_later(WATCH_AFTER, job.watch, gone))
        try:
            return await job.answer
        finally:
            job.left = True  # at an answer, at the deadline, and when the client leaves
            for timer in timers:
                timer.cancel()
            if job.watcher is not None:
                job.watcher.cancel()

    def run(self, stream: Stream) -> None:
        """Computes a stream's steps, between the answers of other requests, until it ends.

        Raises:
            Problem: 503 if the server is ending.
        """
        with self._changed:
            self._check_open()
            self._streams.append(stream)
            self._wake()

    def close(self, seconds: float = 5.0) -> None:
        """Ends the thread: requests that wait are refused, computations end at their next step.

        Args:
            seconds: how long to wait for that; a thread that goes on ends with the process.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(seconds)

    def _check_open(self) -> None:
        if self._closed:
            raise _ending()

    def _add(self, job: Job) -> None:
        with self._changed:
            self._check_open()
            if len(self._jobs) >= self.limits.queue:
                self._jobs = deque(one for one in self._jobs if not one.is_over())
            if len(self._jobs) >= self.limits.queue:
                raise full(self.name, len(self._jobs))
            self._jobs.append(job)
            self._wake()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"rnnrs {self.name}", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._jobs or self._streams or self._closed):
                    self._changed.wait()
                if self._closed:
                    break
                jobs = self._together()
            began = time.monotonic()
            self._answer(jobs)
            self._advance(min(time.monotonic() - began, TURN))
        _deliver(list(self._jobs), [_ending() for _ in self._jobs])
        for stream in self._streams:
            self._fail(stream, _ending())

    def _together(self) -> list[Job]:
        """Takes the job that waits longest, and those with its key; drops those for which nobody waits."""
        taken: list[Job] = []
        others: list[Job] = []
        size = 0
        for job in self._jobs:
            if job.is_over():
                continue
            fits = len(taken) < self.limits.batch and size + job.size <= TOGETHER
            if not taken or (fits and job.key == taken[0].key):
                taken.append(job)
                size += job.size
            else:
                others.append(job)
        self._jobs = deque(others)
        return taken

    def _answer(self, jobs: list[Job]) -> None:
        """Computes jobs together; if that fails, each half by itself, down to the one that is the reason."""
        jobs = [job for job in jobs if not job.is_over()]
        if not jobs:
            return
        try:
            with stoppable(lambda: self._closed or all(job.is_over() for job in jobs)):
                results = list(jobs[0].compute([job.item for job in jobs]))
            if len(results) != len(jobs):
                raise RuntimeError(f"expected {len(jobs)} answers, got {len(results)}")
        except Stopped:
            results = [_ending() if self._closed else _late() for _ in jobs]
        except BaseException as error:  # a panic of the core is not an Exception
            if len(jobs) > 1:
                half = len(jobs) // 2
                self._answer(jobs[:half])
                self._answer(jobs[half:])
                return
            results = [error]
        self.batches, self.computed = self.batches + 1, self.computed + len(jobs)
        _deliver(jobs, results)

    def _advance(self, seconds: float) -> None:
        """Computes a step of each stream, and further ones for so many seconds."""
        until = time.monotonic() + seconds
        while self._streams and not self._closed:
            for stream in list(self._streams):
                self._step(stream)
            if time.monotonic() >= until:
                return

    def _step(self, stream: Stream) -> None:
        try:
            goes_on = stream.step()
        except BaseException as error:
            goes_on = False
            _log.exception("%s: a stream failed", self.name)
            self._fail(stream, _plain(error))
        if not goes_on:
            self._streams.remove(stream)

    def _fail(self, stream: Stream, error: BaseException) -> None:
        try:
            stream.fail(error)
        except BaseException:  # the thread goes on, whatever happens
            _log.exception("%s: a stream did not end", self.name)


def full(name: str, waiting: int) -> Problem:
    """Returns the problem of a model for which too many requests wait."""
    headers = {"Retry-After": str(RETRY_AFTER)}
    return Problem(429, f"{name}: {waiting} requests wait for this model already", headers=headers)


def _ending() -> Problem:
    return Problem(503, "the server is ending")


def _late() -> Problem:
    return Problem(504, "the answer was not ready in time")


def _plain(error: Any) -> Any:
    """Returns a result, or an error in a form that a future can hold."""
    if isinstance(error, BaseException) and (
        not isinstance(error, Exception) or isinstance(error, StopIteration)
    ):
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        plain.__cause__ = error
        return plain
    return error


def _deliver(jobs: list[Job], results: Sequence[Any]) -> None:
    """Hands answers to the event loops that wait for them, each of which is woken once."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[Job, Any]]] = {}
    for job, result in zip(jobs, results, strict=True):
        loops.setdefault(job.answer.get_loop(), []).append((job, _plain(result)))
    for loop, settled in loops.items():
        try:
            loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:  # the loop has ended, and with it those who waited
            for job, _ in settled:
                job.left = True


def _settle(settled: list[tuple[Job, Any]]) -> None:
    for job, result in settled:
        job.settle(result)
