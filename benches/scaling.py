"""How the cost of training a recurrence scales: `python benches/scaling.py [WHAT …]`.

Each figure is a ratio of two alternating measurements, so that other programs disturb both equally. A turn
is the median of several runs of forward pass, BPTT and the gradients of U, W and b (I = H, no dx). WHAT is
any of

    threads   speedup of two threads over one
    isa       rate with AVX2 forced, relative to AVX-512
    steps     time per step for T from 25 to 10,000, relative to T = 100
    f64       rate of float64, relative to float32
    sizes     time per operation for odd H and B, relative to the mean of their even neighbors

and defaults to all of them. The instruction set is chosen when a process starts, so every setting has its own
process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import numpy as np

#: Turns of each of a ratio's two measurements, and seconds per turn.
TURNS, SECONDS = 7, 0.25


@dataclass(frozen=True)
class Case:
    """A recurrence and the settings of its process."""

    H: int
    B: int
    T: int
    dtype: str = "float32"
    threads: int = 2
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def operations(self) -> float:
        return 10.0 * self.T * self.B * self.H * self.H


def serve(case: Case) -> None:
    """Answers every input line with the seconds of a run: the median over a turn."""
    import rnnrs
    from rnnrs import nn

    rnnrs.set_num_threads(case.threads)
    rng = np.random.default_rng(0)
    rnn = nn.RNN(case.H, case.H, dtype=case.dtype)
    x, dh = (rng.standard_normal((case.T, case.B, case.H)).astype(case.dtype) for _ in range(2))

    def run() -> None:
        _, cache = rnn.forward(x)
        rnn.backward(cache, dh, need_dx=False)

    for _ in sys.stdin:
        run()
        times, end = [], time.perf_counter() + SECONDS
        while not times or time.perf_counter() < end:
            before = time.perf_counter()
            run()
            times.append(time.perf_counter() - before)
        print(median(times), flush=True)


@dataclass
class Worker:
    """A process that measures a case."""

    case: Case
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        c = self.case
        arguments = [str(v) for v in (c.H, c.B, c.T, c.dtype, c.threads)]
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict(c.environment),
        )

    def turn(self) -> float:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def per_operation(*cases: Case) -> list[float]:
    """Seconds per operation of several cases, measured alternately."""
    workers = [Worker(case) for case in cases]
    turns = [[worker.turn() for worker in workers] for _ in range(TURNS)]
    for worker in workers:
        worker.close()
    return [
        median(times) / case.operations for case, times in zip(cases, zip(*turns, strict=True), strict=True)
    ]


ROWS = ((128, 32, 100), (256, 32, 100), (512, 32, 35), (1024, 32, 35), (256, 128, 100))


def threads() -> None:
    for row in ROWS:
        one, two = per_operation(Case(*row, threads=1), Case(*row))
        print(f"threads  H, B, T = {row}: 1 → 2 threads {one / two:.2f} ×")


def isa() -> None:
    avx2 = (("RNNRS_ISA", "avx2"),)
    for row in ROWS:
        best, forced = per_operation(Case(*row), Case(*row, environment=avx2))
        print(
            f"isa      H, B, T = {row}: AVX2 {100 * best / forced:.0f} % of the best instruction set's rate"
        )


def steps() -> None:
    lengths = (100, 25, 400, 1000, 3000, 10_000)
    first, *rest = per_operation(*(Case(128, 32, T) for T in lengths))
    for T, cost in zip(lengths[1:], rest, strict=True):
        print(f"steps    H, B = 128, 32: T = {T}: time per step {cost / first:.2f} of that at T = 100")


def f64() -> None:
    for row in ROWS:
        single, double = per_operation(Case(*row), Case(*row, dtype="float64"))
        print(f"f64      H, B, T = {row}: float64 {100 * single / double:.0f} % of float32's rate")


def sizes() -> None:
    for H in (1, 17, 33, 65, 101, 333):
        cases = [Case(n, 32, 100) for n in (H - 1, H, H + 1) if n]
        compare(f"H = {H}, B = 32", cases, [case.H for case in cases].index(H))
    for B in (3, 7, 33):
        cases = [Case(256, n, 100) for n in (B - 1, B, B + 1)]
        compare(f"H = 256, B = {B}", cases, 1)
    cases = [Case(n, 32, 100) for n in (96, 100, 112)]
    compare("H = 100 between 96 and 112, B = 32", cases, 1)


def compare(what: str, cases: list[Case], odd: int) -> None:
    costs = per_operation(*cases)
    own = costs.pop(odd)
    print(f"sizes    {what}: time per operation {own / (sum(costs) / len(costs)):.2f} of its even neighbors'")


WHAT: dict[str, Callable[[], None]] = {f.__name__: f for f in (threads, isa, steps, f64, sizes)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", help=", ".join(WHAT))
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        H, B, T, dtype, count = arguments.serve
        serve(Case(int(H), int(B), int(T), dtype, int(count)))
        return
    unknown = set(arguments.what) - set(WHAT)
    if unknown:
        parser.error(f"expected some of {', '.join(WHAT)}, got {', '.join(sorted(unknown))}")
    for name in arguments.what or WHAT:
        WHAT[name]()


if __name__ == "__main__":
    main()
