"""A minibatch, the protocol of training data, and the check of token ids."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import IGNORE
from ..errors import DTypeError, ShapeError

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
    def positions(self) -> int:
        """The number of scored positions.

        For ids, (T, B) or one per sequence (B,): those that are not −1. For values (T, B, O): the steps
        before the ends of the sequences. For values (B, O), one row per sequence: B.
        """
        targets = np.asarray(self.targets)
        if targets.dtype.kind in "iu" and targets.ndim <= 2:
            return int(np.count_nonzero(targets != IGNORE))
        if targets.ndim == 2 and targets.shape != np.shape(self.inputs)[:2]:
            return len(targets)
        if self.lengths is not None:
            return int(np.sum(self.lengths))
        return int(np.prod(targets.shape[:2]))


def positions(batch: Any) -> int:
    """Returns the number of scored positions of a batch; a plain tuple is read as a `Batch`."""
    if hasattr(batch, "positions"):
        return int(batch.positions)
    return Batch(*batch).positions


class Data(Protocol):
    """The data that `Trainer.fit` iterates over."""

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
    array = np.asarray(ids)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{op}: {argument}: expected whole numbers, got {array.dtype}")
    if array.ndim != 1:
        raise ShapeError(f"{op}: {argument}: expected a vector (N,), got shape {array.shape}")
    # uint64 values that are too large become negative as int64.
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
