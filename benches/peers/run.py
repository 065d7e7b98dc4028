"""Compares rnnrs with other libraries: same inputs, checked results, alternating measurements. See README.md.

python benches/peers/run.py                            # everything; about ten minutes
python benches/peers/run.py --quick                    # shorter turns
python benches/peers/run.py --rows 64,32,100 --modes train
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import report
import sgemm
from agreement import Disagreement
from measure import Effort, compare_in_peace, disturbed
from tasks import GATED, NEXT_TOKENS, RECURRENCES, STEPS, LanguageModelStep, NextToken, Recurrence, Task
from workers import Worker, WorkerFailed, start

LIBRARIES = ("numpy", "torch", "jax", "onnxruntime", "rnnrs")
FULL, QUICK = Effort(rounds=7, seconds=0.2), Effort(rounds=3, seconds=0.03)
RESULTS = Path(__file__).parents[1] / "results"


def _sizes(names: str) -> type:
    """Returns a type that parses `64,32,100` as a tuple with one size per name."""

    class Sizes(tuple[int, ...]):
        def __new__(cls, text: str) -> Sizes:
            sizes = tuple(int(size) for size in text.split(","))
            if len(sizes) != names.count(",") + 1 or min(sizes) < 1:
                raise ValueError(text)
            return super().__new__(cls, sizes)

    Sizes.__name__ = f"{names}, each at least 1,"
    return Sizes


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description="Compares rnnrs with other libraries. Without sizes, measures everything."
    )
    add = parser.add_argument
    add("--rows", nargs="+", type=_sizes("H,B,T"), metavar="H,B,T", default=[], help="recurrences, I = H")
    add(
        "--steps", nargs="+", type=_sizes("V,E,H,B,T"), metavar="V,E,H,B,T", default=[], help="training steps"
    )
    add("--next", nargs="+", type=_sizes("V,E,H"), metavar="V,E,H", default=[], help="next-token steps")
    add("--lstm", nargs="+", type=_sizes("H,B,T"), metavar="H,B,T", default=[], help="LSTMs, I = H")
    add("--gru", nargs="+", type=_sizes("H,B,T"), metavar="H,B,T", default=[], help="GRUs, I = H")
    add(
        "--modes",
        nargs="+",
        choices=("forward", "train"),
        default=["forward", "train"],
        help="modes of --rows, --lstm, --gru",
    )
    add("--libraries", nargs="+", default=LIBRARIES, metavar="NAME", help=f"default: {' '.join(LIBRARIES)}")
    add("--threads", type=int, default=2, help="threads of every library; default: 2")
    add("--quick", action="store_true", help="fewer and shorter turns, for a first impression")
    add("--attempts", type=int, default=3, help="attempts at a task that other programs disturb; default: 3")
    add(
        "--sgemm",
        type=int,
        default=sgemm.SIZE,
        metavar="N",
        help=f"size of sgemm's matrices; default: {sgemm.SIZE}",
    )
    add(
        "--csv",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="folder of the CSV; default: benches/results",
    )
    options = parser.parse_args(words)
    if not any((options.rows, options.lstm, options.gru, options.steps, options.next)):
        options.rows, options.steps, options.next = RECURRENCES, STEPS, NEXT_TOKENS
        options.lstm = options.gru = GATED
    if min(options.threads, options.attempts, options.sgemm) < 1:
        parser.error("--threads, --attempts and --sgemm: expected at least 1")
    return options


def tasks(options: argparse.Namespace) -> list[list[Task]]:
    """Returns the tasks of each kind."""
    kinds: list[list[Task]] = [
        [Recurrence(H, H, B, T, mode, cell) for H, B, T in rows]
        for cell, rows in (("rnn", options.rows), ("lstm", options.lstm), ("gru", options.gru))
        for mode in options.modes
    ]
    kinds.append([LanguageModelStep(*sizes) for sizes in options.steps])
    kinds.append([NextToken(*sizes) for sizes in options.next])
    return [kind for kind in kinds if kind]


def measure(options: argparse.Namespace, workers: Mapping[str, Worker]) -> Path:
    """Measures all requested tasks, prints the tables, and writes the CSV; returns its path.

    Raises:
        Disagreement: if a library's result is wrong.
        WorkerFailed: if a library fails.
    """
    effort = replace(QUICK if options.quick else FULL, attempts=options.attempts)
    machine = report.Machine.here(options.threads, {name: worker.version for name, worker in workers.items()})
    print(machine)
    print(", ".join(machine.versions.values()))
    rate = sgemm.best(workers, options.sgemm, effort)
    kinds = []
    for kind in tasks(options):
        rows = []
        for task in kind:
            print(f"… {task.kind} {task.label}", file=sys.stderr, flush=True)
            rows.append(compare_in_peace(task, workers, effort))
        kinds.append(rows)
    rate = max(rate, sgemm.best(workers, options.sgemm, effort), key=lambda measurement: measurement.gflops)
    print(f"sgemm {rate.task.label}: {rate.gflops:.1f} GFLOP/s ({rate.library})")
    for rows in kinds:
        kind_name = next(iter(rows[0].values())).task.kind
        print("\n" + report.table(kind_name, rows, list(workers), rate))
    everything = [row for rows in kinds for row in rows]
    if any(map(disturbed, everything)):
        print("\n! other programs were running meanwhile: measure these again on a quiet machine")
    return report.write_csv(options.csv, machine, everything, rate)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command; returns 0, or 1 if a result was wrong or a library failed."""
    options = arguments(words)
    # NumPy computes the reference, so it always takes part.
    names = list(dict.fromkeys(["numpy", *options.libraries]))
    try:
        with start(names, options.threads) as (workers, missing):
            for library, why in missing.items():
                print(f"without {library}: {why}")
            path = measure(options, workers)
    except (Disagreement, WorkerFailed) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"\n{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
