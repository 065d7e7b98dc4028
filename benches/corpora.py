"""Corpora on disk: how fast a text is prepared, how fast batches are read, and how much memory both take.

The text is generated from the bundled one: its lines in random order, some with a word that is made of two.
Each measurement runs in a process of its own, of which the highest resident memory is reported.

    python benches/corpora.py --megabytes 100 --level char word
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rnnrs.data import Corpus, SentenceBatches, StreamBatches, prepare_corpus
from rnnrs.models import LanguageModel
from rnnrs.text import tiny_shakespeare

try:
    import resource
except ImportError:  # missing on Windows
    resource = None


def generate(path: Path, megabytes: float, seed: int = 0) -> None:
    """Writes a text of a size."""
    draw = np.random.default_rng(seed)
    lines = [line for line in tiny_shakespeare().split("\n") if line]
    words = sorted({word for line in lines for word in line.split() if word.isalpha()})
    left = int(megabytes * 1e6)
    with open(path, "w", encoding="utf-8") as file:
        while left > 0:
            chosen = draw.integers(len(lines), size=10_000).tolist()
            made = draw.integers(len(words), size=(1000, 2)).tolist()
            for place, (a, b) in zip(range(0, len(chosen), 10), made, strict=True):
                chosen[place] = f"{lines[chosen[place]]} {words[a]}{words[b]}"
            block = "".join(f"{line if isinstance(line, str) else lines[line]}\n" for line in chosen)
            file.write(block)
            left -= len(block)


def peak() -> float:
    """Returns the highest resident memory of this process, in MB."""
    if resource is None:
        return float("nan")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20) if sys.platform == "darwin" else most / 1024


def prepare(path: str, folder: str, level: str) -> dict[str, float]:
    """Prepares a corpus; returns the seconds of each pass."""
    before, begin = peak(), time.perf_counter()
    seconds = {"counting": 0.0, "encoding": 0.0}

    def tell(name: str, characters: int) -> None:
        seconds[name] = time.perf_counter() - begin

    corpus = prepare_corpus(folder, path, level=level, force=True, tell=tell)
    total = time.perf_counter() - begin
    size = os.path.getsize(path) / 1e6
    return {
        "counting MB/s": size / seconds["counting"],
        "encoding MB/s": size / (total - seconds["counting"]),
        "MB/s": size / total,
        "processor s": time.process_time(),
        "tokens": corpus.tokens,
        "vocabulary": len(corpus.vocabulary),
        "MB before": before,
        "peak MB": peak(),
    }


def read(folder: str, kind: str) -> dict[str, float]:
    """Reads batches of a corpus without a model."""
    before, begin = peak(), time.perf_counter()
    corpus = Corpus(folder)
    data = (
        SentenceBatches(corpus.sentences(), 50, corpus.vocabulary.end_id, shuffle_block=1_000_000)
        if kind == "sentences"
        else StreamBatches(corpus.stream(), 50, 50)
    )
    batches = data.epoch(0)
    batches[0]
    opened = time.perf_counter() - begin
    begin, positions = time.perf_counter(), 0
    count = min(len(batches), 5_000)
    for index in range(count):
        positions += batches[index].targets.size
    taken = time.perf_counter() - begin
    return {
        "s to the first batch": opened,
        "µs a batch": 1e6 * taken / count,
        "million positions/s": positions / taken / 1e6,
        "MB before": before,
        "peak MB": peak(),
    }


def train(folder: str, by_sentence: str) -> dict[str, float]:
    """Trains a small model for some seconds, with a held-out share of a thousandth."""
    corpus = Corpus(folder)
    model = LanguageModel.from_corpus(corpus, embedding_size=8, hidden_size=8)
    before = peak()
    history = model.fit(
        corpus, 0.001, time_limit=6, batch_size=50, by_sentence=by_sentence == "sentences", progress=False
    )
    return {"steps": len(history.losses), "MB before": before, "peak MB": peak()}


def apart(*arguments: str) -> dict[str, float]:
    """Runs a measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--only", *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def show(title: str, found: dict[str, float]) -> None:
    print(f"{title:24}" + "   ".join(f"{name} {value:,.6g}" for name, value in found.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--level", nargs="+", default=["char", "word"])
    parser.add_argument("--folder", help="where text and corpora are written; a temporary folder by default")
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        name, *arguments = options.only
        print(json.dumps({"prepare": prepare, "read": read, "train": train}[name](*arguments)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        text = os.path.join(folder, "text.txt")
        generate(Path(text), options.megabytes)
        for level in options.level:
            corpus = os.path.join(folder, level)
            show(f"prepare, {level}", apart("prepare", text, corpus, level))
            for kind in ("sentences", "stream"):
                show(f"read, {level}, {kind}", apart("read", corpus, kind))
                show(f"train, {level}, {kind}", apart("train", corpus, kind))


if __name__ == "__main__":
    main()
