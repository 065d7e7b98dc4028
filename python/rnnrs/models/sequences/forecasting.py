"""Forecasts by a network that has read series: the next steps, in blocks of its horizon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...data.sequence_batches import fill
from ...decoding import check_stopped
from ...nn import Bidirectional
from ...shown import short_repr
from ...types import Array
from ..base.groups import groups_of_similar_length
from ..base.recurrent_network import RecurrentNetwork
from .scaling import Scaling, check_range

#: The most series that are read side by side, and the most positions (steps × series).
SIDE_BY_SIDE, POSITIONS = 64, 1 << 16


class Forecasting(NamedTuple):
    """What forecasts are made with.

    Attributes:
        network: the network.
        scaling: how it sees a series.
        horizon: K, the number of steps that it forecasts at once.
    """

    network: RecurrentNetwork
    scaling: Scaling
    horizon: int

    def __repr__(self) -> str:
        return short_repr(self)

    def after(self, op: str, named: Mapping[str, Array], S: int) -> list[Array]:
        """Returns the forecasts (S, I) after each of several series (N, I), which are read side by side.

        Args:
            op: the caller's name, for error messages.
            named: the series by their names, also for error messages.
            S: the number of steps.
        """
        rnn, d = self._rnn, self.scaling.difference
        u = [self.scaling.transformed(op, name, x) for name, x in named.items()]
        z = [self._seen(f"{op}: {name}", own, named[name]) for name, own in zip(named, u, strict=True)]
        found = [np.zeros(0)] * len(named)
        for group in groups_of_similar_length([len(own) for own in z], SIDE_BY_SIDE, POSITIONS):
            lengths = np.array([len(z[n]) for n in group])
            cache: Any
            h, cache = rnn.forward(fill([z[n] for n in group], 0), lengths=lengths, gradient=False)
            o, _ = self.network.output.forward(h[lengths - 1, np.arange(len(group))])
            ahead = self._ahead(op, o, cache.state, S)
            for b, n in enumerate(group):
                last = np.array([len(z[n]) - 1 + d])
                found[n] = self.scaling.restored(ahead[:, b : b + 1], u[n], last)[:, 0]
        return found

    def within(self, op: str, x: Array, origins: Array, S: int) -> Array:
        """Returns the forecasts (S, M, I) after M steps of x (N, I), which is read once, up to the last."""
        u = self.scaling.transformed(op, "series", x)
        z = self._seen(f"{op}: series", u[: origins[-1] + 1], x)[:, None]
        cache: Any
        h, cache = self._rnn.forward(z, gradient=False)
        read = origins - self.scaling.difference
        o, _ = self.network.output.forward(h[read, 0])
        state = np.concatenate([self._rnn.state_after(cache, int(t) + 1) for t in read])
        return self.scaling.restored(self._ahead(op, o, state, S), u, origins)

    @property
    def _rnn(self) -> Any:
        assert not isinstance(self.network.rnn, Bidirectional)  # the following steps are not known
        return self.network.rnn

    def _seen(self, place: str, u: Array, x: Array) -> Array:
        """Returns a transformed series as the network sees it; the place is for error messages."""
        seen, dtype = self.scaling.seen(u), self.network.parameters.dtype
        return check_range(place, seen, x[self.scaling.difference :], dtype)

    def _ahead(self, op: str, o: Array, state: Array, S: int) -> Array:
        """Returns z of the next steps (S, M, I), float64, from the outputs (M, K·I) and states (M, ·)."""
        blocks, cache = [self._by_step(o)], None
        while len(blocks) * self.horizon < S:
            check_stopped()
            h, cache = self._rnn.forward(blocks[-1], state, gradient=False)
            o, _ = self.network.output.forward(h[-1])
            state = cache.state
            blocks.append(self._by_step(o))
        ahead = np.concatenate(blocks)[:S].astype(np.float64)
        if np.isnan(ahead).any():
            raise ValueError(f"{op}: expected a model with finite outputs, got NaN: its training diverged")
        return ahead

    def _by_step(self, o: Array) -> Array:
        """Returns outputs (M, K·I) as (K, M, I)."""
        each = o.reshape(len(o), self.horizon, self.scaling.size)
        return np.ascontiguousarray(each.transpose(1, 0, 2))
