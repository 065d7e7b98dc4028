"""What the commands have in common that write a text for each text: options of the search, texts in, texts out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from .common import CommandError, input_lines, print_json, real, say, whole

if TYPE_CHECKING:
    from ..models import Captioner, TextToText
    from ..models.writer.search import Search, Written

#: Lines of a file that are answered side by side.
BATCH = 64

SEARCH = {
    "beam": "beam",
    "length_penalty": "length_penalty",
    "coverage_penalty": "coverage_penalty",
    "max_length": "max_length",
    "no_repeat_ngram": "no_repeat",
}


def add_search(verb: Any, no_repeat: int = 0, *, source: bool = True) -> None:
    """How to look for what to write; defaults are `models.Search`'s, but for `no_repeat`. `source`: is it a text?"""
    search = verb.add_argument_group("the search")
    search.add_argument("--beam", type=whole(1), metavar="K", help="hypotheses at a time; 1: greedily (5)")
    search.add_argument("--length-penalty", type=real(0), metavar="A", help="0 favors the short (0.6)")
    what, longest = ("words of the source", "by the source's length") if source else ("places", "60 words")
    search.add_argument(
        "--coverage-penalty", type=real(0), metavar="B", help=f"for {what} that were not looked at (0)"
    )
    search.add_argument(
        "--max-length", type=whole(1), metavar="N", help=f"the most tokens to write ({longest})"
    )
    search.add_argument(
        "--no-repeat",
        type=whole(0),
        metavar="N",
        help=f"write no N tokens in a row twice; 0: they may be ({no_repeat})",
    )


def search_of(arguments: argparse.Namespace, model: TextToText | Captioner, **more: Any) -> Search:
    """The search that the options ask for."""
    from .training import given

    return model.search(**given(arguments, SEARCH), **more)


def add_run(verbs: Any, summary: str, epilog: str, no_repeat: int = 0) -> Any:
    """The verb `run`: texts from the command line, a file or standard input, what the model writes for them."""
    verb = verbs.add_parser("run", help=summary, description=summary.capitalize() + ".", epilog=epilog)
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    verb.add_argument("text", metavar="TEXT", nargs="*", help="a text; without it, lines are read")
    verb.add_argument("--file", metavar="FILE", help="a text in every line (.gz is understood)")
    add_search(verb, no_repeat)
    output = verb.add_argument_group("what is shown")
    output.add_argument("--n-best", type=whole(1), metavar="N", default=1, help="so many for each (1)")
    output.add_argument("--json", action="store_true", help="as JSON with scores, one object a text")
    output.add_argument(
        "--plot", metavar="PICTURE", help="draw what was looked at for which word; of one text"
    )
    return verb


def run(arguments: argparse.Namespace, model: TextToText) -> int:
    """Writes a line for each text: a filter.

    Raises:
        CommandError: for options that do not go together.
    """
    if arguments.text and arguments.file:
        raise CommandError("--file: has no meaning with a TEXT")
    if arguments.plot and not arguments.text:
        raise CommandError("--plot: expected a TEXT to draw for")
    search = search_of(arguments, model, n_best=arguments.n_best)
    decoder, number = model.decoder(), 0
    for texts in _batches(arguments):
        for text, found in zip(texts, model.write(texts, search, decoder=decoder), strict=True):
            number += 1
            _show(arguments, text, found)
            if found[0].cut:
                most = model.MAX_SOURCE
                say(f"rnnrs: text {number}: only the first {most:,} tokens were read")
        sys.stdout.flush()
    if arguments.plot:
        _plot(found[0], arguments.plot)
    return 0


def _batches(arguments: argparse.Namespace) -> Iterator[list[str]]:
    """Texts to answer side by side: those of a file; of standard input, each for itself, as it comes."""
    if arguments.text:
        yield [" ".join(arguments.text)]
    elif arguments.file:
        from ..data.pairs import read_lines

        lines = iter(read_lines(arguments.file))
        while batch := list(islice(lines, BATCH)):
            yield batch
    else:
        yield from ([line] for line in input_lines())


def _show(arguments: argparse.Namespace, text: str, found: Iterable[Written]) -> None:
    if arguments.json:
        facts = [{"text": w.text, "score": w.score, "log_prob": w.log_prob} for w in found]
        print_json({"source": text, "written": facts})
        return
    for written in found:
        print(f"{written.score:.4f}\t{written.text}" if arguments.n_best > 1 else written.text)


def _plot(written: Written, path: str) -> None:
    """The attention as a picture.

    Raises:
        CommandError: if there is nothing to draw.
        MissingExtraError: if matplotlib is missing.
    """
    from ..plot import attention

    if written.attention is None or not written.words:
        raise CommandError(
            "--plot: there is no attention to draw: no word was written, or the model has none"
        )
    attention(written.attention, written.source, written.words, path)
    say(f"attention: {path}")
