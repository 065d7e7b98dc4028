"""Jordan's network compared with Elman's: a task it cannot learn, one it learns better, and the exposure gap.

    python benches/quality/output_to_hidden.py [--steps 1500] [--seed 0]

*Echo*: the target is the symbol, one of two, from two steps before. With teacher forcing, Jordan's network
receives at step t only x_t and y_{t−1} = x_{t−3}. Neither depends on x_{t−2}, so no weights can reduce its
loss below ln 2 = 0.693. *Parity* of all symbols so far: y_t = y_{t−1} xor x_t. Here the previous output is
all that has to be remembered. 32 units, Adam at 5e-3, 32 sequences of 50 steps, none used twice; evaluated on
new sequences.

*Exposure gap*: y_t = 0.9 y_{t−1} + 0.5 tanh(x_t), real values, for networks trained with the target fed back,
with a decreasing share of targets (scheduled sampling, linear in the steps), and without targets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import rnnrs
from rnnrs import losses, nn, optim
from rnnrs.data import Batch
from rnnrs.models import JordanNetwork, RecurrentNetwork
from rnnrs.train import LinearForcing, ScheduledSampling

T, B, H = 50, 32, 32


def echo(draw: np.random.Generator) -> Batch:
    """Returns a batch with the symbol from two steps before as the target."""
    ids = draw.integers(0, 2, (T, B))
    return Batch(np.eye(2, dtype="f")[ids], np.concatenate([np.full((2, B), -1), ids[:-2]]))


def parity(draw: np.random.Generator) -> Batch:
    """Returns a batch with the parity of the ones so far as the target."""
    ids = draw.integers(0, 2, (T, B))
    return Batch(np.eye(2, dtype="f")[ids], np.cumsum(ids, axis=0) % 2)


def leaky(draw: np.random.Generator) -> Batch:
    """Returns a batch with a leaky sum as the target."""
    x = draw.standard_normal((T, B, 1)).astype("f")
    y, last = np.empty_like(x), np.zeros((B, 1), "f")
    for t in range(T):
        y[t] = last = 0.9 * last + 0.5 * np.tanh(x[t])
    return Batch(x, y)


def jordan(inputs: int, outputs: int, feedback: str, forcing: float, seed: int) -> JordanNetwork:
    """Returns an output-to-hidden network."""
    layer = nn.JordanRNN(inputs, H, outputs, feedback=feedback, seed=seed)
    return JordanNetwork(layer, teacher_forcing=forcing)


def elman(seed: int) -> RecurrentNetwork:
    """Returns a hidden-to-hidden network."""
    return RecurrentNetwork(
        nn.RNN(2, H, seed=seed), nn.Linear(H, 2, seed=seed + 1), losses.SoftmaxCrossEntropy()
    )


Task = Callable[[np.random.Generator], Batch]


def train(
    model: JordanNetwork | RecurrentNetwork,
    task: Task,
    steps: int,
    seed: int,
    *callbacks: rnnrs.train.Callback,
) -> None:
    """Trains on batches, each of which is used once."""
    draw = np.random.default_rng([seed, 0])
    batches = [task(draw) for _ in range(steps)]
    trainer = rnnrs.Trainer(model, optim.Adam(5e-3), clip_norm=1.0, callbacks=callbacks)
    trainer.fit(batches, epochs=1)


def right(o: NDArray[np.floating], targets: NDArray[np.integer]) -> float:
    """Returns the share of right answers."""
    scored = targets >= 0
    return float((o.argmax(axis=-1) == targets)[scored].mean())


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    new = np.random.default_rng([a.seed, 1])
    print("| task | network | loss with targets fed back | right on its own |\n|---|---|---|---|")
    for task in (echo, parity):
        test = [task(new) for _ in range(20)]
        targets = np.concatenate([batch.targets for batch in test], axis=1)
        model: JordanNetwork | RecurrentNetwork = elman(a.seed)
        train(model, task, a.steps, a.seed)
        loss = np.mean([model.loss(batch, gradient=False)[0] for batch in test])
        o = np.concatenate([model.forward(batch.inputs)[0] for batch in test], axis=1)
        print(
            f"| {task.__name__} | hidden to hidden | {loss:.3f} | {right(o, targets):.1%} |",
            flush=True,
        )
        for name, forcing in (
            ("output to hidden, teacher forcing", 1.0),
            ("output to hidden, running free", 0.0),
        ):
            model = jordan(2, 2, "softmax", forcing, a.seed)
            train(model, task, a.steps, a.seed)
            model.teacher_forcing = 1.0
            loss = np.mean([model.loss(batch, gradient=False)[0] for batch in test])
            o = np.concatenate([model.forward(batch.inputs)[0] for batch in test], axis=1)
            print(f"| {task.__name__} | {name} | {loss:.3f} | {right(o, targets):.1%} |", flush=True)
    print("\n| trained with | teacher-forced error | free-running error | gap |\n|---|---|---|---|")
    test = [leaky(new) for _ in range(20)]
    for name, schedule in (
        ("the targets", None),
        ("a decreasing share of targets", ScheduledSampling(LinearForcing(a.steps // 2))),
        ("no targets", ScheduledSampling(LinearForcing(1, 0.0))),
    ):
        model = jordan(1, 1, "output", 1.0, a.seed)
        train(model, leaky, a.steps, a.seed, *([] if schedule is None else [schedule]))
        gap = model.exposure_gap(test)
        print(f"| {name} | {gap.teacher_forced:.2e} | {gap.free_running:.2e} | {gap.gap:.2e} |", flush=True)


if __name__ == "__main__":
    main()
