"""Measures a process's growth over many rounds of a gradient step, a checkpoint and a resume (Linux).

python benches/quality/leaks.py [--rounds 10000]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from rnnrs import Trainer, losses, nn, optim
from rnnrs.data import StreamBatches
from rnnrs.models import RecurrentNetwork


def resident() -> int:
    """Returns the process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def trainer(seed: int) -> Trainer:
    """Returns the trainer of a small network."""
    model = RecurrentNetwork(
        nn.RNN(16, 64, seed=seed),
        nn.Linear(64, 30),
        losses.SoftmaxCrossEntropy(),
        embedding=nn.Embedding(30, 16),
    )
    return Trainer(model, optim.Adam(1e-3), clip_norm=1.0)


def main() -> None:
    """Prints the growth."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10_000)
    rounds = parser.parse_args().rounds
    data = StreamBatches(np.random.default_rng(0).integers(0, 30, 5000), 8, 20)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        run, warm = trainer(0), max(rounds // 20, 50)
        for number in range(1, warm + rounds + 1):
            run.fit(data, max_steps=run.step + 1)
            run.save(path)
            run = trainer(number)
            run.resume(path)
            if number == warm:
                before = resident()
    grown = resident() - before
    print(f"{rounds} rounds: grown by {grown / 2**20:.2f} MiB, at step {run.step}")


if __name__ == "__main__":
    main()
