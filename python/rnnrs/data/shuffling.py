"""The order of an epoch, as a function of seed and epoch, within blocks of sequences and over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batch import Batch, Batches

#: Returns the lengths of the sequences from one number to another, and anything else that is known of them.
Lengths = Callable[[int, int], tuple[NDArray[Any], NDArray[Any]]]


class ShuffledBlocks:
    """Batches of sequences of similar length, from blocks of adjacent sequences.

    In every epoch the blocks come in random order. The sequences of a block are shuffled, cut into batches by
    length, and the batches shuffled. One block at a time is in memory.

    Args:
        count: the number of sequences.
        batch_size: B; the last batch of a block may have fewer.
        seed: the seed of all orders.
        block: the number of sequences in a block; None: all of them.

    Example:
        >>> blocks = ShuffledBlocks(5, 2, seed=0, block=4)
        >>> len(blocks), blocks.ranges
        (3, [(0, 4), (4, 5)])
    """

    def __init__(self, count: int, batch_size: int, seed: int, block: int | None) -> None:
        size = count if block is None else block
        #: The numbers from which, and up to which, each block has its sequences.
        self.ranges = [(first, min(first + size, count)) for first in range(0, count, size)]
        self._batch_size, self._seed = batch_size, seed
        self._batches = [-(-(last - first) // batch_size) for first, last in self.ranges]

    def __len__(self) -> int:
        return sum(self._batches)

    def epoch(
        self,
        number: int,
        lengths: Lengths,
        make: Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], Batch],
    ) -> Batches[Batch]:
        """Returns the batches of an epoch.

        Args:
            number: the epoch.
            lengths: the lengths of sequences, and something else that is known of them.
            make: makes a batch of the numbers of some sequences, their lengths, and that.
        """
        single = len(self.ranges) == 1
        turns = [0] if single else np.random.default_rng([self._seed, number]).permutation(len(self.ranges))
        ends = np.cumsum([self._batches[turn] for turn in turns])
        kept: tuple[int, Any] = (-1, None)

        def batch(index: int) -> Batch:
            nonlocal kept
            place = int(np.searchsorted(ends, index, "right"))
            block = int(turns[place])
            current = kept
            if current[0] != block:
                current = kept = (-1, None)  # so that one block at a time is in memory
                seeds = [self._seed, number] if single else [self._seed, number, block]
                current = kept = block, self._order(block, np.random.default_rng(seeds), lengths)
            order, turn, known = current[1]
            start = int(turn[index - int(ends[place]) + len(turn)]) * self._batch_size
            members = order[start : start + self._batch_size]
            return make(members + self.ranges[block][0], *(part[members] for part in known))

        return Batches(len(self), batch)

    def _order(self, block: int, draw: np.random.Generator, lengths: Lengths) -> tuple[Any, ...]:
        """Returns the order of a block's sequences, that of its batches, and what is known of them."""
        known = lengths(*self.ranges[block])
        order = draw.permutation(len(known[0]))
        order = order[np.argsort(known[0][order], kind="stable")]
        return order, draw.permutation(self._batches[block]), known
