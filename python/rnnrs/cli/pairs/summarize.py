"""`rnnrs summarize`: summarizers, trained, judged and used."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import pair_files, pairs, writing
from .common import VerbParser, print_json

if TYPE_CHECKING:
    from ..models import Summarizer

_TRAIN = """\
The model's file is also the checkpoint: it is written at the end of every epoch and when you press Ctrl-C,
can be used at once, and the same command with --resume goes on from it. In the end it holds the parameters
for which the loss on the held-out pairs was lowest.

examples:
  rnnrs summarize train texts.tsv -o lines.rnn --epochs 10
  rnnrs summarize train packages.tsv -o synopses.rnn --columns 1 2 --time-limit 600
  rnnrs summarize train articles.jsonl -o headlines.rnn --fields text title --max-words 400
  rnnrs summarize train texts.tsv -o lines.rnn --resume
"""
_EVALUATE = """\
prints ROUGE-1, ROUGE-2 and ROUGE-L (F1), the same of the texts' first 12 words, and the perplexity

examples:
  rnnrs summarize evaluate lines.rnn held-out.tsv
  rnnrs summarize evaluate synopses.rnn held-out.tsv --columns 1 2 --json
"""
_RUN = """\
A line in, a line out: the summary, empty for an empty line. Of a text of more than 1,000 words the beginning is read.

examples:
  rnnrs summarize run lines.rnn "This package provides a library that …"
  rnnrs summarize run lines.rnn "This package provides …" --plot attention.png
  rnnrs summarize run lines.rnn --file texts.txt > lines.txt
"""

#: What a model has where nothing is said; `Summarizer`'s, which is not imported only to tell of them.
SIZES = {
    "cell": "gru",
    "embedding_size": 128,
    "hidden_size": 256,
    "layers": 1,
    "attention": "general",
    "dropout": 0.4,
    "recurrent_dropout": 0,
    "label_smoothing": 0,
    "tied": True,
    "copy": True,
}


def add(commands: Any) -> None:
    """Adds the group to the parser."""
    group = commands.add_parser("summarize", help="summaries in a line: train, evaluate, run")
    verbs = group.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=VerbParser)
    verb = pairs.add_train(
        verbs, "learn from texts and summaries", _TRAIN, max_words=200, sizes=SIZES, words=10_000
    )
    verb.set_defaults(run=_train)
    verb = pairs.add_evaluate(verbs, "how good summaries are", _EVALUATE)
    verb.set_defaults(run=_evaluate)
    writing.add_search(verb, no_repeat=3)
    verb = writing.add_run(verbs, "summarize texts, line by line", _RUN, no_repeat=3)
    verb.set_defaults(run=_run)


def _train(arguments: argparse.Namespace) -> int:
    from ..models import Summarizer

    return pairs.train(arguments, Summarizer, "rnnrs summarize run {model}")


def _evaluate(arguments: argparse.Namespace) -> int:
    model = _load(arguments.model)
    read = pair_files.read(arguments, arguments.files)
    result = model.evaluate(read, writing.search_of(arguments, model))
    if not arguments.json:
        print(result)
        return 0
    print_json(
        {
            "files": arguments.files,
            "pairs": len(read),
            "rouge": asdict(result.rouge),
            "first_12_words": asdict(result.first_words),
            **pairs.likelihood_facts(result),
        }
    )
    return 0


def _run(arguments: argparse.Namespace) -> int:
    return writing.run(arguments, _load(arguments.model))


def _load(path: str) -> Summarizer:
    from ..models import Summarizer

    return Summarizer.load(path)
