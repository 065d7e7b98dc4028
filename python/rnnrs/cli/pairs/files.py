"""Pairs of texts from files, as the options say."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ...reading import STANDARD_INPUT
from ..common import CommandError, add_encoding, reads, real, say, whole

Pairs = list[tuple[str, str]]

FORMS = """\
FILE is one of these; it may be compressed by gzip (.gz):
  two files with corresponding lines: the sources, the targets
  lines of columns separated by tabs (.tsv, .txt, …): the first two, or --columns
  a JSON object on each line (.json, .jsonl, or standard input with --fields): its "source" and "target", or --fields
"""


def add_files(verb: Any) -> None:
    """Adds the files of pairs."""
    files = "one file of pairs, or two files of lines; -: standard input"
    reads(verb.add_argument("files", metavar="FILE", nargs="+", help=files))


def add_reading(verb: Any) -> None:
    """Adds the options of how pairs are read."""
    group = verb.add_argument_group("files")
    group.add_argument(
        "--columns", type=whole(0), nargs=2, metavar="N", help="columns of source and target, from 0 (0 1)"
    )
    group.add_argument(
        "--fields", nargs=2, metavar="NAME", help="JSON names of source and target (source target)"
    )
    add_encoding(group)


def add_cleaning(verb: Any, max_words: int) -> None:
    """Adds the options of which pairs are left out.

    Args:
        verb: the parser.
        max_words: the command's default of `--max-words`.
    """
    group = verb.add_argument_group("pairs that are left out, besides those with an empty side")
    group.add_argument(
        "--max-words",
        type=whole(1),
        metavar="N",
        default=max_words,
        help="those with more words on a side (%(default)s)",
    )
    group.add_argument(
        "--max-ratio",
        type=real(1),
        metavar="R",
        help="those with one side R times longer than the other (none)",
    )
    group.add_argument("--unique", action="store_true", help="repeated ones")


def read(arguments: argparse.Namespace, files: Sequence[str]) -> Pairs:
    """Returns the pairs of one file or two.

    Raises:
        CommandError: for another number of files, options of another form, or no pairs.
        OSError, FormatError: see `rnnrs.data`.
    """
    from ...data import read_json_pairs, read_parallel_pairs, read_tsv_pairs

    if len(files) not in (1, 2):
        raise CommandError(f"FILE: expected one file or two, got {len(files)}")
    plain = files[0].removesuffix(".gz")
    is_json = plain.endswith((".json", ".jsonl")) or (
        plain == STANDARD_INPUT and arguments.fields is not None
    )
    form = "two files" if len(files) == 2 else "JSON" if is_json else "columns"
    for option, fits in (("columns", "columns"), ("fields", "JSON")):
        if getattr(arguments, option) is not None and form != fits:
            raise CommandError(f"--{option}: has no meaning with {form} ({' '.join(files)})")
    encoding = {"encoding": arguments.encoding}
    if form == "two files":
        pairs = read_parallel_pairs(*files, **encoding)
    elif form == "JSON":
        pairs = read_json_pairs(files[0], *(arguments.fields or ()), **encoding)
    else:
        columns = [tuple(arguments.columns)] if arguments.columns else []
        pairs = read_tsv_pairs(files[0], *columns, **encoding)
    if not pairs:
        raise CommandError(f"{' '.join(files)}: expected pairs, got an empty file")
    return pairs


def read_clean(arguments: argparse.Namespace, files: Sequence[str]) -> Pairs:
    """Returns the pairs that are not left out, and reports the others.

    Raises:
        CommandError: if none remains, or as in `read`.
    """
    from ...data import clean_pairs

    name = " ".join(files)
    kept, counts = clean_pairs(
        read(arguments, files),
        max_words=arguments.max_words,
        max_ratio=arguments.max_ratio,
        unique=arguments.unique,
    )
    say(f"{name}: {counts}", arguments.quiet)
    if not kept:
        raise CommandError(f"{name}: no pair is left: {counts}")
    return kept
