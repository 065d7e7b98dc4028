"""Argument checks shared by most of the package.

Every error names the operation, the argument, the expected value and the value received.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import DTypeError, ShapeError
from .types import Array

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


def check_text(op: str, name: str, text: Any) -> str:
    """Checks that an argument is a text, and returns it.

    Raises:
        TypeError: if it is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"{op}: {name}: expected a string, got {type(text).__name__}")
    return text


def check_number(
    op: str,
    name: str,
    value: Any,
    expected: str = "a finite number",
    valid: Callable[[float], bool] = math.isfinite,
) -> float:
    """Returns a number as a `float`.

    Args:
        op, name: the names of the caller and of the argument, for error messages.
        value: the number, of Python or NumPy.
        expected: the range in words: "a finite number above 0".
        valid: whether a number is in the range.

    Raises:
        TypeError: if it is not a number; True and False are none.
        ValueError: if it is out of range.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{op}: {name}: expected a number, got {value!r:.80}")
    if not valid(float(value)):
        raise ValueError(f"{op}: {name}: expected {expected}, got {value}")
    return float(value)


def positive(value: float) -> bool:
    """Returns whether a number is finite and above 0."""
    return 0.0 < value < math.inf


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


#: The temperature below which sampling is greedy: o / temperature could overflow, and two scores that are
#: this close are rarely equal by chance.
COLDEST = 1e-20


def sampling_temperature(temperature: float) -> float:
    """Returns a temperature from 0 as the sampler takes it: 0, which is greedy decoding, below `COLDEST`."""
    return 0.0 if temperature < COLDEST else float(temperature)


def check_repeatable(op: str, argument: str, value: Any) -> None:
    """Checks that a collection can be read again, as a list can; an iterator cannot, and may be endless.

    Raises:
        TypeError: for a generator, or another iterator; nothing is read from it. For a table with named
            columns, which would be read as the list of their names.
    """
    # In this order: the attribute of other objects may be a large array that is made when asked for.
    if hasattr(value, "__getitem__") and hasattr(value, "columns") and not isinstance(value, tuple):
        raise TypeError(
            f"{op}: {argument}: expected a list, or a column, got a table, {type(value).__name__}"
        )
    if isinstance(value, Iterator):
        raise TypeError(
            f"{op}: {argument}: expected a list, or another collection that can be read more than once, "
            f"got {type(value).__name__}, which cannot"
        )


def as_array(op: str, argument: str, value: Any) -> Array:
    """Returns a value as a NumPy array; an array as it is.

    Raises:
        ValueError: for a masked array, whose mask NumPy would drop.
        ShapeError: for lists whose lengths differ; names the first one that does.
        DTypeError: for a value that NumPy cannot convert.
    """
    if type(value) is np.ndarray:
        return value
    if _is_masked(value):
        raise ValueError(
            f"{op}: {argument}: expected an array without missing values, got a masked array "
            "(its method filled replaces them)"
        )
    try:
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError) as error:
        if (place := _first_uneven(value)) is not None:
            raise ShapeError(f"{op}: {argument}{place}") from None
        raise DTypeError(f"{op}: {argument}: expected numbers, got {type(value).__name__}: {error}") from None


def as_ids(op: str, argument: str, value: Any, count: int | None = None) -> Array:
    """Returns whole numbers, such as token ids, as a NumPy array; an array of another kind as it is.

    Args:
        op, argument: for error messages.
        value: the numbers.
        count: the number of ids there are, for the message.

    Raises:
        IndexError: for a number that int64 cannot hold; names it.
        ValueError, ShapeError, DTypeError: as `as_array`.
    """
    array = as_array(op, argument, value)
    if array.dtype.kind == "i" or (array is value and array.dtype.kind == "f"):
        return array
    exact: Any = ()
    if array.dtype.kind == "O" or (array.dtype.kind == "u" and array.dtype.itemsize == 8):
        exact = array
    elif array.dtype.kind == "f" and array is not value and (np.abs(array) >= 2.0**63).any():
        exact = np.array(value, object)  # NumPy makes floats of a list that no integer type can hold
    for place, number in enumerate(np.ravel(exact).tolist()):
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            wanted = "whole numbers below 2⁶³" if count is None else f"from 0 to {count - 1}"
            raise IndexError(f"{op}: {argument}: expected {wanted}, got {number} at position {place}")
    return array


def _is_masked(value: Any) -> bool:
    """Returns whether a value is a masked array, or lists with one in them."""
    if isinstance(value, (list, tuple)):
        return any(isinstance(part, (list, tuple, np.ndarray)) and _is_masked(part) for part in value)
    return isinstance(value, np.ma.MaskedArray)


def _first_uneven(value: Any) -> str | None:
    """Returns, for a message, the place of the first list whose length is not that of the first one."""
    if not isinstance(value, (list, tuple)):
        return None
    for i, part in enumerate(value):
        if _length(part) != _length(value[0]):
            return f"[{i}]: expected {_length(value[0])}, as [0] has, got {_length(part)}"
    for i, part in enumerate(value):
        if (place := _first_uneven(part)) is not None:
            return f"[{i}]{place}"
    shapes = [np.shape(part) for part in value]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            return f"[{i}]: expected the shape {shapes[0]}, as [0] has, got {shape}"
    return None


def _length(part: Any) -> str:
    return f"{len(part)} values" if isinstance(part, (list, tuple)) or np.ndim(part) else "a single value"
