"""Which parameters learn, and at which rates."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np

from ..checks import check_number, positive
from ..types import Array
from .vector import Place, Vector


class Learning:
    """The part of `Parameters` that freezes parameters and sets factors of their learning rates."""

    _vector: Vector
    _offset: int
    _views: dict[str, Array]

    @abstractmethod
    def spans(self) -> Array | None:
        """See `Parameters.spans`."""

    def freeze(self, *patterns: str) -> None:
        """Freezes parameters: training leaves them unchanged, bit for bit, and does not compute for them.

        An optimizer's step, weight decay and the clipping norm skip them; where a whole layer is frozen, its
        gradients are not computed, and below the lowest layer that is trained, nothing is. Copies, pickles
        and checkpoints keep what is frozen, files of finished models do not.

        Args:
            patterns: names, with `*` for any characters, as file names: "rnn.*", "*.b"; see `fnmatch`.

        Raises:
            ValueError: for a pattern that matches no name; nothing is frozen then.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> model = LanguageModel.from_text("a text")
            >>> model.parameters.freeze("embedding.*", "rnn.?")
            >>> model.parameters.frozen
            ['embedding.E', 'rnn.U', 'rnn.W', 'rnn.b']
        """
        self._vector.groups.frozen |= set(self._matches("freeze", patterns))

    def unfreeze(self, *patterns: str) -> None:
        """Makes frozen parameters learn again; without patterns, all.

        Raises:
            ValueError: for a pattern that matches no name; nothing changes then.
        """
        self._vector.groups.frozen -= set(self._matches("unfreeze", patterns or ("*",)))

    def scale_learning_rate(self, pattern: str, factor: float) -> None:
        """Sets the factor of the learning rate of some parameters; 1 is that of all others.

        It holds for every optimizer and schedule, and is kept where `freeze` is.

        Args:
            pattern: see `freeze`.
            factor: a finite number above 0.

        Raises:
            ValueError: for a pattern that matches no name; for a factor out of range.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> model = LanguageModel.from_text("a text")
            >>> model.parameters.scale_learning_rate("embedding.*", 0.1)
            >>> model.parameters.learning_rate_factors
            {'embedding.E': 0.1}
        """
        op, expected = "Parameters.scale_learning_rate", "a finite number above 0"
        number = check_number(op, "factor", factor, expected, positive)
        self._vector.groups.factors |= dict.fromkeys(self._matches("scale_learning_rate", (pattern,)), number)

    @property
    def frozen(self) -> list[str]:
        """The names of the frozen parameters."""
        frozen = self._vector.groups.frozen
        return [name for name, place in self._places().items() if place in frozen] if frozen else []

    @property
    def learning_rate_factors(self) -> dict[str, float]:
        """The factors of the learning rate that are not 1, by name."""
        factors = self._vector.groups.factors
        found = {name: factors.get(place, 1.0) for name, place in self._places().items()}
        return {name: factor for name, factor in found.items() if factor != 1.0}

    @property
    def learning(self) -> dict[str, float]:
        """The factors of the learning rate that are not 1, by name; 0 for frozen parameters."""
        return self.learning_rate_factors | dict.fromkeys(self.frozen, 0.0)

    @learning.setter
    def learning(self, factors: Mapping[str, float]) -> None:
        self.check_learning(factors)
        groups, places = self._vector.groups, self._places()
        groups.frozen -= set(places.values())
        groups.frozen |= {places[name] for name, factor in factors.items() if not factor}
        for name, place in places.items():
            groups.factors.pop(place, None)
            if factors.get(name, 0.0):
                groups.factors[place] = float(factors[name])

    def check_learning(self, factors: Mapping[str, float]) -> None:
        """Checks whether `learning` can be set.

        Raises:
            ValueError, TypeError: for an unknown name, or a factor that is not a finite number from 0.
        """
        for name, factor in factors.items():
            if name not in self._views:
                raise ValueError(f"Parameters.learning: expected names of parameters, got {name!r}")
            expected = "a finite number from 0"
            check_number("Parameters.learning", name, factor, expected, lambda x: 0 <= x < math.inf)

    @property
    def are_trained(self) -> bool:
        """Whether any of these parameters is not frozen."""
        frozen = self._vector.groups.frozen
        return not frozen or any(place not in frozen for place in self._places().values())

    def _places(self) -> dict[str, Place]:
        """Returns the place of every array in the vector."""
        places, start = {}, self._offset
        for name, view in self._views.items():
            places[name] = start, start + view.size
            start += view.size
        return places

    def _matches(self, verb: str, patterns: tuple[str, ...]) -> list[Place]:
        """Returns the places of the arrays whose names match one of the patterns."""
        places, found = self._places(), []
        for pattern in patterns:
            matching = [name for name in places if fnmatchcase(name, pattern)]
            if not matching:
                raise ValueError(
                    f"Parameters.{verb}: expected a pattern that matches one of the names "
                    f"{', '.join(places)}; got {pattern!r}"
                )
            found += [places[name] for name in matching]
        return found

    def segments(self) -> list[tuple[int, int, float]] | None:
        """Returns runs of elements that are trained: (start, end, factor of the learning rate).

        None if all are trained, at one rate.
        """
        groups = self._vector.groups
        if not groups.frozen and not groups.factors:
            return None
        found = groups.segments(list(self._places().values()))
        return [(start - self._offset, end - self._offset, factor) for start, end, factor in found]

    def trained_spans(self) -> Array | None:
        """Returns those of the `spans` that are not frozen."""
        spans, segments = self.spans(), self.segments()
        if segments is None:
            return spans
        parts = [within(spans, start, end) + start for start, end, _ in segments]
        return np.concatenate([np.zeros((0, 2), np.int64), *parts])


def within(spans: Array | None, start: int, end: int) -> Array:
    """Returns the spans between two elements, counted from the first one; None stands for all elements."""
    if spans is None:
        return np.array([[0, end - start]])
    inside = np.clip(spans, start, end)
    return inside[inside[:, 0] < inside[:, 1]] - start
