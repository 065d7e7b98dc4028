"""Ctrl-C, SIGTERM and SIGHUP, answered only where a training step is not left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from ..signals import TERMINATIONS, Terminated, Terminator


class Interrupts:
    """A context in which signals are answered at once within `allowed()`, and elsewhere kept until `check()`.

    So a training step is taken as a whole or not at all. Forward and backward pass may be interrupted, since
    they change only the gradients; the update and the bookkeeping may not. A second signal is answered at
    once, wherever it comes; for SIGTERM and SIGHUP, see `Terminator`.

    SIGINT is answered by its previous handler (Python's own raises KeyboardInterrupt). With `terminations`,
    SIGTERM and SIGHUP raise `Terminated`, and the process ends by the signal when that leaves the context, as
    it would have ended without it; a signal that is ignored, or has a handler of the user's, is left alone. A
    program whose handler is a `Terminator` gets the exception.

    Python discards an exception that is raised in the callback of a weak reference or in `__del__`; then the
    next `check()` or `allowed()` answers again. Outside the main thread, where Python has no signal handlers,
    the context has no effect.

    Args:
        terminations: whether SIGTERM and SIGHUP are answered where they would end the process.

    Attributes:
        forced: whether a second signal was answered, so that a step may be half done.
    """

    def __init__(self, *, terminations: bool = False) -> None:
        self._terminations = terminations
        self._pending: int | None = None
        self._allowed = self._answered = False
        self._previous: dict[int, Any] = {}
        self._own = Terminator()
        self.forced = False

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *TERMINATIONS):
                if self._is_ours(number, signal.getsignal(number)):
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def _is_ours(self, number: int, previous: Any) -> bool:
        if number == signal.SIGINT:
            return previous not in (signal.SIG_IGN, None)
        return isinstance(previous, Terminator) or (self._terminations and previous is signal.SIG_DFL)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        if isinstance(error, Terminated) and self._previous.get(error.number) is signal.SIG_DFL:
            signal.raise_signal(error.number)
        self._previous = {}

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Returns a context in which an interrupt is answered at once."""
        try:
            self._allowed = True
            self.check()
            yield
        except BaseException:
            self._answered = self._answered or self._pending is not None
            self._pending = None  # the answer is on its way
            raise
        finally:
            self._allowed = False

    def check(self) -> None:
        """Answers an interrupt that came while it was not allowed."""
        if self._pending is not None:
            number, self._pending = self._pending, None
            self._answered = True
            self._answer(number, None)
            self._answered = False  # a handler that raises nothing

    def _handle(self, number: int, frame: FrameType | None) -> None:
        terminator = self._terminator(number)
        if self._answered or self._pending is not None:
            if number == signal.SIGINT or not terminator.repeats():
                self._force(number, frame)
            return
        self._pending = number
        terminator.note()
        if self._allowed:
            self._answer(number, frame)
            self._pending = None

    def _force(self, number: int, frame: FrameType | None) -> None:
        """Answers a second signal."""
        try:
            self._answer(number, frame)
        except BaseException:
            self.forced = True
            raise

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            self._terminator(number).end(number)
        elif callable(previous := self._previous[number]):
            previous(number, frame)
        else:
            raise KeyboardInterrupt

    def _terminator(self, number: int) -> Terminator:
        previous = self._previous[number]
        return previous if isinstance(previous, Terminator) else self._own
