"""This package's number of threads: as threadpoolctl sees it, and shared among processes on one machine."""

from __future__ import annotations

import os
import platform
from typing import Any

from . import _rnnrs

#: The variables that set the number of threads; see `set_num_threads`.
_VARIABLES = ("RNNRS_NUM_THREADS", "OMP_NUM_THREADS")


def share_processors(communicator: Any) -> int:
    """Sets the number of threads so that the processes on one machine do not compete for its processors.

    A processor that several processes may run on counts for each of them by its part: 4 processes that may
    use the same 8 processors get 2 threads each, and so do 4 that are bound to 2 processors each. All
    processes call it. If the environment sets the number of threads, nothing is changed.

    Args:
        communicator: an mpi4py communicator.

    Returns:
        The number of threads.

    Example:
        >>> from mpi4py import MPI  # doctest: +SKIP
        >>> rnnrs.share_processors(MPI.COMM_WORLD)  # doctest: +SKIP
    """
    own = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    machine = platform.node()
    every = communicator.allgather((machine, list(own)))
    if not any(os.environ.get(name) for name in _VARIABLES):
        users = [sum(processor in theirs for where, theirs in every if where == machine) for processor in own]
        most = _rnnrs.get_num_threads()  # a control group's quota may leave less than the processors
        _rnnrs.set_num_threads(max(1, min(most, int(sum(1 / count for count in users) + 1e-9))))
    return _rnnrs.get_num_threads()


def register_with_threadpoolctl() -> bool:
    """Makes this package's number of threads known to threadpoolctl, if that package is installed.

    `threadpoolctl.threadpool_limits`, and the libraries that use it, then bound these threads, too; alone
    with `user_api="rnnrs"`.

    Returns:
        Whether threadpoolctl is installed.
    """
    try:
        from threadpoolctl import LibController, register
    except ImportError:
        return False

    class RnnrsController(LibController):  # type: ignore[misc]
        """The threads of the compiled module."""

        user_api = internal_api = "rnnrs"
        filename_prefixes = ("_rnnrs",)
        check_symbols = ("PyInit__rnnrs",)

        def get_num_threads(self) -> int:
            return _rnnrs.get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            _rnnrs.set_num_threads(num_threads)

        def get_version(self) -> str:
            return _rnnrs.__version__

    register(RnnrsController)
    return True
