"""Numbers of a running server, as Prometheus reads them.

All numbers are 64-bit floats in one piece of memory that is made before the workers start, a row for each
worker. Every worker writes its own row, and the one that is asked adds them up. The labels are fixed at the
start, so no request can make new ones.

Format: https://prometheus.io/docs/instrumenting/exposition_formats (text, version 0.0.4).
"""

from __future__ import annotations

import bisect
import mmap
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .._rnnrs import __version__
from .endpoint import TEXT, Endpoint
from .hosting import Host

#: The upper bounds of the histogram of seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

#: What a label may say; anything else counts as "other".
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "WEBSOCKET", "other")
_KNOWN = (101, 200, 204, 304, 400, 401, 403, 404, 405, 408, 413, 415, 421, 429, 431, 499, 500, 503, 504)
STATUSES = (*map(str, _KNOWN), "other")

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: The label of everything else.
OTHER = "other"

_STATM = Path("/proc/self/statm")

#: Name → (type, help) of the numbers of each model, and of each process.
_OF_MODELS = {
    "rnnrs_waiting_requests": ("gauge", "Requests that wait for a model."),
    "rnnrs_batches_total": ("counter", "Computations, each of which answers one or more requests."),
    "rnnrs_computed_total": ("counter", "Requests that they answered; generated text counts as tokens."),
    "rnnrs_generated_tokens_total": ("counter", "Tokens that were generated."),
}
_OF_PROCESSES = {
    "process_resident_memory_bytes": ("gauge", "Resident memory of all workers; they share a part of it."),
    "process_cpu_seconds_total": ("counter", "User and system CPU time of all workers."),
    "rnnrs_websockets": ("gauge", "Open WebSockets."),
}


