"""`rnnrs lm evaluate`, `score`, `suggest` and `generate`."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..common import add_encoding, add_json, add_model, input_lines, print_json, real, unescaped, whole
from ..options import add_option, defaults_of, given
from . import texts

if TYPE_CHECKING:
    from ...models import LanguageModel, SentenceScore, Suggestion, TextEvaluation

#: The settings of sampling: description, and how the command line reads them.
SAMPLING: dict[str, tuple[str, dict[str, Any]]] = {
    "length": ("number of tokens to generate", {"type": whole(0), "metavar": "N"}),
    "temperature": (
        "below 1 sharper, above 1 flatter; 0: greedy decoding",
        {"type": real(0), "metavar": "T"},
    ),
    "top_k": ("sample among the K likeliest tokens; 0: all", {"type": whole(0), "metavar": "K"}),
    "top_p": (
        "sample among the likeliest tokens of this total probability",
        {"type": real(0, 1, above=True), "metavar": "P"},
    ),
    "seed": ("the same seed generates the same text", {"type": whole(0), "metavar": "N"}),
}


def load(path: str) -> LanguageModel:
    """Loads the model of a file."""
    from ...models import LanguageModel

    return LanguageModel.load(path)


def add_evaluate(verb: Any) -> None:
    """Adds the arguments of `evaluate`."""
    add_model(verb)
    texts.add_texts(verb, "; or a corpus")
    add_encoding(verb)
    add_json(verb)


def evaluate(arguments: argparse.Namespace) -> int:
    """Prints the perplexity of texts."""
    model = load(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        text = texts.read(arguments, arguments.files, os.path.join(folder, "corpus"), model.vocabulary)
        result = model.evaluate(text)
    if arguments.json:
        print_json({"files": arguments.files, **evaluation_facts(result)})
        return 0
    unknown = f", {result.unknown / result.tokens:.1%} of them unknown" if result.unknown else ""
    print(f"perplexity          {result.perplexity:.3f}")
    print(f"nats per token      {result.nats_per_token:.4f}")
    print(f"nats per character  {result.nats_per_character:.4f}")
    print(f"bits per character  {result.bits_per_character:.4f}")
    print(f"tokens              {result.tokens:,}{unknown}")
    return 0


def evaluation_facts(result: TextEvaluation) -> dict[str, Any]:
    """Returns an evaluation for JSON."""
    names = (
        "tokens",
        "characters",
        "unknown",
        "nats",
        "nats_per_token",
        "perplexity",
        "nats_per_character",
        "bits_per_character",
    )
    return {name: getattr(result, name) for name in names}


def add_score(verb: Any) -> None:
    """Adds the arguments of `score`."""
    add_model(verb)
    verb.add_argument(
        "sentences", metavar="SENTENCE", nargs="*", help="a sentence; without any, lines of standard input"
    )
    after = "rank what may follow this text, the likeliest first, instead of whole sentences"
    verb.add_argument("--after", metavar="TEXT", help=after)
    verb.add_argument(
        "--all-spellings",
        action="store_true",
        help="sum over all ways to spell a text in subwords, instead of a lower bound",
    )
    add_encoding(verb)
    add_json(verb, "JSON with the probability of every token, one object per sentence")


def score(arguments: argparse.Namespace) -> int:
    """Prints ln P of each sentence; with `--after`, ln P and share of each text that may follow, ranked."""
    model, after = load(arguments.model), arguments.after
    sentences: Iterable[str] = arguments.sentences or input_lines(encoding=arguments.encoding)
    if after is not None:
        for one in model.rank(list(sentences), after=after, all_spellings=arguments.all_spellings):
            if arguments.json:
                print_json({**_score_facts(one.text, one.score), "after": after, "share": one.share})
            else:
                print(f"{one.log_prob:.4f}\t{one.share:.1%}\t{one.text}", flush=True)
        return 0
    for sentence in sentences:
        found = model.score(sentence, all_spellings=arguments.all_spellings)
        if arguments.json:
            print_json(_score_facts(sentence, found))
        else:
            print(f"{found.total:.4f}\t{sentence}", flush=True)
    return 0


def _score_facts(sentence: str, found: SentenceScore) -> dict[str, Any]:
    tokens = [
        {"token": token, "log_prob": log_prob, "probability": math.exp(log_prob)}
        for token, log_prob in zip(found.tokens, found.log_probs.tolist(), strict=True)
    ]
    facts = {"sentence": sentence, "log_prob": found.total, "is_bound": found.is_bound}
    return {**facts, "perplexity": found.perplexity, "tokens": tokens}


def add_suggest(verb: Any) -> None:
    """Adds the arguments of `suggest`."""
    from ...models import LanguageModel

    add_model(verb)
    verb.add_argument(
        "text", metavar="TEXT", nargs="*", help="the text typed so far; without it, lines of standard input"
    )
    defaults = defaults_of(LanguageModel.suggest)
    add_option(verb, "n_best", "number of suggestions", defaults["k"], "-k", type=whole(1), metavar="N")
    add_option(
        verb, "words", "number of words of each suggestion", defaults["words"], type=whole(1), metavar="N"
    )
    add_encoding(verb)
    add_json(verb, "JSON with probabilities, one list per text")


def suggest(arguments: argparse.Namespace) -> int:
    """Prints the likeliest words after each text."""
    model = load(arguments.model)
    stepper = model.stepper()
    single = bool(arguments.text)
    count = given(arguments, ["words"]) | ({"k": arguments.n_best} if given(arguments, ["n_best"]) else {})
    texts: Iterable[str] = [" ".join(arguments.text)]
    if not single:
        texts = input_lines(encoding=arguments.encoding)
    for text in texts:
        words = model.suggest(text, stepper=stepper, **count)
        if arguments.json:
            print_json([{"word": s.word, "probability": s.probability} for s in words])
        else:
            print("\n".join(_suggestion_lines(words, single)), flush=True)
    return 0


def _suggestion_lines(words: list[Suggestion], single: bool) -> list[str]:
    """Returns a line per word for a single text, else one line."""
    if single:
        return [f"{s.probability:.4f}\t{s.word}" for s in words]
    return ["\t".join(s.word for s in words)]


def add_generate(verb: Any) -> None:
    """Adds the arguments of `generate`."""
    from ...models import LanguageModel

    add_model(verb)
    verb.add_argument("--prompt", default="", metavar="TEXT", help="the beginning of the text (none)")
    defaults = defaults_of(LanguageModel.generate)
    for name, (doc, reading) in SAMPLING.items():
        add_option(verb, name, doc, defaults[name], **reading)
    verb.add_argument(
        "--stop",
        action="append",
        metavar="TEXT",
        help="stop before this text; may be repeated; \\n: a line feed",
    )
    add_json(verb, "the whole text as JSON, once it is complete")


def generate(arguments: argparse.Namespace) -> int:
    """Prints a prompt and generated text, token by token."""
    stop = [unescaped(text) for text in arguments.stop or ()]
    model = load(arguments.model)
    pieces = model.stream(arguments.prompt, stop=stop, **given(arguments, SAMPLING))
    if arguments.json:
        print_json({"prompt": arguments.prompt, "text": "".join(pieces)})
        return 0
    print(arguments.prompt, end="", flush=True)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    print(flush=True)
    return 0
