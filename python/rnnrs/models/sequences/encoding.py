"""Inputs and labels of the applications on sequences as arrays: rows of numbers, ids, label indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ... import modelfile
from ...data import LabeledSequences, Series, frames
from ...errors import DTypeError, ShapeError
from ...shown import short_repr
from ...text import Vocabulary
from ...types import Array
from .scaling import check_range, moments, standardized

#: The name of a class or tag.
Label = str | int | bool

#: Sequences as the applications accept them: results of `rnnrs.data`'s readers, arrays (T, I), texts, or
#: lists of tokens.
Sequences = LabeledSequences | Sequence[ArrayLike] | Sequence[str] | Sequence[Sequence[str]]


class Tokens:
    """Inputs that are texts or lists of tokens, as ids.

    Args:
        vocabulary: the vocabulary of the tokens.
    """

    columns: tuple[str, ...] = ()

    __repr__ = short_repr

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._lower = bool(getattr(vocabulary, "lowercase", False))

    def read(self, op: str, sequences: Sequences) -> list[Array]:
        """Returns the ids (T,) of each sequence.

        Raises:
            TypeError: for a sequence that is neither a text nor a list of tokens; names it.
        """
        if isinstance(sequences, (str, LabeledSequences)):
            raise TypeError(f"{op}: sequences: expected a list of texts, got {type(sequences).__name__}")
        each = frames.listed(op, "sequences", sequences)
        return [self._one(f"{op}: sequences[{i}]", sequence) for i, sequence in enumerate(each)]

    def columns_of(self, op: str, sequences: Sequences) -> tuple[str, ...]:
        """Returns an empty tuple: token ids have no columns."""
        return ()

    def learn(self, sequences: Sequence[Array], columns: tuple[str, ...]) -> None:
        """Has no effect: ids need no scale."""

    def encode(self, op: str, sequences: Sequence[Array]) -> list[Array]:
        """Returns the ids unchanged."""
        return list(sequences)

    def to_config(self) -> None:
        """Returns None: the model's file holds the vocabulary."""

    def load_config(self, config: None) -> None:
        """Restores the configuration of `to_config`."""

    def _one(self, place: str, sequence: Any) -> Array:
        if isinstance(sequence, str):
            return self.vocabulary.encode(sequence)
        column = isinstance(sequence, np.ndarray) or frames.is_column(sequence)
        tokens = np.asarray(sequence).tolist() if column else sequence
        if not isinstance(tokens, Sequence) or not all(isinstance(token, str) for token in tokens):
            raise TypeError(f"{place}: expected a text or a list of tokens, got {type(sequence).__name__}")
        tokens = [token.lower() for token in tokens] if self._lower else tokens
        return self.vocabulary.ids_of(tokens)


class Numbers:
    """Inputs that are rows of I numbers, standardized by mean and standard deviation of the training data.

    Args:
        size: I.
        dtype: float32 or float64.

    Attributes:
        columns: the names of the columns in the training data; empty if they had none, and before `learn`.
        mean, scale: (I,) both; None before `learn`.
    """

    __repr__ = short_repr

    def __init__(self, size: int, dtype: DTypeLike) -> None:
        self.size, self._dtype = size, np.dtype(dtype)
        self.columns: tuple[str, ...] = ()
        self.mean: Array | None = None
        self.scale: Array | None = None

    def read(self, op: str, sequences: Sequences) -> list[Array]:
        """Returns the sequences as arrays (T, I), not standardized, with the columns in the model's order.

        Raises:
            ShapeError: for a sequence that is not (T, I), or (T,) if I = 1.
            DTypeError: for a sequence that does not hold real numbers.
            ValueError: for a sequence with a number that is not finite, with other columns than the model's,
                or with dates that go backward. Each error names the sequence.
        """
        columns = self.columns or self.columns_of(op, sequences)
        return [self._one(op, f"sequences[{i}]", x, columns) for i, x in enumerate(listed(op, sequences))]

    def columns_of(self, op: str, sequences: Sequences) -> tuple[str, ...]:
        """Returns the names of the columns, those of the first sequence that has any; empty without."""
        return next(filter(None, map(frames.columns_of, listed(op, sequences))), ())

    def learn(self, sequences: Sequence[Array], columns: tuple[str, ...]) -> None:
        """Computes mean and standard deviation over all steps, unless they are known; see `scaling.moments`.

        Args:
            sequences: the results of `read`.
            columns: the result of `columns_of`.
        """
        if self.mean is not None or not any(map(len, sequences)):
            return
        self.columns = columns
        self.mean, self.scale = moments(np.concatenate(sequences).astype(np.float64))

    def encode(self, op: str, sequences: Sequence[Array]) -> list[Array]:
        """Returns the results of `read`, standardized.

        Raises:
            ValueError: for a number that the dtype cannot hold on this scale; names it.
        """
        if self.mean is None or self.scale is None:
            each = [array.astype(np.float64) for array in sequences]
        else:
            each = [standardized(array.astype(np.float64), self.mean, self.scale) for array in sequences]
        return [
            check_range(f"{op}: sequences[{i}]", z, array, self._dtype)
            for i, (z, array) in enumerate(zip(each, sequences, strict=True))
        ]

    def to_config(self) -> dict[str, Any]:
        """Returns columns, mean and scale as JSON types."""
        numbers = {"mean": self.mean, "scale": self.scale}
        return {
            "columns": list(self.columns),
            **{name: None if array is None else array.tolist() for name, array in numbers.items()},
        }

    def load_config(self, config: dict[str, Any]) -> None:
        """Restores columns, mean and scale from the result of `to_config`.

        Raises:
            KeyError, ValueError, TypeError: if `config` does not describe them.
        """
        columns = config.get("columns", [])  # files of older versions have none
        if len(columns) not in (0, self.size) or not all(isinstance(name, str) for name in columns):
            raise ValueError(f"columns: expected {self.size} names, got {columns!r}")
        self.columns = tuple(columns)
        for name in ("mean", "scale"):
            known = None if config[name] is None else modelfile.numbers(name, config[name], self.size)
            setattr(self, name, known)

    def _one(self, op: str, argument: str, sequence: Any, columns: tuple[str, ...]) -> Array:
        place = f"{op}: {argument}"
        array, given, index = frames.named(op, argument, sequence)
        if frames.columns_of(sequence):
            array = array[:, self._places(op, argument, given, columns)]
        if array.dtype.kind not in "fiub" and array.size:
            raise DTypeError(f"{place}: expected real numbers, got {array.dtype}")
        if array.ndim == 1 and self.size == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != self.size:
            raise ShapeError(f"{place}: expected (T, I={self.size}), got {array.shape}")
        if not np.isfinite(array).all():
            t = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise ValueError(f"{place}: expected finite numbers, got {array[t].tolist()} at step {t}")
        frames.check_steps(op, argument, index, gaps=False)
        return array

    def _places(self, op: str, argument: str, given: tuple[str, ...], columns: tuple[str, ...]) -> list[int]:
        """Returns the place of each of the model's columns among given ones."""
        if len(columns) != self.size and len(given) != self.size:
            raise ShapeError(f"{op}: {argument}: expected I = {self.size} columns, got {', '.join(given)}")
        if self.mean is not None and not self.columns and self.size > 1:
            raise ValueError(
                f"{op}: {argument}: expected an array: the model was trained on columns without names, "
                f"got columns {', '.join(given)} (to_numpy gives them by their places)"
            )
        return frames.places(op, argument, given, columns)


