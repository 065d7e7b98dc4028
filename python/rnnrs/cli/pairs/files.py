"""Pairs of texts from files, as the commands' options say."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .common import CommandError, real, say, whole

Pairs = list[tuple[str, str]]

FORMS = """\
FILE is one of these, packed by gzip (.gz) or not:
  two files, line by line: what is read, what is to be written
  one of lines with columns between tabs (.tsv, .txt, …): the first two, or --columns
  one with a JSON object in each line (.json, .jsonl): its "source" and "target", or --fields
"""


def add_reading(verb: Any, max_words: int | None = None) -> None:
    """How pairs are read; with `max_words`, its default, also how they are cleaned."""
    reading = verb.add_argument_group("the files")
    reading.add_argument(
        "--columns", type=whole(0), nargs=2, metavar="N", help="places of source and target, from 0 (0 1)"
    )
    reading.add_argument(
        "--fields", nargs=2, metavar="NAME", help="names of source and target (source target)"
    )
    if max_words is None:
        return
    cleaning = verb.add_argument_group("which pairs are left out, besides those with an empty side")
    cleaning.add_argument(
        "--max-words",
        type=whole(1),
        metavar="N",
        default=max_words,
        help="with more on a side (%(default)s)",
    )
    cleaning.add_argument(
        "--max-ratio", type=real(1), metavar="R", help="with one side so many times longer (none)"
    )
    cleaning.add_argument("--unique", action="store_true", help="that came before")


def read(arguments: argparse.Namespace, files: Sequence[str]) -> Pairs:
    """The pairs of one file or two, as the options say.

    Raises:
        CommandError: for another number of files, options of another form, or no pairs.
        OSError, FormatError: see `rnnrs.data`.
    """
    from ..data import read_json_pairs, read_parallel_pairs, read_tsv_pairs

    if len(files) not in (1, 2):
        raise CommandError(f"FILE: expected one file or two, got {len(files)}")
    plain = files[0].removesuffix(".gz")
    form = "two files" if len(files) == 2 else "JSON" if plain.endswith((".json", ".jsonl")) else "columns"
    for option, fits in (("columns", "columns"), ("fields", "JSON")):
        if getattr(arguments, option) is not None and form != fits:
            raise CommandError(f"--{option}: has no meaning with {form} ({' '.join(files)})")
    if form == "two files":
        pairs = read_parallel_pairs(*files)
    elif form == "JSON":
        pairs = read_json_pairs(files[0], *(arguments.fields or ()))
    else:
        pairs = read_tsv_pairs(files[0], *([tuple(arguments.columns)] if arguments.columns else ()))
    if not pairs:
        raise CommandError(f"{' '.join(files)}: expected pairs, got an empty file")
    return pairs


def clean(arguments: argparse.Namespace, pairs: Pairs, name: str) -> Pairs:
    """The pairs that stay, with a word on what was left out.

    Raises:
        CommandError: if none does.
    """
    from ..data import clean_pairs

    kept, report = clean_pairs(
        pairs, max_words=arguments.max_words, max_ratio=arguments.max_ratio, unique=arguments.unique
    )
    say(f"{name}: {report}", arguments.quiet)
    if not kept:
        raise CommandError(f"{name}: no pair is left: {report}")
    return kept
