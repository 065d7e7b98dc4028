"""`rnnrs summarize`: summarizers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ... import modelfile
from ..common import Parser, add_verb, add_verbs
from . import evaluate, extract, run, train
from .files import FORMS

if TYPE_CHECKING:
    from ...models import Summarizer, SummaryEvaluation

_TRAIN = """\
examples:
  rnnrs summarize train texts.tsv -o lines.rnn --epochs 10
  rnnrs summarize train packages.tsv -o synopses.rnn --columns 1 2 --time-limit 600
  rnnrs summarize train articles.jsonl -o headlines.rnn --fields text title --max-words 400
  rnnrs summarize train texts.tsv -o lines.rnn --resume
  rnnrs summarize train --extract articles.jsonl -o keep.rnn --fields text summary
"""
_EVALUATE = """
Prints ROUGE-1, ROUGE-2 and ROUGE-L (F1) of the summaries and, for comparison, of the texts' first 12 words; and the
perplexity. Of a model that chooses sentences: at the length of each given summary, beside the texts' first sentences,
also the F1 of the sentences.

examples:
  rnnrs summarize evaluate lines.rnn held-out.tsv
  rnnrs summarize evaluate synopses.rnn held-out.tsv --columns 1 2 --json
"""
_RUN = """\
Prints the summary of each line; an empty line for an empty one. Only the beginning of a very long text is read, and
a message says so.

A model that chooses sentences takes FILE, or standard input, as one text, and prints the kept sentences, a line each.

examples:
  rnnrs summarize run lines.rnn "This package provides a library that …"
  rnnrs summarize run lines.rnn "This package provides …" --plot attention.png
  rnnrs summarize run lines.rnn --file texts.txt > lines.txt
  rnnrs summarize run keep.rnn --file article.txt --words 60 --html marked.html
  rnnrs summarize run keep.rnn --file article.txt --sentences 5 --json --why
  rnnrs summarize run keep.rnn --file article.txt --share 0.3 --then lines.rnn
"""

#: Longer sides are left out of the training by default.
MAX_WORDS = 200


def add(group: Parser) -> None:
    """Adds the verbs."""
    verbs = add_verbs(group)
    epilog = train.epilog(_TRAIN)
    add_verb(verbs, "train", "train a summarizer on texts and summaries", epilog, _add_train, _train)
    add_verb(
        verbs, "evaluate", "measure the quality of summaries", FORMS + _EVALUATE, _add_evaluate, _evaluate
    )
    add_verb(verbs, "run", "summarize texts, line by line", _RUN, _add_run, _run, check=run.check)


def _class() -> type[Summarizer]:
    from ...models import Summarizer

    return Summarizer


def _add_train(verb: Any) -> None:
    train.add(verb, _class(), MAX_WORDS)
    extract.add_train(verb)


def _train(arguments: argparse.Namespace) -> int:
    advice = ["rnnrs summarize run {model}"]
    if arguments.extract:
        return extract.train(arguments, [f"{advice[0]} --file TEXT"], train.SHARE, train.EXAMPLES)
    return train.run(arguments, _class(), advice)


def _add_evaluate(verb: Any) -> None:
    evaluate.add(verb, _class(), "ROUGE", "ascii, unicode, char")
    extract.add_lengths(verb, "as many words as the given summary has")


def _evaluate(arguments: argparse.Namespace) -> int:
    model = _load(arguments.model)
    if isinstance(model, _class()):
        extract.check_writer(arguments)
        return evaluate.run(arguments, model, _scores)
    return extract.evaluate(arguments, model)


def _scores(result: SummaryEvaluation) -> dict[str, Any]:
    return {"rouge": asdict(result.rouge), "first_12_words": asdict(result.first_words)}


def _add_run(verb: Any) -> None:
    run.add(verb, _class())
    extract.add_run(verb)


def _run(arguments: argparse.Namespace) -> int:
    model = _load(arguments.model)
    if not isinstance(model, _class()):
        return extract.run(arguments, model)
    extract.check_writer(arguments)
    return run.run(arguments, model)


def _load(path: str) -> Any:
    """Returns a model that writes summaries, or one that chooses sentences.

    Raises:
        OSError, FormatError: if the file cannot be read, or holds a model of another kind.
    """
    from ...models import ExtractiveSummarizer

    file = modelfile.load(path)
    if file.kind == ExtractiveSummarizer.KIND:
        return ExtractiveSummarizer.from_file(file, path)
    return _class().load(path)
