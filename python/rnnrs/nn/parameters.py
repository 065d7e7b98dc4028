"""Named arrays in one flat vector."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _rnnrs
from ..errors import DTypeError, ShapeError

Array = NDArray[Any]


class Parameters(MutableMapping[str, Array]):
    """Arrays by name, all of them views of one contiguous vector.

    So an optimiser's step and a gradient's norm are one call over `flat`, and a checkpoint is a dump. Iteration goes in
    the order of the layout. `parameters["W"]` is a writable view; `parameters["W"] = a` copies `a` into it.

    Args:
        shapes: the shape of each array, by name.
        dtype: float32 or float64.
        flat: the vector to use, of as many numbers as the shapes ask for; a new one of zeros by default.

    Raises:
        DTypeError: for another dtype.
        ShapeError: if `flat` is not one contiguous vector of the right length and dtype.
        MemoryError, ValueError: if the sizes do not fit in memory, or overflow.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: DTypeLike = np.float32,
        flat: Array | None = None,
    ) -> None:
        self.dtype = real_dtype("Parameters", dtype)
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        size = sum(math.prod(shape) for shape in self.shapes.values())
        if flat is None:
            flat = zeros(size, self.dtype)
        elif flat.dtype != self.dtype or flat.shape != (size,) or not flat.flags.c_contiguous:
            raise ShapeError(
                f"Parameters: flat: expected a contiguous vector of {size} {self.dtype}, "
                f"got {flat.dtype} of shape {flat.shape}"
            )
        self.flat: Array = flat
        self._views: dict[str, Array] = {}
        start = 0
        for name, shape in self.shapes.items():
            end = start + math.prod(shape)
            self._views[name] = flat[start:end].reshape(shape)
            start = end

    def __getitem__(self, name: str) -> Array:
        try:
            return self._views[name]
        except KeyError:
            raise KeyError(f"no parameter {name!r}; there are {', '.join(self._views)}") from None

    def __setitem__(self, name: str, value: Any) -> None:
        view = self[name]
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise DTypeError(f"Parameters: {name}: expected real numbers, got {array.dtype}")
        if array.shape != view.shape:
            raise ShapeError(f"Parameters: {name}: expected {view.shape}, got {array.shape}")
        view[...] = array

    def __delitem__(self, name: str) -> None:
        raise TypeError("Parameters: a parameter cannot be deleted: the layout is fixed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def zeros_like(self) -> Parameters:
        """A new vector of zeros of the same layout."""
        return Parameters(self.shapes, self.dtype)

    def copy_from(self, values: Mapping[str, Any]) -> None:
        """Copies an array for every name, and none besides.

        Raises:
            KeyError: if the names are not the same; then nothing is copied.
            ShapeError, DTypeError: for an array that does not fit.
        """
        missing, unknown = self.keys() - values.keys(), values.keys() - self.keys()
        if missing or unknown:
            raise KeyError(
                f"expected the parameters {', '.join(self)}; missing: {', '.join(sorted(missing)) or 'none'}; "
                f"unknown: {', '.join(sorted(unknown)) or 'none'}"
            )
        for name in self:
            if np.shape(values[name]) != self[name].shape:
                raise ShapeError(
                    f"Parameters: {name}: expected {self[name].shape}, got {np.shape(values[name])}"
                )
        for name in self:
            self[name] = values[name]

    def fill(self, value: float) -> None:
        """Sets every number."""
        self.flat.fill(value)

    def locate(self, index: int) -> str:
        """The name of the array that holds `flat[index]`.

        Raises:
            IndexError: if there is no such number.
        """
        if not 0 <= index < self.flat.size:
            raise IndexError(f"Parameters.locate: index: expected 0 to {self.flat.size - 1}, got {index}")
        end = 0
        for name, view in self._views.items():
            end += view.size
            if index < end:
                return name
        raise AssertionError("unreachable: the views cover the vector")

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {view.shape}" for name, view in self._views.items())
        return f"Parameters({self.flat.size} {self.dtype}: {arrays})"


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


def zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """A vector of zeros, or an error at once where it cannot be had."""
    if 2 * size * dtype.itemsize > np.iinfo(np.intp).max:
        raise MemoryError(f"Parameters: {size} numbers of {dtype}: more than can be addressed")
    _rnnrs.check_memory(2 * size * dtype.itemsize)  # the gradients are a second vector of this length
    return np.zeros(size, dtype)


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
