"""Sequences and texts from CSV files."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import FormatError
from ..reading import name_of
from ..types import Array
from .cells import read_cells
from .frames import check_unique
from .sequences import LabeledSequences, Numbers, check_missing, number_classes, pad

#: The spellings of a missing value, in lower case.
MISSING = ("", "?", "nan", "na")


class Table:
    """The cells of a CSV file. In a table of numbers, a numeric first row is refused as a header.

    Attributes:
        names: the names of the columns; empty without a header.
        rows: (line, cells), without the header.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        delimiter: str,
        header: bool,
        numbers: bool = True,
        encoding: str = "utf-8",
    ) -> None:
        self.path = name_of(path)
        self.names: tuple[str, ...] = ()
        self.rows = read_cells(path, delimiter, encoding)
        if header and self.rows:
            line, cells = self.rows.pop(0)
            if numbers and all(is_number(cell) for cell in cells):
                raise FormatError(
                    f"{self.path}: line {line}: "
                    "expected the columns' names, got numbers (header=False reads them as data)"
                )
            self.names = tuple(cell.strip() for cell in cells)
        if not self.rows:
            raise FormatError(f"{self.path}: expected at least one row of data, got none")
        self.width = len(self.names or self.rows[0][1])
        for line, cells in self.rows:
            if len(cells) != self.width:
                raise FormatError(
                    f"{self.path}: line {line}: expected {self.width} columns, got {len(cells)}"
                )

    def cells(self, column: int) -> list[str]:
        """Returns the cells of a column, without the white space around them."""
        return [cells[column].strip() for _, cells in self.rows]

    def column(self, op: str, argument: str, which: str | int) -> int:
        """Returns the index of a column, given by name or by index (from 0, or from −1 backward).

        Raises:
            ValueError: if there is no such column, or if several have that name.
            TypeError: if `which` is neither a string nor a whole number.
        """
        if isinstance(which, str):
            if self.names.count(which) == 1:
                return self.names.index(which)
            names = ", ".join(map(repr, self.names)) or "no header"
            raise ValueError(f"{op}: {argument}: expected one of the columns ({names}), got {which!r}")
        which = operator.index(which)
        if not -self.width <= which < self.width:
            raise ValueError(
                f"{op}: {argument}: expected a column from {-self.width} to {self.width - 1}, got {which}"
            )
        return which % self.width

    def columns(self, op: str, which: Sequence[str | int]) -> list[int]:
        """Returns the indices of several columns.

        Raises:
            ValueError: if one does not exist, or if none is given.
        """
        if isinstance(which, str) or not len(which):
            raise ValueError(f"{op}: columns: expected a list of at least one column, got {which!r}")
        places = [self.column(op, "columns", name) for name in which]
        check_unique(op, "columns", [self.names[place] if self.names else str(place) for place in places])
        return places

    def name(self, column: int) -> str:
        """Returns a column's name or index, for error messages."""
        return repr(self.names[column]) if self.names else str(column)

    def where(self, line: int, column: int) -> str:
        """Returns the location of a cell, for error messages."""
        name = f" ({self.names[column]!r})" if self.names else ""
        return f"{self.path}: line {line}, column {column + 1}{name}"

    def numbers(self, row: int, columns: Sequence[int], numbers: Numbers) -> Array:
        """Returns some cells of a row as numbers."""
        line, cells = self.rows[row]
        return numbers([cells[column] for column in columns], lambda i: self.where(line, columns[i]))


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def read_csv_sequences(
    path: str | os.PathLike[str],
    label: str | int | None = -1,
    *,
    by: str | int | None = None,
    columns: Sequence[str | int] | None = None,
    classes: Sequence[str] | None = None,
    header: bool = True,
    delimiter: str = ",",
    missing: float | None = None,
    dtype: DTypeLike = np.float32,
    encoding: str = "utf-8",
) -> LabeledSequences:
    """Reads sequences to classify, in one of two layouts.

    *One row per sequence* (without `by`): the label, and the values of the steps in the other columns. Empty
    cells at the end of a row make the sequence shorter. I = 1. *One row per step* (with `by`): consecutive
    rows with the same value of `by` are a sequence, and each row repeats the label; the other columns are the
    I variables.

    Args:
        path: the file, gzip-compressed or not.
        label: the column of the label, by name or index; the last one by default; None: there are no labels.
        by: the column that identifies the sequence.
        columns: the columns of the values; all others by default.
        classes: the possible labels, in order (for a test file, those of the training file); by default the
            labels that occur, sorted as text.
        header, delimiter, missing, dtype, encoding: as in `read_csv_series`.

    Returns:
        x (T, B, I), lengths (B,), labels (B,), the classes, and with `by` the names of the I columns.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a cell that is not a number, rows of different lengths, a sequence without steps, in
            several parts or with several labels, or a label outside `classes`; names line and column. Without
            `columns`, for columns of steps whose numbers (t1, t10, t2) are not in order.
        ValueError, TypeError: for invalid arguments.
    """
    op = "read_csv_sequences"
    kind = check_missing(op, missing, dtype)
    table = Table(path, delimiter, header, encoding=encoding)
    numbers = Numbers(kind, missing, MISSING)
    label_place = None if label is None else table.column(op, "label", label)
    by_place = None if by is None else table.column(op, "by", by)
    others = [place for place in range(table.width) if place not in (label_place, by_place)]
    places = table.columns(op, others if columns is None else columns)
    for argument, place in (("label", label_place), ("by", by_place)):
        if place in places:
            raise ValueError(
                f"{op}: columns: expected other columns than {argument}, got {table.name(place)}"
            )
    if by_place is None:
        if columns is None:
            _check_steps_in_order(op, table, places)
        groups = [[row] for row in range(len(table.rows))]
        sequences = [_row(table, row, places, numbers) for row in range(len(table.rows))]
    else:
        groups = _groups(table, by_place, label_place)
        sequences = [np.array([table.numbers(row, places, numbers) for row in group]) for group in groups]
    x, lengths = pad(sequences, kind)
    labels, names = _labels(op, table, [group[0] for group in groups], label_place, classes)
    columns_read = (
        tuple(table.names[place] for place in places) if table.names and by_place is not None else ()
    )
    return LabeledSequences(x, lengths, labels, names, columns_read)


