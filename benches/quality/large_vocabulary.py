"""Output layers, training losses and caches for a word vocabulary: true perplexities on one text and recipe.

    python benches/quality/large_vocabulary.py [TEXT] [--hidden 128] [--epochs 4] [--min-count 2] [--seed 0]

TEXT (the bundled tiny Shakespeare by default) is split into 90 % for training, 5 % for validation and 5 % for
testing. 20 parallel streams in chunks of 35 words, embedding = H, Adam at 2e-3 with cosine decay, gradient
norm clipped to 1. Caches are added to the first model, with the settings that are best on the validation
text.
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from typing import Any

import rnnrs
from rnnrs.models import ContinuousCache, LanguageModel, NgramCache
from rnnrs.models.language.cache import Cache
from rnnrs.text import read_text, split, tiny_shakespeare

WEIGHTS = (0.03, 0.05, 0.1, 0.15, 0.2)


def main() -> None:
    """Trains the models and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("text", nargs="?")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--min-count", type=int, default=2)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    training, validation, test = split(read_text(a.text) if a.text else tiny_shakespeare())

    def trained(what: str, model: dict[str, Any], fit: dict[str, Any]) -> LanguageModel:
        network = LanguageModel.from_text(
            training,
            level="word",
            vocabulary={"min_count": a.min_count},
            embedding_size=a.hidden,
            hidden_size=a.hidden,
            seed=a.seed,
            **model,
        )
        start = time.monotonic()
        recipe = {"epochs": a.epochs, "batch_size": 20, "steps": 35, "by_sentence": False}
        network.fit(training, progress=False, samples=a.samples, **recipe, **fit)
        seconds = time.monotonic() - start
        figures = (network.perplexity(validation), network.perplexity(test), seconds)
        print(
            f"| {what} | {network.parameters.size:,} | " + " | ".join(f"{x:.1f}" for x in figures) + " |",
            flush=True,
        )
        return network

    print(f"{rnnrs.get_num_threads()} threads ({rnnrs.instruction_set()})")
    print("| output layer, training loss | parameters | validation | test | seconds |\n|---|---|---|---|---|")
    full = trained("full softmax", {}, {})
    size = len(full.vocabulary)
    trained("full softmax, tied", {"tied": True}, {})
    trained(f"sampled softmax, k = {a.samples}", {}, {"loss": "sampled"})
    trained(f"NCE, k = {a.samples}", {}, {"loss": "nce"})
    cutoffs = [size // 8, size // 3]
    trained(f"adaptive softmax, {cutoffs}", {"cutoffs": cutoffs}, {})
    unknown = full.evaluate(test)
    print(f"\n{size:,} words, {unknown.unknown / unknown.tokens:.2%} of the test text's words unknown")

    print("\n| cache | validation | test | known words of the test text |\n|---|---|---|---|")
    families: dict[str, list[Cache]] = {
        "none": [NgramCache(0.0)],
        "unigram": [NgramCache(w, n) for w, n in product(WEIGHTS, (500, 2000))],
        "trigram": [
            NgramCache(w, n, order=3, share=s) for w, n, s in product(WEIGHTS, (2000, 10_000), (0.3, 0.6))
        ],
        "continuous": [
            ContinuousCache(w, n, theta)
            for w, n, theta in product(WEIGHTS, (500, 2000), (0.03, 0.1, 0.2, 0.3))
        ],
    }
    for name, settings in families.items():
        best = min(settings, key=lambda cache: full.evaluate(validation, cache=cache).nats)
        judged = [full.evaluate(text, cache=best) for text in (validation, test)]
        figures = [judged[0].perplexity, judged[1].perplexity, judged[1].known_perplexity]
        print(f"| {name}: {best} | " + " | ".join(f"{x:.1f}" for x in figures) + " |", flush=True)


if __name__ == "__main__":
    main()
