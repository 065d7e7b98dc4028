"""Tables and series with names, of pandas, polars and libraries like them: names decide, not places.

None of these libraries is imported. A table is an object with `columns`, a column one with `name` and
`to_numpy`; an index is what `index` returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..checks import as_array, check_repeatable
from ..errors import DTypeError, ShapeError
from ..shown import short_repr
from ..types import Array
from .dates import check_order
from .sequences import Series


class Named(NamedTuple):
    """Numbers, and the names that they came with.

    Attributes:
        values: (N, I), or (N,) for a column; as they came, if they had no names.
        columns: the columns' names; empty if they have none.
        index: the labels of the rows; None without any.
    """

    values: Array
    columns: tuple[str, ...]
    index: Any

    def __repr__(self) -> str:
        return short_repr(self)


def is_table(value: Any) -> bool:
    """Returns whether a value is a table: rows and named columns."""
    named = hasattr(value, "columns") and hasattr(value, "__getitem__") and not isinstance(value, tuple)
    return named and not callable(value.columns)


def is_column(value: Any) -> bool:
    """Returns whether a value is a column of a table: a vector that may have a name."""
    return hasattr(value, "name") and callable(getattr(value, "to_numpy", None)) and not is_table(value)


def columns_of(value: Any) -> tuple[str, ...]:
    """Returns the names of the columns of a table or of a `Series`; empty for anything else."""
    return tuple(map(str, value.columns)) if isinstance(value, Series) or is_table(value) else ()


def named(op: str, argument: str, value: Any) -> Named:
    """Returns the numbers of a table, of a column, of a `Series`, or of anything else that NumPy takes.

    Raises:
        ValueError: for two columns of one name, for a missing value, or for a masked array.
        DTypeError: for a column that does not hold real numbers; names it.
        ShapeError: for lists of different lengths.
    """
    if isinstance(value, Series):
        return Named(as_array(op, argument, value.x), tuple(value.columns), None)
    if is_table(value):
        columns = columns_of(value)
        check_unique(op, argument, columns)
        parts = [
            _numbers(f"{op}: {argument}[{name!r}]", value[key])
            for name, key in zip(columns, value.columns, strict=True)
        ]
        whole = np.stack(parts, axis=1) if parts else np.zeros((len(value), 0))
        return Named(whole, columns, getattr(value, "index", None))
    if is_column(value) and np.ndim(value) == 1:
        name = () if value.name in (None, "") else (str(value.name),)
        index = getattr(value, "index", None)
        return Named(_numbers(f"{op}: {argument}", value), name, None if callable(index) else index)
    return Named(as_array(op, argument, value), (), None)


def places(op: str, argument: str, given: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Returns the place of each wanted column among the given ones.

    Raises:
        ValueError: if they are not the same columns in some order; names those that lack or that are extra.
    """
    check_unique(op, argument, given)
    missing = [name for name in wanted if name not in given]
    extra = [name for name in given if name not in wanted]
    if missing or extra:
        found = [
            f"{word} {', '.join(map(repr, names))}"
            for word, names in (("without", missing), ("also", extra))
            if names
        ]
        raise ValueError(
            f"{op}: {argument}: expected the columns {', '.join(map(repr, wanted))}, "
            f"got {', '.join(map(repr, given))} ({'; '.join(found)})"
        )
    return [list(given).index(name) for name in wanted]


def check_unique(op: str, argument: str, names: Sequence[str]) -> None:
    """Checks that no two columns, or classes, have the same name.

    Raises:
        ValueError: names the first one that occurs twice.
    """
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ValueError(f"{op}: {argument}: expected different names, got two of {name!r}")


def check_steps(op: str, argument: str, index: Any, *, gaps: bool) -> None:
    """Checks that rows are successive steps, as far as an index of dates, times or numbers shows it.

    Args:
        op, argument: for error messages.
        index: the index of a table or column, or None.
        gaps: whether the distances must be equal; otherwise only dates are checked, for their order.

    Raises:
        ValueError: if the index goes backward, repeats a label, has a gap or several levels; names the label.
    """
    if index is None:
        return
    if getattr(index, "nlevels", 1) > 1:
        raise ValueError(
            f"{op}: {argument}: expected one series, got an index of {index.nlevels} levels: "
            "give the series one by one"
        )
    if hasattr(index, "to_timestamp"):  # periods
        index = index.to_timestamp()
    if getattr(index, "tz", None) is not None:
        index = index.tz_convert(None)
    check_order(op, argument, np.asarray(index), gaps=gaps)


def listed(op: str, argument: str, values: Any) -> list[Any]:
    """Returns the items of a list, array or column as a list of Python objects.

    Raises:
        TypeError: for a text, or an iterator.
        ValueError: for a masked array.
        ShapeError: for a table of several columns.
    """
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{op}: {argument}: expected a list, got {type(values).__name__}")
    if is_table(values):
        if len(values.columns) != 1:
            raise ShapeError(f"{op}: {argument}: expected one column, got {len(values.columns)}")
        values = values[next(iter(values.columns))]
    check_repeatable(op, argument, values)
    if is_column(values):
        values = values.to_numpy()
    if isinstance(values, np.ndarray):
        return list(as_array(op, argument, values).tolist()) if values.ndim == 1 else list(values)
    if not isinstance(values, Iterable):
        raise TypeError(f"{op}: {argument}: expected a list, got {type(values).__name__}")
    return list(values)


def check_same_index(op: str, first: tuple[str, Any], second: tuple[str, Any]) -> None:
    """Checks that two columns, each given with the argument's name, have their rows in the same order.

    Raises:
        ValueError: if both have an index, and the indices differ; names the first row that does.
    """
    indices = [getattr(value, "index", None) for _, value in (first, second)]
    if any(index is None or callable(index) for index in indices):
        return
    a, b = (np.asarray(index) for index in indices)
    if a.shape != b.shape or (a == b).all():  # another number of rows has an error of its own
        return
    i = int(np.flatnonzero(a != b)[0])
    raise ValueError(
        f"{op}: {second[0]}: expected the index of {first[0]}, got {b[i]!r} where that has {a[i]!r} (row {i})"
    )


def _numbers(place: str, column: Any) -> Array:
    op, _, argument = place.partition(": ")
    array = as_array(op, argument, column.to_numpy())
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    if array.dtype.kind == "O" and kind in "fiub":  # a column of numbers that may be missing
        try:
            array = column.to_numpy(dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{place}: expected numbers, got a missing value") from None
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"{place}: expected real numbers, got {array.dtype}")
    return array
