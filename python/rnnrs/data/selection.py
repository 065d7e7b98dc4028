"""Some of many numbered things, at one bit for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from .batch import digest

#: The number of things whose bits are looked at together.
GROUP = 1 << 16


class Selection:
    """Some of the numbers 0, 1, …, in rising order; the rank of a number is its place among them.

    Args:
        flags: whether each number is selected, in groups of `GROUP`; the last group may be smaller.

    Example:
        >>> some = Selection([np.array([True, False, True, True])])
        >>> len(some), some.numbers(1, 3).tolist()
        (3, [2, 3])
        >>> some.subset(np.array([False, True, True])).numbers(0, 2).tolist()
        [2, 3]
    """

    def __init__(self, flags: Iterable[NDArray[np.bool_]]) -> None:
        self._bits = list[NDArray[np.uint8]]()
        counts = [0]
        for group in flags:
            self._bits.append(np.packbits(group))
            counts.append(counts[-1] + int(np.count_nonzero(group)))
        self._before = np.array(counts)  # the ranks at which the groups begin

    def __len__(self) -> int:
        return int(self._before[-1])

    def numbers(self, first: int, last: int) -> NDArray[np.int64]:
        """Returns the numbers with the ranks from `first` to `last`."""
        last = min(last, len(self))
        if first >= last:
            return np.zeros(0, np.int64)
        begin = int(np.searchsorted(self._before, first, "right")) - 1
        end = int(np.searchsorted(self._before, last, "left"))
        found = np.concatenate([np.flatnonzero(self._group(i)) + i * GROUP for i in range(begin, end)])
        return found[first - int(self._before[begin]) : last - int(self._before[begin])]

    def subset(self, chosen: NDArray[np.bool_]) -> Selection:
        """Returns the numbers whose ranks are chosen; one flag for each rank."""
        return Selection(self._subset(chosen))

    def within(self, first: int, last: int) -> Selection:
        """Returns the selected numbers from `first` to `last`."""
        return Selection(self._within(first, last))

    def digest(self) -> str:
        """Returns a short hash."""
        return digest(len(self), *self._bits)

    def _subset(self, chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
        for i in range(len(self._bits)):
            flags = self._group(i)
            flags[flags] = chosen[self._before[i] : self._before[i + 1]]
            yield flags

    def _within(self, first: int, last: int) -> Iterator[NDArray[np.bool_]]:
        for i in range(len(self._bits)):
            flags = self._group(i)
            flags[: max(first - i * GROUP, 0)] = False
            flags[max(last - i * GROUP, 0) :] = False
            yield flags

    def _group(self, number: int) -> NDArray[np.bool_]:
        return np.unpackbits(self._bits[number]).astype(np.bool_)
