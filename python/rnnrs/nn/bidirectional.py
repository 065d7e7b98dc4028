"""Two recurrent layers that read a sequence from both ends."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..errors import ShapeError
from ..types import Array
from .embedding import Embedding
from .layer import Composite
from .noise import part_noise
from .recurrent import Recurrent, RecurrentCache

#: How the two directions' states become one.
MERGES = ("concat", "sum", "mean")


class BidirectionalCache(NamedTuple):
    """What BPTT needs of the forward pass: the caches of both directions, and the states after them (B, S)."""

    ahead: RecurrentCache
    back: RecurrentCache
    state: Array


class Bidirectional(Composite):
    """h_t of a layer that reads from the first step to the last, and of one that reads from the last to the first.

    So h_t knows of the whole sequence, not only of what stands before t (Schuster and Paliwal 1997; Goodfellow et al.,
    section 10.3). A state is the one direction's, then the other's.

    Parameters: "ahead." and "back.", then the layers' own names.

    Args:
        ahead: the layer that reads forwards.
        back: the one that reads backwards, with the same input size; the same hidden size too, if they are added.
        merge: "concat": (T, B, H + H′), forwards first; "sum"; "mean".

    Attributes:
        input_size, hidden_size, state_size: I, the size of h_t, and that of a state.

    Raises:
        ValueError: for sizes or dtypes that do not fit, one layer for both directions, an unknown way to merge.
    """

    def __init__(self, ahead: Recurrent, back: Recurrent, *, merge: str = "concat") -> None:
        if merge not in MERGES:
            raise ValueError(f"Bidirectional: merge: expected one of {', '.join(MERGES)}, got {merge!r}")
        if ahead is back:
            raise ValueError(
                "Bidirectional: back: expected a layer of its own, got the one that reads forwards"
            )
        if ahead.input_size != back.input_size:
            raise ValueError(
                f"Bidirectional: back: expected an input size of {ahead.input_size}, got {back.input_size}"
            )
        if merge != "concat" and ahead.hidden_size != back.hidden_size:
            raise ValueError(
                f"Bidirectional: back: expected a hidden size of {ahead.hidden_size} to {merge}, got {back.hidden_size}"
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
        """h (T, B, H) of x (T, B, I).

        Args:
            x: (T, B, I).
            state: (B, S): before the first step of the one direction, then before that of the other; zero by default.
            lengths: (B,), see `Recurrent.forward`.
            gradient, noise, keys: see `Recurrent.forward`; each direction has masks of its own.

        Returns:
            (h (T, B, H), cache); `cache.state` (B, S): after each direction's last step.

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
        """`forward` of x = E[ids], see `Recurrent.forward_tokens`."""
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
        """BPTT through both directions; see `Recurrent.backward`."""
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
        """BPTT through `forward_tokens`; see `Recurrent.backward_tokens`."""
        (dh_ahead, dh_back), (d_ahead, d_back) = self._shares(dh), self._split(dstate)
        first = self.ahead.backward_tokens(embedding, cache.ahead, dh_ahead, d_ahead)
        second = self.back.backward_tokens(embedding, cache.back, dh_back, d_back)
        return np.concatenate([first, second], axis=1)

    @property
    def stochastic(self) -> bool:
        """Whether noise has an effect."""
        return self.ahead.stochastic or self.back.stochastic

    def state_after(self, cache: BidirectionalCache, steps: int) -> Array:
        """There is none: what reads backwards has not come by there.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "Bidirectional: expected layers that read forwards to carry a state from within, got both"
        )

    def _split(self, state: ArrayLike | None) -> tuple[Array | None, Array | None]:
        if state is None:
            return None, None
        whole = np.asarray(state)
        if whole.ndim != 2 or whole.shape[1] != self.state_size:
            raise ShapeError(f"Bidirectional: state: expected (B, S={self.state_size}), got {whole.shape}")
        return whole[:, : self.ahead.state_size], whole[:, self.ahead.state_size :]

    def _merged(
        self, h: Array, h_back: Array, ahead: RecurrentCache, back: RecurrentCache
    ) -> tuple[Array, BidirectionalCache]:
        cache = BidirectionalCache(ahead, back, np.concatenate([ahead.state, back.state], axis=1))
        if self.merge == "concat":
            return _rnnrs.join_last(h, h_back), cache
        h = h + h_back
        return (h if self.merge == "sum" else h * h.dtype.type(0.5)), cache

    def _shares(self, dh: ArrayLike | None) -> tuple[Array | None, Array | None]:
        """What of dh belongs to each direction."""
        if dh is None:
            return None, None
        whole = np.asarray(dh)
        if whole.ndim != 3 or whole.shape[2] != self.hidden_size:
            raise ShapeError(f"Bidirectional: dh: expected (T, B, H={self.hidden_size}), got {whole.shape}")
        if self.merge == "concat":
            return _rnnrs.split_last(np.asarray(whole, self.dtype), self.ahead.hidden_size)
        half = whole if self.merge == "sum" else whole * 0.5
        return half, half
