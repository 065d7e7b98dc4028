"""The cost of lengths, dropout and layer normalization: `python benches/options.py [--seconds 2]`.

Training steps (forward pass, BPTT, gradients of U, W, b, no dx) of each cell, I = H = 256, B = 32, T = 100,
as ratios of alternating measurements, so that other programs disturb both equally:

    lengths   time per step of a sequence, relative to that without lengths (sampled from 10 to 100)
    …         time with an option, relative to that without: input dropout 0.3, recurrent dropout 0.3,
              zoneout 0.1, dropped weights 0.3, layer normalization
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rnnrs import nn

T, B, H = 100, 32, 256
CELLS: dict[str, Callable[..., nn.Recurrent]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
OPTIONS: dict[str, dict[str, Any]] = {
    "input dropout": {"input_dropout": 0.3},
    "recurrent dropout": {"recurrent_dropout": 0.3},
    "zoneout": {"zoneout": 0.1},
    "weights dropped": {"weight_drop": 0.3},
    "layer norm": {"layer_norm": True},
}


def training(net: nn.Recurrent, x: Any, dh: Any, **options: Any) -> Callable[[], None]:
    """A training step."""

    def run() -> None:
        _, cache = net.forward(x, **options)
        net.backward(cache, dh, need_dx=False)

    return run


def ratio(run: Callable[[], None], other: Callable[[], None], seconds: float) -> float:
    """The time of one run relative to the other, measured alternately.

    Compares the first quartiles, since other programs only slow a run down. No more than two runs alternate:
    more would evict each other's arrays from the caches.
    """
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + 2 * seconds
    while len(times[0]) < 9 or time.perf_counter() < end:
        for own, timed in zip(times, (run, other), strict=True):
            before = time.perf_counter()
            timed()
            own.append(time.perf_counter() - before)
    return float(np.quantile(times[0], 0.25) / np.quantile(times[1], 0.25))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each setting")
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    x, dh = (rng.standard_normal((T, B, H)).astype("f") for _ in range(2))
    lengths = rng.integers(10, T + 1, B)
    print(f"| cell | lengths | {' | '.join(OPTIONS)} |\n" + "|---" * (len(OPTIONS) + 2) + "|")
    for name, cell in CELLS.items():
        plain = cell(H, H)
        whole, share = training(plain, x, dh), lengths.sum() / (T * B)
        ratios = [ratio(training(plain, x, dh, lengths=lengths), whole, a.seconds) / share]
        for options in OPTIONS.values():
            ratios.append(ratio(training(cell(H, H, **options), x, dh, noise=1), whole, a.seconds))
        print(f"| {name} | {' | '.join(f'{found:.2f}' for found in ratios)} |", flush=True)


if __name__ == "__main__":
    main()
