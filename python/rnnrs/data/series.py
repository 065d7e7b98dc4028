"""Series to forecast from CSV files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from ..errors import FormatError
from ..types import Array
from .dates import first_fault, parsed
from .frames import check_unique
from .sequences import Numbers, Series, check_missing, shorten
from .tables import MISSING, Table, is_number

#: Names of columns that tell the series of a row, in lower case.
IDENTIFIERS = ("id", "unique_id", "series", "item", "symbol", "ticker")

#: Names of columns of dates, times or numbered steps, in lower case.
TIMES = (
    "date",
    "datetime",
    "timestamp",
    "time",
    "ds",
    "period",
    "month",
    "year",
    "week",
    "day",
    "t",
    "step",
    "",
)

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def read_csv_series(
    path: str | os.PathLike[str],
    columns: Sequence[str | int] | None = None,
    *,
    time: str | int | bool | None = None,
    by: str | int | bool | None = None,
    series: str | None = None,
    header: bool = True,
    delimiter: str = ",",
    missing: float | None = None,
    dtype: DTypeLike = np.float32,
    encoding: str = "utf-8",
) -> Series:
    """Reads a series to forecast: one row per step, one column per variable.

    Rows must be the successive steps of one series. The columns that are not read show whether they are: a
    date, time or step must follow the one before at the same distance, and a column of names must not tell
    several series apart.

    Args:
        path: the file, gzip-compressed or not; "-": standard input.
        columns: the columns to read, by name or index; by default all but `time` and `by`.
        time: the column of dates, times or numbered steps; by default it is found by names and contents.
            False: rows are steps whatever the other columns say.
        by: the column that tells several series apart; by default it is found. False: there is none.
        series: the series to read, a cell of column `by`.
        header: whether the first row names the columns.
        delimiter: the character between cells; between tabs, quotes are text unless the file was evidently
            written with quotes around cells.
        missing: the number that replaces a missing value (an empty cell, "?", "NA", "NaN"); by default there
            must be none.
        dtype: of x, float32 or float64.
        encoding: the encoding of the text.

    Returns:
        x (T, I) and the names of the columns.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if a cell is not a number, or rows have different lengths; if the file holds several
            series, or dates that go backward, repeat or have gaps. Names the line.
        ValueError, TypeError: for invalid arguments.
    """
    op = "read_csv_series"
    kind = check_missing(op, missing, dtype)
    table = Table(path, delimiter, header, encoding=encoding)
    numbers = Numbers(kind, missing, MISSING)
    named = [None if where is None or isinstance(where, bool) else where for where in (time, by)]
    time_place, by_place = (
        None if where is None else table.column(op, argument, where)
        for argument, where in zip(("time", "by"), named, strict=True)
    )
    if by_place is None and series is not None:
        raise ValueError(f"{op}: series: expected None without by, got {series!r}")
    free = [place for place in range(table.width) if place not in (time_place, by_place)]
    places = table.columns(op, free if columns is None else columns)
    names = tuple(table.names[place] for place in places) if table.names else ()
    check_unique(op, "columns", names or tuple(map(str, places)))
    others = [place for place in free if place not in places]
    if by_place is not None:
        _choose(table, by_place, series)
    elif by is None:
        _check_one_series(table, others)
    if time is not False:
        _check_steps(table, others if time_place is None else [time_place], time_place is not None)
    x = np.array([table.numbers(row, places, numbers) for row in range(len(table.rows))], kind)
    return Series(x, names)


def _choose(table: Table, by: int, series: str | None) -> None:
    """Keeps the rows of one series."""
    cells = table.cells(by)
    names = list(dict.fromkeys(cells))
    if series is None and len(names) > 1:
        raise FormatError(f"{table.path}: expected one series, got {_several(table, by, names)}")
    if series is not None and series not in names:
        raise FormatError(f"{table.path}: expected {_several(table, by, names)}, got {series!r}")
    table.rows = [row for row, cell in zip(table.rows, cells, strict=True) if series in (None, cell)]


def _check_one_series(table: Table, others: Sequence[int]) -> None:
    """Checks that no column that is not read tells several series apart."""
    for place in others:
        cells = table.cells(place)
        names, name = list(dict.fromkeys(cells)), _name(table, place)
        if not 1 < len(names) < len(cells):
            continue
        runs = [i for i in range(len(cells)) if not i or cells[i] != cells[i - 1]]
        blocks = len(runs) == len(names) and np.diff([*runs, len(cells)]).min() > 1
        words = not all(map(is_number, names)) and not parsed(names)
        if name in IDENTIFIERS or name.endswith("_id") or (blocks and words):
            row = runs[1]
            raise FormatError(
                f"{table.where(table.rows[row][0], place)}: expected one series, "
                f"got {_several(table, place, names)} (series=… and by=… choose one; by=False: it is one)"
            )


def _several(table: Table, place: int, names: list[str]) -> str:
    shown = ", ".join(map(shorten, names[:5])) + (", …" if len(names) > 5 else "")
    column = repr(table.names[place]) if table.names else str(place)
    return f"{len(names)} series in column {column}: {shown}"


def _check_steps(table: Table, places: Sequence[int], asked: bool) -> None:
    """Checks that the rows are successive steps, by the dates, times or numbers in these columns."""
    found = _moments(table, places, asked)
    if not found:
        if asked:
            raise FormatError(
                f"{table.where(table.rows[0][0], places[0])}: expected dates or numbers, got others"
            )
        return
    faults = [(first_fault(moments, True), shown) for moments, shown in found]
    if any(fault is None for fault, _ in faults):
        return
    fault, shown = faults[0]
    assert fault is not None
    row, what = fault
    cells = [" ".join(table.rows[r][1][place].strip() for place in shown) for r in (row, row - 1)]
    raise FormatError(
        f"{table.where(table.rows[row][0], shown[0])}: expected the next step, got {cells[0]} after {cells[1]}: "
        f"{what} (time=False takes the rows as steps)"
    )


def _moments(table: Table, places: Sequence[int], asked: bool) -> list[tuple[Array, list[int]]]:
    """Returns the steps (N,) that the rows are, as dates or numbers, in each reading that is possible.

    Each comes with the columns that it is from.
    """
    by_name = {_name(table, place): place for place in reversed(places)}
    dates = [(moments, place) for place in places for moments in parsed(table.cells(place))]
    if dates:
        place = min(dates, key=lambda date: _name(table, date[1]) not in TIMES)[1]
        clock, more = _clock(table, by_name)
        return [(moments + clock, [place, *more]) for moments, other in dates if other == place]
    numbers = {name: place for name, place in by_name.items() if all(map(is_number, table.cells(place)))}
    if "year" in numbers:
        return [_calendar(table, numbers)]
    steps = [place for name, place in numbers.items() if asked or name in TIMES]
    return [(np.array(table.cells(place), np.float64), [place]) for place in steps[:1]]


def _clock(table: Table, places: Mapping[str, int]) -> tuple[Array, list[int]]:
    """Returns the times of day in a column beside the date (N,), and the columns that they are from."""
    for name in ("time", "hour"):
        cells = table.cells(places[name]) if name in places else []
        clocks = [_CLOCK.fullmatch(cell if name == "time" else f"{cell}:00") for cell in cells]
        if cells and all(clocks):
            seconds = [
                sum(int(n or 0) * size for n, size in zip(c.groups(), (3600, 60, 1), strict=True))
                for c in clocks
                if c
            ]
            return np.array(seconds, "timedelta64[s]"), [places[name]]
    return np.zeros(len(table.rows), "timedelta64[s]"), []


def _calendar(table: Table, places: Mapping[str, int]) -> tuple[Array, list[int]]:
    """Returns the steps (N,) of years, and of quarters or months and days in further columns."""
    year = np.array(table.cells(places["year"]), np.float64)
    for name, size in (("month", 12), ("quarter", 4), ("week", 52)):
        if name in places:
            part = np.array(table.cells(places[name]), np.float64)
            if name == "month" and "day" in places:
                break
            return year * size + part, [places["year"], places[name]]
    else:
        return year, [places["year"]]
    day = np.array(table.cells(places["day"]), np.float64)
    months = (year.astype(np.int64) * 12 + part.astype(np.int64) - 1 - 1970 * 12).astype("datetime64[M]")
    clock, more = _clock(table, places)
    moments = months.astype("datetime64[D]") + (day.astype(np.int64) - 1) + clock
    return moments, [places[name] for name in ("year", "month", "day")] + more


def _name(table: Table, place: int) -> str:
    """Returns a column's name in lower case; None without a header."""
    return table.names[place].lower() if table.names else "no name"
