"""Checks of arguments that most of the package shares; each names the operation, the argument, what was expected and
what came."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import DTypeError

#: The target id of a position that is not scored.
IGNORE = -1


def check_size(op: str, name: str, value: Any, least: int = 1) -> int:
    """A whole number that serves as a size.

    Raises:
        TypeError: if it is no whole number.
        ValueError: if it is below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{op}: {name}: expected a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{op}: {name}: expected a whole number from {least}, got {value}")
    return int(value)


def real_dtype(op: str, dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64, in this machine's byte order.

    Raises:
        DTypeError: for anything else.
    """
    try:
        known = np.dtype(dtype)
    except TypeError as error:
        raise DTypeError(f"{op}: dtype: expected float32 or float64, got {dtype!r}") from error
    if known not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise DTypeError(f"{op}: dtype: expected float32 or float64, got {known}")
    return known
