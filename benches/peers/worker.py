"""The process in which one library works: `worker.py LIBRARY THREADS DESCRIPTOR`; `workers.py` starts it.

Requests come as (verb, argument), answers go as ("done", result), ("missing", why) or ("failed", traceback).
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from library import Library, Variant
from tasks import Arrays, Task

#: Part of a measurement's seconds that goes into runs before it, untimed: caches, clock, threads wake up.
WARM_UP = 0.2


def time_runs(run: Callable[[], Any], seconds: float) -> list[float]:
    """The seconds that each of several runs takes; one run at least, after one untimed."""
    gc.collect()
    gc.disable()
    clock = time.perf_counter
    end = clock() + WARM_UP * seconds
    run()
    while clock() < end:
        run()
    times: list[float] = []
    end = clock() + seconds
    while not times or clock() < end:
        before = clock()
        run()
        times.append(clock() - before)
    gc.enable()
    return times


class Worker:
    """Answers requests about one task after another."""

    def __init__(self, library: Library, threads: int) -> None:
        self.library = library
        self.threads = threads
        self.variants: dict[str, Variant] = {}

    def version(self, _: None) -> str:
        return self.library.version()

    def open(self, task: Task) -> dict[str, Arrays]:
        """Prepares every variant of a task; gives their results, for comparison."""
        self.close(None)
        self.variants = self.library.variants(task, self.threads)
        results = {}
        for name, variant in self.variants.items():
            variant.prepare()
            results[name] = variant.check()
        return results

    def time(self, request: tuple[str, float]) -> list[float]:
        """The times of a variant's runs over about so many seconds."""
        name, seconds = request
        variant = self.variants[name]
        variant.prepare()
        return time_runs(variant.run, seconds)

    def keep(self, name: str) -> None:
        """Forgets all variants but one."""
        self.variants = {name: self.variants[name]}

    def close(self, _: None) -> None:
        """Forgets the task."""
        self.variants = {}
        gc.collect()

    def reference(self, task: Task) -> Arrays:
        """The right results: NumPy's worker only."""
        result: Arrays = self.library.reference(task)  # type: ignore[attr-defined]
        return result


def serve(name: str, threads: int, requests: Connection) -> None:
    """Answers until the other side hangs up."""
    try:
        worker = Worker(importlib.import_module(f"{name}_"), threads)
    except ImportError as error:
        requests.send(("missing", str(error)))
        return
    requests.send(("done", worker.version(None)))
    while True:
        try:
            verb, argument = requests.recv()
        except EOFError:
            return
        try:
            requests.send(("done", getattr(worker, verb)(argument)))
        except Exception:  # whatever it is, the driver reports it and ends
            requests.send(("failed", traceback.format_exc()))


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Connection(int(sys.argv[3])))
