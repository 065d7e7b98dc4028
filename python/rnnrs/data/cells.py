"""The cells of tables in text files: CSV with quotes, and columns between tabs."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import FormatError
from ..reading import PathLike, name_of, read_text, split_lines

#: (line, cells) of each row.
Rows = list[tuple[int, list[str]]]

#: A quoted cell with a doubled quote in it, as programs write a quote that is text.
_DOUBLED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')

_limit = threading.Lock()


def read_cells(path: PathLike, delimiter: str, encoding: str = "utf-8") -> Rows:
    """Returns the rows of a table that are not empty, with their lines.

    A cell may be quoted, as in CSV. With tabs as the delimiter, see `tab_rows`.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a quote that does not end, and the like; names the line.
        ValueError, TypeError: for an unknown encoding, or a delimiter that is not one character.
    """
    return cells_of(name_of(path), read_text(path, encoding), delimiter)


def cells_of(name: str, text: str, delimiter: str) -> Rows:
    """Returns the rows of a text as `read_cells` does those of a file.

    Args:
        name: the name of the file, for messages.
        text: its content.
        delimiter: the sign between two cells.

    Raises:
        FormatError, TypeError: see `read_cells`.
    """
    if delimiter == "\t":
        return tab_rows(text, even=True)
    try:
        return _quoted_rows(text, delimiter)
    except _BadQuotes as error:
        raise FormatError(f"{name}: line {error.line}: {error}") from None


def delimited_rows(plain: str, name: str, text: str) -> Rows:
    """Returns the rows of a table between commas if its file is a .csv without tabs, else between tabs.

    Args:
        plain: the file in lower case, without .gz.
        name: its name for messages.
        text: its content.

    Raises:
        FormatError: for a quote that does not end, and the like; names the line.
    """
    if not plain.endswith(".csv") or "\t" in text.partition("\n")[0]:
        return tab_rows(text)
    return cells_of(name, text, ",")


def tab_rows(text: str, *, even: bool = False, empty: bool = False) -> Rows:
    """Returns the rows of columns between tabs, with their lines.

    Quotes are text, unless the file was evidently written with quotes around cells: all cells of its first
    row are quoted, or a quoted cell has doubled quotes in it, or with `even`, only so do all rows have as
    many cells.

    Args:
        text: the text of the file.
        even: whether all rows must have as many cells.
        empty: whether an empty line is a row of one empty cell; otherwise it is none.
    """
    lines = enumerate(split_lines(text), 1)
    plain = [(number, line.split("\t")) for number, line in lines if line or empty]
    if empty or '"' not in text:
        return plain
    try:
        quoted = _quoted_rows(text, "\t")
    except _BadQuotes:
        return plain
    if even and _is_even(quoted) != _is_even(plain):
        return quoted if _is_even(quoted) else plain
    first = '"\t"'.join(cell.replace('"', '""') for cell in quoted[0][1])
    all_quoted = text.startswith(f'"{first}"')
    doubled = any(_DOUBLED.fullmatch(cell) for _, cells in plain for cell in cells)
    return quoted if all_quoted or doubled else plain


def _is_even(rows: Rows) -> bool:
    return len({len(cells) for _, cells in rows}) <= 1


class _BadQuotes(Exception):
    """Quotes that do not end, or that end before their cell does."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _quoted_rows(text: str, delimiter: str) -> Rows:
    with _cells_up_to(len(text)):
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            return [(reader.line_num, row) for row in reader if row]
        except csv.Error as error:
            raise _BadQuotes(reader.line_num, str(error)) from None


@contextmanager
def _cells_up_to(length: int) -> Iterator[None]:
    """Returns a context in which cells may have this length; `csv` has one limit for the whole process."""
    with _limit:
        before = csv.field_size_limit()
        csv.field_size_limit(max(before, min(length, 2**31 - 1)))
        try:
            yield
        finally:
            csv.field_size_limit(before)
