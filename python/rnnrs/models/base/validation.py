"""Held-out data: the share of the data that a `fit` sets aside for validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...seeds import derive_seed

#: The seed stream that selects the held-out examples.
STREAM = 1 << 21

#: The number of examples that are divided at a time.
DIVIDED = 1 << 24


def held_out_share(op: str, validation: Any) -> float | None:
    """Returns `validation` if it is a share of the data; None if it is data, or None.

    Raises:
        ValueError: for a number that is not from 0, below 1.
    """
    if isinstance(validation, bool) or not isinstance(validation, (int, float, np.integer, np.floating)):
        return None
    if not 0 <= validation < 1:
        raise ValueError(f"{op}: validation: expected data, or a share from 0, below 1, got {validation}")
    return float(validation)


def held_out_count(op: str, count: int, share: float, what: str) -> int:
    """Returns the number of examples that a share of `count` holds out: at least one, unless the share is 0.

    Raises:
        ValueError: if no example is left to train on.
    """
    if not share:
        return 0
    held_out = max(1, int(count * share))
    if held_out >= count:
        raise ValueError(
            f"{op}: validation: expected at least two {what} to hold out a share of them, got {count}"
        )
    return held_out


def divided(op: str, count: int, share: float, seed: int, what: str) -> tuple[list[int], list[int]]:
    """Divides `count` independent examples at random.

    Returns:
        (the indices of the examples to train on, those of the held-out examples), both in rising order.

    Raises:
        ValueError: if no example is left to train on.
    """
    chosen = held_out_flags(count, held_out_count(op, count, share, what), seed)
    return np.flatnonzero(~chosen).tolist(), np.flatnonzero(chosen).tolist()


def held_out_flags(count: int, held_out: int, seed: int) -> NDArray[np.bool_]:
    """Returns which of `count` independent examples are held out (count,).

    Of more than `DIVIDED` examples, each `DIVIDED` are divided by themselves, to bound the memory.
    """
    flags = np.zeros(count, np.bool_)
    for first in range(0, count, DIVIDED):
        last = min(first + DIVIDED, count)
        own = derive_seed(seed, STREAM)
        draw = np.random.default_rng([own, first // DIVIDED] if first else own)
        order = np.arange(last - first, dtype=np.int32)
        draw.shuffle(order)
        flags[first + order[: held_out * last // count - held_out * first // count]] = True
    return flags


def chosen(items: Any, which: Sequence[int]) -> Any:
    """Returns the items with these indices: rows of an array, or a list."""
    return items[list(which)] if isinstance(items, np.ndarray) else [items[i] for i in which]


def spread(count: int, wanted: int) -> list[int]:
    """Returns the indices of at most `wanted` of `count` examples: first, last, and some between them."""
    return sorted({n * (count - 1) // max(wanted - 1, 1) for n in range(wanted)}) if count else []
