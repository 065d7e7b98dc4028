"""A `train` verb over several processes: `mpiexec -n N rnnrs … train …`.

The first process alone claims and writes the files, shows progress and prints. The others say nothing, unless
one of them alone fails.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import MissingExtraError, RankError
from ..launcher import from_environment, rank_in_environment
from ..threads import share_processors
from .common import Done, ending, one_line, say

#: The seconds for which a process that failed waits for the others to fail, too, before it ends them.
PATIENCE = 3.0

#: How a process ends: with an exit code, an error to tell, a signal, or because of another one's error.
_ENDED, _FAILED, _INTERRUPTED, _STOPPED = range(4)


def run_together(arguments: argparse.Namespace, work: Callable[[], int]) -> int:
    """Runs a verb that trains in all processes that MPI started together; otherwise in this one.

    Sets `arguments.communicator`, which is None without MPI.

    Args:
        arguments: the command line.
        work: runs the verb and returns the exit code.

    Returns:
        The exit code.

    Raises:
        BaseException: the error of `work`, if this is the first process, and it has one.
        MissingExtraError: if MPI started the processes without a working mpi4py; in the first of them.
    """
    try:
        communicator = arguments.communicator = from_environment("train")
    except MissingExtraError:
        if rank_in_environment():
            return 1  # the first process says it
        raise
    if communicator is None:
        return work()
    share_processors(communicator)
    end, screen = _End(communicator), sys.stderr
    with _silent(end.rank > 0):
        try:
            code = work()
        except BaseException as error:
            tells = end.tells(error, screen)
            if tells and (not end.rank or os.environ.get("RNNRS_DEBUG") == "1"):
                raise
            if tells:
                _say(end.rank, error, screen)
            return _code(error)
    end.meet(_ENDED)
    return code


class _End:
    """The end of a command, at which its processes meet: no one waits in vain for one that failed.

    Args:
        communicator: that of the training. The meeting has its own: a process may come to it while others
            are in the middle of a step.
    """

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator.Dup()
        self.rank: int = communicator.Get_rank()

    def meet(self, state: int) -> list[int] | None:
        """Returns how all processes end, in the order of ranks; None if this one failed and others go on."""
        states = np.empty(self._communicator.Get_size(), np.int64)
        request = self._communicator.Iallgather(np.array([state], np.int64), states)
        begin = time.monotonic()
        while not request.Test():
            if state != _ENDED and time.monotonic() - begin > PATIENCE:
                return None
            time.sleep(0.01)
        return [int(other) for other in states]

    def tells(self, error: BaseException, screen: Any) -> bool:
        """Returns whether this process tells its error; ends all processes if the others go on without it."""
        states = self.meet(_state(error))
        if states is None:
            _say(self.rank, error, screen)
            self._communicator.Abort(_code(error) or 1)
            raise AssertionError("unreachable")
        if _FAILED in states:
            return states.index(_FAILED) == self.rank
        return isinstance(error, KeyboardInterrupt) and not self.rank


def _state(error: BaseException) -> int:
    """Returns how a process with this error ends."""
    if isinstance(error, RankError):
        return _STOPPED
    return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else _FAILED


def _say(rank: int, error: BaseException, screen: Any) -> None:
    """Tells an error of one process."""
    what = one_line(error) if isinstance(error, Exception) else type(error).__name__
    with contextlib.redirect_stderr(screen):
        say(f"rnnrs: rank {rank}: {ending(error)[0] if isinstance(error, KeyboardInterrupt) else what}")


def _code(error: BaseException) -> int:
    """Returns the exit code that an error means."""
    if isinstance(error, KeyboardInterrupt):
        return ending(error)[1]
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    return 0 if isinstance(error, Done) else 1


@contextlib.contextmanager
def _silent(silent: bool) -> Iterator[None]:
    """Returns a context without output, if `silent`."""
    if not silent:
        yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
