"""A minibatch, the protocol of training data, and the check of token ids."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import IGNORE, as_array, as_ids
from ..errors import DTypeError, ShapeError
from ..shown import batches_repr, short_repr
from ..types import Array

#: A type of batch.
Kind = TypeVar("Kind", covariant=True)


class Batch(NamedTuple):
    """A minibatch, time-major.

    Attributes:
        inputs: token ids (T, B), or x (T, B, I).
        targets: ids (T, B), −1 at positions that are not scored; values (T, B, O); or, for a network with one
            output per sequence, ids (B,) or values (B, O).
        lengths: the number of steps of each sequence (B,), or None if all have T.
        resets: (T, B), True where a new sequence starts from the initial state; None for no resets.
        keys: integers (B,) that identify the sequences for dropout; None for their positions in the batch.
        carry: the number of steps after which the state is passed on to the next batch; None for all of them.
        warm: the number of warm-up steps at the start: they advance the state, but are neither scored nor
            part of the backward pass.
    """

    inputs: Any
    targets: Any
    lengths: Any = None
    resets: Any = None
    keys: Any = None
    carry: int | None = None
    warm: int = 0

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of a recurrent layer's forward pass: lengths, resets and keys, if set."""
        given = {"lengths": self.lengths, "resets": self.resets, "keys": self.keys}
        return {name: value for name, value in given.items() if value is not None}

    def cut(self, begin: int, end: int | None) -> Batch:
        """Returns the steps from `begin` to `end` as a batch without warm-up steps.

        Raises:
            ValueError: for a batch with lengths, since its steps are not counted from its start.
        """
        if self.lengths is not None:
            raise ValueError("Batch: lengths: expected None for a batch with warm-up steps, got an array")
        part = slice(begin, end)
        resets = None if self.resets is None else self.resets[part]
        carry = None if self.carry is None else self.carry - begin
        return Batch(self.inputs[part], self.targets[part], resets=resets, keys=self.keys, carry=carry)

    @property
    def sequences(self) -> int:
        """B, by the targets."""
        targets = as_ids("Batch", "targets", self.targets)
        return int(targets.shape[0 if self._one_target_each(targets) else 1])

    def part(self, index: int, count: int) -> Batch:
        """Returns micro-batch `index` of `count`: a run of the sequences, with all T steps.

        Keys are those of the whole batch: without any, the sequences' places in it.

        Inputs of two axes are ids (T, B) if they are whole numbers, else one vector for each sequence (B, C),
        or numbers (T, B) if the targets are numbers of the same shape.

        Raises:
            ShapeError: if an array does not have B sequences.

        Example:
            >>> batch = Batch(np.zeros((9, 5, 2)), np.zeros((9, 5), int))
            >>> [batch.part(i, 3).keys.tolist() for i in range(3)]
            [[0], [1, 2], [3, 4]]
        """
        B = self.sequences
        own = run_of(B, index, count)
        inputs, targets = as_array("Batch", "inputs", self.inputs), as_ids("Batch", "targets", self.targets)
        steps = targets.ndim == 2 and targets.dtype.kind not in "iu" and targets.shape == inputs.shape
        vectors = inputs.ndim == 2 and not steps and (inputs.dtype.kind not in "iu" or inputs.shape[1] != B)
        keys = np.arange(B) if self.keys is None else self.keys
        return self._replace(
            inputs=_columns("inputs", inputs, 0 if vectors else 1, B, own),
            targets=_columns("targets", targets, 0 if self._one_target_each(targets) else 1, B, own),
            lengths=_columns("lengths", self.lengths, 0, B, own),
            resets=_columns("resets", self.resets, 1, B, own),
            keys=_columns("keys", keys, 0, B, own),
        )

    def _one_target_each(self, targets: Array) -> bool:
        """Whether the targets are ids (B,) or values (B, O): one for each sequence, not for each step."""
        if targets.ndim != 2:
            return targets.ndim < 2
        return targets.dtype.kind not in "iu" and targets.shape != np.shape(self.inputs)[:2]

    @property
    def positions(self) -> int:
        """The number of scored positions: what counts, in a loss, a mean and a report.

        For ids (T, B): those that are not −1, from step `warm` on and before the ends of the sequences. For
            values
        (T, B, O): these steps. For ids (B,), one per sequence: those that are not −1; for values (B, O): B.
        """
        targets = as_ids("Batch", "targets", self.targets)
        ids = targets.dtype.kind in "iu" and targets.ndim <= 2
        if ids and targets.ndim < 2:
            return int(np.count_nonzero(targets != IGNORE))
        if not ids and targets.ndim == 2 and self._one_target_each(targets):
            return len(targets)
        if ids and self.lengths is None:
            return int(np.count_nonzero((targets[self.warm :] if self.warm else targets) != IGNORE))
        counts = targets != IGNORE if ids else np.ones(targets.shape[:2], np.bool_)
        inside = self.inside
        return int(
            np.count_nonzero(counts[self.warm :] if inside is None else (counts & inside)[self.warm :])
        )

    @property
    def inside(self) -> NDArray[np.bool_] | None:
        """(T, B), True before the end of a sequence; None if no target (T, B, …) is behind an end."""
        targets = as_ids("Batch", "targets", self.targets)
        if self.lengths is None or self._one_target_each(targets):
            return None
        if np.shape(self.lengths) != targets.shape[1:2]:
            return None
        return np.asarray(np.arange(len(targets))[:, None] < np.asarray(self.lengths))

    def without_padding(self) -> Batch:
        """Returns the batch with 0 as input id and −1 as target id behind the ends of the sequences.

        So padding is neither looked up nor scored, whatever it consists of.
        """
        inside = self.inside
        if inside is None or inside.all():
            return self
        inputs, targets = as_array("Batch", "inputs", self.inputs), as_array("Batch", "targets", self.targets)
        if inputs.shape == inside.shape and inputs.dtype.kind in "iu":
            inputs = np.where(inside, inputs, inputs.dtype.type(0))
        if targets.shape == inside.shape and targets.dtype.kind in "iu":
            targets = np.where(inside, targets.astype(np.int64, copy=False), IGNORE)
        return self._replace(inputs=inputs, targets=targets)


