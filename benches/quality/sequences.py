"""Classifiers, forecasters and a model of music on real data: the results in docs/results.md.

    python benches/quality/sequences.py vowels  JapaneseVowels_TRAIN.ts JapaneseVowels_TEST.ts
    python benches/quality/sequences.py mnist1d train.npz
    python benches/quality/sequences.py names   FOLDER            (one file of names for each language)
    python benches/quality/sequences.py sunspots sunspots.csv
    python benches/quality/sequences.py airline Airline.csv
    python benches/quality/sequences.py chorales JSB_Chorales.json.gz [--cell gru]

Every task is evaluated on held-out data: the archive's test file; an eighth of MNIST-1D's training signals; a
tenth of the names, sampled with a seed; the end of a series; the chorales' test part, with the epoch chosen
on their validation part.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np

import rnnrs
from rnnrs import losses, nn, optim
from rnnrs.data import SequenceBatches, read_csv_series, read_ts
from rnnrs.models import Forecaster, RecurrentNetwork, SequenceClassifier
from rnnrs.nn.build import build_recurrent


def vowels(o: argparse.Namespace) -> None:
    """Recognizes nine speakers by how they say two vowels."""
    train, test = (read_ts(path) for path in o.files)
    for pooling in nn.POOLINGS:
        found = []
        for seed in range(o.seeds):
            model = SequenceClassifier.from_data(
                train, hidden_size=64, pooling=pooling, dropout=0.3, seed=seed
            )
            model.fit(train, epochs=60, batch_size=16, learning_rate=3e-3, seed=seed, progress=False)
            found.append(model.evaluate(test).accuracy)
        print(f"vowels, bidirectional GRU, H = 64, {pooling}: accuracy {_spread(found)}")


def mnist1d(o: argparse.Namespace) -> None:
    """Recognizes ten kinds of signals of 40 steps; trains on 16 shifted, scaled, noisy copies of each."""
    with np.load(o.files[0]) as held:
        x, y = held["x"], held["y"].astype(int)
    found = []
    for seed in range(o.seeds):
        draw = np.random.default_rng(seed)
        order = draw.permutation(len(x))
        test, train = order[: len(x) // 8], np.tile(order[len(x) // 8 :], 16)
        turned = [_disturbed(draw, x[i])[:, None] for i in train]
        model = SequenceClassifier(
            [str(k) for k in range(10)],
            input_size=1,
            hidden_size=o.hidden or 64,
            pooling=o.pooling,
            cell=o.cell,
            seed=seed,
        )
        settings = {"batch_size": 100, "learning_rate": 5e-3, "seed": seed, "progress": False}
        model.fit(turned, y[train].tolist(), epochs=o.epochs or 12, **settings)
        found.append(model.evaluate([x[i][:, None] for i in test], y[test].tolist()).accuracy)
        print(f"seed {seed}: {found[-1]:.4f}", flush=True)
    print(
        f"MNIST-1D, bidirectional {o.cell}, {o.pooling}: accuracy {_spread(found)} on {len(x) // 8} held-out signals"
    )


def _disturbed(draw: np.random.Generator, signal: np.ndarray) -> np.ndarray:
    """Varies a signal as the data's generator does: position (with wraparound), amplitude, smooth noise."""
    noise = np.convolve(draw.standard_normal(len(signal) + 4), np.ones(5) / 5, "valid")
    return np.roll(signal, draw.integers(len(signal))) * draw.uniform(0.7, 1.4) + 0.1 * noise


