"""Training by N ranks beside one process with N threads: `mpiexec -n N python benches/ranks/training.py`.

A language model of words (V, I, H, one layer) on random tokens, in batches of B × T. Three ways alternate in
one run: N ranks with `--threads` threads each; one process with N times the threads and the same M
micro-batches; the same with M = 1. The others wait asleep meanwhile. Figures are medians of tokens a second;
"efficiency" is the first over the second. Sums over the ranks go on while a rank computes: printed are their
share of the time, waiting for other ranks included, and the share for which rank 0 has nothing else to do.
`--trace FILE` writes both, in the form that chrome://tracing and Perfetto show. Open MPI needs --bind-to none,
so that one process may use several processors.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from mpi4py import MPI

import rnnrs
from rnnrs.data import StreamBatches
from rnnrs.models import LanguageModel
from rnnrs.optim import SGD
from rnnrs.text import WordVocabulary
from rnnrs.train import Trainer
from rnnrs.train.micro_batches import MicroBatches
from rnnrs.train.rank_sums import RankSums

WORLD = MPI.COMM_WORLD


class Way:
    """One way to train: a model and its trainer, with a number of threads."""

    def __init__(self, options: argparse.Namespace, threads: int, M: int, together: bool) -> None:
        words = [f"word{i}" for i in range(options.vocabulary - 3)]
        vocabulary = WordVocabulary.build(" ".join(words), min_count=1, max_size=options.vocabulary)
        model = LanguageModel(
            vocabulary, cell=options.cell, hidden_size=options.hidden, embedding_size=options.hidden, seed=1
        )
        ids = np.random.default_rng(0).integers(0, len(vocabulary), options.batch * options.steps * 50)
        self.data = StreamBatches(ids, batch_size=options.batch, steps=options.steps)
        self.tokens = options.batch * options.steps
        communicator = WORLD if together else None
        self.trainer = Trainer(model, SGD(0.1), clip_norm=1.0, micro_batches=M, communicator=communicator)
        self.threads, self.together, self.size = threads, together, model.parameters.size
        self.rates: list[float] = []

    def turn(self, steps: int) -> None:
        """Trains some steps, on this rank if it takes part, while the others sleep."""
        if self.together or not WORLD.rank:
            rnnrs.set_num_threads(self.threads)
            begin = time.perf_counter()
            self.trainer.fit(self.data, max_steps=self.trainer.step + steps)
            self.rates.append(steps * self.tokens / (time.perf_counter() - begin))
        sleep_until_all_are_here()


def sleep_until_all_are_here() -> None:
    request = WORLD.Ibarrier()
    while not request.Test():
        time.sleep(0.001)


class Trace:
    """Measures functions: when each call begins and ends, and in which thread."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def measure(self, owner: type, name: str, title: str) -> None:
        """Measures a method from now on."""
        method = getattr(owner, name)

        def measured(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            result = method(*arguments, **options)
            place = {"pid": WORLD.rank, "tid": threading.current_thread().name}
            times = {"ts": begin * 1e6, "dur": (time.perf_counter() - begin) * 1e6}
            self.events.append({"name": title, "ph": "X", **place, **times})
            return result

        setattr(owner, name, measured)

    def seconds(self, title: str) -> float:
        return sum(event["dur"] for event in self.events if event["name"] == title) * 1e-6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("vocabulary", 10_000), ("hidden", 256), ("batch", 32), ("steps", 35), ("threads", 1),
                          ("micro-batches", 8), ("turns", 7), ("per-turn", 10)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--trace", metavar="FILE")
    options = parser.parse_args()
    N, M, trace = WORLD.size, options.micro_batches, Trace()
    trace.measure(RankSums, "total", "sum over ranks")
    trace.measure(RankSums, "finish", "wait for sums")
    trace.measure(MicroBatches, "compute", "gradient")
    ways = [
        Way(options, options.threads, M, True),
        Way(options, N * options.threads, M, False),
        Way(options, N * options.threads, 1, False),
    ]
    for turn in range(options.turns + 1):
        if turn == 1:
            trace.events.clear()
        for way in ways:
            way.turn(options.per_turn)
    if options.trace:
        events = WORLD.gather(trace.events)
        if events is not None:
            Path(options.trace).write_text(json.dumps([event for own in events for event in own]))
    if WORLD.rank:
        return
    together, alone, plain = [median(way.rates[1:]) for way in ways]
    spent = sum(1 / rate for rate in ways[0].rates[1:]) * ways[0].tokens * options.per_turn
    size = 4 * ways[0].size
    shape = (
        f"V {options.vocabulary:,}, H {options.hidden}, B {options.batch}, T {options.steps}, {options.cell}"
    )
    print(
        f"{shape}; gradient {size / 1e6:.1f} MB, sent by each rank {2 * (N - 1) / N * size / 1e6:.1f} MB a step"
    )
    print(f"{N} ranks × {options.threads} threads, M = {M}: {together:,.0f} tokens/s")
    print(
        f"1 × {N * options.threads} threads, M = {M}: {alone:,.0f} tokens/s; efficiency {together / alone:.3f}"
    )
    print(f"1 × {N * options.threads} threads, M = 1: {plain:,.0f} tokens/s; {together / plain:.3f}")
    sums, waits = trace.seconds("sum over ranks") / spent, trace.seconds("wait for sums") / spent
    print(f"sums take {sums:.1%} of the time of rank 0, which waits for them for {waits:.1%}")


if __name__ == "__main__":
    main()
