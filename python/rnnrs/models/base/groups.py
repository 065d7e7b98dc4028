"""Groups of sequences that are computed side by side, so that memory is bounded whatever their lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...decoding import check_stopped


def groups_of_similar_length(lengths: Sequence[int], most: int, positions: int) -> Iterator[list[int]]:
    """Yields groups of sequences, by index, from the shortest to the longest; `stoppable` before each.

    Args:
        lengths: the steps of each sequence.
        most: the largest number of sequences in a group.
        positions: the largest B·T of a group, T the steps of its longest sequence; a longer sequence is a
            group by itself.

    Example:
        >>> list(groups_of_similar_length([9000, 3, 2, 9000], 64, 16_384))
        [[2, 1], [0], [3]]
    """
    group: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if group and (len(group) == most or (len(group) + 1) * lengths[i] > positions):
            check_stopped()
            yield group
            group = []
        group.append(i)
    if group:
        check_stopped()
        yield group
