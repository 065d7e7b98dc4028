"""The process of one library: `worker.py LIBRARY THREADS DESCRIPTOR`; started by `workers.py`.

Requests are (verb, argument). Answers are ("done", result), ("missing", reason) or ("failed", traceback).
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

#: Share of a measurement's seconds spent on untimed runs before it, to warm up caches, clock and threads.
WARM_UP = 0.2


def time_runs(run: Callable[[], Any], seconds: float) -> list[float]:
    """Returns the seconds of each of several runs: at least one, after at least one untimed run."""
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
        """Prepares every variant of a task; returns their results, for comparison."""
        self.close(None)
        self.variants = self.library.variants(task, self.threads)
        results = {}
        for name, variant in self.variants.items():
            variant.prepare()
            results[name] = variant.check()
        return results

    def time(self, request: tuple[str, float]) -> list[float]:
        """Returns the times of a variant's runs; the request is (variant, total seconds)."""
        name, seconds = request
        variant = self.variants[name]
        variant.prepare()
        return time_runs(variant.run, seconds)

    def keep(self, name: str) -> None:
        """Discards all variants but one."""
        self.variants = {name: self.variants[name]}

    def close(self, _: None) -> None:
        """Discards the task."""
        self.variants = {}
        gc.collect()

    def reference(self, task: Task) -> Arrays:
        """Returns the reference results; only for NumPy's worker."""
        result: Arrays = self.library.reference(task)  # type: ignore[attr-defined]
        return result


def serve(name: str, threads: int, requests: Connection) -> None:
    """Answers requests until the connection is closed."""
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
        except Exception:  # the driver reports any error and exits
            requests.send(("failed", traceback.format_exc()))


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Connection(int(sys.argv[3])))
