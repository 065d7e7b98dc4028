"""The cost of micro-batches: a training step of M of them, beside the step of a whole batch.

    python benches/micro_batches.py [--threads 1] [--turns 5] [--micro-batches 2 8] [--sizes 64 256 650]

Language models of one layer learn from random ids, T = 50, B = 48, with Adam and clipping, in one process. The
numbers of micro-batches alternate step by step; the time of each is the processor time of the fastest step.

    V, H     the vocabulary (with an embedding of size H) and the state; large vocabularies track their rows
    step     milliseconds of a step of the whole batch
    M = 8    its time with 8 micro-batches, divided by that of the whole batch
    tree     the share of that step in which gradients are scaled and added
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import rnnrs
from rnnrs import Trainer, optim
from rnnrs.data import StreamBatches
from rnnrs.models.language.network import LanguageNetwork
from rnnrs.text import TokenVocabulary
from rnnrs.train.tree_sum import TreeSum

STEPS, BATCH = 50, 48


def model(V: int, H: int, cell: str) -> LanguageNetwork:
    """A language model with random weights."""
    vocabulary = TokenVocabulary.build(" ".join(f"w{i}" for i in range(V - 2)), min_count=1)
    return LanguageNetwork(vocabulary, embedding_size=H, hidden_size=H, cell=cell)


def step_of(trainer: Trainer, batch: Any) -> float:
    """Takes a training step; returns its processor time in seconds."""
    begin = time.process_time()
    own = trainer._parts.compute(batch, STEPS * BATCH, None, True, {})
    L, _ = trainer._parts.total(own, STEPS * BATCH)
    trainer._update(L, STEPS * BATCH)
    return time.process_time() - begin


def tree_of(trainer: Trainer, batch: Any) -> float:
    """Returns the processor time of a step's additions to the tree."""
    spent, take = [0.0], TreeSum.take

    def timed(self: TreeSum, *arguments: Any) -> None:
        begin = time.process_time()
        take(self, *arguments)
        spent[0] += time.process_time() - begin

    TreeSum.take = timed  # type: ignore[method-assign]
    try:
        step_of(trainer, batch)
    finally:
        TreeSum.take = take  # type: ignore[method-assign]
    return spent[0]


def measure(V: int, H: int, cell: str, numbers: list[int], turns: int) -> str:
    """Returns a row of the table."""
    network = model(V, H, cell)
    ids = np.random.default_rng(0).integers(0, len(network.vocabulary), BATCH * STEPS * 4 + 1)
    batches = StreamBatches(ids, BATCH, STEPS).epoch(0)
    trainers = {M: Trainer(network, optim.Adam(1e-4), clip_norm=1.0, micro_batches=M) for M in [1, *numbers]}
    times: dict[int, list[float]] = {M: [] for M in trainers}
    for turn in range(turns + 1):
        for M, trainer in trainers.items():
            times[M].append(step_of(trainer, batches[turn % len(batches)]))
    best = {M: min(spent[1:]) for M, spent in times.items()}
    tree = min(tree_of(trainers[numbers[-1]], batches[0]) for _ in range(3)) / best[numbers[-1]]
    ratios = " ".join(f"{best[M] / best[1]:6.2f}" for M in numbers)
    return f"{cell:5}{V:7}{H:5}{best[1] * 1e3:9.2f} {ratios}{tree:7.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--micro-batches", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 650])
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--cells", nargs="+", default=["rnn", "lstm"])
    given = parser.parse_args()
    rnnrs.set_num_threads(given.threads)
    heads = " ".join(f"{f'M = {M}':>6}" for M in given.micro_batches)
    print(f"{'cell':5}{'V':>7}{'H':>5}{'step':>9} {heads}{'tree':>7}")
    for cell in given.cells:
        for V in given.vocabularies:
            for H in given.sizes:
                print(measure(V, H, cell, given.micro_batches, given.turns), flush=True)


if __name__ == "__main__":
    main()
