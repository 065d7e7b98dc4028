"""Ctrl-C, answered only where a training step is not left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """A context in which SIGINT is answered at once within `allowed()`, and elsewhere kept until `check()`.

    So a training step is taken as a whole or not at all. Forward and backward pass may be interrupted, since
    they change only the gradients; the update and the bookkeeping may not. The previous signal handler gives
    the answer (Python's own raises KeyboardInterrupt). Python discards an exception that is raised in the
    callback of a weak reference or in `__del__`; then the next `check()` or `allowed()` answers again.
    Outside the main thread, where Python has no signal handlers, the context has no effect.
    """

    def __init__(self) -> None:
        self._pending = False
        self._allowed = False
        self._installed = False
        self._previous: Any = None

    def __enter__(self) -> Interrupts:
        previous = signal.getsignal(signal.SIGINT)
        ours_to_answer = previous not in (signal.SIG_IGN, None)
        if threading.current_thread() is threading.main_thread() and ours_to_answer:
            self._previous = signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._previous)
            self._installed = False

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Returns a context in which an interrupt is answered at once."""
        try:
            self._allowed = True
            self.check()
            yield
        except BaseException:
            self._pending = False  # the answer is on its way
            raise
        finally:
            self._allowed = False

    def check(self) -> None:
        """Answers an interrupt that came while it was not allowed."""
        if self._pending:
            self._pending = False
            self._answer(signal.SIGINT, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._pending = True
        if self._allowed:
            self._answer(number, frame)
            self._pending = False

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if callable(self._previous):
            self._previous(number, frame)
        else:
            raise KeyboardInterrupt
