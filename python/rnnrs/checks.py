"""Argument checks shared by most of the package.

Every error names the operation, the argument, the expected value and the value received.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import DTypeError

#: The target id of a position that is not scored.
IGNORE = -1


def check_size(op: str, name: str, value: Any, least: int = 1) -> int:
    """Returns a size as an `int`.

    Raises:
        TypeError: if it is not a whole number.
        ValueError: if it is below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{op}: {name}: expected a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{op}: {name}: expected a whole number from {least}, got {value}")
    return int(value)


def real_dtype(op: str, dtype: DTypeLike) -> np.dtype[Any]:
    """Returns float32 or float64, in this machine's byte order.

    Raises:
        DTypeError: if `dtype` is neither.
    """
    try:
        known = np.dtype(dtype)
    except TypeError as error:
        raise DTypeError(f"{op}: dtype: expected float32 or float64, got {dtype!r}") from error
    if known not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise DTypeError(f"{op}: dtype: expected float32 or float64, got {known}")
    return known