def names(o: argparse.Namespace) -> None:
    """Recognizes the language of a surname by its characters."""
    rows = [
        (line.strip(), path.stem)
        for path in sorted(Path(o.files[0]).glob("*.txt"))
        for line in path.read_text("utf-8").splitlines()
        if line.strip()
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    test, train = ([rows[i] for i in part] for part in (order[: len(rows) // 10], order[len(rows) // 10 :]))
    found, balanced = [], []
    for seed in range(o.seeds):
        model = SequenceClassifier.from_texts(
            *zip(*train, strict=True), hidden_size=128, dropout=0.3, pooling=o.pooling, seed=seed
        )
        model.fit(*zip(*train, strict=True), epochs=12, batch_size=64, seed=seed, progress=False)
        result = model.evaluate(*zip(*test, strict=True))
        found.append(result.accuracy)
        balanced.append(result.macro_f1)
    common = max(np.bincount(np.unique([b for _, b in test], return_inverse=True)[1])) / len(test)
    print(
        f"names, 18 languages: accuracy {_spread(found)}, macro F1 {np.mean(balanced):.3f} on {len(test)} names "
        f"(most frequent class: {common:.1%})"
    )


def sunspots(o: argparse.Namespace) -> None:
    """Forecasts yearly sunspots up to eleven years ahead by the mean of several networks.

    The evaluation covers 1948 to 2008. H, T and epochs are those with the least error on the years 1888 to
    1947.
    """
    x = read_csv_series(o.files[0], ["SUNACTIVITY"], dtype="float64").x
    cut = int(0.8 * len(x))

    def trained(to: int, H: int, T: int, epochs: int) -> list[Forecaster]:
        models = [
            Forecaster(["sunspots"], hidden_size=H, transform="sqrt", seed=seed)
            for seed in range(2 * o.seeds)
        ]
        for seed, model in enumerate(models):
            model.fit(x[:to], epochs=epochs, steps=T, learning_rate=5e-3, seed=seed, progress=False)
        return models

    def errors(models: list[Forecaster] | None, start: int, end: int) -> np.ndarray:
        """Returns mean absolute errors 1 to 11 years ahead; without models, of the value 11 years before."""
        found: list[list[float]] = [[] for _ in range(11)]
        for year in range(start, end):
            steps = min(11, end - year)
            if models is None:
                told = x[year - 11 : year - 11 + steps, 0]
            else:
                told = np.mean([model.predict(x[:year], steps)[:, 0] for model in models], axis=0)
            for k, error in enumerate(abs(told - x[year : year + steps, 0])):
                found[k].append(error)
        return np.array([np.mean(error) for error in found])

    choices = [(H, T, epochs) for H in (8, 16, 32) for T in (40, 80) for epochs in (50, 100)]
    known = cut - 60
    best = min(choices, key=lambda choice: errors(trained(known, *choice), known, cut).mean())
    models = trained(cut, *best)
    together, naive = errors(models, cut, len(x)), errors(None, cut, len(x))
    alone = [errors([model], cut, len(x)).mean() for model in models]
    print(
        f"sunspots, {len(models)} GRUs, (H, T, epochs) = {best}: mean absolute error {together.mean():.1f} over 1 to "
        f"11 years ahead, of one network {_spread(alone, '.1f')}, seasonal naive {naive.mean():.1f}; "
        f"one year ahead {together[0]:.1f}, eleven {together[-1]:.1f} (naive {naive[-1]:.1f})"
    )


def airline(o: argparse.Namespace) -> None:
    """Forecasts monthly passengers up to twelve months ahead; evaluated on the last three years."""
    x = read_csv_series(o.files[0], ["Passengers"], dtype="float64").x
    found, errors = [], []
    for seed in range(o.seeds):
        model = Forecaster(
            ["passengers"], hidden_size=16, horizon=12, transform="log", difference=12, seed=seed
        )
        model.fit(x[:-36], epochs=60, steps=36, learning_rate=3e-3, seed=seed, progress=False)
        result = model.evaluate(x, start=len(x) - 36, season=12)
        found.append(float(result.skill[0]))
        errors.append(result.mae.mean())
    print(
        f"airline passengers, GRU, H = 16: mean absolute error {np.mean(errors):.1f} thousand, 1 to 12 months ahead, "
        f"seasonal naive {result.naive_mae.mean():.1f}; skill {_spread(found, '.3f')}"
    )


def chorales(o: argparse.Namespace) -> None:
    """Predicts the next step's notes of Bach's chorales: nats per step, summed over 88 notes."""
    with gzip.open(o.files[0], "rt") as file:
        parts = json.load(file)
    rolls = {part: [_roll(piece) for piece in pieces] for part, pieces in parts.items()}
    H = o.hidden or 256
    rnn = build_recurrent("chorales", o.cell, 88, H, recurrent_dropout=0.2, seed=o.seed)
    output = nn.Linear(H, 88, seed=o.seed)
    model = RecurrentNetwork(rnn, output, losses.SigmoidCrossEntropy(), output_dropout=0.5)
    output.parameters["c"][...] = -3.0  # most notes are silent
    epochs = o.epochs or 60
    trainer = rnnrs.Trainer(model, optim.Adam(2e-3), clip_norm=1.0, seed=o.seed)
    trainer.schedule = lambda step: 0.5 * (1 + np.cos(np.pi * min(trainer.epoch / epochs, 1)))
    held = {part: _next_step(rolls[part], 77) for part in ("valid", "test")}
    data = _next_step(rolls["train"], 4, o.seed)
    best, begin = (np.inf, np.inf, 0), time.perf_counter()
    for epoch in range(1, epochs + 1):
        trainer.fit(data, epochs=epoch)
        valid, test = trainer.evaluate(held["valid"]), trainer.evaluate(held["test"])
        if valid < best[0]:
            best = (valid, test, epoch)
    print(
        f"chorales, {o.cell}, H = {H}: {best[1]:.2f} nats per step on the test part, {best[0]:.2f} on the validation "
        f"part (epoch {best[2]} of {epochs}; {time.perf_counter() - begin:.0f} s)"
    )


def _roll(piece: list[list[int]]) -> np.ndarray:
    """Returns which of 88 notes sound at each step, (T, 88)."""
    roll = np.zeros((len(piece), 88), np.float32)
    for t, notes in enumerate(piece):
        roll[t, [note - 21 for note in notes]] = 1.0
    return roll


def _next_step(rolls: list[np.ndarray], batch: int, seed: int = 0) -> SequenceBatches:
    return SequenceBatches([roll[:-1] for roll in rolls], [roll[1:] for roll in rolls], batch, seed=seed)


def _spread(found: list[float], form: str = ".1%") -> str:
    """Formats mean, minimum and maximum over several seeds."""
    return f"{np.mean(found):{form}} ({min(found):{form}} to {max(found):{form}}, {len(found)} seeds)"


def main() -> None:
    """Runs the chosen task."""
    tasks = {task.__name__: task for task in (vowels, mnist1d, names, sunspots, airline, chorales)}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=tasks)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--cell", choices=("rnn", "lstm", "gru"), default="gru")
    parser.add_argument("--pooling", choices=nn.POOLINGS, default="last", help="pooling of mnist1d and names")
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    o = parser.parse_args()
    tasks[o.task](o)


if __name__ == "__main__":
    main()
