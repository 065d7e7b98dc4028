"""Summaries that choose: sentence F1 and ROUGE at the reference's length, beside lead, random, TextRank, LexRank.

    python benches/quality/extractive.py TRAIN.jsonl VALID.jsonl [--fields text summary] [--epochs 8] …

Files hold a JSON object on each line; they may be gzipped (.gz). TextRank and LexRank are those of `sumy`
(`pip install sumy numpy`), with its stop words and stemmer, and without; they get the same sentences, and runs
of letters and digits as words, so that no data of NLTK are needed. Every method gets the reference's length in
words, as ROUGE counts them; the others than the model keep their best sentences that fit.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rnnrs.data import read_json_pairs
from rnnrs.metrics import rouge
from rnnrs.metrics.words import ascii_words
from rnnrs.models import ExtractiveSummarizer
from rnnrs.models.extractive.evaluation import sentence_scores
from rnnrs.models.extractive.labels import labels_of
from rnnrs.text import find_sentences

#: From the sentences of a text to their numbers, best first.
Order = Callable[[Sequence[str]], Sequence[int]]


class Data(NamedTuple):
    """Texts with their sentences, the words of these, and those that belong in the summary."""

    sentences: list[list[str]]
    words: list[list[int]]
    labels: list[list[int]]
    summaries: list[str]
    budgets: list[int]

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> Data:
        """Returns the texts of pairs."""
        sentences = [[text[begin:end] for begin, end in find_sentences(text)] for text, _ in pairs]
        summaries = [summary for _, summary in pairs]
        labels = [
            np.flatnonzero(labels_of(own, summary)).tolist()
            for own, summary in zip(sentences, summaries, strict=True)
        ]
        words = [[len(ascii_words(sentence)) for sentence in own] for own in sentences]
        return cls(sentences, words, labels, summaries, [len(ascii_words(one)) for one in summaries])


class SumyTokenizer:
    """The words of a sentence, as sumy asks for them."""

    def to_words(self, sentence: str) -> tuple[str, ...]:
        """Returns runs of letters and digits."""
        return tuple(re.findall(r"\w+", sentence))

    def to_sentences(self, text: str) -> tuple[str, ...]:
        """Returns the sentences."""
        return tuple(text[begin:end] for begin, end in find_sentences(text))


def sumy_methods(language: str) -> dict[str, Order]:
    """Returns sumy's rankings by name; empty if it is not installed."""
    try:
        from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
        from sumy.nlp.stemmers import Stemmer, null_stemmer
        from sumy.summarizers.lex_rank import LexRankSummarizer
        from sumy.summarizers.text_rank import TextRankSummarizer
        from sumy.utils import get_stop_words
    except ImportError as error:
        print(f"without TextRank and LexRank: {error}")
        return {}

    def ranking(kind: Any, stopped: bool) -> Order:
        summarizer = kind(Stemmer(language) if stopped else null_stemmer)
        if stopped:
            summarizer.stop_words = get_stop_words(language)

        def order(sentences: Sequence[str]) -> list[int]:
            document = ObjectDocumentModel(
                [Paragraph([Sentence(text, SumyTokenizer()) for text in sentences])]
            )
            best: list[int] = []

            def record(infos: Any) -> Any:
                best.extend(info.order for info in infos)
                return infos

            summarizer(document, record)
            return best

        return order

    return {
        f"{name}{', stop words' if stopped else ''}": ranking(kind, stopped)
        for name, kind in (("TextRank", TextRankSummarizer), ("LexRank", LexRankSummarizer))
        for stopped in (True, False)
    }


def fitting(order: Sequence[int], words: Sequence[int], budget: int) -> list[int]:
    """Returns the sentences, best first, that together have at most `budget` words."""
    kept, left = [], budget
    for i in order:
        if words[i] <= left:
            kept.append(i)
            left -= words[i]
    return sorted(kept)


def report(name: str, kept: Sequence[Sequence[int]], data: Data) -> None:
    """Prints the scores of a method's sentences."""
    found = sentence_scores(kept, data.labels)
    texts = [" ".join(own[i] for i in some) for own, some in zip(data.sentences, kept, strict=True)]
    score = rouge(texts, data.summaries)
    figures = " / ".join(f"{100 * s.f1:.1f}" for s in (score.rouge_1, score.rouge_2, score.rouge_l))
    print(f"{name:<28}sentence F1 {100 * found.f1:.1f}  ROUGE-1/2/L {figures}", flush=True)


def baselines(data: Data, language: str, seed: int) -> None:
    """Prints the scores of the methods that learn nothing."""
    draw = random.Random(seed)
    methods: dict[str, Order] = {
        "lead": lambda sentences: list(range(len(sentences))),
        "random": lambda sentences: draw.sample(range(len(sentences)), len(sentences)),
        **sumy_methods(language),
    }
    for name, order in methods.items():
        kept = [
            fitting(order(own), words, budget)
            for own, words, budget in zip(data.sentences, data.words, data.budgets, strict=True)
        ]
        report(name, kept, data)


def main() -> None:
    """Trains a model, and prints its scores and those of the baselines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("--fields", nargs=2, default=("text", "summary"))
    parser.add_argument("--language", default="english")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--hidden-size", type=int)
    parser.add_argument("--embedding-size", type=int)
    parser.add_argument("--dropout", type=float)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--save", help="where to save the model")
    parser.add_argument("--model", help="a saved model to judge instead of training")
    arguments = parser.parse_args()

    pairs = read_json_pairs(arguments.valid, *arguments.fields)
    data = Data.of(pairs)
    print(f"{len(pairs):,} texts, {sum(map(len, data.sentences)):,} sentences")
    baselines(data, arguments.language, arguments.seed)
    model = ExtractiveSummarizer.load(arguments.model) if arguments.model else trained(arguments)
    start = time.monotonic()
    result = model.evaluate(pairs)
    seconds = time.monotonic() - start
    scores = [model.scores(text) for text, _ in pairs]
    ranked = [sorted(range(len(own)), key=lambda i, own=own: -own[i].score) for own in scores]
    fit = [fitting(*row) for row in zip(ranked, data.words, data.budgets, strict=True)]
    report("model, best that fit", fit, data)
    by_number = [sorted(order[: len(own)]) for order, own in zip(ranked, data.labels, strict=True)]
    report("model, the right number", by_number, data)
    print(f"model, as it summarizes, in {seconds:.1f} s\n{result}")


def trained(arguments: argparse.Namespace) -> ExtractiveSummarizer:
    """Returns a model that has been trained on a file of pairs."""
    pairs = read_json_pairs(arguments.train, *arguments.fields)
    start = time.monotonic()
    sizes = {name: getattr(arguments, name) for name in ("hidden_size", "embedding_size", "dropout")}
    training = {name: getattr(arguments, name) for name in ("epochs", "learning_rate")}
    model = ExtractiveSummarizer.from_pairs(
        pairs, seed=arguments.seed, **{k: v for k, v in sizes.items() if v is not None}
    )
    model.fit(pairs, seed=arguments.seed, **{k: v for k, v in training.items() if v is not None})
    print(
        f"{model.parameters.size:,} parameters, trained on {len(pairs):,} texts in {time.monotonic() - start:.0f} s"
    )
    if arguments.save:
        model.save(arguments.save)
    return model


if __name__ == "__main__":
    main()
