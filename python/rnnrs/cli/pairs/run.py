"""`rnnrs translate run` and `rnnrs summarize run`: a text in, a text out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...reading import read_lines
from ..common import CommandError, add_encoding, add_model, input_lines, joined_text, print_json, reads, say
from ..writing import add_output, add_search, search_of, written_facts

if TYPE_CHECKING:
    from ...models import TextToText, Written

#: The number of lines of a file that are processed side by side.
BATCH = 64


def add(verb: Any, cls: type[TextToText]) -> None:
    """Adds the arguments."""
    add_model(verb)
    verb.add_argument("text", metavar="TEXT", nargs="*", help="a text; without it, lines of standard input")
    file = "a text on each line; may be compressed by gzip (.gz); -: standard input"
    reads(verb.add_argument("--file", metavar="FILE", help=file))
    add_encoding(verb)
    add_search(verb, cls, longest="by the source's length")
    add_output(verb, cls, "text", "PICTURE")


def check(arguments: argparse.Namespace) -> None:
    """Checks that the options fit together.

    Raises:
        CommandError: if they contradict each other.
    """
    if arguments.text and arguments.file:
        raise CommandError("--file: has no meaning with a TEXT")
    if arguments.plot and not arguments.text:
        raise CommandError("--plot: expected a TEXT to draw for")


def run(arguments: argparse.Namespace, model: TextToText) -> int:
    """Prints what the model writes for each text."""
    search = search_of(arguments, model)
    decoder, number = model.decoder(), 0
    for texts in _batches(arguments):
        for text, found in zip(texts, model.write(texts, search, decoder=decoder), strict=True):
            number += 1
            _show(text, found, scored=search.n_best > 1, as_json=arguments.json)
            if found[0].cut:
                say(f"rnnrs: text {number}: only the first {model.MAX_SOURCE:,} tokens were read")
        sys.stdout.flush()
    if arguments.plot:
        _plot(found[0], arguments.plot)
    return 0


def _batches(arguments: argparse.Namespace) -> Iterator[list[str]]:
    """Yields texts to process side by side; those of standard input one by one, as they come."""
    if arguments.text:
        yield [joined_text(arguments.text)]
    elif arguments.file:
        lines = iter(read_lines(arguments.file, arguments.encoding))
        while batch := list(islice(lines, BATCH)):
            yield batch
    else:
        yield from ([line] for line in input_lines(encoding=arguments.encoding))


def _show(text: str, found: list[Written], *, scored: bool, as_json: bool) -> None:
    if as_json:
        print_json({"source": text, "written": written_facts(found)})
        return
    for written in found:
        print(f"{written.score:.4f}\t{written.text}" if scored else written.text)


def _plot(written: Written, path: str) -> None:
    """Draws the attention.

    Raises:
        CommandError: if there is nothing to draw.
        MissingExtraError: if matplotlib is missing.
    """
    from ...plot import attention

    if written.attention is None or not written.words:
        raise CommandError("--plot: no attention to draw: no word was written, or the model has no attention")
    attention(written.attention, written.source, written.words, path)
    say(f"attention: {path}")
