"""The signals that end a training, besides Ctrl-C."""

from __future__ import annotations

import math
import signal
import time
from types import FrameType
from typing import NoReturn

#: The seconds within which a second signal is the first one.
_SAME = 0.5

#: The signals that end a process by default: SIGTERM comes from `kill` and schedulers, SIGHUP from a terminal
#: that closes. Systems without one of them have no name for it.
TERMINATIONS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


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
