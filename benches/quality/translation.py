"""Translation by an encoder–decoder with attention: BLEU per epoch (greedy), and by beam search at the end.

    python benches/quality/translation.py TRAIN.de TRAIN.en VALID.de VALID.en TEST.de TEST.en [--epochs 10] …

Files contain one sentence per line and may be gzipped (.gz); source files come before target files. The
vocabulary consists of lower-cased words that occur at least twice. Embeddings 256, the target's tied to the
output layer; bidirectional GRU encoder, 256 per direction, GRU decoder, 512; general attention by default;
dropout 0.4, label smoothing 0.1; Adam at 1e-3 with cosine decay to 0, gradient norm clipped to 1; batches of
64 sentences of similar lengths. BLEU is sacrebleu's, on lower-cased text (needs the extra "metrics"; without
it only losses are printed).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from rnnrs.data import read_parallel_pairs
from rnnrs.errors import MissingExtraError
from rnnrs.metrics import bleu
from rnnrs.models import Translator
from rnnrs.train import Callback


def score(model: Translator, pairs: list[tuple[str, str]], beam: int) -> str:
    """Returns the translations' BLEU and the sentences per second."""
    start = time.monotonic()
    found = model.translate_all([source for source, _ in pairs], beam=beam)
    rate = len(pairs) / (time.monotonic() - start)
    try:
        quality = f"{bleu(found, [target for _, target in pairs], lowercase=True)}"
    except MissingExtraError as error:
        quality = f"no BLEU ({error})"
    return f"{quality}; {rate:.0f} sentences/s"


class EachEpoch(Callback):
    """Prints losses and BLEU after every epoch."""

    def __init__(self, model: Translator, test: list[tuple[str, str]]) -> None:
        self.model, self.test = model, test

    def on_validation(self, trainer: Any, loss: float) -> None:
        """Prints a line: the trainer's seconds cover training alone, the CPU seconds everything."""
        training = float(np.mean(trainer.history.losses[-100:]))
        seconds = f"{trainer.seconds:.0f} s ({time.process_time():.0f} s of CPU time)"
        print(
            f"epoch {trainer.epoch + 1}: {seconds}, training {training:.3f}, validation {loss:.3f} nats per token; "
            f"{score(self.model, self.test, beam=1)}",
            flush=True,
        )


def main() -> None:
    """Trains the translator and prints its scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs=6)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--cell", default="gru")
    parser.add_argument("--embedding", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--attention", default="general")
    parser.add_argument("--dropout", type=float, default=0.4)
    parser.add_argument("--level", default="word")
    parser.add_argument("--vocabulary", type=int, help="largest number of tokens of a vocabulary")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save")
    given = parser.parse_args()
    training, validation, test = (read_parallel_pairs(*given.files[i : i + 2]) for i in (0, 2, 4))
    model = Translator.from_pairs(
        training,
        level=given.level,
        vocabulary={"lowercase": True} | ({"max_size": given.vocabulary} if given.vocabulary else {}),
        cell=given.cell,
        attention=None if given.attention == "none" else given.attention,
        embedding_size=given.embedding,
        hidden_size=given.hidden,
        dropout=given.dropout,
        label_smoothing=0.1,
        tied=True,
        seed=given.seed,
    )
    sizes = f"{len(model.source_vocabulary)} and {len(model.target_vocabulary)}"
    print(f"{len(training)} pairs, {sizes} tokens, {model.parameters.size} parameters")
    model.fit(
        training,
        validation,
        epochs=given.epochs,
        time_limit=given.time_limit,
        seed=given.seed,
        callbacks=[EachEpoch(model, test)],
        progress=False,
    )
    for beam in (1, 5):
        print(f"lowest validation loss, beam {beam}: {score(model, test, beam)}", flush=True)
    if given.save:
        model.save(given.save)


if __name__ == "__main__":
    main()
