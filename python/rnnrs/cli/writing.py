"""Options and results of the commands whose models write texts: translations, summaries, descriptions."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .common import add_force, real, whole, writes
from .options import add_option, given

if TYPE_CHECKING:
    from ..models import Captioner, PairEvaluation, Search, TextToText, Written

#: The settings of `models.Search`: description, and how the command line reads them.
SEARCH: dict[str, tuple[str, dict[str, Any]]] = {
    "beam": ("number of hypotheses; 1 is greedy decoding", {"type": whole(1), "metavar": "K"}),
    "length_penalty": ("length penalty; 0 favors short texts", {"type": real(0), "metavar": "A"}),
    "coverage_penalty": ("coverage penalty, for inputs without attention", {"type": real(0), "metavar": "B"}),
    "max_length": ("the maximum number of tokens to write", {"type": whole(1), "metavar": "N"}),
    "no_repeat_ngram": ("write no N tokens in a row twice; 0: allowed", {"type": whole(0), "metavar": "N"}),
}


def add_search(verb: Any, cls: type[TextToText] | type[Captioner], longest: str) -> None:
    """Adds the options of the search, with the application's defaults.

    Args:
        verb: the parser.
        cls: the application.
        longest: describes the default of `--max-length`.
    """
    group, defaults = verb.add_argument_group("search"), cls.search()
    for name, (doc, reading) in SEARCH.items():
        spellings = ["--no-repeat"] if name == "no_repeat_ngram" else []
        text = longest if name == "max_length" else ""
        add_option(group, name, doc, getattr(defaults, name), *spellings, default_doc=text, **reading)


def add_output(verb: Any, cls: type[TextToText] | type[Captioner], source: str, plot: str) -> None:
    """Adds the options of the output.

    Args:
        verb: the parser.
        cls: the application.
        source: the name of an input, "text" or "picture".
        plot: the metavar of `--plot`.
    """
    output = verb.add_argument_group("output")
    doc = f"number of results per {source}"
    add_option(output, "n_best", doc, cls.search().n_best, type=whole(1), metavar="N")
    output.add_argument("--json", action="store_true", help=f"JSON with scores, one object per {source}")
    help_text = f"draw the attention of each word; for one {source}"
    writes(output.add_argument("--plot", metavar=plot, help=help_text))
    add_force(output)


def add_tokenize(verb: Any, metric: str, names: str) -> None:
    """Adds the option of the tokenizer.

    Args:
        verb: the parser.
        metric: the metric that counts the words.
        names: the names of tokenizers.
    """
    doc = f"the words that {metric} counts: {names}"
    add_option(verb, "tokenize", doc, None, default_doc="by the script", metavar="NAME")


def search_of(arguments: argparse.Namespace, model: TextToText | Captioner) -> Search:
    """Returns the search that the options describe."""
    return model.search(**given(arguments, [*SEARCH, "n_best"]))


def written_facts(found: Iterable[Written]) -> list[dict[str, Any]]:
    """Returns written texts for JSON."""
    return [{"text": w.text, "score": w.score, "log_prob": w.log_prob} for w in found]


def likelihood_facts(result: PairEvaluation) -> dict[str, Any]:
    """Returns the likelihood of held-out texts for JSON."""
    return {"nats_per_token": result.loss, "perplexity": result.perplexity, "tokens": result.tokens}
