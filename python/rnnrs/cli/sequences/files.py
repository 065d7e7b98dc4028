"""Sequences, texts and series from files, as the options say."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common import CommandError

if TYPE_CHECKING:
    from ...data import Series

FORMS = """\
A FILE has the format of the UEA and UCR archives (.ts, .ts.gz), or is CSV (possibly compressed by gzip) in one of
three forms:
  a row for each sequence: its values from left to right, and its label in the last column
  --by COLUMN: a row for each step; consecutive rows with the same cell in that column form a sequence
  --text COLUMN: a row for each text
"""


class Labeled(NamedTuple):
    """Sequences as a model takes them.

    Attributes:
        sequences: arrays (T, I), or texts.
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

    def classes_of(self, path: str) -> list[str]:
        """Returns the labels; `path` is the file, for the error message.

        Raises:
            CommandError: if there are none.
        """
        if self.labels is None:
            raise CommandError(f"{path}: expected labels, got none")
        return self.labels


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


def add_csv(reading: Any) -> None:
    """Adds the options of CSV's dialects."""
    reading.add_argument(
        "--no-header", action="store_true", help="the first row is data; columns are 0, 1, …"
    )
    reading.add_argument("--delimiter", default=",", help="the delimiter of cells (a comma); \\t: a tab")


def read_labeled(arguments: argparse.Namespace, path: str) -> Labeled:
    """Returns the sequences of a file.

    Raises:
        CommandError: for options that the file's format does not have.
        OSError, FormatError, ValueError: see `rnnrs.data`.
    """
    from ...data import read_csv_sequences, read_csv_texts, read_ts

    options = [name for name in ("label", "by", "text", "columns") if getattr(arguments, name) is not None]
    if path.endswith((".ts", ".ts.gz")):
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
    sequences = [data.x[:length, b] for b, length in enumerate(data.lengths)]
    labels = None if data.labels is None else [data.classes[k] for k in data.labels]
    return Labeled(sequences, labels, data.x.shape[2])


def read_series(arguments: argparse.Namespace, columns: Sequence[str] | None) -> Series:
    """Returns the series of a file; without `columns`, of its last column.

    Raises:
        CommandError: for a column's name in a file without a header.
        OSError, FormatError, ValueError: see `rnnrs.data`.
    """
    from ...data import read_csv_series

    places = [-1] if columns is None else [column(name, not arguments.no_header) for name in columns]
    return read_csv_series(arguments.file, places, dtype="float64", **_dialect(arguments))


def _dialect(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"header": not arguments.no_header, "delimiter": arguments.delimiter.replace("\\t", "\t")}


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
