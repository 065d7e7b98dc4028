"""One process per library; only the process with a pending request runs.

All others are stopped (SIGSTOP) meanwhile. Otherwise threads that spin while they wait for work, such as
OpenBLAS's and ONNX Runtime's, would take cores from the library being measured. See the README.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

#: prctl(2): the signal that a process receives when its parent ends. A stopped process would otherwise wait
#: forever.
PR_SET_PDEATHSIG = 1

FOLDER = Path(__file__).parent
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RNNRS_NUM_THREADS")


class MissingLibrary(Exception):
    """A library is not installed or cannot be imported."""


class WorkerFailed(Exception):
    """An error occurred in a worker; the message is its traceback."""


class Worker:
    """The driver's handle of a library's process.

    Args:
        library: its name; the module is `<name>_`.
        threads: the number of threads it may use. On Linux the process is restricted to the same number of
            cores, since XLA offers no other setting.

    Raises:
        MissingLibrary: if it cannot be imported.
    """

    def __init__(self, library: str, threads: int) -> None:
        self.library = library
        self._requests, other_end = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, str(FOLDER / "worker.py"), library, str(threads), str(other_end.fileno())],
            env=_environment(threads),
            pass_fds=[other_end.fileno()],
            preexec_fn=lambda: _settle(threads),
        )
        other_end.close()
        try:
            self.version: str = self._answer()
        except MissingLibrary:
            self._process.wait()
            raise
        self._stop()

    def ask(self, verb: str, argument: Any = None) -> Any:
        """Lets the worker run until it has answered; returns the answer.

        Raises:
            WorkerFailed: if the request failed; the message contains the traceback.
        """
        self._process.send_signal(signal.SIGCONT)
        self._requests.send((verb, argument))
        answer = self._answer()
        self._stop()
        return answer

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def close(self) -> None:
        """Ends the process."""
        self._requests.close()
        self._process.kill()
        self._process.wait()

    def _answer(self) -> Any:
        try:
            verdict, value = self._requests.recv()
        except EOFError:
            code = self._process.wait()
            raise WorkerFailed(f"{self.library}: the process ended with {code}") from None
        if verdict == "missing":
            raise MissingLibrary(value)
        if verdict == "failed":
            raise WorkerFailed(f"{self.library}: {value}")
        return value

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGSTOP)


def _environment(threads: int) -> dict[str, str]:
    settings = dict.fromkeys(THREAD_VARIABLES, str(threads))
    # The comparison is on the CPU: no library may look for a GPU.
    return os.environ | settings | {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}


def _settle(threads: int) -> None:
    """Restricts the new process to its cores and lets it end with the driver, however that ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


@contextmanager
def start(libraries: Iterable[str], threads: int) -> Iterator[tuple[dict[str, Worker], dict[str, str]]]:
    """Yields workers by library, and the reasons why others are missing; ends the processes afterwards."""
    workers: dict[str, Worker] = {}
    missing: dict[str, str] = {}
    try:
        for library in libraries:
            try:
                workers[library] = Worker(library, threads)
            except MissingLibrary as error:
                missing[library] = str(error)
        yield workers, missing
    finally:
        for worker in workers.values():
            worker.close()
