"""Inputs and labels of the applications on sequences as arrays: rows of numbers, ids, label indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ... import modelfile
from ...data import LabeledSequences
from ...errors import DTypeError, ShapeError
from ...text import Vocabulary
from ...types import Array

#: Sequences as the applications accept them: results of `rnnrs.data`'s readers, arrays (T, I), texts, or
#: lists of tokens.
Sequences = LabeledSequences | Sequence[ArrayLike] | Sequence[str] | Sequence[Sequence[str]]


class Tokens:
    """Inputs that are texts or lists of tokens, as ids.

    Args:
        vocabulary: the vocabulary of the tokens.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._ids = {token: i for i, token in enumerate(vocabulary.tokens)}
        self._lower = bool(getattr(vocabulary, "lowercase", False))

    def read(self, op: str, sequences: Sequences) -> list[Array]:
        """Returns the ids (T,) of each sequence.

        Raises:
            TypeError: for a sequence that is neither a text nor a list of tokens; names it.
        """
        if isinstance(sequences, (str, LabeledSequences)):
            raise TypeError(f"{op}: sequences: expected a list of texts, got {type(sequences).__name__}")
        return [self._one(f"{op}: sequences[{i}]", sequence) for i, sequence in enumerate(sequences)]

    def learn(self, sequences: Sequence[Array]) -> None:
        """Has no effect: ids need no scale."""

    def encode(self, sequences: Sequence[Array]) -> list[Array]:
        """Returns the ids unchanged."""
        return list(sequences)

    def to_config(self) -> None:
        """Returns None: the model's file holds the vocabulary."""

    def load_config(self, config: None) -> None:
        """Restores the configuration of `to_config`."""

    def _one(self, place: str, sequence: Any) -> Array:
        if isinstance(sequence, str):
            return self.vocabulary.encode(sequence)
        if not isinstance(sequence, Sequence) or not all(isinstance(token, str) for token in sequence):
            raise TypeError(f"{place}: expected a text or a list of tokens, got {type(sequence).__name__}")
        tokens = [token.lower() for token in sequence] if self._lower else sequence
        return np.array([self._ids.get(token, self.vocabulary.unknown_id) for token in tokens], np.int64)


class Numbers:
    """Inputs that are rows of I numbers, standardized by mean and standard deviation of the training data.

    Args:
        size: I.
        dtype: float32 or float64.

    Attributes:
        mean, scale: (I,) both; None before `learn`.
    """

    def __init__(self, size: int, dtype: DTypeLike) -> None:
        self.size, self._dtype = size, np.dtype(dtype)
        self.mean: Array | None = None
        self.scale: Array | None = None

    def read(self, op: str, sequences: Sequences) -> list[Array]:
        """Returns the sequences as arrays (T, I), not standardized.

        Raises:
            ShapeError: for a sequence that is not (T, I), or (T,) if I = 1.
            DTypeError: for a sequence that does not hold real numbers.
            ValueError: for a sequence with a number that is not finite. Each error names the sequence.
        """
        sequences = listed(sequences)
        return [self._one(f"{op}: sequences[{i}]", sequence) for i, sequence in enumerate(sequences)]

    def learn(self, sequences: Sequence[Array]) -> None:
        """Computes mean and standard deviation over all steps, unless they are known.

        A constant column keeps its scale.
        """
        if self.mean is not None or not any(map(len, sequences)):
            return
        steps = np.concatenate(sequences).astype(np.float64)
        deviation = steps.std(axis=0)
        self.mean = steps.mean(axis=0)
        self.scale = np.where(deviation > 1e-12 * np.abs(self.mean), deviation, 1.0)

    def encode(self, sequences: Sequence[Array]) -> list[Array]:
        """Returns the results of `read`, standardized."""
        if self.mean is None or self.scale is None:
            return [array.astype(self._dtype) for array in sequences]
        return [((array - self.mean) / self.scale).astype(self._dtype) for array in sequences]

    def to_config(self) -> dict[str, Any]:
        """Returns mean and scale as JSON types."""
        return {
            name: None if array is None else array.tolist()
            for name, array in (("mean", self.mean), ("scale", self.scale))
        }

    def load_config(self, config: dict[str, Any]) -> None:
        """Restores mean and scale from the result of `to_config`.

        Raises:
            KeyError, ValueError, TypeError: if `config` does not describe them.
        """
        for name in ("mean", "scale"):
            known = None if config[name] is None else modelfile.numbers(name, config[name], self.size)
            setattr(self, name, known)

    def _one(self, place: str, sequence: Any) -> Array:
        try:
            array = np.asarray(sequence)
        except ValueError:
            raise ShapeError(f"{place}: expected (T, I={self.size}), got rows of different lengths") from None
        if array.dtype.kind not in "fiub" and array.size:
            raise DTypeError(f"{place}: expected real numbers, got {array.dtype}")
        if array.ndim == 1 and self.size == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != self.size:
            raise ShapeError(f"{place}: expected (T, I={self.size}), got {array.shape}")
        if not np.isfinite(array).all():
            t = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise ValueError(f"{place}: expected finite numbers, got {array[t].tolist()} at step {t}")
        return array


def listed(sequences: Sequences) -> Any:
    """Returns sequences one by one; those of a reader as arrays (T, I), each of its own length."""
    if isinstance(sequences, LabeledSequences):
        return [sequences.x[:length, b] for b, length in enumerate(sequences.lengths)]
    return sequences


class Labels:
    """The names of labels, and labels as indices of these names.

    Where names are whole numbers ("7", "8"), a label that is a number means the name, never the index.

    Args:
        op: the caller's name, for error messages.
        argument: the argument's name, for error messages.
        names: the names.

    Raises:
        ValueError: for fewer than two names, or a name that occurs twice.
        TypeError: for names that are not strings, or that have no order.
    """

    def __init__(self, op: str, argument: str, names: Sequence[str]) -> None:
        if isinstance(names, (set, frozenset)):
            raise TypeError(f"{op}: {argument}: expected names in an order, got a {type(names).__name__}")
        self.names = tuple(names)
        if not all(isinstance(name, str) for name in self.names):
            raise TypeError(f"{op}: {argument}: expected strings, got {self.names!r}")
        if len(set(self.names)) != len(self.names) or len(self.names) < 2:
            raise ValueError(f"{op}: {argument}: expected at least two different ones, got {self.names!r}")
        self._places = {name: i for i, name in enumerate(self.names)}
        self._numeric = any(name.strip().lstrip("+-").isdigit() for name in self.names)

    def encode(self, op: str, labels: Sequence[Any] | Array, argument: str = "labels") -> NDArray[np.int64]:
        """Returns the indices (N,) of labels that are names or indices.

        Raises:
            ValueError: for an unknown label; names it.
            ShapeError: if the labels are not a vector.
        """
        array = np.asarray(labels)
        if array.ndim != 1:
            raise ShapeError(f"{op}: {argument}: expected a vector (N,), got shape {array.shape}")
        places = [self._place(f"{op}: {argument}[{i}]", label) for i, label in enumerate(array.tolist())]
        return np.array(places, np.int64)

    def _place(self, place: str, label: Any) -> int:
        if isinstance(label, str) and label in self._places:
            return self._places[label]
        if type(label) is int and str(label) in self._places:
            return self._places[str(label)]
        if type(label) is int and 0 <= label < len(self.names) and not self._numeric:
            return label
        known = ", ".join(self.names[:8]) + (", …" if len(self.names) > 8 else "")
        raise ValueError(f"{place}: expected one of {known}, got {label!r}")
