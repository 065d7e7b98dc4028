"""Batches of pairs of sequences: the input of an encoder and the output of a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..checks import IGNORE, check_repeatable, check_size
from ..errors import ShapeError
from ..shown import batches_repr, short_repr
from ..types import Array
from .batch import batches_of_like, check_token_ids, digest, run_of
from .contents import Contents
from .sequence_batches import fill

#: The candidate widths of a band, in lengths of one side.
BANDS = (1, 2, 3, 4, 6, 8, 12)


class PairBatch(NamedTuple):
    """A minibatch of B pairs, time-major, with S source steps and T target steps.

    Attributes:
        source: token ids (S, B); 0 after the end of a source.
        source_lengths: the number of steps of each source (B,).
        inputs: the decoder's inputs (T, B): `end_id`, w_1 … w_n; padded with `end_id`.
        targets: the decoder's targets (T, B): w_1 … w_n, `end_id`; padded with −1, which is not scored.
        lengths: the number of steps of each target (B,), n + 1.
        keys: integers (B,) that identify the pairs for dropout.
        copies: the source's words as ids of the target vocabulary (S, B), ids from V on for words outside it,
            −1 after the end of a source; None for a model that does not copy. Targets and inputs may then
            contain ids from V on.
    """

    source: Array
    source_lengths: Array
    inputs: Array
    targets: Array
    lengths: Array
    keys: Array
    copies: Array | None = None

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def positions(self) -> int:
        """The number of scored positions."""
        return int(np.count_nonzero(self.targets != IGNORE))

    @property
    def sequences(self) -> int:
        """B."""
        return len(self.keys)

    def part(self, index: int, count: int) -> PairBatch:
        """Returns micro-batch `index` of `count`, a run of the pairs; see `Batch.part`."""
        own = run_of(self.sequences, index, count)
        return PairBatch(
            self.source[:, own],
            self.source_lengths[own],
            self.inputs[:, own],
            self.targets[:, own],
            self.lengths[own],
            self.keys[own],
            None if self.copies is None else self.copies[:, own],
        )


class PairBatches:
    """N pairs of sequences; pairs of similar lengths on both sides share a batch, to keep padding low.

    Pairs are sorted by the length of one side, in bands. Within a band they are sorted by the length of the
    other side, alternately ascending and descending, so that neighbors are similar in both lengths. Of
    several band widths, the one with the least padding is used. In every epoch, pairs of equal lengths are
    shuffled, and so are the batches.

    Args:
        sources: token ids, one vector of at least one token per pair.
        targets: token ids, one vector of any length per pair; the end token is appended to each.
        batch_size: B; the last batch may have fewer.
        end_id: the token that ends a target and precedes its first word.
        copies: for a model that copies words, see `PairBatch.copies`: one vector per source, of its length.
        seed: the seed of the shuffling.

    Raises:
        ValueError: without pairs, for a source without tokens, or for a size that is not positive.
        ShapeError: if the numbers of sources and targets differ, or copies have another length.
        DTypeError, IndexError: for invalid token ids.
    """

    carries_state = False

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(
        self,
        sources: Sequence[ArrayLike],
        targets: Sequence[ArrayLike],
        batch_size: int,
        end_id: int,
        *,
        copies: Sequence[ArrayLike] | None = None,
        seed: int = 0,
    ) -> None:
        op = "PairBatches"
        for argument, given in (("sources", sources), ("targets", targets), ("copies", copies)):
            check_repeatable(op, argument, given)
        if not len(sources):
            raise ValueError(f"{op}: sources: expected at least one, got none")
        if len(sources) != len(targets):
            raise ShapeError(
                f"{op}: targets: expected as many as sources, {len(sources)}, got {len(targets)}"
            )
        self.batch_size = check_size(op, "batch_size", batch_size)
        self.end_id = check_size(op, "end_id", end_id, least=0)
        self.seed = check_size(op, "seed", seed, least=0)
        self._sources = [check_token_ids(op, f"sources[{i}]", ids) for i, ids in enumerate(sources)]
        given = [check_token_ids(op, f"targets[{i}]", ids) for i, ids in enumerate(targets)]
        self._targets = [np.append(ids, self.end_id) for ids in given]
        self._copies = None if copies is None else self._check_copies(copies)
        self._lengths = np.array([[len(x) for x in self._sources], [len(y) for y in self._targets]])
        if not self._lengths[0].all():
            empty = int(np.flatnonzero(self._lengths[0] == 0)[0])
            raise ValueError(f"{op}: sources[{empty}]: expected at least one token, got none")
        self._rank, self.padding_waste = self._rank_lengths()

    def __len__(self) -> int:
        return -(-len(self._sources) // self.batch_size)

    #: The share of all positions, on both sides, that is padding, 0..1.
    padding_waste: float

    def epoch(self, number: int) -> Sequence[PairBatch]:
        """Returns the batches in the order of this epoch."""
        draw = np.random.default_rng([self.seed, number])
        return batches_of_like(self._rank, self.batch_size, draw, self.batch)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        parts = [*self._sources, *self._targets, *(self._copies or ())]
        return digest("pairs", self.batch_size, self.end_id, self.seed, *parts)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        settings = {"batch_size": self.batch_size, "seed": self.seed}
        return Contents(
            "pair", [self._sources, self._targets, *([self._copies] if self._copies else [])], settings
        )

    def batch(self, members: Array) -> PairBatch:
        """Returns pairs, given by index, as padded columns."""
        targets = fill([self._targets[n] for n in members], IGNORE)
        inputs = np.concatenate([np.full((1, len(members)), self.end_id), targets[:-1]])
        inputs[inputs == IGNORE] = self.end_id
        source = fill([self._sources[n] for n in members], 0)
        copies = None if self._copies is None else fill([self._copies[n] for n in members], IGNORE)
        source_lengths, lengths = self._lengths[:, members]
        return PairBatch(source, source_lengths, inputs, targets, lengths, members, copies)

    def _rank_lengths(self) -> tuple[Array, float]:
        """Returns each pair's rank in the sorted order (N,), equal for equal lengths, and the padding."""
        orders = [
            (first // width, np.where(first // width % 2, -second, second))
            for first, second in (self._lengths, self._lengths[::-1])
            for width in BANDS
        ]
        wastes = [self._waste(np.lexsort((turned, band))) for band, turned in orders]
        best = int(np.argmin(wastes))
        _, rank = np.unique(np.stack(orders[best], axis=1), axis=0, return_inverse=True)
        return rank.reshape(-1), wastes[best]

    def _waste(self, order: Array) -> float:
        """Returns the share of padding in this order."""
        ordered, starts = self._lengths[:, order], np.arange(0, len(order), self.batch_size)
        sizes = np.diff(np.append(starts, len(order)))
        cells = int((np.maximum.reduceat(ordered, starts, axis=1) * sizes).sum())
        return 1.0 - int(ordered.sum()) / cells

    def _check_copies(self, copies: Sequence[ArrayLike]) -> list[Array]:
        op = "PairBatches"
        checked = [check_token_ids(op, f"copies[{i}]", ids) for i, ids in enumerate(copies)]
        if len(checked) != len(self._sources):
            raise ShapeError(
                f"{op}: copies: expected as many as sources, {len(self._sources)}, got {len(checked)}"
            )
        for i, (x, ids) in enumerate(zip(self._sources, checked, strict=True)):
            if len(x) != len(ids):
                raise ShapeError(f"{op}: copies[{i}]: expected {len(x)} ids, got {len(ids)}")
        return checked
