"""A minibatch, what a `Trainer` asks of data, and the check of token ids."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import IGNORE
from ..errors import DTypeError, ShapeError

#: A kind of batch.
Kind = TypeVar("Kind", covariant=True)


class Batch(NamedTuple):
    """A minibatch, time-major.

    Attributes:
        inputs: token ids (T, B), or x (T, B, I).
        targets: ids (T, B), −1 where nothing is to be scored; values (T, B, O); or, of a network with one output for a
            sequence, ids (B,) or values (B, O).
        lengths: the steps of each sequence (B,), or None for T.
        resets: (T, B), True where a new sequence begins from the initial state; None for nowhere.
        keys: whole numbers (B,), by which dropout knows the sequences; None for their places.
        carry: after how many steps the state is the one to go on from; None for the last.
        warm: the first so many steps are gone through without a way back.
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
        """What a recurrent layer's forward is told of the batch: of lengths, resets and keys those that there are."""
        given = {"lengths": self.lengths, "resets": self.resets, "keys": self.keys}
        return {name: value for name, value in given.items() if value is not None}

    def cut(self, begin: int, end: int | None) -> Batch:
        """The steps from `begin` to `end`, all of them with a way back.

        Raises:
            ValueError: for a batch with lengths, whose steps are not counted from its beginning.
        """
        if self.lengths is not None:
            raise ValueError(
                "Batch: lengths: expected None for a batch with steps without a way back, got an array"
            )
        part = slice(begin, end)
        resets = None if self.resets is None else self.resets[part]
        carry = None if self.carry is None else self.carry - begin
        return Batch(self.inputs[part], self.targets[part], resets=resets, keys=self.keys, carry=carry)

    @property
    def positions(self) -> int:
        """How many positions are scored.

        Of ids, (T, B) or one for each sequence (B,), those that are not −1; of values (T, B, O) those before the
        sequences' ends; of values (B, O) that are not one for each step, one for each sequence.
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
    """How many positions of a batch are scored: what it says itself, or a plain tuple as a `Batch`."""
    if hasattr(batch, "positions"):
        return int(batch.positions)
    return Batch(*batch).positions


class Data(Protocol):
    """What `Trainer.fit` goes through."""

    #: Whether the state at a batch's end is the state at the next one's start.
    carries_state: bool

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, number: int) -> Sequence[Any]:
        """The batches of an epoch, counted from 0: always the same ones for the same number.

        They are of the kind that the model's `loss` takes.
        """
        ...

    def fingerprint(self) -> str:
        """A short name of data and settings: a checkpoint knows by it that it goes on with the same ones."""
        ...


class Batches(Sequence[Kind], Generic[Kind]):
    """Batches that are made when they are asked for."""

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
    """Batches of members whose ranks are near: which of equals stand together, and the batches' order, are drawn.

    Args:
        rank: (N,), of each member.
        batch_size: B.
        draw: of what is drawn.
        make: members, by number, → batch.
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
    """Token ids as one vector of int64.

    Raises:
        DTypeError: if they are no whole numbers.
        ShapeError: if they are no vector.
        IndexError: if one is negative, or too large for any vocabulary.
    """
    array = np.asarray(ids)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{op}: {argument}: expected whole numbers, got {array.dtype}")
    if array.ndim != 1:
        raise ShapeError(f"{op}: {argument}: expected a vector (N,), got shape {array.shape}")
    # As signed numbers, those of uint64 that are too large are negative too.
    signed = array.astype(np.int64, copy=False)
    if signed.size and signed.min() < 0:
        place = int(signed.argmin())
        raise IndexError(f"{op}: {argument}: expected ids from 0, got {array[place]} at position {place}")
    return signed


def digest(*parts: Any) -> str:
    """A short name of arrays and settings: equal ones have the same, others another."""
    summary = hashlib.blake2b(digest_size=12)
    for part in parts:
        if isinstance(part, np.ndarray):
            part = np.ascontiguousarray(part)
            summary.update(f"{part.dtype.str}{part.shape}".encode())
            summary.update(part.data if part.size else b"")
        else:
            summary.update(f"{part!r};".encode())
    return summary.hexdigest()
