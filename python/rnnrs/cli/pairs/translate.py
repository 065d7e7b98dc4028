"""`rnnrs translate`: translators, trained, judged and used."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from . import pair_files, pairs, writing
from .common import VerbParser, print_json

if TYPE_CHECKING:
    from ..models import Translator

_TRAIN = """\
The model's file is also the checkpoint: it is written at the end of every epoch and when you press Ctrl-C,
can be used at once, and the same command with --resume goes on from it. In the end it holds the parameters
for which the loss on the held-out pairs was lowest.

examples:
  rnnrs translate train pairs.tsv -o en-fr.rnn --epochs 10
  rnnrs translate train pairs.tsv -o fr-en.rnn --columns 1 0 --time-limit 600
  rnnrs translate train train.de train.en -o de-en.rnn --validation val.de val.en --lowercase
  rnnrs translate train pairs.jsonl -o en-fr.rnn --fields en fr --level subword
  rnnrs translate train pairs.tsv -o en-fr.rnn --resume
"""
_EVALUATE = """\
prints BLEU and chrF by sacrebleu, each with its signature, and the perplexity

examples:
  rnnrs translate evaluate en-fr.rnn held-out.tsv
  rnnrs translate evaluate de-en.rnn test.de test.en --beam 10 --json
"""
_RUN = """\
A line in, a line out: the translation, empty for an empty line. Of a text of more than 1,000 words the beginning
is translated.

examples:
  rnnrs translate run en-fr.rnn "I am hungry."
  rnnrs translate run en-fr.rnn "I am hungry." --plot attention.png
  rnnrs translate run en-fr.rnn --file letter.txt > lettre.txt
  echo "I am hungry." | rnnrs translate run en-fr.rnn --n-best 3
"""

#: What a model has where nothing is said; `Translator`'s, which is not imported only to tell of them.
SIZES = {
    "cell": "gru",
    "embedding_size": 256,
    "hidden_size": 512,
    "layers": 1,
    "attention": "additive",
    "dropout": 0.3,
    "recurrent_dropout": 0,
    "label_smoothing": 0.1,
    "tied": True,
    "copy": False,
}


def add(commands: Any) -> None:
    """Adds the group to the parser."""
    group = commands.add_parser("translate", help="translation: train, evaluate, run")
    verbs = group.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=VerbParser)
    verb = pairs.add_train(verbs, "learn from sentences and translations", _TRAIN, max_words=50, sizes=SIZES)
    verb.set_defaults(run=_train)
    verb = pairs.add_evaluate(verbs, "how good translations are", _EVALUATE)
    verb.set_defaults(run=_evaluate)
    writing.add_search(verb)
    verb = writing.add_run(verbs, "translate texts, line by line", _RUN)
    verb.set_defaults(run=_run)


def _train(arguments: argparse.Namespace) -> int:
    from ..models import Translator

    return pairs.train(arguments, Translator, "rnnrs translate run {model}")


def _evaluate(arguments: argparse.Namespace) -> int:
    model = _load(arguments.model)
    read = pair_files.read(arguments, arguments.files)
    result = model.evaluate(read, writing.search_of(arguments, model))
    if not arguments.json:
        print(result)
        return 0
    scores = {
        name: {"score": found.score, "name": found.name, "signature": found.signature}
        for name, found in (("bleu", result.bleu), ("chrf", result.chrf))
    }
    print_json(
        {"files": arguments.files, "pairs": len(read), **scores, **pairs.likelihood_facts(result)},
    )
    return 0


def _run(arguments: argparse.Namespace) -> int:
    return writing.run(arguments, _load(arguments.model))


def _load(path: str) -> Translator:
    from ..models import Translator

    return Translator.load(path)
