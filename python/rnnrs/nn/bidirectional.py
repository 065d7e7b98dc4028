"""Two recurrent layers that read a sequence in opposite directions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import as_array
from ..errors import ShapeError
from ..shown import short_repr
from ..types import Array
from .embedding import Embedding
from .layer import Composite
from .noise import part_noise
from .recurrent import Recurrent
from .recurrent_cache import RecurrentCache

#: The ways to merge the states of both directions.
MERGES = ("concat", "sum", "mean")


class BidirectionalCache(NamedTuple):
    """The forward-pass values that BPTT needs: both directions' caches, and the last states (B, S)."""

    ahead: RecurrentCache
    back: RecurrentCache
    state: Array

    def __repr__(self) -> str:
        return short_repr(self)


class Bidirectional(Composite):
    """A bidirectional layer: merges h_t of a forward layer with h_t of a backward layer.

    h_t therefore depends on the whole sequence, not only on the steps before t (Schuster and Paliwal 1997;
    Goodfellow et al., section 10.3). A state is the forward layer's, followed by the backward layer's.

    Parameters: "ahead." and "back.", followed by the layers' own names.

    Args:
        ahead: the layer that reads forward.
        back: the layer that reads backward, with the same input size and, unless merged by "concat", the same
            hidden size.
        merge: "concat": (T, B, H + H′), forward first; "sum"; "mean".

    Attributes:
        input_size, hidden_size, state_size: I, the size of h_t, and that of a state.

    Raises:
        ValueError: if sizes or dtypes do not match, both directions are one layer, or `merge` is unknown.
    """

    def __init__(self, ahead: Recurrent, back: Recurrent, *, merge: str = "concat") -> None:
        if merge not in MERGES:
            raise ValueError(f"Bidirectional: merge: expected one of {', '.join(MERGES)}, got {merge!r}")
        if ahead is back:
            raise ValueError("Bidirectional: back: expected a second layer, got the forward layer itself")
        if ahead.input_size != back.input_size:
            raise ValueError(
                f"Bidirectional: back: expected an input size of {ahead.input_size}, got {back.input_size}"
            )
        if merge != "concat" and ahead.hidden_size != back.hidden_size:
            raise ValueError(
                f"Bidirectional: back: expected a hidden size of {ahead.hidden_size} for merge {merge!r}, "
                f"got {back.hidden_size}"
            )
        self.ahead, self.back, self.merge = ahead, back, merge
        self.input_size = ahead.input_size
        self.hidden_size = ahead.hidden_size + (back.hidden_size if merge == "concat" else 0)
        self.state_size = ahead.state_size + back.state_size
        super().__init__(ahead=ahead, back=back)

    def forward(
        self,
        x: ArrayLike,
        state: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        gradient: bool = True,
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, BidirectionalCache]:
        """Computes h (T, B, H) for x (T, B, I).

        Args:
            x: (T, B, I).
            state: (B, S), each direction's state before its first step, forward first; zero by default.
            lengths: (B,), see `Recurrent.forward`.
            gradient, noise, keys: see `Recurrent.forward`; each direction has its own masks.

        Returns:
            (h (T, B, H), cache); `cache.state` (B, S) is the state after each direction's last step.

        Raises:
            As `Recurrent.forward`.
        """
        first, second = self._split(state)
        options: dict[str, Any] = {"lengths": lengths, "gradient": gradient, "keys": keys}
        h, ahead = self.ahead.forward(x, first, noise=part_noise(noise, 0), **options)
        h_back, back = self.back.forward(x, second, noise=part_noise(noise, 1), reverse=True, **options)
        return self._merged(h, h_back, ahead, back)

    def forward_tokens(
        self,
        embedding: Embedding,
        ids: ArrayLike,
        state: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        gradient: bool = True,
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, BidirectionalCache]:
        """Computes `forward` of x = E[ids]; see `Recurrent.forward_tokens`."""
        first, second = self._split(state)
        options: dict[str, Any] = {"lengths": lengths, "gradient": gradient, "keys": keys}
        h, ahead = self.ahead.forward_tokens(embedding, ids, first, noise=part_noise(noise, 0), **options)
        h_back, back = self.back.forward_tokens(
            embedding, ids, second, noise=part_noise(noise, 1), reverse=True, **options
        )
        return self._merged(h, h_back, ahead, back)

    def backward(
        self,
        cache: BidirectionalCache,
        dh: ArrayLike | None,
        dstate: ArrayLike | None = None,
        *,
        need_dx: bool = True,
    ) -> tuple[Array | None, Array]:
        """Back-propagates through both directions; see `Recurrent.backward`."""
        (dh_ahead, dh_back), (d_ahead, d_back) = self._shares(dh), self._split(dstate)
        dx, first = self.ahead.backward(cache.ahead, dh_ahead, d_ahead, need_dx=need_dx)
        dx_back, second = self.back.backward(cache.back, dh_back, d_back, need_dx=need_dx)
        if dx is not None and dx_back is not None:
            dx += dx_back
        return dx, np.concatenate([first, second], axis=1)

    def backward_tokens(
        self,
        embedding: Embedding,
        cache: BidirectionalCache,
        dh: ArrayLike | None,
        dstate: ArrayLike | None = None,
    ) -> Array:
        """Back-propagates through `forward_tokens`; see `Recurrent.backward_tokens`."""
        (dh_ahead, dh_back), (d_ahead, d_back) = self._shares(dh), self._split(dstate)
        first = self.ahead.backward_tokens(embedding, cache.ahead, dh_ahead, d_ahead)
        second = self.back.backward_tokens(embedding, cache.back, dh_back, d_back)
        return np.concatenate([first, second], axis=1)

    @property
    def stochastic(self) -> bool:
        """Whether noise has an effect."""
        return self.ahead.stochastic or self.back.stochastic

    def state_after(self, cache: BidirectionalCache, steps: int) -> Array:
        """Not supported: the backward layer has no state after the first steps alone.

        Raises:
            ValueError: always.
        """
        raise ValueError("Bidirectional.state_after: expected a forward layer, got both directions")

    def _split(self, state: ArrayLike | None) -> tuple[Array | None, Array | None]:
        """Returns both directions' parts of a state (B, S)."""
        if state is None:
            return None, None
        whole = as_array("Bidirectional", "state", state)
        if whole.ndim != 2 or whole.shape[1] != self.state_size:
            raise ShapeError(f"Bidirectional: state: expected (B, S={self.state_size}), got {whole.shape}")
        return whole[:, : self.ahead.state_size], whole[:, self.ahead.state_size :]

    def _merged(
        self, h: Array, h_back: Array, ahead: RecurrentCache, back: RecurrentCache
    ) -> tuple[Array, BidirectionalCache]:
        """Returns the merged h, and the cache."""
        cache = BidirectionalCache(ahead, back, np.concatenate([ahead.state, back.state], axis=1))
        if self.merge == "concat":
            return _rnnrs.join_last(h, h_back), cache
        h = h + h_back
        return (h if self.merge == "sum" else h * h.dtype.type(0.5)), cache

    def _shares(self, dh: ArrayLike | None) -> tuple[Array | None, Array | None]:
        """Returns both directions' parts of dh."""
        if dh is None:
            return None, None
        whole = as_array("Bidirectional", "dh", dh)
        if whole.ndim != 3 or whole.shape[2] != self.hidden_size:
            raise ShapeError(f"Bidirectional: dh: expected (T, B, H={self.hidden_size}), got {whole.shape}")
        if self.merge == "concat":
            return _rnnrs.split_last(np.asarray(whole, self.dtype), self.ahead.hidden_size)
        half = whole if self.merge == "sum" else whole * 0.5
        return half, half
