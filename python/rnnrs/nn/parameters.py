"""Named arrays in one flat vector."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _rnnrs
from ..checks import as_array, real_dtype
from ..errors import DTypeError, ShapeError
from ..shown import short_repr
from ..types import Array
from .learning import Learning
from .vector import Vector


@dataclass
class Rows:
    """The rows of a gradient touched since it was last zero; unknown once a caller may write to the array."""

    touched: NDArray[np.bool_]
    known: bool = True

    __repr__ = short_repr


class Parameters(Learning, MutableMapping[str, Array]):
    """Named arrays, all of them views of one contiguous vector.

    An optimizer's step and a gradient's norm are therefore one call over `flat`, and a checkpoint is a dump.
    Iteration follows the layout. `parameters["W"]` is a writable view; `parameters["W"] = a` copies `a` into
    it.

    Args:
        shapes: the shape of each array, by name.
        dtype: float32 or float64.
        flat: the vector to use, with as many numbers as the shapes require; by default a new one of zeros.

    Raises:
        DTypeError: if the dtype is neither.
        ShapeError: if `flat` is not a contiguous vector of that size and dtype.
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
        self._lay_out(Vector(flat), 0)

    def _lay_out(self, vector: Vector, offset: int) -> None:
        """Makes the arrays views of a vector, from element `offset` on."""
        self._vector, self._offset = vector, offset
        self._views: dict[str, Array] = {}
        start = offset
        for name, shape in self.shapes.items():
            end = start + math.prod(shape)
            self._views[name] = vector.array[start:end].reshape(shape)
            start = end
        self._flat = vector.array[offset:start]

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: the vector, which all sets of a model share, and a place in it.

        So the layers of a copied model are views of the copied model's vector.
        """
        return {name: value for name, value in self.__dict__.items() if name not in ("_flat", "_views")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lay_out(self._vector, self._offset)

    def move(self, whole: Parameters, start: int, prefix: str) -> None:
        """Moves these arrays, with their values, into a larger set, at element `start` of its vector."""
        part = whole._flat[start : start + self._flat.size]
        part[...] = self._flat
        offset = whole._offset + start
        whole._vector.groups.adopt(
            self._vector.groups, self._offset, self._offset + self.size, offset - self._offset
        )
        self._lay_out(whole._vector, offset)
        whole._rows |= {f"{prefix}.{name}": rows for name, rows in self._rows.items()}

    @property
    def reading(self) -> AbstractContextManager[None]:
        """The context in which a thread sees the parameters of one moment, though another thread trains them.

        The methods of models need no such context; a calculation of your own that consists of several calls
        does. Training waits for its end. See `nn.guard`.

        Example:
            >>> from rnnrs import nn
            >>> layer = nn.Linear(3, 2)
            >>> with layer.parameters.reading:
            ...     squares = sum(float(np.square(array).sum()) for array in layer.parameters.values())
        """
        return self._vector.guard.reading

    @property
    def changing(self) -> AbstractContextManager[None]:
        """The context in which a thread changes the parameters, and no other thread is in `reading`.

        Raises:
            RuntimeError: on entering, for a thread in `reading`, if another thread changes them.
        """
        return self._vector.guard.changing

    @property
    def have_changed(self) -> bool:
        """Whether an optimizer, a file or the user has changed the initial parameters of a network."""
        vector = self._vector
        return vector.guard.has_changed or vector.initial not in (None, vector.checksum)

    @property
    def changes(self) -> int:
        """A number that grows with every change: by an optimizer, a file, an assignment, within `changing`.

        What is written into an array otherwise is not counted.
        """
        return self._vector.guard.changes

    def _remember(self) -> None:
        """Remembers the parameters as the initial ones, for `have_changed`."""
        self._vector.initial, self._vector.guard.has_changed = self._vector.checksum, False

    @property
    def steps(self) -> int:
        """The number of steps that optimizers have taken."""
        return self._vector.steps

    def training(self, op: str, run: object) -> AbstractContextManager[None]:
        """For gradients: the context of a training; no other run trains, and no other thread adds gradients.

        Args:
            op: the caller's name, for error messages.
            run: the run; it may enter the context several times. None: another run may train in the context.

        Raises:
            RuntimeError: on entering, if another thread or another run is in such a context.
        """
        return self._vector.guard.training(op, run)

    @property
    def adding(self) -> AbstractContextManager[None]:
        """For gradients: the context of the one thread that adds to them; it may enter it several times.

        Raises:
            RuntimeError: on entering, if another thread is in it, or trains the model.
        """
        return self._vector.guard.adding

    @property
    def size(self) -> int:
        """The number of elements."""
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
        array = as_array("Parameters", name, value)
        _check_real(name, array)
        if array.shape != view.shape:
            raise ShapeError(f"Parameters: {name}: expected {view.shape}, got {array.shape}")
        with self.changing:
            view[...] = array

    def __delitem__(self, name: str) -> None:
        raise TypeError("Parameters: a parameter cannot be deleted: the layout is fixed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def zeros_like(self) -> Parameters:
        """Returns a new set of zeros with the same layout, in which the same is frozen: gradients."""
        made = Parameters(self.shapes, self.dtype)
        if self._offset == 0 and self.size == self._vector.array.size:
            made._vector.groups = self._vector.groups
        else:
            made._vector.groups.adopt(
                self._vector.groups, self._offset, self._offset + self.size, -self._offset
            )
        return made

    def copy_from(self, values: Mapping[str, Any], *, changed: bool = True) -> None:
        """Copies an array for every name.

        Args:
            values: the arrays.
            changed: what `have_changed` says then; False for initial parameters.

        Raises:
            KeyError: if the names are not exactly these; nothing is copied then.
            ShapeError, DTypeError: if an array has the wrong shape or dtype.
        """
        missing, unknown = self.keys() - values.keys(), values.keys() - self.keys()
        if missing or unknown:
            raise KeyError(
                f"expected the parameters {', '.join(self)}; "
                f"missing: {', '.join(sorted(missing)) or 'none'}; "
                f"unknown: {', '.join(sorted(unknown)) or 'none'}"
            )
        for name in self:
            if np.shape(values[name]) != self[name].shape:
                raise ShapeError(
                    f"Parameters: {name}: expected {self[name].shape}, got {np.shape(values[name])}"
                )
            _check_real(name, as_array("Parameters", name, values[name]))
        with self.changing:
            for name in self:
                self[name] = values[name]
        self._vector.guard.has_changed = changed

    def fill(self, value: float) -> None:
        """Sets every element to `value`.

        Raises:
            RuntimeError: if another thread adds to them, or trains the model.
        """
        with self.adding, self.changing:
            if value != 0.0 or not self._rows:
                self.flat.fill(value)
                return
            _rnnrs.clear(self._flat, self.spans())
            for rows in self._rows.values():
                rows.touched.fill(False)

    def track_rows(self, name: str) -> None:
        """Tracks the touched rows of a gradient, so that the other rows need not be visited.

        Tracking ends when the array, or the whole vector, is handed out: its holder may write anywhere.
        """
        self._rows[name] = Rows(np.zeros(self.shapes[name][0], np.bool_))

    def touch(self, name: str, rows: Any) -> Array:
        """Returns the array of that name, to be changed in these rows only."""
        if name in self._rows:
            self._rows[name].touched[rows] = True
        return self._views[name]

    def count_touched(self, touched: bool) -> None:
        """Counts all rows of all tracked arrays as touched or not, after they were written elsewhere."""
        for rows in self._rows.values():
            rows.touched.fill(touched)

    def pieces(self) -> list[tuple[slice, NDArray[np.bool_] | None]]:
        """Returns the vector in pieces: elements, and the touched rows of an array with tracked rows.

        None stands for all rows. The other rows are 0.
        """
        if not self._rows:
            return [(slice(0, self.size), None)]
        found: list[tuple[slice, NDArray[np.bool_] | None]] = []
        start = end = 0
        for name, view in self._views.items():
            if name in self._rows:
                rows = self._rows[name]
                found.append((slice(start, end), None))
                found.append((slice(end, end + view.size), rows.touched.copy() if rows.known else None))
                start = end + view.size
            end += view.size
        found.append((slice(start, end), None))
        return found

    def spans(self) -> Array | None:
        """Returns the ranges of possibly nonzero elements, (n, 2): start, end; None if all may be nonzero."""
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
        """Returns the name of the array that contains `flat[index]`.

        Raises:
            IndexError: if the index is out of range.
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
        shown = [f"{name} {view.shape}" for name, view in self._views.items()]
        if len(shown) > 24:
            shown[12:-12] = [f"… ({len(shown) - 24} more) …"]
        return f"Parameters({self.size} {self.dtype}: {', '.join(shown)})"


def _check_real(name: str, array: Array) -> None:
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"Parameters: {name}: expected real numbers, got {array.dtype}")


def zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """Returns a vector of zeros.

    Raises:
        MemoryError: at once, if memory for it and its gradients is not available.
    """
    if 2 * size * dtype.itemsize > np.iinfo(np.intp).max:
        raise MemoryError(f"Parameters: {size} numbers of {dtype}: more than can be addressed")
    _rnnrs.check_memory(2 * size * dtype.itemsize)  # the gradients are a second vector of this length
    return np.zeros(size, dtype)
