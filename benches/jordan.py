"""The time that teacher forcing saves: `python benches/jordan.py [--seconds 3]`.

Training steps (forward and backward pass, all gradients, no dx and no loss) of the output-to-hidden network,
as ratios of alternating measurements, so that other programs disturb all of them equally:

    of products   the rate of teacher forcing, relative to its matrix products alone
    RNN           the time of the hidden-to-hidden network (RNN and Linear), relative to teacher forcing
    free          the time of the network fed its own ŷ (or o), with BPTT through the feedback, likewise
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnrs import _rnnrs, nn

Array = NDArray[Any]

#: (targets, I = H, O, B, T)
CASES = [
    ("ids", 64, 65, 32, 100),
    ("ids", 128, 65, 32, 100),
    ("ids", 256, 65, 32, 100),
    ("ids", 512, 65, 32, 35),
    ("ids", 256, 1000, 32, 100),
    ("values", 64, 64, 32, 100),
    ("values", 256, 64, 32, 100),
    ("values", 256, 256, 32, 100),
    ("ids", 256, 65, 1, 1000),
    ("ids", 512, 65, 1, 100),
]


def products(jordan: nn.JordanRNN, x: Array, y: Array | None, do: Array) -> Callable[[], None]:
    """All matrix products of a training step with teacher forcing, plus only the row sums for db and dc."""
    p, g = jordan.parameters, jordan.gradients
    h, _ = _rnnrs.jordan_forced(x, (None, None, np.full(x.shape[:2], -1)), jordan._arrays(p), "tanh", None)[
        ::-1
    ]

    def run() -> None:
        _rnnrs.linear_forward(x, p["U"], p["b"])
        _rnnrs.linear_forward(h, p["V"], p["c"])
        da = _rnnrs.linear_backward(h, p["V"], do, g["V"], g["c"], True)
        assert da is not None
        _rnnrs.linear_backward(x, p["U"], da, g["U"], g["b"], False)
        if y is not None:
            _rnnrs.linear_forward(y, p["W"], p["b"])
            _rnnrs.linear_backward(y, p["W"], da, g["W"], g["b"], False)

    return run


def training(jordan: nn.JordanRNN, x: Array, y: Array | None, do: Array) -> Callable[[], None]:
    """A training step; without targets the network is free-running."""

    def run() -> None:
        _, cache = jordan.forward(x, y)
        jordan.backward(cache, do, need_dx=False)

    return run


def hidden_to_hidden(I: int, O: int, x: Array, do: Array) -> Callable[[], None]:
    """A training step of RNN and Linear."""
    rnn, output = nn.RNN(I, I), nn.Linear(I, O)

    def run() -> None:
        h, cache = rnn.forward(x)
        _, cache_o = output.forward(h)
        dh = output.backward(cache_o, do)
        assert dh is not None
        rnn.backward(cache, dh, need_dx=False)

    return run


def measure(runs: list[Callable[[], None]], seconds: float) -> list[float]:
    """Returns the seconds of each run, measured alternately.

    These are first quartiles, since other programs only slow a run down.
    """
    times: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + seconds
    while len(times[0]) < 9 or time.perf_counter() < end:
        for own, run in zip(times, runs, strict=True):
            before = time.perf_counter()
            run()
            own.append(time.perf_counter() - before)
    return [float(np.quantile(own, 0.25)) for own in times]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    a = parser.parse_args()
    print("| targets | I = H, O, B, T | ms | of products | RNN | free |\n|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for targets, H, O, B, T in CASES:
        x, do = (rng.standard_normal((T, B, n)).astype(np.float32) for n in (H, O))
        values = rng.standard_normal((T, B, O)).astype(np.float32) if targets == "values" else None
        y = rng.integers(0, O, (T, B)) if values is None else values
        feedback = "softmax" if values is None else "output"
        jordan = nn.JordanRNN(H, H, O, feedback=feedback)
        own, alone, rnn, free = measure(
            [
                training(jordan, x, y, do),
                products(jordan, x, values, do),
                hidden_to_hidden(H, O, x, do),
                training(jordan, x, None, do),
            ],
            a.seconds,
        )
        print(
            f"| {targets} | {H}, {O}, {B}, {T} | {1e3 * own:.3g} | {alone / own:.0%} "
            f"| {rnn / own:.2f} × | {free / own:.2f} × |",
            flush=True,
        )


if __name__ == "__main__":
    main()
