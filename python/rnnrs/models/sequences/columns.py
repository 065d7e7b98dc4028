"""The names of the columns of a series."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import check_size
from ...data import frames


def numbered(I: int) -> tuple[str, ...]:
    """Returns the names of columns that were given by their number."""
    return tuple(map(str, range(I)))


def column_names(op: str, columns: Any) -> tuple[str, ...]:
    """Returns the columns' names.

    Raises:
        ValueError, TypeError: if `columns` is neither a positive number nor different names in an order.
    """
    if isinstance(columns, (str, set, frozenset)) or not (
        np.iterable(columns) or hasattr(columns, "__index__")
    ):
        raise TypeError(f"{op}: columns: expected names or their number, got {columns!r}")
    if not np.iterable(columns):
        return numbered(check_size(op, "columns", columns))
    names = tuple(map(str, frames.listed(op, "columns", columns)))
    if not names:
        raise ValueError(f"{op}: columns: expected at least one name, got {columns!r}")
    frames.check_unique(op, "columns", names)
    return names
