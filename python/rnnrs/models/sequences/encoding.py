"""What the applications on sequences take, as arrays: rows of numbers, brought to one scale, or tokens, as ids."""

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

#: Sequences as the applications take them: from `rnnrs.data`'s readers, arrays (T, I), texts, or lists of tokens.
Sequences = LabeledSequences | Sequence[ArrayLike] | Sequence[str] | Sequence[Sequence[str]]


class Tokens:
    """Texts, or lists of tokens, as ids."""

    def __init__(self, op: str, vocabulary: Vocabulary) -> None:
        self._op, self.vocabulary = op, vocabulary
        self._ids = {token: i for i, token in enumerate(vocabulary.tokens)}
        self._lower = bool(getattr(vocabulary, "lowercase", False))

    def encode(self, sequences: Sequences) -> list[Array]:
        """The ids (T,) of each sequence.

        Raises:
            TypeError: for one that is neither a text nor a list of tokens; names it.
        """
        if isinstance(sequences, (str, LabeledSequences)):
            raise TypeError(
                f"{self._op}: sequences: expected a list of texts, got {type(sequences).__name__}"
            )
        return [self._one(i, sequence) for i, sequence in enumerate(sequences)]

    def _one(self, i: int, sequence: Any) -> Array:
        if isinstance(sequence, str):
            return self.vocabulary.encode(sequence)
        if not isinstance(sequence, Sequence) or not all(isinstance(token, str) for token in sequence):
            kind = type(sequence).__name__
            raise TypeError(f"{self._op}: sequences[{i}]: expected a text or a list of tokens, got {kind}")
        tokens = [token.lower() for token in sequence] if self._lower else sequence
        return np.array([self._ids.get(token, self.vocabulary.unknown_id) for token in tokens], np.int64)


class Numbers:
    """Rows of I numbers, less their mean in the training data, over their standard deviation there.

    Attributes:
        mean, scale: (I,) both; None before `learn`.
    """

    def __init__(self, op: str, size: int, dtype: DTypeLike) -> None:
        self._op, self.size, self._dtype = op, size, np.dtype(dtype)
        self.mean: Array | None = None
        self.scale: Array | None = None

    def learn(self, sequences: Sequence[Array]) -> None:
        """Takes mean and standard deviation of all steps, unless they are known; what does not vary keeps its scale."""
        if self.mean is not None:
            return
        steps = np.concatenate(sequences).astype(np.float64)
        deviation = steps.std(axis=0)
        self.mean = steps.mean(axis=0)
        self.scale = np.where(deviation > 1e-12 * np.abs(self.mean), deviation, 1.0)

    def read(self, sequences: Sequences) -> list[Array]:
        """The sequences as arrays (T, I), as they are.

        Raises:
            ShapeError: for one that is not (T, I), or (T,) where I = 1.
            DTypeError: for one that holds no real numbers.
            ValueError: for one with a number that is not finite. Each names the sequence.
        """
        if isinstance(sequences, LabeledSequences):
            sequences = [sequences.x[:length, b] for b, length in enumerate(sequences.lengths)]
        return [self._one(i, sequence) for i, sequence in enumerate(sequences)]

    def encode(self, arrays: Sequence[Array]) -> list[Array]:
        """Read sequences (T, I), brought to scale."""
        if self.mean is None or self.scale is None:
            return [array.astype(self._dtype) for array in arrays]
        return [((array - self.mean) / self.scale).astype(self._dtype) for array in arrays]

    def to_config(self) -> dict[str, Any]:
        """As JSON's types."""
        known = self.mean is not None and self.scale is not None
        return {
            "mean": self.mean.tolist() if known else None,  # type: ignore[union-attr]
            "scale": self.scale.tolist() if known else None,  # type: ignore[union-attr]
        }

    def load_config(self, config: dict[str, Any]) -> None:
        """Takes what `to_config` gave.

        Raises:
            KeyError, ValueError, TypeError: if it is none.
        """
        for name in ("mean", "scale"):
            known = None if config[name] is None else modelfile.numbers(name, config[name], self.size)
            setattr(self, name, known)

    def _one(self, i: int, sequence: Any) -> Array:
        place = f"{self._op}: sequences[{i}]"
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


class Labels:
    """The classes' names, and labels as places among them.

    Raises:
        ValueError: for fewer than two classes, or one that occurs twice.
        TypeError: for names that are no strings.
    """

    def __init__(self, op: str, argument: str, names: Sequence[str]) -> None:
        self._op, self.names = op, tuple(names)
        if not all(isinstance(name, str) for name in self.names):
            raise TypeError(f"{op}: {argument}: expected strings, got {self.names!r}")
        if len(set(self.names)) != len(self.names) or len(self.names) < 2:
            raise ValueError(f"{op}: {argument}: expected at least two different ones, got {self.names!r}")
        self._places = {name: i for i, name in enumerate(self.names)}

    def encode(self, labels: Sequence[Any] | Array, place: str = "labels") -> NDArray[np.int64]:
        """The places (N,) of labels that are names, or places already.

        Raises:
            ValueError: for one that is no class; names it.
            ShapeError: if they are no vector.
        """
        array = np.asarray(labels)
        if array.ndim != 1:
            raise ShapeError(f"{self._op}: {place}: expected a vector (N,), got shape {array.shape}")
        return np.array([self._place(i, label, place) for i, label in enumerate(array.tolist())], np.int64)

    def _place(self, i: int, label: Any, place: str) -> int:
        if isinstance(label, str) and label in self._places:
            return self._places[label]
        if type(label) is int and 0 <= label < len(self.names):
            return label
        known = ", ".join(self.names[:8]) + (", …" if len(self.names) > 8 else "")
        raise ValueError(f"{self._op}: {place}[{i}]: expected one of {known}, got {label!r}")
