"""Named arrays in one flat vector."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _rnnrs
from ..checks import real_dtype
from ..errors import DTypeError, ShapeError
from ..types import Array


@dataclass
class Rows:
    """Which rows of a gradient were touched since it was zero; not known once somebody else may write to it."""

    touched: NDArray[np.bool_]
    known: bool = True


class Parameters(MutableMapping[str, Array]):
    """Arrays by name, all of them views of one contiguous vector.

    So an optimizer's step and a gradient's norm are one call over `flat`, and a checkpoint is a dump. Iteration goes in
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
        self._rows: dict[str, Rows] = {}
        self._lay_out(flat)

    def _lay_out(self, flat: Array) -> None:
        self._flat = flat
        self._views: dict[str, Array] = {}
        start = 0
        for name, shape in self.shapes.items():
            end = start + math.prod(shape)
            self._views[name] = flat[start:end].reshape(shape)
            start = end

    def move(self, whole: Parameters, start: int, prefix: str) -> None:
        """Moves these arrays into the part of a larger set that begins at its number `start`, numbers and all."""
        part = whole._flat[start : start + self._flat.size]
        part[...] = self._flat
        self._lay_out(part)
        whole._rows |= {f"{prefix}.{name}": rows for name, rows in self._rows.items()}

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self._flat.size

    def __getitem__(self, name: str) -> Array:
        try:
            view = self._views[name]
        except KeyError:
            raise KeyError(f"no parameter {name!r}; there are {', '.join(self._views)}") from None
        if name in self._rows:
            self._rows[name].known = False
        return view

    @property
    def flat(self) -> Array:
        """The vector."""
        for rows in self._rows.values():
            rows.known = False
        return self._flat

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
        if value != 0.0 or not self._rows:
            self.flat.fill(value)
            return
        _rnnrs.clear(self._flat, self.spans())
        for rows in self._rows.values():
            rows.touched.fill(False)

    def track_rows(self, name: str) -> None:
        """Keeps account of the rows of a gradient that are touched, so that the others need not be visited.

        It ends when the array, or the whole vector, is handed out: who holds it may write anywhere.
        """
        self._rows[name] = Rows(np.zeros(self.shapes[name][0], np.bool_))

    def touch(self, name: str, rows: Any) -> Array:
        """The array of that name, to be changed in those rows only."""
        if name in self._rows:
            self._rows[name].touched[rows] = True
        return self._views[name]

    def spans(self) -> Array | None:
        """Where numbers can be other than zero, as (n, 2): from, to; None where that is everywhere."""
        if not self._rows or not any(rows.known for rows in self._rows.values()):
            return None
        spans: list[Array] = []
        start = end = 0
        for name, view in self._views.items():
            rows = self._rows.get(name)
            if rows is not None and rows.known:
                width = view.size // len(view)
                touched = np.flatnonzero(rows.touched)
                spans += [np.array([[start, end]]), end + width * np.stack([touched, touched + 1], axis=1)]
                start = end + view.size
            end += view.size
        spans.append(np.array([[start, end]]))
        return np.concatenate(spans)

    def locate(self, index: int) -> str:
        """The name of the array that holds `flat[index]`.

        Raises:
            IndexError: if there is no such number.
        """
        if not 0 <= index < self.size:
            raise IndexError(f"Parameters.locate: index: expected 0 to {self.size - 1}, got {index}")
        end = 0
        for name, view in self._views.items():
            end += view.size
            if index < end:
                return name
        raise AssertionError("unreachable: the views cover the vector")

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {view.shape}" for name, view in self._views.items())
        return f"Parameters({self.size} {self.dtype}: {arrays})"


def zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """A vector of zeros, or an error at once where it cannot be had."""
    if 2 * size * dtype.itemsize > np.iinfo(np.intp).max:
        raise MemoryError(f"Parameters: {size} numbers of {dtype}: more than can be addressed")
    _rnnrs.check_memory(2 * size * dtype.itemsize)  # the gradients are a second vector of this length
    return np.zeros(size, dtype)
