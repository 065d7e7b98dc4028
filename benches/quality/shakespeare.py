"""A language model of the bundled tiny Shakespeare, with the recipe of docs/results.md: nats per character.

    python benches/quality/shakespeare.py [--cell rnn|lstm|gru] [--hidden 512] [--epochs 8]
        [--dropout 0] [--seed 0]

The first 90 % of the text are for training, the next 5 % for validation, the last 5 % for testing. Embedding
64, 50 parallel streams in chunks of 50 characters, Adam at 2e-3 with cosine decay, orthogonal W, gradient
norm clipped to 1.
"""

from __future__ import annotations

import argparse
import time

import rnnrs
from rnnrs.models import LanguageModel
from rnnrs.text import split, tiny_shakespeare


def main() -> None:
    """Trains the model and prints its losses."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cell", choices=("rnn", "lstm", "gru"), default="rnn")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    training, validation, test = split(tiny_shakespeare())
    model = LanguageModel.from_text(
        training,
        hidden_size=arguments.hidden,
        cell=arguments.cell,
        dropout=arguments.dropout,
        seed=arguments.seed,
    )
    start = time.monotonic()
    model.fit(training, validation, epochs=arguments.epochs, batch_size=50, steps=50, learning_rate=2e-3)
    seconds = time.monotonic() - start
    print(
        f"{arguments.cell}, H = {arguments.hidden}, {arguments.epochs} epochs, seed {arguments.seed}: validation "
        f"{model.evaluate(validation).nats_per_character:.4f}, test {model.evaluate(test).nats_per_character:.4f} "
        f"nats per character; {seconds:.0f} s on {rnnrs.get_num_threads()} threads ({rnnrs.instruction_set()})"
    )


if __name__ == "__main__":
    main()
