"""Several processes that answer requests at one address.

The supervisor loads the models and forks the workers, which share them in memory. It computes nothing itself:
it restarts a worker that died, forwards signals, and ends after the workers. They end when it is gone.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from .._rnnrs import get_num_threads, set_num_threads
from ..signals import Terminator
from .server import Server, Settings, handled, reload

LOGGER = logging.getLogger("rnnrs.serve")

#: The seconds after which a worker that died is started again, at first and at most; it doubles at each death
#: of a worker that has run for less than the longest.
_FIRST, _LONGEST = 0.5, 30.0

#: The seconds that a worker gets for its end, besides those of its requests.
_GRACE = 5.0


class Supervisor:
    """Starts the workers and looks after them.

    Args:
        app: from `create_app`, with the number of workers.
        settings: how the server is reached.
        listening: the socket that listens.

    Raises:
        ValueError: on a system without `fork`.
    """

    def __init__(self, app: Any, settings: Settings, listening: socket.socket) -> None:
        if not hasattr(os, "fork"):
            raise ValueError(f"serve: workers: expected 1 on this system, got {settings.workers}")
        self._app, self._settings, self._listening = app, settings, listening
        self._pids: dict[int, int] = {}  # by the worker's number
        self._started = [0.0] * settings.workers
        self._delays = [_FIRST] * settings.workers
        self._due = dict.fromkeys(range(settings.workers), 0.0)  # when a worker is to be started
        self._ending: float | None = None  # when the workers that are left are killed
        self._reload = False  # what signals ask for
        self._ends: list[int] = []
        self._code = 0
        self._terminator = Terminator()

    def run(self) -> int:
        """Runs the workers until a signal ends them, and returns the exit code."""
        # Only this process has the second end: the workers see that it is closed when this process is gone.
        self._lifeline, lifeline = os.pipe()
        awake, wake = socket.socketpair()
        for end in (awake, wake):
            end.setblocking(False)
        before = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        ignore = signal.signal(signal.SIGCHLD, lambda number, frame: None)  # a handler, so that it wakes us
        try:
            with handled(self._end, self._again):
                while self._ending is None or self._pids:
                    self._start_due(lifeline)
                    select.select([awake], [], [], self._pause())
                    self._read(awake)
                    self._look()
        finally:
            signal.signal(signal.SIGCHLD, ignore)
            signal.set_wakeup_fd(before)
            for end in (awake, wake):
                end.close()
            os.close(lifeline)
            os.close(self._lifeline)
        return self._code

    def _start_due(self, lifeline: int) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now and self._ending is None]:
            del self._due[number]
            self._started[number] = now
            self._pids[number] = self._fork(partial(self._work, number, lifeline))

    def _fork(self, work: Callable[[], int]) -> int:
        """Returns the ID of a new process; signals wait until it can handle them."""
        numbers = {signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP}
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            return pid
        code = 1
        try:
            code = work()
        except BaseException:
            LOGGER.exception("a worker failed")
        finally:
            logging.shutdown()
            os._exit(code)  # without the end of the supervisor's program

    def _work(self, number: int, lifeline: int) -> int:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(lifeline)
        threads = get_num_threads()
        if "RNNRS_NUM_THREADS" not in os.environ:
            threads = max(1, threads // self._settings.workers)
        set_num_threads(threads)  # new threads: those of the supervisor, if any, do not exist here
        self._app.state.metrics.become(number)
        Server(self._app, self._settings, lifeline=self._lifeline).run(sockets=[self._listening])
        return 0

    def _pause(self) -> float | None:
        """Returns the seconds until something is to be done; None if only a signal changes that."""
        if self._reload:
            return 0.0
        times = list(self._due.values()) if self._ending is None else [self._ending]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _read(self, awake: socket.socket) -> None:
        try:
            while awake.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _look(self) -> None:
        """Does what signals ask for, and notices workers that have ended."""
        if self._reload and self._ending is None:
            self._reload = False
            reload(self._app.state.host)  # for workers that are started later
            self._send(signal.SIGUSR1)
        if self._ends and self._ending is None:
            self._ending = time.monotonic() + self._app.state.host.limits.seconds + _GRACE
            self._listening.close()
            self._send(signal.SIGTERM)
        if len(self._ends) > 1:
            self._code = 128 + self._ends[1]
        if self._code or (self._ending is not None and time.monotonic() > self._ending):
            self._send(signal.SIGKILL)
        for number, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[number]
                if self._ending is None:
                    self._died(number, pid, os.waitstatus_to_exitcode(status))

    def _died(self, number: int, pid: int, code: int) -> None:
        now = time.monotonic()
        short = now - self._started[number] < _LONGEST
        delay = self._delays[number] if short else _FIRST
        self._delays[number] = min(2 * delay, _LONGEST)
        self._due[number] = now + delay
        reason = f"with {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        LOGGER.error("worker %d (process %d) ended %s; it starts again in %g s", number, pid, reason, delay)

    def _end(self, number: int) -> None:
        if not self._terminator.repeats():
            self._terminator.note()
            self._ends.append(number)

    def _again(self) -> None:
        self._reload = True

    def _send(self, number: int) -> None:
        for pid in self._pids.values():
            os.kill(pid, number)  # it exists, or is a zombie, until `_look` has waited for it
