"""Sequences, texts and series from files, as the options say."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common import CommandError, add_encoding, reads, say, unescaped

if TYPE_CHECKING:
    from ...data import Series

FORMS = """\
A FILE has the format of the UEA and UCR archives (.ts, .ts.gz), or is CSV (possibly compressed by gzip, or standard
input, -) in one of three forms:
  a row for each sequence: its values from left to right, and its label in the last column
  --by COLUMN: a row for each step; consecutive rows with the same cell in that column form a sequence
  --text COLUMN: a row for each text
"""


class Labeled(NamedTuple):
    """Sequences as a model takes them.

    Attributes:
        sequences: arrays (T, I), with the names of the columns if they have any; or texts.
        labels: the names of their classes; None without labels.
        size: I; None for texts.
    """

    sequences: Sequence[Any]
    labels: list[str] | None
    size: int | None

    def chosen(self, which: list[int]) -> Labeled:
        """Returns some of the sequences, by index."""
        labels = None if self.labels is None else [self.labels[i] for i in which]
        return Labeled([self.sequences[i] for i in which], labels, self.size)

    def without_empty(self, path: str, quiet: bool) -> Labeled:
        """Returns the sequences that can be learned from: all but texts without text, which are reported.

        Raises:
            CommandError: if none is left.
        """
        if self.size is not None:
            return self
        kept = [i for i, text in enumerate(self.sequences) if text.strip()]
        if not kept:
            raise CommandError(f"{path}: expected texts, got {len(self.sequences):,} empty ones")
        if left_out := len(self.sequences) - len(kept):
            say(f"{path}: {left_out:,} of {len(self.sequences):,} texts left out, which are empty", quiet)
        return self.chosen(kept) if left_out else self

    def classes_of(self, path: str) -> list[str]:
        """Returns the labels; `path` is the file, for the error message.

        Raises:
            CommandError: if there are none.
        """
        if self.labels is None:
            raise CommandError(f"{path}: expected labels, got none")
        return self.labels


def add_file(verb: Any, what: str) -> None:
    """Adds the file to read."""
    reads(verb.add_argument("file", metavar="FILE", help=f"{what}; -: standard input"))


def add_labeled(verb: Any) -> None:
    """Adds the options of how labeled sequences are read."""
    reading = verb.add_argument_group("file")
    reading.add_argument(
        "--label", metavar="COLUMN", help="the column of the labels (the last); none: no labels"
    )
    reading.add_argument("--by", metavar="COLUMN", help="the column that separates sequences of several rows")
    reading.add_argument("--text", metavar="COLUMN", help="the column of the texts")
    reading.add_argument("--columns", metavar="COLUMN", nargs="+", help="the columns of values (all others)")
    add_csv(reading)


def add_series(reading: Any) -> None:
    """Adds the options of how a series is read."""
    reading.add_argument(
        "--time",
        metavar="COLUMN",
        help="the column of dates, times or steps, which must be successive (found by names and contents); "
        "none: rows are steps in any case",
    )
    reading.add_argument(
        "--by",
        metavar="COLUMN",
        help="the column that tells several series apart (found by contents); none: there is one series",
    )
    reading.add_argument("--series", metavar="NAME", help="the series to read, a cell of the column --by")
    add_csv(reading)


def add_csv(reading: Any) -> None:
    """Adds the options of CSV's dialects."""
    reading.add_argument(
        "--no-header", action="store_true", help="the first row is data; columns are 0, 1, …"
    )
    reading.add_argument("--delimiter", default=",", help="the delimiter of cells (a comma); \\t: a tab")
    add_encoding(reading)


def read_labeled(arguments: argparse.Namespace, path: str) -> Labeled:
    """Returns the sequences of a file.

    Raises:
        CommandError: for options that the file's format does not have.
        OSError, FormatError, ValueError: see `rnnrs.data`.
    """
    from ...data import Series, read_csv_sequences, read_csv_texts, read_ts

    options = [name for name in ("label", "by", "text", "columns") if getattr(arguments, name) is not None]
    if path.endswith((".ts", ".ts.gz")):  # standard input is CSV
        if arguments.encoding != "utf-8":
            raise CommandError(f"{path}: --encoding: has no meaning with a .ts file, which is UTF-8")
        if options:
            raise CommandError(
                f"{path}: --{options[0]}: has no meaning with a .ts file, which names its parts"
            )
        data = read_ts(path)
    else:
        header, dialect = not arguments.no_header, _dialect(arguments)
        label: str | int | None = -1
        if arguments.label is not None:
            label = None if arguments.label == "none" else column(arguments.label, header)
        if arguments.text is not None:
            if clash := [name for name in ("by", "columns") if name in options]:
                raise CommandError(f"--{clash[0]}: has no meaning with --text")
            return Labeled(*read_csv_texts(path, column(arguments.text, header), label, **dialect), None)
        columns = None if arguments.columns is None else [column(c, header) for c in arguments.columns]
        by = None if arguments.by is None else column(arguments.by, header)
        data = read_csv_sequences(path, label, by=by, columns=columns, **dialect)
    if data.labels is not None and not data.classes:
        raise CommandError(f"{path}: expected classes, got numbers to predict")
    sequences: list[Any] = [data.x[:length, b] for b, length in enumerate(data.lengths)]
    if data.columns:
        sequences = [Series(x, data.columns) for x in sequences]
    labels = None if data.labels is None else [data.classes[k] for k in data.labels]
    return Labeled(sequences, labels, data.x.shape[2])


def read_series(arguments: argparse.Namespace, columns: Sequence[str] | None) -> Series:
    """Returns the series of a file; without `columns`, of its last column.

    Raises:
        CommandError: for a column's name in a file without a header.
        OSError, FormatError, ValueError: see `rnnrs.data`.
    """
    from ...data import read_csv_series

    header = not arguments.no_header
    places = [-1] if columns is None else [column(name, header) for name in columns]
    time, by = (
        False if name == "none" else None if name is None else column(name, header)
        for name in (arguments.time, arguments.by)
    )
    return read_csv_series(
        arguments.file,
        places,
        time=time,
        by=by,
        series=arguments.series,
        dtype="float64",
        **_dialect(arguments),
    )


def _dialect(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "header": not arguments.no_header,
        "delimiter": unescaped(arguments.delimiter),
        "encoding": arguments.encoding,
    }


def column(name: str, header: bool) -> str | int:
    """Returns a column's name, or without a header its index.

    Raises:
        CommandError: for a name without a header.
    """
    if header:
        return name
    try:
        return int(name)
    except ValueError:
        raise CommandError(f"--no-header: expected a column's index, got {name!r}") from None
