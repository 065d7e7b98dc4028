"""How long a sum over ranks takes: `mpiexec -n N python benches/ranks/sums.py [--sizes n …]`.

For each size, the time of `Ranks.total` (with one micro-batch a rank), that of MPI's own Allreduce, whose bits
depend on N, and the bound: each rank must send and receive 2 (N − 1)/N of the vector, at the rate 1/β with
which all ranks exchange long messages with their neighbors at once, and add (N − 1)/N of it, at 1/γ. Printed
first: α, the time of a message of 8 bytes, β and γ, for `model.py`. Every time is the median of several
alternating runs, in each of them that of the slowest rank.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from mpi4py import MPI

from rnnrs.train.ranks import PRECISIONS, Ranks

WORLD = MPI.COMM_WORLD

#: Numbers of a long message, and runs of each figure.
LONG, RUNS = 1 << 20, 9


def slowest(work: Callable[[], object]) -> float:
    """Returns the seconds of a computation on the slowest rank."""
    WORLD.Barrier()
    begin = time.perf_counter()
    work()
    return WORLD.allreduce(time.perf_counter() - begin, MPI.MAX)


def medians(*works: Callable[[], object]) -> list[float]:
    """Returns the median seconds of computations that alternate."""
    times = [[slowest(work) for work in works] for _ in range(RUNS + 1)][1:]
    return [median(column) for column in zip(*times, strict=True)]


def exchange(numbers: int, repeats: int = 1) -> Callable[[], None]:
    """Returns a computation in which each rank sends to the next one and receives from the one before."""
    sent, received = np.ones(numbers, np.float32), np.empty(numbers, np.float32)
    ahead, back = (WORLD.rank + 1) % WORLD.size, (WORLD.rank - 1) % WORLD.size

    def work() -> None:
        for _ in range(repeats):
            WORLD.Sendrecv(sent, ahead, 0, received, back, 0)

    return work


def constants() -> tuple[float, float, float]:
    """Returns α in seconds, β in seconds a byte, γ in seconds a number."""
    a, b = np.ones((2, LONG // 8), np.float32)
    short, long, added = medians(
        exchange(2, 100), exchange(LONG), lambda: [np.add(a, b, out=a) for _ in range(8)]
    )
    alpha = short / 100
    return alpha, max(long - alpha, 0.0) / (4 * LONG), added / LONG


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000, 43_000_000]
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    options = parser.parse_args()
    N, first = WORLD.size, WORLD.rank == 0
    alpha, beta, gamma = constants()
    if first:
        print(
            f"{N} ranks: α {alpha * 1e6:.2f} µs, 1/β {1e-9 / beta:.2f} GB/s, 1/γ {1e-9 / gamma:.2f} · 10⁹/s"
        )
        print("numbers      total ms   Allreduce ms   bound ms   bound/total")
    level = 0
    for size in options.sizes:
        own, out = np.full(size, 1.0 + WORLD.rank, np.float32), np.empty(size, np.float32)
        ranks = Ranks("sums", WORLD, options.precision)
        total, theirs = medians(
            lambda own=own, out=out, ranks=ranks: ranks.total({(level, WORLD.rank): own}, N, out),
            lambda own=own, out=out: WORLD.Allreduce(own, out),
        )
        assert out[0] == out[-1] == N * (N + 1) / 2
        bound = (N - 1) / N * size * (2 * 4 * beta + gamma)
        if first:
            print(
                f"{size:<12,} {total * 1e3:8.2f} {theirs * 1e3:14.2f} {bound * 1e3:10.2f} {bound / total:13.2f}"
            )


if __name__ == "__main__":
    main()
