"""Ctrl-C, let in only where it does no harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """While entered, SIGINT is heard at once within `allowed()`, and elsewhere kept until `check()`.

    A training step is thus whole or not at all: forward and backward may be broken off, since they touch nothing but
    the gradients; the update and the book-keeping may not. The handler that was there before does the answering
    (Python's own raises KeyboardInterrupt). Where what it raises is lost, as Python loses it in the callback of a weak
    reference or in `__del__`, it answers again at the next `check()` or `allowed()`. Outside the main thread, where
    Python has no signal handlers, nothing is changed.
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
        """Within it, an interrupt is answered at once."""
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
