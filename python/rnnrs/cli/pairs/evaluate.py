"""`rnnrs translate evaluate` and `rnnrs summarize evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..common import add_json, add_model, print_json
from ..options import given
from ..writing import add_search, add_tokenize, likelihood_facts, search_of
from .files import add_files, add_reading, read

if TYPE_CHECKING:
    from ...models import TextToText


def add(verb: Any, cls: type[TextToText], metric: str, tokenizers: str) -> None:
    """Adds the arguments.

    Args:
        verb: the parser.
        cls: the application.
        metric, tokenizers: see `writing.add_tokenize`.
    """
    add_model(verb)
    add_files(verb)
    add_json(verb)
    add_reading(verb)
    add_search(verb, cls, longest="by the source's length")
    add_tokenize(verb, metric, tokenizers)


def run(arguments: argparse.Namespace, model: Any, scores: Callable[[Any], dict[str, Any]]) -> int:
    """Prints the scores on held-out pairs.

    Args:
        arguments: the command line.
        model: the model, a `Translator` or a `Summarizer`.
        scores: returns the application's own scores of an evaluation for JSON.
    """
    pairs = read(arguments, arguments.files)
    result = model.evaluate(pairs, search_of(arguments, model), **given(arguments, ["tokenize"]))
    if arguments.json:
        facts = {"files": arguments.files, "pairs": len(pairs), **scores(result)}
        print_json({**facts, **likelihood_facts(result)})
    else:
        print(result)
    return 0
