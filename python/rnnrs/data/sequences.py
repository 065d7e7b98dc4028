"""Sequences read from files: what the readers give back, and what they share."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import FormatError
from ..types import Array


class LabeledSequences(NamedTuple):
    """B sequences, time-major, filled up to the longest one's T steps.

    Attributes:
        x: (T, B, I); 0 after a sequence's end.
        lengths: (B,), steps of each.
        labels: (B,), the class of each, a place in `classes` (int64), or a number to predict; None without labels.
        classes: the classes' names; none where labels are numbers.
    """

    x: Array
    lengths: NDArray[np.int64]
    labels: Array | None
    classes: tuple[str, ...]


def pad(sequences: Sequence[Array], dtype: DTypeLike) -> tuple[Array, NDArray[np.int64]]:
    """x (T, B, I) and lengths (B,) of B ≥ 1 sequences (T_b, I) of one I."""
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    x = np.zeros((int(lengths.max()), len(sequences), sequences[0].shape[1]), dtype)
    for b, sequence in enumerate(sequences):
        x[: len(sequence), b] = sequence
    return x, lengths


def check_missing(op: str, missing: float | None, dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64, once the arguments that all readers have are what they should be.

    Raises:
        ValueError: for another dtype.
        TypeError: if `missing` is no number.
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
    """Reads cells as numbers.

    Args:
        dtype: float32 or float64: what is too large for it is no number.
        missing: what stands for a missing value; None: there must be none.
        words: what a missing value looks like, in lower case.
    """

    def __init__(self, dtype: np.dtype[Any], missing: float | None, words: Collection[str]) -> None:
        self._largest = float(np.finfo(dtype).max)
        self._missing, self._words = missing, words

    def __call__(self, cells: Sequence[str], where: Callable[[int], str]) -> Array:
        """The numbers (N,) of N cells.

        Args:
            cells: as they stand in the file.
            where: names the place of cell i, for errors.

        Raises:
            FormatError: if one is no number, or missing.
        """
        try:  # all at once, as nearly always; what is unusual goes one by one
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
                    f"{where(i)}: expected a number, got {shorten(cell)}: a missing value (missing=… gives it a number)"
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
    """A cell as an error shows it."""
    return repr(cell if len(cell) <= 40 else cell[:40] + "…")


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """What a file holds, unpacked if it is gzip's (whatever its name).

    Raises:
        OSError: if it cannot be read.
        FormatError: if it is damaged.
    """
    data = Path(path).read_bytes()
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FormatError(f"{path}: damaged gzip file: {error}") from None


def number_classes(
    labels: Sequence[str], classes: Sequence[str], where: Callable[[int], str]
) -> NDArray[np.int64]:
    """Labels (B,) as places in the list of classes.

    Raises:
        FormatError: for a label that is not among them.
    """
    places = {name: i for i, name in enumerate(classes)}
    for i, label in enumerate(labels):
        if label not in places:
            raise FormatError(f"{where(i)}: expected a class of {', '.join(classes)}, got {shorten(label)}")
    return np.array([places[label] for label in labels], np.int64)