class Metrics:
    """The numbers of a server.

    Args:
        models: the names of its models.
        paths: the paths that it knows.
        workers: the number of processes that write; each calls `become` first.
    """

    def __init__(self, models: Iterable[str], paths: Iterable[str], workers: int = 1) -> None:
        self._models, self._workers = tuple(models), workers
        self._paths = frozenset(paths)
        self._places: dict[tuple[str, ...], int] = {}
        for path in (*sorted(self._paths), OTHER):
            for method in METHODS:
                for status in STATUSES:
                    self._add("rnnrs_requests_total", path, method, status)
            for bound in (*map(str, BUCKETS), "+Inf", "sum"):
                self._add("rnnrs_request_seconds", path, bound)
        for number in _OF_MODELS:
            for name in self._models:
                self._add(number, name)
        for number in _OF_PROCESSES:
            self._add(number)
        self._memory = memoryview(mmap.mmap(-1, 8 * len(self._places) * workers)).cast("d")
        self.become(0)

    def _add(self, *key: str) -> None:
        self._places[key] = len(self._places)

    def become(self, worker: int) -> None:
        """Makes this process the worker of that number; it goes on from the counts of the one before it."""
        size = len(self._places)
        self._row = self._memory[worker * size : (worker + 1) * size]
        kinds = _OF_MODELS | _OF_PROCESSES
        self._before: dict[tuple[str, ...], float] = {}
        for key, place in self._places.items():
            if key[0] in kinds:
                self._before[key] = self._row[place] if kinds[key[0]][0] == "counter" else 0.0
        self._began = time.process_time()

    def observe(self, path: str, method: str, status: int, seconds: float) -> None:
        """Counts a request.

        Args:
            path: the path of its route; "other" for none.
            method: its method, or "WEBSOCKET".
            status: the status of the answer.
            seconds: the time from its head until the end of the answer.
        """
        path = path if path in self._paths else OTHER
        method = method if method in METHODS else OTHER
        word = str(status) if str(status) in STATUSES else OTHER
        self._row[self._places["rnnrs_requests_total", path, method, word]] += 1.0
        if method != "WEBSOCKET":  # it lasts as long as a person types
            bound = bisect.bisect_left(BUCKETS, seconds)
            name = str(BUCKETS[bound]) if bound < len(BUCKETS) else "+Inf"
            self._row[self._places["rnnrs_request_seconds", path, name]] += 1.0
            self._row[self._places["rnnrs_request_seconds", path, "sum"]] += seconds

    def opened(self, change: int) -> None:
        """Counts a WebSocket that opened (1), or closed (-1)."""
        self._before["rnnrs_websockets",] += change

    def publish(self, host: Host) -> None:
        """Writes this process's numbers, and those of its models, to where all workers see them."""
        current: dict[tuple[str, ...], float] = {
            ("process_resident_memory_bytes",): _resident(),
            ("process_cpu_seconds_total",): time.process_time() - self._began,
        }
        for one in host:
            worker = one.worker
            numbers = (worker.waiting, worker.batches, worker.computed, worker.tokens)
            current |= {
                (name, one.name): float(value) for name, value in zip(_OF_MODELS, numbers, strict=True)
            }
        for key, before in self._before.items():
            self._row[self._places[key]] = before + current.get(key, 0.0)

    def text(self) -> str:
        """Returns the numbers of all workers as Prometheus reads them."""
        size = len(self._places)
        rows = [self._memory[i * size : (i + 1) * size] for i in range(self._workers)]
        return "".join(
            f"{line}\n" for line in self._lines([sum(column) for column in zip(*rows, strict=True)])
        )

    def _lines(self, sums: Sequence[float]) -> Iterator[str]:
        build = _labels(version=__version__, python=platform.python_version())
        yield from _head("rnnrs_build_info", "gauge", "The version.")
        yield f"rnnrs_build_info{build} 1"
        yield from _head("rnnrs_requests_total", "counter", "Requests by path, method and status.")
        for key, place in self._places.items():
            if key[0] == "rnnrs_requests_total" and sums[place]:
                _, path, method, status = key
                yield f"{key[0]}{_labels(path=path, method=method, status=status)} {_number(sums[place])}"
        yield from self._seconds(sums)
        for name, (kind, doc) in _OF_MODELS.items():
            yield from _head(name, kind, doc)
            for model in self._models:
                yield f"{name}{_labels(model=model)} {_number(sums[self._places[name, model]])}"
        for name, (kind, doc) in _OF_PROCESSES.items():
            yield from _head(name, kind, doc)
            yield f"{name} {_number(sums[self._places[name,]])}"

    def _seconds(self, sums: Sequence[float]) -> Iterator[str]:
        name = "rnnrs_request_seconds"
        yield from _head(name, "histogram", "Seconds from a request's head until the end of its answer.")
        for path in (*sorted(self._paths), OTHER):
            lines, count = [], 0.0
            for bound in (*map(str, BUCKETS), "+Inf"):
                count += sums[self._places[name, path, bound]]
                lines.append(f"{name}_bucket{_labels(path=path, le=bound)} {_number(count)}")
            if count:
                yield from lines
                yield f"{name}_sum{_labels(path=path)} {_number(sums[self._places[name, path, 'sum']])}"
                yield f"{name}_count{_labels(path=path)} {_number(count)}"


def _head(name: str, kind: str, doc: str) -> Iterator[str]:
    yield f"# HELP {name} {doc}"
    yield f"# TYPE {name} {kind}"


def _labels(**labels: str) -> str:
    escaped = {
        name: value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _resident() -> float:
    """Returns the resident memory of this process in bytes; 0 where the system does not say."""
    try:
        return float(_STATM.read_text().split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0.0


async def _metrics(request: Request) -> Response:
    numbers: Metrics = request.app.state.metrics
    numbers.publish(request.app.state.host)
    return Response(numbers.text(), media_type=MEDIA_TYPE)


ROUTE = Route("/metrics", _metrics, methods=["GET"])

ENDPOINTS = (
    Endpoint("/metrics", ("GET",), "Numbers for Prometheus.", {"text/plain": TEXT}, tags=("server",)),
)
