"""Vanishing and exploding gradients in training runs: which networks learn a dependency over 60 steps?

    python benches/quality/vanishing.py [--length 60] [--steps 1000] [--seed 0] [--output FOLDER]

The first of T symbols is one of four; the others are noise from four other symbols. At the last step the
network has to name the first symbol, so the only useful gradient must pass through all T steps. Seven
networks of 64 units share one recipe: Adam at 3e-3, gradients clipped to a norm of 1, 32 sequences per step,
no sequence used twice. The table shows, before and after training, ‖∂L/∂s_1‖ / ‖∂L/∂s_T‖, ln ‖∂s_T/∂s_1‖ and
the spectral radius of the mean Jacobian, as means over a probe batch; then the accuracy on 1024 new
sequences.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import rnnrs
from rnnrs import inspection, losses, nn, optim, plot
from rnnrs.data import Batch
from rnnrs.inspection import GradientMonitor
from rnnrs.models import RecurrentNetwork

SYMBOLS, HIDDEN, BATCH = 4, 64, 32


def tanh(gain: float) -> Callable[[int], nn.Recurrent]:
    """Returns a maker of h = tanh(b + gain Q h + U x), Q orthogonal."""
    return lambda seed: nn.RNN(8, HIDDEN, recurrent_initializer="orthogonal", recurrent_scale=gain, seed=seed)


def lstm(forget_bias: float) -> Callable[[int], nn.Recurrent]:
    """Returns a maker of an LSTM with forget gates initialized to σ(forget_bias)."""
    return lambda seed: nn.LSTM(8, HIDDEN, forget_bias=forget_bias, seed=seed)


def gru(update_bias: float) -> Callable[[int], nn.Recurrent]:
    """Returns a maker of a GRU with update gates initialized to about σ(update_bias)."""

    def make(seed: int) -> nn.Recurrent:
        layer = nn.GRU(8, HIDDEN, seed=seed)
        layer.parameters["b"][HIDDEN : 2 * HIDDEN] += update_bias
        return layer

    return make


NETWORKS = {
    "tanh, W = Q/2": tanh(0.5),
    "tanh, W = Q": tanh(1.0),
    "tanh, W = 4Q": tanh(4.0),
    "LSTM, b_f = 1": lstm(1.0),
    "LSTM, b_f = 4": lstm(4.0),
    "GRU, b_z = 0": gru(0.0),
    "GRU, b_z = 3": gru(3.0),
}


def batches(rng: np.random.Generator, length: int, count: int) -> list[Batch]:
    """Returns sequences that begin with one of the four symbols, with a target only at the last step."""
    ids = rng.integers(SYMBOLS, 2 * SYMBOLS, (count, length, BATCH))
    ids[:, 0] -= SYMBOLS
    targets = np.full(ids.shape, -1)
    targets[:, -1] = ids[:, 0]
    return [Batch(*pair) for pair in zip(ids, targets, strict=True)]


def network(make: Callable[[int], nn.Recurrent], seed: int) -> RecurrentNetwork:
    """Returns a network of embedding, recurrence and output layer."""
    embedding, output = nn.Embedding(2 * SYMBOLS, 8, seed=seed), nn.Linear(HIDDEN, SYMBOLS, seed=seed + 2)
    return RecurrentNetwork(make(seed + 1), output, losses.SoftmaxCrossEntropy(), embedding=embedding)


def accuracy(model: RecurrentNetwork, test: list[Batch]) -> float:
    """Returns the share of right answers."""
    right = [model.forward(batch.inputs)[0][-1].argmax(axis=-1) == batch.targets[-1] for batch in test]
    return float(np.mean(right))


def report(name: str, monitor: GradientMonitor, accuracy: float, seconds: float) -> None:
    """Prints a row of the table."""
    ratio = monitor["gradient.first"] / monitor["gradient.last"]
    cells = [
        f"{ratio[i]:.0e} | {monitor['log_jacobian'][i]:+.1f} | {monitor['radius'][i]:.2f}" for i in (0, -1)
    ]
    print(f"| {name} | {cells[0]} | {cells[1]} | {accuracy:.0%} | {seconds:.0f} s |", flush=True)


def main() -> None:
    """Trains all networks, prints a table, draws the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="folder for figures and the monitors' CSV files")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    probe, *data = batches(rng, arguments.length, arguments.steps + 1)
    test = batches(rng, arguments.length, 32)
    start, end, jacobians = {}, {}, {}
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
    print("| network | ratio | ln ‖J‖ | ρ | after: ratio | ln ‖J‖ | ρ | right | |\n" + "|---" * 9 + "|")
    for name, make in NETWORKS.items():
        model = network(make, arguments.seed)
        u = rnnrs.unfold(model, probe).layers[0]
        start[name], jacobians[name] = (
            inspection.gradient_norms(u, "state"),
            inspection.jacobian_norms(u.layer, u),
        )
        monitor, begin = GradientMonitor(probe, max(arguments.steps // 20, 1)), time.monotonic()
        rnnrs.Trainer(model, optim.Adam(3e-3), clip_norm=1.0, callbacks=[monitor]).fit(data, epochs=1)
        seconds = time.monotonic() - begin
        end[name] = inspection.gradient_norms(rnnrs.unfold(model, probe).layers[0], "state")
        report(name, monitor, accuracy(model, test), seconds)
        if arguments.output:
            short = "".join(c if c.isalnum() else "-" for c in name)
            monitor.to_csv(arguments.output / f"{short}.csv")
            plot.monitor(monitor, arguments.output / f"{short}.png", title=name)
    if arguments.output:
        of = r"$\|\partial L/\partial s_t\|_2$"
        plot.gradients_through_time(start, arguments.output / "before.png", of=of, title="Before training")
        plot.gradients_through_time(end, arguments.output / "after.png", of=of, title="After training")
        plot.jacobians(jacobians, arguments.output / "jacobians.png", title="Before training")


if __name__ == "__main__":
    main()
