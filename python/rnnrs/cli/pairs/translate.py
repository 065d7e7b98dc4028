"""`rnnrs translate`: translators."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..common import Parser, add_verb, add_verbs
from . import evaluate, run, train
from .files import FORMS

if TYPE_CHECKING:
    from ...models import TranslationEvaluation, Translator

_TRAIN = """\
examples:
  rnnrs translate train pairs.tsv -o en-fr.rnn --epochs 10
  rnnrs translate train pairs.tsv -o fr-en.rnn --columns 1 0 --time-limit 600
  rnnrs translate train train.de train.en -o de-en.rnn --validation val.de val.en --lowercase
  rnnrs translate train pairs.jsonl -o en-fr.rnn --fields en fr --level subword
  rnnrs translate train pairs.tsv -o en-fr.rnn --resume
"""
_EVALUATE = """
Prints BLEU and chrF by sacrebleu, each with its signature, and the perplexity.

examples:
  rnnrs translate evaluate en-fr.rnn held-out.tsv
  rnnrs translate evaluate de-en.rnn test.de test.en --beam 10 --json
"""
_RUN = """\
Prints the translation of each line; an empty line for an empty one. Only the beginning of a very long text is read, and
a message says so.

examples:
  rnnrs translate run en-fr.rnn "I am hungry."
  rnnrs translate run en-fr.rnn "I am hungry." --plot attention.png
  rnnrs translate run en-fr.rnn --file letter.txt > lettre.txt
  echo "I am hungry." | rnnrs translate run en-fr.rnn --n-best 3
"""

#: Longer sides are left out of the training by default.
MAX_WORDS = 50


def add(group: Parser) -> None:
    """Adds the verbs."""
    verbs = add_verbs(group)
    epilog = train.epilog(_TRAIN)
    add_verb(verbs, "train", "train a translator on pairs of sentences", epilog, _add_train, _train)
    add_verb(
        verbs, "evaluate", "measure the quality of translations", FORMS + _EVALUATE, _add_evaluate, _evaluate
    )
    add_verb(verbs, "run", "translate texts, line by line", _RUN, _add_run, _run, check=run.check)


def _class() -> type[Translator]:
    from ...models import Translator

    return Translator


def _add_train(verb: Any) -> None:
    train.add(verb, _class(), MAX_WORDS)


def _train(arguments: argparse.Namespace) -> int:
    return train.run(arguments, _class(), ["rnnrs translate run {model}"])


def _add_evaluate(verb: Any) -> None:
    evaluate.add(verb, _class(), "BLEU", "13a, intl, char, zh, ja-mecab, ko-mecab, … of sacrebleu")


def _evaluate(arguments: argparse.Namespace) -> int:
    return evaluate.run(arguments, _class().load(arguments.model), _scores)


def _scores(result: TranslationEvaluation) -> dict[str, Any]:
    return {
        name: {"score": found.score, "name": found.name, "signature": found.signature}
        for name, found in (("bleu", result.bleu), ("chrf", result.chrf))
    }


def _add_run(verb: Any) -> None:
    run.add(verb, _class())


def _run(arguments: argparse.Namespace) -> int:
    return run.run(arguments, _class().load(arguments.model))
