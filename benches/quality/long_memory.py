"""Two tasks that require only a long memory: adding and copying.

    python benches/quality/long_memory.py adding [--cell gru] [--length 600] [--hidden 128] [--steps 4500] …
    python benches/quality/long_memory.py copy [--cell gru] [--length 1000] [--hidden 128] [--steps 4000] …

*Adding* (Hochreiter and Schmidhuber 1997): T pairs of a number from 0 to 1 and a mark. Two pairs are marked,
one in each half; the target after the last step is the sum of their numbers. A constant answer of 1 has a
mean squared error of 0.167.

*Copying* (the same; Arjovsky et al. 2016): the input is ten symbols from a set of eight, T − 1 blanks, a sign
and ten blanks. The target is blank, except for the ten symbols again at the end. Without memory the mean loss
is 10 ln 8 / (T + 20).

No sequence is used twice. Cells: rnn (tanh, orthogonal W), irnn (ReLU, W the identity: Le, Jaitly, Hinton
2015), lstm and gru, with forget and update gates initialized to σ(1). Copying is trained with delays that
grow to T; the next delay follows when the loss is below a twentieth of that without memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np

import rnnrs
from rnnrs import losses, nn, optim
from rnnrs.data import Batch
from rnnrs.models import RecurrentNetwork

SYMBOLS, COPIED, BLANK, GO = 8, 10, 8, 9
DELAYS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def layer(cell: str, inputs: int, hidden: int, seed: int) -> nn.Recurrent:
    """Returns the recurrent layer of that name."""
    if cell == "rnn":
        return nn.RNN(inputs, hidden, recurrent_initializer="orthogonal", seed=seed)
    if cell == "irnn":
        return nn.RNN(inputs, hidden, activation="relu", recurrent_initializer="identity", seed=seed)
    if cell == "lstm":
        return nn.LSTM(inputs, hidden, forget_bias=1.0, seed=seed)
    gru = nn.GRU(inputs, hidden, seed=seed)
    gru.parameters["b"][hidden : 2 * hidden] = 1.0
    return gru


def adding(draw: np.random.Generator, T: int, B: int) -> Batch:
    """Returns x (T, B, 2) and sums (B, 1)."""
    x = np.zeros((T, B, 2), np.float32)
    x[..., 0] = draw.random((T, B))
    first, second = draw.integers(0, T // 2, B), draw.integers(T // 2, T, B)
    each = np.arange(B)
    x[first, each, 1] = x[second, each, 1] = 1.0
    return Batch(x, (x[first, each, :1] + x[second, each, :1]).astype(np.float32))


def copying(draw: np.random.Generator, T: int, B: int) -> Batch:
    """Returns input and target ids, each (T + 20, B)."""
    symbols = draw.integers(0, SYMBOLS, (COPIED, B))
    inputs = np.full((T + 2 * COPIED, B), BLANK)
    inputs[:COPIED] = symbols
    inputs[COPIED + T - 1] = GO
    targets = np.full_like(inputs, BLANK)
    targets[-COPIED:] = symbols
    return Batch(inputs, targets)


class Unseen:
    """Data with new sequences at every step; an epoch is 25 steps."""

    carries_state = False

    def __init__(
        self, make: Callable[[np.random.Generator, int, int], Batch], T: int, B: int, seed: int
    ) -> None:
        self.make, self.T, self.B, self.seed = make, T, B, seed

    def __len__(self) -> int:
        return 25

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the batches, sampled with the epoch's number as part of the seed."""
        draw = np.random.default_rng([self.seed, number])
        return [self.make(draw, self.T, self.B) for _ in range(len(self))]

    def fingerprint(self) -> str:
        """See `rnnrs.data.Data`."""
        return f"{self.make.__name__} {self.seed}"


def run_adding(o: argparse.Namespace) -> None:
    """Trains and evaluates the adding task."""
    rnn = layer(o.cell, 2, o.hidden, o.seed)
    model = RecurrentNetwork(
        rnn, nn.Linear(o.hidden, 1, seed=o.seed + 1), losses.SquaredError(), pooling=nn.Pooling("last")
    )
    trainer = rnnrs.Trainer(model, optim.Adam(o.rate), clip_norm=1.0)
    trainer.schedule = lambda step: 0.5 * (1 + np.cos(np.pi * min(step / o.steps, 1)))
    data, begin = Unseen(adding, o.length, o.batch, o.seed), time.perf_counter()
    for step in range(100, o.steps + 1, 100):
        trainer.fit(data, max_steps=step)
        L = np.mean(trainer.history.losses[-100:])
        print(f"step {step}: {L:.5f}  ({time.perf_counter() - begin:.0f} s)", flush=True)
    new = [adding(np.random.default_rng([o.seed, 1, i]), o.length, 200) for i in range(5)]
    error = np.mean([model.loss(batch, gradient=False)[0] for batch in new])
    print(
        f"adding, T = {o.length}, {o.cell}, H = {o.hidden}: mean squared error {error:.2e} on 1,000 new sequences"
    )


def run_copy(o: argparse.Namespace) -> None:
    """Trains the copying task with growing delays and evaluates it."""
    rnn = layer(o.cell, SYMBOLS + 2, o.hidden, o.seed)
    model = RecurrentNetwork(
        rnn,
        nn.Linear(o.hidden, SYMBOLS + 1, seed=o.seed + 1),
        losses.SoftmaxCrossEntropy(),
        embedding=nn.Embedding(SYMBOLS + 2, SYMBOLS + 2, seed=o.seed + 2),
    )
    trainer = rnnrs.Trainer(model, optim.Adam(o.rate), clip_norm=1.0)
    data, begin = Unseen(copying, 0, o.batch, o.seed), time.perf_counter()
    for data.T in [*(delay for delay in DELAYS if delay < o.length), o.length]:
        goal = 0.05 * COPIED * np.log(SYMBOLS) / (data.T + 2 * COPIED)
        while trainer.step < o.steps:
            trainer.fit(data, max_steps=trainer.step + 25)
            L = np.mean(trainer.history.losses[-10:])
            if goal > L:
                break
        print(
            f"delay {data.T}: step {trainer.step}, loss {L:.2e}  ({time.perf_counter() - begin:.0f} s)",
            flush=True,
        )
    new = copying(np.random.default_rng([o.seed, 1, 0]), o.length, 200)
    L, _ = model.loss(new, gradient=False)
    told = model.forward(new.inputs, gradient=False)[0].argmax(axis=2)
    right = (told[-COPIED:] == new.targets[-COPIED:]).mean()
    without = COPIED * np.log(SYMBOLS) / (o.length + 2 * COPIED)
    print(
        f"copy, T = {o.length}, {o.cell}, H = {o.hidden}: loss {L:.2e} (without memory {without:.2e}), "
        f"{right:.2%} of the symbols right in 200 new sequences, {trainer.step} steps"
    )


def main() -> None:
    """Runs the chosen task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("adding", "copy"))
    parser.add_argument("--cell", choices=("rnn", "irnn", "lstm", "gru"), default="gru")
    parser.add_argument("--length", type=int)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    o = parser.parse_args()
    defaults = (600, 4500) if o.task == "adding" else (1000, 4000)
    o.length, o.steps = o.length or defaults[0], o.steps or defaults[1]
    (run_adding if o.task == "adding" else run_copy)(o)


if __name__ == "__main__":
    main()
