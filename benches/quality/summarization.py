"""One-line summaries: ROUGE compared with the first 12 words, and correctly copied package names.

    python benches/quality/summarization.py TRAIN.tsv VALID.tsv [--epochs 10] [--time-limit SECONDS] …

Files contain one row per package, with three columns: its name, the first paragraph of its description, its
synopsis; they may be gzipped (.gz). Every epoch prints losses and ROUGE-1, -2 and -L (F1) of greedy decoding.
The end prints ROUGE of beam search with the parameters of the lowest validation loss, and of the first 12
words. It also counts names for both: among packages whose synopsis contains the package's name, the summaries
that contain it, too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnrs.data import clean_pairs, read_tsv_pairs
from rnnrs.metrics import Rouge, rouge
from rnnrs.models import Summarizer
from rnnrs.models.text_to_text.summarizer import first_words
from rnnrs.text import find_words
from rnnrs.train import Callback

Pairs = list[tuple[str, str]]

#: The largest number of words of a training paragraph.
LONGEST = 200


def named(names: Sequence[str], summaries: Sequence[str], wanted: Sequence[str]) -> str:
    """Counts the summaries that contain the package's name, among those whose synopsis contains it."""

    def has(text: str, name: str) -> bool:
        return name.lower() in [word.lower() for word in find_words(text)]

    rows = zip(names, summaries, wanted, strict=True)
    right = [has(summary, name) for name, summary, target in rows if has(target, name)]
    return f"{sum(right)} of {len(right)} names"


def scores(found: Rouge) -> str:
    """Formats ROUGE-1, -2 and -L on a scale of 0 to 100."""
    return " / ".join(f"{100 * score.f1:.1f}" for score in (found.rouge_1, found.rouge_2, found.rouge_l))


class EachEpoch(Callback):
    """Prints losses and ROUGE after every epoch."""

    def __init__(self, model: Summarizer, pairs: Pairs) -> None:
        self.model, self.pairs = model, pairs

    def on_validation(self, trainer: Any, loss: float) -> None:
        """Prints a line; the trainer's seconds cover training alone."""
        found = self.model.summarize_all([source for source, _ in self.pairs], beam=1)
        training = float(np.mean(trainer.history.losses[-100:]))
        print(
            f"epoch {trainer.epoch + 1}: {trainer.seconds:.0f} s, training {training:.3f}, validation {loss:.3f} "
            f"nats per word; ROUGE-1/2/L {scores(rouge(found, [target for _, target in self.pairs]))}",
            flush=True,
        )


def judge(model: Summarizer, names: list[str], pairs: Pairs) -> None:
    """Prints the scores of beam search and of the first words, and some summaries."""
    sources, wanted = [source for source, _ in pairs], [target for _, target in pairs]
    start = time.monotonic()
    found = model.summarize_all(sources)
    rate = len(pairs) / (time.monotonic() - start)
    simple = [first_words(source) for source in sources]
    print(f"first 12 words: {scores(rouge(simple, wanted))}; {named(names, simple, wanted)}")
    print(f"summaries: {scores(rouge(found, wanted))}; {named(names, found, wanted)}; {rate:.0f} per second")
    for i in range(0, len(pairs), max(1, len(pairs) // 10)):
        print(f"\n{sources[i]}\n  reference  {wanted[i]}\n  summary    {found[i]}")


def main() -> None:
    """Trains the summarizer and prints its scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs=2)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--cell", default="gru")
    parser.add_argument("--embedding", type=int, default=128)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--dropout", type=float, default=0.4)
    parser.add_argument("--vocabulary", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--no-copy", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save")
    given = parser.parse_args()
    training, report = clean_pairs(read_tsv_pairs(given.files[0], (1, 2)), max_words=LONGEST)
    validation = read_tsv_pairs(given.files[1], (1, 2))
    names = [name for name, _ in read_tsv_pairs(given.files[1])]
    model = Summarizer.from_pairs(
        training,
        vocabulary={"max_size": given.vocabulary} if given.vocabulary else None,
        cell=given.cell,
        embedding_size=given.embedding,
        hidden_size=given.hidden,
        dropout=given.dropout,
        copy=not given.no_copy,
        seed=given.seed,
    )
    print(f"{report}; {len(model.target_vocabulary)} words, {model.parameters.size} parameters", flush=True)
    model.fit(
        training,
        validation,
        epochs=None if given.time_limit else given.epochs,
        time_limit=given.time_limit,
        batch_size=given.batch,
        learning_rate=given.learning_rate,
        seed=given.seed,
        callbacks=[EachEpoch(model, validation)],
        progress=False,
    )
    judge(model, names, validation)
    if given.save:
        model.save(given.save)


if __name__ == "__main__":
    main()