def listed(op: str, sequences: Sequences) -> list[Any]:
    """Returns sequences one by one; those of a reader (T, I), each of its own length, with their columns.

    Raises:
        ShapeError, ValueError: for a table of several columns, or a masked array.
    """
    if isinstance(sequences, LabeledSequences):
        each = [sequences.x[:length, b] for b, length in enumerate(sequences.lengths)]
        return [Series(x, sequences.columns) for x in each] if sequences.columns else each
    return frames.listed(op, "sequences", sequences)


class Labels:
    """The names of labels, and labels as indices of these names.

    A name is a text, a whole number or a bool; labels are compared as texts, so that 7 and "7" are the same
    name. A label that is not a name is an index, unless some names are numbers.

    Args:
        op: the caller's name, for error messages.
        argument: the argument's name, for error messages.
        names: the names: a list, an array, or a column of a table.

    Attributes:
        names: the names, all of one type: str, int or bool.

    Raises:
        ValueError: for fewer than two names, or a name that occurs twice.
        TypeError: for names of another type or of several, or without an order.
    """

    __repr__ = short_repr

    def __init__(self, op: str, argument: str, names: Sequence[Label] | Array) -> None:
        if isinstance(names, (str, bytes, set, frozenset)):
            raise TypeError(f"{op}: {argument}: expected names in an order, got a {type(names).__name__}")
        self.names: tuple[Label, ...] = tuple(_plain(name) for name in frames.listed(op, argument, names))
        kinds = {type(name) for name in self.names}
        if len(kinds) > 1 or not kinds <= {str, int, bool}:
            raise TypeError(f"{op}: {argument}: expected strings, whole numbers or bools, got {self.names!r}")
        self._places = {str(name): i for i, name in enumerate(self.names)}
        if len(self._places) != len(self.names) or len(self.names) < 2:
            raise ValueError(f"{op}: {argument}: expected at least two different ones, got {self.names!r}")
        self._numeric = any(name.strip().lstrip("+-").isdigit() for name in self._places)

    def encode(self, op: str, labels: Any, argument: str = "labels") -> NDArray[np.int64]:
        """Returns the indices (N,) of labels that are names or indices.

        Args:
            op, argument: for error messages.
            labels: a list, an array, or a column of a table.

        Raises:
            ValueError: for an unknown label; names it.
            ShapeError: if the labels are not a vector.
        """
        each = [_plain(label) for label in frames.listed(op, argument, labels)]
        for i, label in enumerate(each):
            if isinstance(label, (list, tuple, np.ndarray)):
                raise ShapeError(
                    f"{op}: {argument}: expected a vector (N,), got {label!r} at {argument}[{i}]"
                )
        return np.array(
            [self._place(f"{op}: {argument}[{i}]", label) for i, label in enumerate(each)], np.int64
        )

    def _place(self, place: str, label: Any) -> int:
        if isinstance(label, (str, int)) and str(label) in self._places:
            return self._places[str(label)]
        if isinstance(label, bool):  # a bool is a name, False before True, or the number that it is
            texts = [text.lower() for text in self._places]
            for text in (str(label).lower(), str(int(label))):
                if texts.count(text) == 1:
                    return texts.index(text)
        index = isinstance(label, int) and 0 <= label < len(self.names) and not self._numeric
        if index and (not isinstance(label, bool) or len(self.names) == 2):
            return int(label)
        known = ", ".join(map(str, self.names[:8])) + (", …" if len(self.names) > 8 else "")
        raise ValueError(f"{place}: expected one of {known}, got {label!r}")


def _plain(value: Any) -> Any:
    """Returns a NumPy scalar as Python's number, a text as a `str`."""
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, str) else value
