"""The signals that end a training, besides Ctrl-C, and those that make a server load its models again."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

#: The seconds within which a second signal is the first one.
_SAME = 0.5

#: The signals that end a process by default: SIGTERM comes from `kill` and schedulers, SIGHUP from a terminal
#: that closes. Systems without one of them have no name for it.
TERMINATIONS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

#: The signals that make a server load its models again; SIGHUP does only without a controlling terminal.
RELOADS = tuple(getattr(signal, name) for name in ("SIGUSR1",) if hasattr(signal, name))
HANGUP = getattr(signal, "SIGHUP", None)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP ended a training, as Ctrl-C does.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Terminator:
    """A signal handler that raises `Terminated`, for programs that end by it.

    A signal within half a second of another is the same one: shells, `timeout` and service managers often
    send it twice, to a process and to its group.
    """

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, number: int, frame: FrameType | None = None) -> None:
        """Raises `Terminated`, unless the signal is the one before."""
        if not self.repeats():
            self.end(number)

    def repeats(self) -> bool:
        """Returns whether a signal now is the one before."""
        return time.monotonic() - self._last < _SAME

    def note(self) -> None:
        """Notes that a signal came, which is answered later."""
        self._last = time.monotonic()

    def end(self, number: int) -> NoReturn:
        """Raises `Terminated`."""
        self.note()
        raise Terminated(number)


class Early:
    """Notes a signal by which models are to be loaded again, while they are loaded for the first time.

    By default, the signal would end the process.

    Attributes:
        is_asked: whether it came.
    """

    is_asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True


@contextlib.contextmanager
def noted_early() -> Iterator[None]:
    """Returns a context in which a server starts: a signal to load models again waits until it runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in RELOADS if signal.getsignal(number) is not signal.SIG_IGN]
    if HANGUP is not None and not has_terminal():
        numbers.append(HANGUP)
    early = Early()
    before = {number: signal.signal(number, early) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def has_terminal() -> bool:
    """Returns whether the process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return False
    return True
