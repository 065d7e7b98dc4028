"""Tables of records, such as restaurants: from CSV, JSON, SQLite, and data frames of any library."""

from __future__ import annotations

import contextlib
import datetime
import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError
from ..reading import name_of, read_text
from ..shown import short_repr
from .cells import Rows, cells_of
from .json_lines import json_of

#: The types of values that are written as Python writes them.
_PLAIN = (str, int, float, Decimal, datetime.date, datetime.time, datetime.timedelta)

#: The endings of the names of SQLite files, and the bytes that they start with.
_SQLITE, _MAGIC = (".db", ".sqlite", ".sqlite3"), b"SQLite format 3\0"


class Records:
    """Rows with named columns; every cell is a text, empty where a value is missing.

    Args:
        rows: mappings from column names to values: texts, numbers, bools, None, or lists of them. A row may
            lack columns.

    Attributes:
        columns: the names of the columns, in the order of their first occurrence.
        rows: the rows, each a dictionary with all columns.

    Raises:
        ValueError: without rows or columns.
        TypeError: for a row that is not a mapping, or a value of another type.

    Example:
        >>> records = Records([{"name": "Alma", "stars": 4.0}, {"name": "Bor", "phone": None}])
        >>> records.columns, records.rows[1]
        (('name', 'stars', 'phone'), {'name': 'Bor', 'stars': '', 'phone': ''})
    """

    __repr__ = short_repr

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        given = list(rows)
        names: dict[str, None] = {}
        for i, row in enumerate(given):
            if not isinstance(row, Mapping):
                raise TypeError(f"Records: rows[{i}]: expected a mapping, got {row!r:.80}")
            names |= dict.fromkeys(str(name).strip() for name in row)
        self.columns = tuple(name for name in names if name)
        if not given or not self.columns:
            raise ValueError(f"Records: rows: expected at least one with columns, got {len(given)} rows")
        self.rows = [dict.fromkeys(self.columns, "") for _ in given]
        self._places: dict[str, dict[str, list[int]]] = {}
        for i, (own, row) in enumerate(zip(self.rows, given, strict=True)):
            for name, value in row.items():
                if str(name).strip():
                    own[str(name).strip()] = as_cell(f"Records: rows[{i}][{name!r}]", value)

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, column: str) -> list[str]:
        """Returns the different values of a column, without missing ones, in order of first occurrence.

        Raises:
            KeyError: for an unknown column.
        """
        return list(dict.fromkeys(row[column] for row in self.rows if row[column]))

    def places(self, column: str, form: Callable[[str], str]) -> Mapping[str, Sequence[int]]:
        """Returns the rows, by index, of each value of a column, in the form in which values are compared.

        Args:
            column: the column.
            form: returns the form; the same one in all calls.

        Raises:
            KeyError: for an unknown column.
        """
        if column not in self._places:
            found: dict[str, list[int]] = {}
            for i, row in enumerate(self.rows):
                found.setdefault(form(row[column]), []).append(i)
            self._places[column] = found
        return self._places[column]


