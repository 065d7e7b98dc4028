"""Batches of sequences of different lengths, with one target per sequence or one per step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ..checks import IGNORE, as_ids, check_repeatable, check_size
from ..errors import DTypeError, ShapeError
from ..shown import batches_repr
from ..types import Array
from .batch import Batch, batches_of_like, digest
from .contents import Contents


class SequenceBatches:
    """N sequences, each from the initial state; those of similar length share a batch, to keep padding low.

    In every epoch they are shuffled, cut into batches by length, and the batches shuffled. Padding is neither
    computed nor scored: batches have `lengths`, and `keys` that identify the sequences for dropout.

    Args:
        sequences: token ids (T_n,), or x (T_n, I) with the same I for all.
        targets: an array with one target per sequence, ids (N,) or values (N, O); or a list of N arrays with
            one target per step, ids (T_n,) or values (T_n, O).
        batch_size: B; the last batch may have fewer.
        seed: the seed of the shuffling.

    Raises:
        ValueError: without sequences, for a sequence without steps, or for a size that is not positive.
        ShapeError: for arrays whose shapes do not match; names the sequence.
        DTypeError: if they do not hold numbers.
    """

    carries_state = False

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(
        self,
        sequences: Sequence[ArrayLike],
        targets: Array | Sequence[ArrayLike],
        batch_size: int,
        *,
        seed: int = 0,
    ) -> None:
        for argument, given in (("sequences", sequences), ("targets", targets)):
            check_repeatable("SequenceBatches", argument, given)
        self._x = [_numbers("sequences", i, x) for i, x in enumerate(sequences)]
        if not self._x:
            raise ValueError("SequenceBatches: sequences: expected at least one, got none")
        self._lengths = np.array([len(x) for x in self._x])
        if not self._lengths.all():
            empty = int(np.flatnonzero(self._lengths == 0)[0])
            raise ValueError(f"SequenceBatches: sequences[{empty}]: expected at least one step, got none")
        _check_alike("sequences", self._x)
        self.batch_size = check_size("SequenceBatches", "batch_size", batch_size)
        self.seed = check_size("SequenceBatches", "seed", seed, least=0)
        self._one_each = isinstance(targets, np.ndarray)
        self._y = (
            as_ids("SequenceBatches", "targets", targets)
            if self._one_each
            else [_numbers("targets", i, y) for i, y in enumerate(targets)]
        )
        self._check_targets()

    def __len__(self) -> int:
        return -(-len(self._x) // self.batch_size)

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the batches in the order of this epoch."""
        draw = np.random.default_rng([self.seed, number])
        return batches_of_like(self._lengths, self.batch_size, draw, self._pad)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        targets = [self._y] if isinstance(self._y, np.ndarray) else self._y
        return digest("sequences", self.batch_size, self.seed, *self._x, *targets)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        return Contents("sequence", [self._x, self._y], {"batch_size": self.batch_size, "seed": self.seed})

    def _pad(self, members: Array) -> Batch:
        """Returns sequences, given by index, as padded columns."""
        lengths = self._lengths[members]
        x = fill([self._x[n] for n in members], 0)
        y = (
            self._y[members]
            if isinstance(self._y, np.ndarray)
            else fill([self._y[n] for n in members], IGNORE)
        )
        return Batch(x, y, lengths=None if (lengths == len(x)).all() else lengths, keys=members)

    def _check_targets(self) -> None:
        if len(self._y) != len(self._x):
            raise ShapeError(
                f"SequenceBatches: targets: expected as many as sequences, {len(self._x)}, got {len(self._y)}"
            )
        if isinstance(self._y, np.ndarray):
            _numbers("targets", None, self._y)
            return
        _check_alike("targets", self._y)
        for i, (x, y) in enumerate(zip(self._x, self._y, strict=True)):
            if len(x) != len(y):
                raise ShapeError(f"SequenceBatches: targets[{i}]: expected {len(x)} steps, got {len(y)}")


def fill(sequences: Sequence[Array], nothing: int) -> Array:
    """Returns arrays (T_b, …) as padded columns of one array (T, B, …).

    Ids are padded with `nothing`, other numbers with 0.
    """
    first = sequences[0]
    filler = nothing if first.dtype.kind in "iu" else 0
    T = max(len(x) for x in sequences)
    columns = np.full((T, len(sequences), *first.shape[1:]), filler, np.result_type(*sequences))
    for b, x in enumerate(sequences):
        columns[: len(x), b] = x
    return columns


def _numbers(argument: str, i: int | None, values: ArrayLike) -> Array:
    """Checks one sequence's ids (T,) or values (T, I), or the targets of all sequences."""
    place = argument if i is None else f"{argument}[{i}]"
    array = as_ids("SequenceBatches", place, values)
    if array.dtype.kind not in "fiub" and array.size:
        raise DTypeError(f"SequenceBatches: {place}: expected numbers, got {array.dtype}")
    if array.ndim not in (1, 2):
        raise ShapeError(f"SequenceBatches: {place}: expected 1 or 2 axes, got shape {array.shape}")
    if array.ndim == 1 and array.size and array.dtype.kind not in "iu":
        raise DTypeError(
            f"SequenceBatches: {place}: expected whole numbers (ids) or 2 axes, got {array.dtype}"
        )
    return array


def _check_alike(argument: str, arrays: Sequence[Array]) -> None:
    """Checks that all arrays hold ids, or all hold values of the same width."""
    for i, array in enumerate(arrays):
        if array.shape[1:] != arrays[0].shape[1:]:
            raise ShapeError(
                f"SequenceBatches: {argument}[{i}]: expected the shape "
                f"{arrays[0].shape[1:]} after the steps, as in {argument}[0], got {array.shape[1:]}"
            )