def run_of(size: int, index: int, count: int) -> slice:
    """Returns run `index` of `count` runs of `size` sequences: ⌊size/count⌋ or ⌈size/count⌉ of them.

    Example:
        >>> run_of(10, 1, 4)
        slice(2, 5, None)
    """
    return slice(index * size // count, (index + 1) * size // count)


def _columns(argument: str, array: Any, axis: int, B: int, own: slice) -> Any:
    """Returns the sequences of an array that are in a run; None for None."""
    if array is None:
        return None
    array = as_array("Batch", argument, array)
    if array.ndim <= axis or array.shape[axis] != B:
        raise ShapeError(f"Batch: {argument}: expected B = {B} sequences on axis {axis}, got {array.shape}")
    return array[own] if axis == 0 else array[:, own]


def positions(batch: Any) -> int:
    """Returns the number of scored positions of a batch; a plain tuple is read as a `Batch`."""
    own = getattr(batch, "positions", None)
    return Batch(*batch).positions if own is None else int(own)


class Data(Protocol):
    """The data that `Trainer.fit` iterates over.

    An optional method `contents() -> Contents` describes the data, so that a checkpoint can say in words what
    has changed when a run is to be resumed on other data.
    """

    #: Whether the state at the end of a batch is the initial state of the next one.
    carries_state: bool

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        ...

    def epoch(self, number: int) -> Sequence[Any]:
        """Returns the batches of an epoch, counted from 0; the same number always gives the same batches.

        They are of the type that the model's `loss` accepts.
        """
        ...

    def fingerprint(self) -> str:
        """Returns a short hash of data and settings.

        A checkpoint compares it to verify that training resumes on the same ones.
        """
        ...


class Batches(Sequence[Kind], Generic[Kind]):
    """A sequence of batches, each made on access."""

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(self, count: int, make: Callable[[int], Kind]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Kind: ...

    @overload
    def __getitem__(self, index: slice) -> list[Kind]: ...

    def __getitem__(self, index: int | slice) -> Kind | list[Kind]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        index = operator.index(index)
        if not -self._count <= index < self._count:
            raise IndexError(
                f"batch: expected an index from {-self._count} to {self._count - 1}, got {index}"
            )
        return self._make(index % self._count)


def batches_of_like(
    rank: NDArray[Any], batch_size: int, draw: np.random.Generator, make: Callable[[NDArray[Any]], Kind]
) -> Batches[Kind]:
    """Returns batches of members with similar ranks.

    The order among equal ranks and the order of the batches are random.

    Args:
        rank: the rank of each member (N,).
        batch_size: B.
        draw: the random generator.
        make: returns the batch of some members, given by index.
    """
    count = -(-len(rank) // batch_size)
    order = draw.permutation(len(rank))
    order = order[np.argsort(rank[order], kind="stable")]
    turn = draw.permutation(count)

    def batch(index: int) -> Kind:
        start = int(turn[index]) * batch_size
        return make(order[start : start + batch_size])

    return Batches(count, batch)


def check_token_ids(op: str, argument: str, ids: ArrayLike) -> NDArray[np.int64]:
    """Returns token ids as one int64 vector.

    Raises:
        DTypeError: if they are not whole numbers.
        ShapeError: if they are not a vector.
        IndexError: if one is negative, or too large for any vocabulary.
    """
    array = as_ids(op, argument, ids)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{op}: {argument}: expected whole numbers, got {array.dtype}")
    if array.ndim != 1:
        raise ShapeError(f"{op}: {argument}: expected a vector (N,), got shape {array.shape}")
    signed = array.astype(np.int64, copy=False)
    if signed.size and signed.min() < 0:
        place = int(signed.argmin())
        raise IndexError(f"{op}: {argument}: expected ids from 0, got {array[place]} at position {place}")
    return signed


def digest(*parts: Any) -> str:
    """Returns a short hash of arrays and settings: equal for equal ones, different for others."""
    summary = hashlib.blake2b(digest_size=12)
    for part in parts:
        if isinstance(part, np.ndarray):
            part = np.ascontiguousarray(part)
            summary.update(f"{part.dtype.str}{part.shape}".encode())
            summary.update(part.data if part.size else b"")
        else:
            summary.update(f"{part!r};".encode())
    return summary.hexdigest()
