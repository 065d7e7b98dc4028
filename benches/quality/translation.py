"""Translation: an encoder–decoder with attention, its BLEU after every epoch, greedily.

    python benches/quality/translation.py TRAIN.de TRAIN.en VALID.de VALID.en TEST.de TEST.en [--epochs 10] …

A sentence a line (.gz is understood), the languages in the order from, to. Words that occur twice, lower-cased;
embeddings 256, the target's tied to the output layer; bidirectional GRU encoder, 256 each way, GRU decoder, 512;
general attention; dropout 0.4, label smoothing 0.1; Adam at 1e-3 falling to 0 along a cosine, gradient norm clipped
to 1; 64 sentences of like lengths a batch. BLEU is sacrebleu's, of lower-cased text (needs the extra "metrics";
without it only losses are printed).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from rnnrs.data import read_parallel_pairs
from rnnrs.decoding import Constraints, greedy
from rnnrs.errors import MissingExtraError
from rnnrs.metrics import bleu
from rnnrs.models import Seq2Seq
from rnnrs.text import WordVocabulary
from rnnrs.train import Callback

#: Sentences that are translated side by side, and the longest translation.
BATCH, LONGEST = 100, 60


def translate(model: Seq2Seq, sources: list[str]) -> list[str]:
    """Greedy translations."""
    decoder, found = model.decoder(), []
    for first in range(0, len(sources), BATCH):
        steps = model.step_model(sources[first : first + BATCH], decoder=decoder)
        start = np.full(len(steps.lengths), steps.end_id)
        best = greedy(steps, start, steps.end_id, constraints=Constraints(max_length=LONGEST))
        found += [steps.text(hypothesis.tokens, b) for b, hypothesis in enumerate(best)]
    return found


def score(model: Seq2Seq, pairs: list[tuple[str, str]]) -> str:
    """BLEU of the translations, and how many a second they were."""
    start = time.monotonic()
    found = translate(model, [source for source, _ in pairs])
    rate = len(pairs) / (time.monotonic() - start)
    try:
        quality = f"{bleu(found, [target for _, target in pairs], lowercase=True)}"
    except MissingExtraError as error:
        quality = f"no BLEU ({error})"
    return f"{quality}; {rate:.0f} sentences/s"


class EachEpoch(Callback):
    """Prints losses and BLEU after every epoch."""

    def __init__(self, model: Seq2Seq, test: list[tuple[str, str]]) -> None:
        self.model, self.test = model, test

    def on_validation(self, trainer: Any, loss: float) -> None:
        """After an epoch: the trainer's seconds are of training alone."""
        training = float(np.mean(trainer.history.losses[-100:]))
        print(
            f"epoch {trainer.epoch + 1}: {trainer.seconds:.0f} s, training {training:.3f}, validation {loss:.3f} "
            f"nats a word; {score(self.model, self.test)}",
            flush=True,
        )


def main() -> None:
    """Trains, and prints what came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs=6)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--cell", default="gru")
    parser.add_argument("--embedding", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--dropout", type=float, default=0.4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save")
    given = parser.parse_args()
    training, validation, test = (read_parallel_pairs(*given.files[i : i + 2]) for i in (0, 2, 4))
    sides = [[pair[i] for pair in training] for i in (0, 1)]
    vocabularies = [WordVocabulary.build(side, min_count=2, lowercase=True) for side in sides]
    model = Seq2Seq(
        *vocabularies,
        cell=given.cell,
        embedding_size=given.embedding,
        hidden_size=given.hidden,
        dropout=given.dropout,
        label_smoothing=0.1,
        tied=True,
        seed=given.seed,
    )
    sizes = " and ".join(str(len(vocabulary)) for vocabulary in vocabularies)
    print(f"{len(training)} pairs, {sizes} words, {model.parameters.size} parameters")
    model.fit(
        training,
        validation,
        epochs=given.epochs,
        time_limit=given.time_limit,
        seed=given.seed,
        callbacks=[EachEpoch(model, test)],
        progress=False,
    )
    if given.save:
        model.save(given.save)


if __name__ == "__main__":
    main()
