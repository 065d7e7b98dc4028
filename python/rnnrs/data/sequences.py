"""Sequences from files: the result of the readers, and the functions that they share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import FormatError
from ..shown import short_repr
from ..types import Array


class Series(NamedTuple):
    """One series, step after step.

    Attributes:
        x: (T, I), one column per variable.
        columns: the names of the I columns; empty without a header.
    """

    x: Array
    columns: tuple[str, ...]

    def __repr__(self) -> str:
        return short_repr(self)


class LabeledSequences(NamedTuple):
    """B sequences, time-major, padded to the T steps of the longest one.

    Attributes:
        x: (T, B, I); 0 after the end of a sequence.
        lengths: the number of steps of each sequence (B,).
        labels: the label of each sequence (B,): the index of its class in `classes` (int64), or a number to
            predict. None without labels.
        classes: the names of the classes; empty if labels are numbers.
        columns: the names of the I columns, by which a model finds them; empty if they have none.
    """

    x: Array
    lengths: NDArray[np.int64]
    labels: Array | None
    classes: tuple[str, ...]
    columns: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return short_repr(self)


def pad(sequences: Sequence[Array], dtype: DTypeLike) -> tuple[Array, NDArray[np.int64]]:
    """Returns x (T, B, I) and lengths (B,) of B ≥ 1 sequences (T_b, I) with the same I."""
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    x = np.zeros((int(lengths.max()), len(sequences), sequences[0].shape[1]), dtype)
    for b, sequence in enumerate(sequences):
        x[: len(sequence), b] = sequence
    return x, lengths


def check_missing(op: str, missing: float | None, dtype: DTypeLike) -> np.dtype[Any]:
    """Checks the arguments that all readers share, and returns the dtype: float32 or float64.

    Raises:
        ValueError: for another dtype.
        TypeError: if `missing` is not a number.
    """
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise ValueError(f"{op}: dtype: expected float32 or float64, got {kind}")
    if missing is not None and (
        isinstance(missing, bool) or not isinstance(missing, (int, float, np.number))
    ):
        raise TypeError(f"{op}: missing: expected a number or None, got {type(missing).__name__}")
    return kind


class Numbers:
    """A parser of cells as numbers.

    Args:
        dtype: float32 or float64; a number too large for it is refused.
        missing: the number that replaces a missing value; None: missing values are refused.
        words: the spellings of a missing value, in lower case.
    """

    def __init__(self, dtype: np.dtype[Any], missing: float | None, words: Collection[str]) -> None:
        self._largest = float(np.finfo(dtype).max)
        self._missing, self._words = missing, words

    def __call__(self, cells: Sequence[str], where: Callable[[int], str]) -> Array:
        """Returns the numbers (N,) of N cells.

        Args:
            cells: the text of the cells.
            where: returns the location of cell i, for error messages.

        Raises:
            FormatError: if a cell is not a number, or is missing.
        """
        try:  # the usual case, all cells at once; otherwise one by one
            values = np.array([float(cell) for cell in cells], np.float64)
            if "_" not in "".join(cells) and (np.abs(values) <= self._largest).all():
                return values
        except ValueError:
            pass
        return np.array([self._one(cell, where, i) for i, cell in enumerate(cells)], np.float64)

    def _one(self, cell: str, where: Callable[[int], str], i: int) -> float:
        if cell.strip().lower() in self._words:
            if self._missing is None:
                raise FormatError(
                    f"{where(i)}: expected a number, got {shorten(cell)}: "
                    "a missing value (missing=… replaces it by a number)"
                )
            return self._missing
        try:
            value = float(cell.replace("_", "no digit"))  # Python's float takes 1_000
        except ValueError:
            raise FormatError(f"{where(i)}: expected a number, got {shorten(cell)}") from None
        if not abs(value) <= self._largest:
            raise FormatError(
                f"{where(i)}: expected a finite number up to {self._largest:.2g}, got {shorten(cell)}"
            )
        return value


def shorten(cell: str) -> str:
    """Returns a cell as an error message shows it."""
    return repr(cell if len(cell) <= 40 else cell[:40] + "…")


def number_classes(
    labels: Sequence[str], classes: Sequence[str], where: Callable[[int], str]
) -> NDArray[np.int64]:
    """Returns labels (B,) as indices into the list of classes.

    Raises:
        FormatError: for a label that is not one of them.
    """
    places = {name: i for i, name in enumerate(classes)}
    for i, label in enumerate(labels):
        if label not in places:
            raise FormatError(
                f"{where(i)}: expected one of the classes {', '.join(classes)}, got {shorten(label)}"
            )
    return np.array([places[label] for label in labels], np.int64)