def as_cell(place: str, value: Any) -> str:
    """Returns a value as a text."""
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else as_cell(place, value.astype("datetime64[us]").item())
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic) and not isinstance(value, (str, bytes)):
        value = value.item()
    if value is None or _is_nan(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time() and value.tzinfo is None:
        value = value.date()  # a data frame's day
    if isinstance(value, _PLAIN):
        return " ".join(str(value).split())
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return ", ".join(as_cell(place, part) for part in value)
    raise TypeError(f"{place}: expected a text, a number or None, got {type(value).__name__}")


def _is_nan(value: Any) -> bool:
    """Returns whether a number is NaN, or a time NaT or NA."""
    if isinstance(value, Decimal):
        return value.is_nan()
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def as_records(op: str, table: Any) -> Records:
    """Returns a table of any kind as `Records`.

    Args:
        op: the caller's name, for error messages.
        table: `Records`, a list of mappings, a file (see `read_records`), or a data frame: an object with
            `to_dicts` (polars), `to_pylist` (pyarrow) or `to_dict("records")` (pandas).

    Raises:
        TypeError: for anything else.
        ValueError: without rows.
        OSError, FormatError: for a file that cannot be read.
    """
    if isinstance(table, Records):
        return table
    if isinstance(table, (str, os.PathLike)):
        return read_records(table)
    if isinstance(table, Sequence):
        return Records(table)
    for method, arguments in (("to_dicts", ()), ("to_pylist", ()), ("to_dict", ("records",))):
        if hasattr(table, method) and not isinstance(table, Mapping):
            return Records(getattr(table, method)(*arguments))
    raise TypeError(f"{op}: table: expected rows, a data frame or a file, got {type(table).__name__}")


def read_records(
    path: str | os.PathLike[str], *, table: str | None = None, encoding: str = "utf-8"
) -> Records:
    """Reads a table of records from a file.

    - SQLite, by its first bytes: one of its tables or views;
    - `.json`: a list of objects; `.jsonl`: an object on each line;
    - `.tsv`, others: columns separated by tabs, semicolons or commas, whichever the first line has most of,
      with their names in that line.

    Args:
        path: the file; all but SQLite may be compressed by gzip, or be standard input ("-").
        table: the table of an SQLite file; may be None if it has only one.
        encoding: the encoding of the text.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it does not hold a table.
        ValueError: for an unknown encoding, or a table of a file that is not SQLite.
    """
    name = os.fspath(path).removesuffix(".gz")
    if _is_sqlite(path):
        return _read_sqlite(path, table)
    if table is not None:
        raise ValueError(f"read_records: table: expected None for {name_of(path)}, which is not SQLite")
    text, expected = read_text(path, encoding), f"{name_of(path)}: expected a table"
    try:
        if name.lower().endswith((".json", ".jsonl")) or (name == "-" and text.lstrip()[:1] in ("[", "{")):
            found = json_of(expected, text)
            return Records(found if isinstance(found, list) else [found])
        first = text.lstrip().split("\n", 1)[0]
        return Records(_named_cells(cells_of(expected, text, max(",\t;", key=first.count))))
    except (TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{expected}: {error}") from None


def _is_sqlite(path: str | os.PathLike[str]) -> bool:
    if os.fspath(path) == "-":
        return False
    with Path(path).open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC or (
            os.fspath(path).endswith(_SQLITE) and not Path(path).stat().st_size
        )


def _named_cells(lines: Rows) -> list[dict[str, str]]:
    """Returns the rows of a table whose first row has the names of the columns; empty rows are left out."""
    rows = [(number, cells) for number, cells in lines if any(cell.strip() for cell in cells)]
    if not rows:
        raise ValueError("got an empty file")
    names = [name.strip() for name in rows[0][1]]
    if len(set(names)) < len(names):
        raise ValueError(f"the columns have the same name twice: {', '.join(names)}")
    for number, cells in rows[1:]:
        if len(cells) > len(names):
            raise ValueError(f"line {number}: expected {len(names)} cells, got {len(cells)}")
    return [dict(zip(names, cells, strict=False)) for _, cells in rows[1:]]


def _read_sqlite(path: str | os.PathLike[str], table: str | None) -> Records:
    """Returns a table of an SQLite file, which is opened read-only."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
        ) as base:
            found = base.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
            )
            names = [name for (name,) in found if not name.startswith("sqlite_")]
            chosen = names[0] if table is None and len(names) == 1 else table
            if chosen is None or chosen not in names:
                raise FormatError(
                    f"{path}: table: expected one of {', '.join(names) or '(none)'}, got {table!r}"
                )
            quoted = chosen.replace('"', '""')
            rows = base.execute(f'SELECT * FROM "{quoted}"')
            columns = [column for column, *_ in rows.description]
            return Records([dict(zip(columns, row, strict=True)) for row in rows])
    except sqlite3.Error as error:
        raise FormatError(f"{path}: expected an SQLite file: {error}") from None
    except (TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: expected a table: {error}") from None
