"""Texts generated side by side: `python benches/generation.py [--texts 16] [--length 300] [--threads 1]`.

Processor time per token of one text and of several side by side, for untrained models of Shakespeare's
characters and words, as the first quartile of alternating measurements, so that other programs disturb them
equally:

    one       one text, by `LanguageModel.generate`
    ln P      the same text, whose tokens come with ln P
    several   as many texts side by side, by `generate_all`, with ln P
    gain      ln P / several
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import rnnrs
from rnnrs.models import LanguageModel
from rnnrs.text import tiny_shakespeare

KINDS: tuple[dict[str, Any], ...] = (
    {"level": "char", "hidden_size": 256},
    {"level": "char", "hidden_size": 512, "cell": "lstm"},
    {"level": "char", "hidden_size": 512, "cell": "gru", "layers": 2},
    {"level": "word", "hidden_size": 256},
    {"level": "word", "hidden_size": 512, "cell": "lstm", "vocabulary": {"min_count": 1}},
    {"level": "word", "hidden_size": 512, "cell": "lstm", "cutoffs": [1000]},
)


def quartiles(runs: list[Callable[[], object]], times: int) -> list[float]:
    """The first quartile of the processor time of each of several runs, measured in turn."""
    found = np.zeros((times, len(runs)))
    for own in found:
        for i, run in enumerate(runs):
            before = time.process_time()
            run()
            own[i] = time.process_time() - before
    return [float(seconds) for seconds in np.quantile(found, 0.25, axis=0)]


def main() -> None:
    """Prints the table, in microseconds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--times", type=int, default=7)
    a = parser.parse_args()
    rnnrs.set_num_threads(a.threads)
    text = tiny_shakespeare()[:300_000]
    print("| model | V | one | ln P | several | gain |\n|---|---|---|---|---|---|")
    for kind in KINDS:
        model = LanguageModel.from_text(text, **kind)
        model.parameters.copy_from(model.parameters)  # so that it counts as trained
        prompts = ["To be, or not to be"] * a.texts

        def several(count: int, *, m: LanguageModel = model, prompts: list[str] = prompts) -> object:
            return m.generate_all(prompts[:count], length=a.length, seeds=range(count))

        def one(*, m: LanguageModel = model, prompts: list[str] = prompts) -> object:
            return m.generate(prompts[0], length=a.length, seed=0)

        alone, with_ln_p, together = (
            seconds / a.length * 1e6
            for seconds in quartiles(
                [one, lambda run=several: run(1), lambda run=several: run(a.texts)], a.times
            )
        )
        name = ", ".join(f"{value}" for value in kind.values())
        each = together / a.texts
        print(
            f"| {name} | {len(model.vocabulary):,} | {alone:.1f} | {with_ln_p:.1f} | {each:.1f} "
            f"| {with_ln_p / each:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
