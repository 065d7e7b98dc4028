"""Measures one task alternately in several libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import agreement
from quiet import TOLERATED, Others
from tasks import NextToken, Task
from workers import Worker


@dataclass(frozen=True)
class Effort:
    """The time to spend on measuring.

    Attributes:
        rounds: the number of turns of each library.
        seconds: the approximate duration of a turn.
        attempts: the largest number of attempts at a task while other programs are running.
    """

    rounds: int
    seconds: float
    attempts: int = 1


@dataclass(frozen=True)
class Measurement:
    """The time of one library for one task.

    Attributes:
        task: the task.
        library: the library's name.
        variant: the library's fastest variant.
        seconds: the median over the rounds of each round's median; for `NextToken`, per token.
        difference: the largest difference of its results from the reference, relative to the reference's
            largest number.
        others: average number of cores that other programs used meanwhile; None if unknown.
    """

    task: Task
    library: str
    variant: str
    seconds: float
    difference: float
    others: float | None

    @property
    def gflops(self) -> float:
        """The rate in GFLOP/s, by the task's count of operations."""
        return self.task.flops / _parts(self.task) / self.seconds / 1e9


Row = Mapping[str, Measurement]  # by library


def _parts(task: Task) -> int:
    return task.tokens if isinstance(task, NextToken) else 1


def disturbed(row: Row) -> bool:
    """Returns whether other programs used part of the machine meanwhile."""
    return _others(row) > TOLERATED


def _others(row: Row) -> float:
    return max((m.others or 0.0 for m in row.values()), default=0.0)


def compare_in_peace(task: Task, workers: Mapping[str, Worker], effort: Effort) -> Row:
    """Repeats `compare` while disturbed; returns the least disturbed attempt. Raises as `compare` does."""
    attempts: list[Row] = []
    while len(attempts) < effort.attempts and (not attempts or disturbed(attempts[-1])):
        attempts.append(compare(task, workers, effort))
    return min(attempts, key=_others)


def compare(task: Task, workers: Mapping[str, Worker], effort: Effort) -> Row:
    """Checks the results against the reference, finds each library's best variant, then measures alternately.

    Args:
        task: the task.
        workers: the libraries by name, including "numpy", which computes the reference.
        effort: the time to spend.

    Returns:
        The measurements of the libraries that support this task.

    Raises:
        Disagreement: if a variant's result is wrong.
        WorkerFailed: if a library fails.
    """
    expected = workers["numpy"].ask("reference", task)
    best: dict[str, str] = {}
    differences: dict[str, float] = {}
    for library, worker in workers.items():
        results = worker.ask("open", task)
        for variant, result in results.items():
            who = f"{library} ({variant}), {task.kind}, {task.label}"
            differences[library] = max(differences.get(library, 0.0), agreement.check(who, result, expected))
        if results:
            best[library] = _fastest(worker, list(results), effort)
            worker.ask("keep", best[library])
    turns: dict[str, list[float]] = {library: [] for library in best}
    others = Others(worker.pid for worker in workers.values())
    for _ in range(effort.rounds):
        for library, variant in best.items():
            turns[library].append(median(workers[library].ask("time", (variant, effort.seconds))))
    used = others.cores()
    for worker in workers.values():
        worker.ask("close")
    return {
        library: Measurement(
            task, library, best[library], median(times) / _parts(task), differences[library], used
        )
        for library, times in turns.items()
    }


def _fastest(worker: Worker, variants: list[str], effort: Effort) -> str:
    """Returns the variant with the shortest median over two turns of each."""
    if len(variants) == 1:
        return variants[0]
    times: dict[str, list[float]] = {variant: [] for variant in variants}
    for _ in range(2):
        for variant in variants:
            times[variant] += worker.ask("time", (variant, effort.seconds / 2))
    return min(times, key=lambda variant: median(times[variant]))
