"""`rnnrs caption`: networks that describe pictures, trained, judged and used."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from . import caption_train, caption_use, writing
from .caption_files import FORMS, Reader, add_captions
from .common import VerbParser, print_json
from .pairs import likelihood_facts

_EVALUATE = """\
prints the share of descriptions that are right word for word, how often the right picture of ten is the one that a
description is likeliest of, BLEU-1 to 4, ROUGE-L, CIDEr and the perplexity

examples:
  rnnrs caption evaluate album.rnn held-out.tsv --pictures photos
  rnnrs caption evaluate album.rnn held-out.jsonl --fields image text --beam 10 --json
"""


def add(commands: Any) -> None:
    """Adds the group to the parser."""
    group = commands.add_parser("caption", help="descriptions of pictures: train, evaluate, describe, search")
    verbs = group.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=VerbParser)
    caption_train.add(verbs)
    verb = verbs.add_parser(
        "evaluate",
        help="how good descriptions are",
        description="How good descriptions are.",
        epilog=FORMS + "\n" + _EVALUATE,
    )
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    add_captions(verb)
    verb.add_argument("--json", action="store_true", help="as JSON")
    writing.add_search(verb, source=False)
    verb.set_defaults(run=_evaluate)
    caption_use.add_describe(verbs)
    caption_use.add_search(verbs)


def _evaluate(arguments: argparse.Namespace) -> int:
    from .training import given

    model = caption_use.load(arguments.model)
    found = Reader(arguments, model).described(arguments.captions, arguments, arguments.pictures)
    result = model.evaluate(found.pictures, found.descriptions, **given(arguments, writing.SEARCH))
    if not arguments.json:
        print(result)
        return 0
    print_json(
        {
            "captions": arguments.captions,
            "pictures": len(found),
            "left_out": len(found.problems),
            "exact": result.exact,
            "right_among_10": result.right_among_10,
            **asdict(result.scores),
            **likelihood_facts(result),
        }
    )
    return 0
