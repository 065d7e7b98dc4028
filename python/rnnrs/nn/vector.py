"""The vector that the sets of parameters of a model share: memory, threads, frozen parts, learning rates."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..types import Array
from .guard import Guard

#: The first element of an array in the vector, and the one after its last.
Place = tuple[int, int]


class Groups:
    """The frozen arrays of a vector, and the factors of the learning rate of others, by their places.

    The parameters and their gradients, which have the same layout, share one object.
    """

    def __init__(self) -> None:
        self.frozen: set[Place] = set()
        self.factors: dict[Place, float] = {}

    def adopt(self, other: Groups, begin: int, end: int, shift: int) -> None:
        """Takes over the groups of the elements from `begin` to `end` of another vector, moved by `shift`."""
        within = [place for place in other.frozen | set(other.factors) if begin <= place[0] < end]
        for place in within:
            moved = (place[0] + shift, place[1] + shift)
            if place in other.frozen:
                self.frozen.add(moved)
            if place in other.factors:
                self.factors[moved] = other.factors[place]

    def segments(self, places: list[Place]) -> list[tuple[int, int, float]]:
        """Returns runs of elements that are trained: (start, end, factor of the learning rate)."""
        found: list[tuple[int, int, float]] = []
        for start, end in places:
            if (start, end) in self.frozen or start == end:
                continue
            factor = self.factors.get((start, end), 1.0)
            if found and found[-1][1:] == (start, factor):
                start = found.pop()[0]
            found.append((start, end, factor))
        return found


class Vector:
    """A flat vector.

    Attributes:
        array: its numbers.
        groups: what is frozen, and at which rates the rest learns.
        guard: the threads that use it.
        steps: the number of steps that optimizers have taken.
        initial: the checksum of a network's initial numbers; None for a layer by itself.
    """

    def __init__(self, array: Array, groups: Groups | None = None) -> None:
        self.array, self.guard, self.steps = array, Guard(), 0
        self.initial: float | None = None
        self.groups = Groups() if groups is None else groups

    @property
    def checksum(self) -> float:
        """The sum of the numbers."""
        return float(self.array.sum(dtype=np.float64))

    def __getstate__(self) -> dict[str, Any]:
        with self.guard.reading:  # a whole step's numbers, though another thread trains
            state = {"array": self.array.copy(), "groups": self.groups, "steps": self.steps}
            state["initial"] = self.initial
        return state | {"has_changed": self.guard.has_changed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.array, self.groups, self.guard = state["array"], state["groups"], Guard()
        self.guard.has_changed, self.steps = state["has_changed"], state["steps"]
        self.initial = state["initial"]

    def __deepcopy__(self, memo: dict[int, Any]) -> Vector:
        made = Vector.__new__(Vector)
        memo[id(self)] = made
        state = self.__getstate__()  # the array is a copy already
        made.__setstate__(state | {"groups": copy.deepcopy(self.groups, memo)})
        return made
