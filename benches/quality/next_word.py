"""Next-word suggestions on sentences: a word model compared with a bigram model with back-off.

    python benches/quality/next_word.py TRAIN VALID [--column 0] [--epochs 8] [--hidden 256] …

TRAIN and VALID contain one sentence per line, or tab-separated columns, one of which is used; they may be
gzipped (.gz). Both models have the same vocabulary. The measures on VALID are

- perplexity: exp of the mean −ln P of a token, sentence ends included;
- top-1, top-3: how often the next word (known words only, no sentence ends) is the most probable one, or
  among the three most probable ones;
- keystrokes saved: by a typist who sees three suggestions before each letter and accepts the right one as
  soon as it appears, with one key for the word and the space after it. Typing in full takes a key per letter
  and space.
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnrs._rnnrs import log_softmax
from rnnrs.data import SentenceBatches
from rnnrs.models import LanguageModel
from rnnrs.text import WordVocabulary

Ids = NDArray[np.int64]
#: Pairs of log P(· | context), one row per target, and the targets.
Scored = Iterator[tuple[NDArray[Any], Ids]]


def read(path: str, column: int) -> list[str]:
    """Returns the distinct sentences of a file, in the order of their first occurrence."""
    data = Path(path).read_bytes()
    text = (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8")
    return list(dict.fromkeys(line.split("\t")[column] for line in text.splitlines() if line.strip()))


class Bigram:
    """A bigram model with absolute discounting (Ney, Essen and Kneser 1994).

    P(w | v) = max(c(v w) − d, 0) / c(v) + d n(v) / c(v) · P(w).
    P(w) itself is discounted and interpolated with the uniform distribution; n(v) is the number of distinct
    words that follow v.
    """

    def __init__(self, sentences: list[Ids], size: int, end_id: int, discount: float = 0.75) -> None:
        follow = np.concatenate([np.concatenate([[end_id], s, [end_id]]) for s in sentences])
        # The end of a sentence is followed by the start of the next one here; these pairs are excluded.
        ends = np.cumsum([len(s) + 2 for s in sentences]) - 1
        first = np.delete(np.arange(len(follow)), ends)
        pairs, counts = np.unique(follow[first] * size + follow[first + 1], return_counts=True)
        self._v, self._w = pairs // size, pairs % size
        self._counts = counts.astype(np.float64)
        total_of = np.bincount(self._v, self._counts, size)
        kinds_of = np.bincount(self._v, minlength=size)
        unigram = np.bincount(self._w, self._counts, size)
        kinds = np.count_nonzero(unigram)
        self._unigram = np.maximum(unigram - discount, 0) / unigram.sum()
        self._unigram += discount * kinds / unigram.sum() / size
        self._starts = np.searchsorted(self._v, np.arange(size + 1))
        self._total, self._kinds, self._discount = total_of, kinds_of, discount

    def log_prob(self, word: int) -> NDArray[np.float64]:
        """Returns ln P(· | word)."""
        total = self._total[word]
        if total == 0:
            return np.log(self._unigram)
        p = self._discount * self._kinds[word] / total * self._unigram
        seen = slice(self._starts[word], self._starts[word + 1])
        p[self._w[seen]] += (self._counts[seen] - self._discount) / total
        return np.log(p)

    def score(self, sentences: list[Ids], end_id: int) -> Scored:
        """Scores one sentence at a time."""
        for sentence in sentences:
            context = np.concatenate([[end_id], sentence])
            yield np.stack([self.log_prob(int(word)) for word in context]), np.append(sentence, end_id)


def score_network(model: LanguageModel, sentences: list[Ids], end_id: int) -> Scored:
    """Scores one batch of sentences at a time."""
    for inputs, targets, *_ in SentenceBatches(sentences, 32, end_id).epoch(0):
        h, _ = model.rnn.forward(model.embedding.forward(inputs)[0])
        log_p = log_softmax(model.output.forward(h)[0])
        kept = targets != -1
        yield log_p[kept], targets[kept]


def measure(scored: Scored, vocabulary: WordVocabulary) -> dict[str, float]:
    """Returns the figures of the table."""
    nll = tokens = words = top1 = top3 = keys = pressed = 0.0
    with_prefix: dict[str, Ids] = {}
    surfaces = [vocabulary.surface(token) for token in vocabulary.tokens]
    offered = np.array([surface[:1].isalnum() for surface in surfaces])
    offered[[vocabulary.end_id, vocabulary.unknown_id]] = False
    for log_p, targets in scored:
        nll -= float(np.take_along_axis(log_p, targets[:, None], 1).sum(dtype=np.float64))
        tokens += len(targets)
        for row, target in zip(log_p, targets, strict=True):
            if target in (vocabulary.end_id, vocabulary.unknown_id):
                continue
            words += 1
            better = int((row > row[target]).sum())
            top1, top3 = top1 + (better < 1), top3 + (better < 3)
            word = surfaces[target]
            keys += len(word) + 1
            pressed += keystrokes(row, int(target), word, vocabulary, offered, with_prefix)
    return {
        "perplexity": float(np.exp(nll / tokens)),
        "top-1 %": 100 * top1 / words,
        "top-3 %": 100 * top3 / words,
        "keystrokes saved %": 100 * (1 - pressed / keys),
    }


def keystrokes(
    row: NDArray[Any],
    target: int,
    word: str,
    vocabulary: WordVocabulary,
    offered: NDArray[np.bool_],
    with_prefix: dict[str, Ids],
) -> int:
    """Returns the keys for one word: letters until it is among the three best matches, and one to accept."""
    if not offered[target]:
        return len(word) + 1
    for typed in range(len(word)):
        prefix = word[:typed]
        if prefix not in with_prefix:
            found = vocabulary.with_prefix(prefix) if prefix else np.arange(len(vocabulary))
            with_prefix[prefix] = found[offered[found]]
        if int((row[with_prefix[prefix]] > row[target]).sum()) < 3:
            return typed + 1
    return len(word) + 1


def main() -> None:
    """Trains both models and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("--column", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--embedding", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--min-count", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    train, valid = read(a.train, a.column), read(a.valid, a.column)
    known = set(train)
    valid = [sentence for sentence in valid if sentence not in known]
    text = "\n".join(train)
    model = LanguageModel.from_text(
        text,
        level="word",
        vocabulary={"min_count": a.min_count},
        embedding_size=a.embedding,
        hidden_size=a.hidden,
        seed=a.seed,
    )
    vocabulary = model.vocabulary
    assert isinstance(vocabulary, WordVocabulary)
    start = time.monotonic()
    model.fit(
        text,
        epochs=a.epochs,
        batch_size=a.batch,
        learning_rate=a.learning_rate,
        by_sentence=True,
        seed=a.seed,
    )
    seconds = time.monotonic() - start
    encode: Callable[[str], Ids] = vocabulary.encode
    end = vocabulary.end_id
    held_out = [encode(sentence) for sentence in valid]
    unknown = np.mean(np.concatenate(held_out) == vocabulary.unknown_id)
    print(
        f"{len(train):,} training sentences, {len(valid):,} new validation sentences; {len(vocabulary):,} words, "
        f"{unknown:.2%} of the validation words unknown; trained in {seconds:.0f} s"
    )
    bigram = Bigram([encode(sentence) for sentence in train], len(vocabulary), end)
    rows = {
        "bigram with back-off": measure(bigram.score(held_out, end), vocabulary),
        f"tanh RNN, H = {a.hidden}": measure(score_network(model, held_out, end), vocabulary),
    }
    names = list(next(iter(rows.values())))
    print("| model | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for name, figures in rows.items():
        print(f"| {name} | " + " | ".join(f"{figures[n]:.1f}" for n in names) + " |")


if __name__ == "__main__":
    main()