def _check_steps_in_order(op: str, table: Table, places: list[int]) -> None:
    """Checks that columns that are numbered (t1, t2, …, t10) come in the order of their numbers."""
    numbered = [re.fullmatch(r"(.*?)(\d+)", table.names[place]) for place in places if table.names]
    if not all(numbered) or len({match[1] for match in numbered if match}) > 1:
        return
    numbers = [int(match[2]) for match in numbered if match]
    if numbers != sorted(numbers):
        last = next(i for i, number in enumerate(numbers) if number < numbers[i - 1] and i)
        raise FormatError(
            f"{table.path}: expected the columns of steps in the order of their numbers, "
            f"got {table.name(places[last])} after {table.name(places[last - 1])} (columns=… gives an order)"
        )


def _row(table: Table, row: int, places: list[int], numbers: Numbers) -> Array:
    """Returns a row as a sequence (T, 1); empty cells at its end are not steps."""
    line, cells = table.rows[row]
    steps = len(places)
    while steps and not cells[places[steps - 1]].strip():
        steps -= 1
    if not steps:
        raise FormatError(f"{table.where(line, places[0])}: expected at least one value, got an empty row")
    return table.numbers(row, places[:steps], numbers)[:, None]


def _groups(table: Table, by: int, label: int | None) -> list[list[int]]:
    """Returns the runs of consecutive rows with the same cell in column `by`; checks that their labels agree.

    Raises:
        FormatError: if a sequence continues after another one has started, or changes its label.
    """
    groups: list[list[int]] = []
    begun: set[str] = set()
    for row, (line, cells) in enumerate(table.rows):
        name = cells[by].strip()
        before = table.rows[groups[-1][0]][1] if groups else None
        if before is None or name != before[by].strip():
            if name in begun:
                raise FormatError(
                    f"{table.where(line, by)}: "
                    f"expected consecutive rows for a sequence, got another run of {name!r}"
                )
            begun.add(name)
            groups.append([row])
            continue
        if label is not None and cells[label].strip() != before[label].strip():
            raise FormatError(
                f"{table.where(line, label)}: expected one label for sequence {name!r}, "
                f"{before[label].strip()!r}, got {cells[label].strip()!r}"
            )
        groups[-1].append(row)
    return groups


def _labels(
    op: str, table: Table, rows: list[int], place: int | None, classes: Sequence[str] | None
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Returns the labels of these rows as indices into the list of classes, and that list."""
    if place is None:
        return None, ()
    labels = [table.rows[row][1][place].strip() for row in rows]
    if "" in labels:
        line = table.rows[rows[labels.index("")]][0]
        raise FormatError(f"{table.where(line, place)}: expected a label, got an empty cell")
    if isinstance(classes, (str, set, frozenset)):
        raise TypeError(f"{op}: classes: expected names in an order, got a {type(classes).__name__}")
    names = tuple(sorted(set(labels)) if classes is None else map(str, classes))
    check_unique(op, "classes", names)
    return number_classes(labels, names, lambda i: table.where(table.rows[rows[i]][0], place)), names


def read_csv_texts(
    path: str | os.PathLike[str],
    text: str | int = 0,
    label: str | int | None = -1,
    *,
    header: bool = True,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> tuple[list[str], list[str] | None]:
    """Reads texts to classify: one row per text, with its label.

    Args:
        path: the file, gzip-compressed or not.
        text: the column of the text, by name or index.
        label: the column of the label; None: there are no labels.
        header: whether the first row names the columns.
        delimiter: the character between cells.
        encoding: the encoding of the text.

    Returns:
        The texts, and their labels or None.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for rows of different lengths, or an empty label; names the line.
        ValueError, TypeError: for invalid arguments.
    """
    op = "read_csv_texts"
    table = Table(path, delimiter, header, numbers=False, encoding=encoding)
    place = table.column(op, "text", text)
    texts = [cells[place] for _, cells in table.rows]
    if label is None:
        return texts, None
    places, names = _labels(op, table, list(range(len(texts))), table.column(op, "label", label), None)
    return texts, [names[k] for k in places] if places is not None else None
