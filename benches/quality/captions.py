"""Captions of emoji: the share of names that a captioner gets right, and retrieval of pictures by name.

    python benches/quality/captions.py PICTURES.npz NAMES.jsonl.gz [--language en] [--held-back 150] …

PICTURES.npz contains `images` (N, 32, 32, 3). Line n of NAMES belongs to picture n and contains its name in
each language and "split", which is "train" or another value. Without `--held-back N` the model is trained on
all of "train" and evaluated on the rest. With it, N skin-tone variants are sampled from "train", excluded
from training, and used for evaluation instead, every few epochs and at the end. The default settings were
chosen with 150 of them, in English.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from rnnrs.models import Augmentation, Captioner
from rnnrs.train import Callback

#: Epochs between two evaluations of the held-out part.
EVERY = 10


class Judge(Callback):
    """Prints the quality of descriptions every `EVERY` epochs."""

    def __init__(self, model: Captioner, pictures: Any, names: list[str]) -> None:
        self.model, self.pictures, self.names = model, pictures, names

    def on_validation(self, trainer: Any, loss: float) -> None:
        """Prints a line; the trainer's seconds cover training alone."""
        if (trainer.epoch + 1) % EVERY == 0:
            found = self.model.evaluate(self.pictures, self.names, beam=1)
            training = float(np.mean(trainer.history.losses[-100:]))
            print(
                f"epoch {trainer.epoch + 1}: {trainer.seconds:.0f} s, training {training:.3f}, held out {loss:.3f} "
                f"nats per word; exact {100 * found.exact:.1f} %, among 10 {100 * found.right_among_10:.1f} %",
                flush=True,
            )


def read(pictures: str, names: str, language: str) -> tuple[Any, list[str], list[str]]:
    """Returns pictures, their names and their splits."""
    text = gzip.decompress(Path(names).read_bytes()).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    return np.load(pictures)["images"], [row[language] for row in rows], [row["split"] for row in rows]


def speed(model: Captioner, pictures: Any) -> float:
    """Returns pictures per second of greedy decoding, measured on 1,000 pictures."""
    thousand = pictures[np.arange(1000) % len(pictures)]
    start = time.monotonic()
    model.describe_all(thousand, beam=1)
    return 1000 / (time.monotonic() - start)


def main() -> None:
    """Trains the captioner and prints its scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs=2)
    parser.add_argument("--language", default="en")
    parser.add_argument("--held-back", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--convolutions", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--shift", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save")
    given = parser.parse_args()
    pictures, names, splits = read(*given.files, given.language)
    judged = [i for i, split in enumerate(splits) if split != "train"]
    kept = [i for i, split in enumerate(splits) if split == "train"]
    if given.held_back:
        english = read(*given.files, "en")[1]
        toned = [i for i in kept if "skin tone" in english[i]]
        judged = sorted(np.random.default_rng(1).permutation(toned)[: given.held_back].tolist())
        kept = sorted(set(kept) - set(judged))
    training, test = ((pictures[some], [names[i] for i in some]) for some in (kept, judged))
    model = Captioner.from_pairs(
        *training,
        channels=given.channels,
        convolutions=given.convolutions,
        dropout=given.dropout,
        seed=given.seed,
    )
    print(
        f"{len(kept)} training pictures, {len(judged)} evaluation pictures, {len(model.vocabulary)} words, "
        f"{model.parameters.size} parameters"
    )
    history = model.fit(
        *training,
        test if given.held_back else None,
        augmentation=Augmentation(shift=given.shift),
        epochs=given.epochs,
        time_limit=given.time_limit,
        batch_size=given.batch_size,
        learning_rate=given.learning_rate,
        seed=given.seed,
        callbacks=[Judge(model, *test)] if given.held_back else [],
        progress=False,
    )
    print(f"trained for {history.seconds[-1]:.0f} s, {int(history.steps[-1])} steps")
    for beam in (1, 5):
        found = model.evaluate(*test, beam=beam)
        print(f"beam {beam}: {found}", flush=True)
    for name, description in zip(test[1], found.descriptions, strict=True):
        if name.lower() != description.lower():
            print(f"  {name} | {description}")
    print(f"{speed(model, pictures):.0f} pictures/s, greedy decoding")
    if given.save:
        model.save(given.save)


if __name__ == "__main__":
    main()
