"""The layer that unfolds a recurrent cell over sequences: forward pass and BPTT, the same for all cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import as_array, as_ids
from ..errors import ShapeError
from ..types import Array
from .embedding import Embedding, EmbeddingCache
from .order import Order, engine_order, order_of
from .recurrent_cache import Drawn, RecurrentCache
from .recurrent_cell import RecurrentCell
from .recurrent_masks import drop_input, drop_weights, sample_masks
from .recurrent_state import initial_state, initial_state_gradient

#: A layer for the engine's stepper: cell, U, W, bias, and extras (mask, zoneout, normalization).
EngineLayer = tuple[str, Array, Array, Array, tuple[Any, Any, Any]]


class Recurrent(RecurrentCell):
    """A recurrent layer: a cell unfolded over sequences.

    A state is one array (B, S): h for RNN and GRU (S = H); h followed by c for LSTM (S = 2H).

    Args:
        input_size: I.
        hidden_size: H.
        recurrent_initializer: initial values of each block of W: "uniform" (±1/√H), "xavier", "orthogonal",
            "identity", "normal" (standard deviation 1/√H).
        recurrent_scale: factor of these initial values.
        learn_state: whether the initial state is a parameter, "state" (S,), initialized to zero. It is used
            where no state is given.
        input_dropout: probability of dropping an element of x, sampled anew at every step (Zaremba, Sutskever
            and Vinyals 2014).
        recurrent_dropout: probability of dropping a unit of h_{t−1} before the product with W, the same at
            every step of a sequence (Gal and Ghahramani 2016).
        zoneout: probability that a unit keeps its state for a step (Krueger et al. 2017); for an LSTM, one
            rate, or a pair of rates for h and c. Without noise, a unit keeps that share of its state.
        weight_drop: probability of dropping an element of W, the same for the whole batch (Merity, Keskar and
            Socher 2018).
        layer_norm: whether to normalize each block of the sums U x_t + W h_{t−1}: its mean is subtracted, it
            is divided by its standard deviation, multiplied by "gain" (a parameter, initialized to 1), and
            the bias is added (Ba, Kiros and Hinton 2016). Where a GRU needs U x and W h separately, each is
            normalized by itself.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Every kind of dropout needs the `noise` argument of `forward` and has no effect without it.

    Attributes:
        input_size, hidden_size, state_size: I, H, S.
    """

    def engine_weights(self) -> list[EngineLayer]:
        """Returns each layer's weights in the form of the engine's stepper."""
        drawn = sample_masks(self, None, None, (0, 0), None, False)
        return [(self.cell, self.parameters["U"], self.parameters["W"], self._sums_bias(), drawn.extras)]

    def forward(
        self,
        x: ArrayLike,
        state: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        reverse: bool = False,
        gradient: bool = True,
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, RecurrentCache]:
        """Computes all states h of a batch of sequences, from the first step to the last.

        Args:
            x: (T, B, I).
            state: the state before the first step (B, S); by default zero, or the learned one.
            lengths: the number of steps of each sequence (B,), in any order, from 0; T by default. Padding is
                not computed and does not affect gradients; its h is 0.
            resets: (T, B), True where a new sequence starts: the state before that step is the initial one
                again, not that of the step before (nor `state`, at the first step).
            reverse: whether to read each sequence from its last step to its first. h_t stays at index t.
            gradient: whether a backward pass will follow; without one, less is kept.
            noise: seed of the dropout masks, from 0 to 2⁶⁴ − 1; None: nothing is dropped.
            keys: whole numbers (B,) that identify the sequences. A sequence's masks depend on its key, not on
                its place in the batch; by default the key is that place.

        Returns:
            (h (T, B, H), cache); `cache.state` (B, S) is the state after each sequence's last step.

        Raises:
            ShapeError, DTypeError: if an array has the wrong shape or dtype.
            ValueError: if a length is below 0 or above T.
            MemoryError: if h does not fit in memory.
        """
        x = as_array(f"{type(self).__name__}.forward", "x", x)
        if x.ndim != 3 and (lengths is not None or resets is not None or reverse or noise is not None):
            raise ShapeError(f"{type(self).__name__}: x: expected (T, B, I={self.input_size}), got {x.shape}")
        order = order_of(type(self).__name__, x.shape, lengths, resets, reverse)
        drawn = sample_masks(self, noise, keys, x.shape, order, gradient)
        shape = x.shape
        if order is not None and drawn.rows is not None:
            x = order.pack(np.asarray(x, self.dtype))
        return self._compute(x, None, state, (shape, order), drawn, gradient)

    def forward_tokens(
        self,
        embedding: Embedding,
        ids: ArrayLike,
        state: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        reverse: bool = False,
        gradient: bool = True,
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, RecurrentCache]:
        """Computes `forward` of x = E[ids] with the same bits, at lower cost if V is smaller than T·B.

        b + U E[id] is the same wherever a token occurs: with V < T·B, the V rows of P = b + U E are computed
        once, and a_t = P[id_t] + W h_{t−1}.

        Args:
            embedding: the embedding with the table E (V, I).
            ids: (T, B). Ids in the padding are ignored.
            state, lengths, resets, reverse, gradient, noise, keys: as in `forward`.

        Returns:
            (h (T, B, H), cache).

        Raises:
            IndexError: if an id is outside the table.
            ShapeError, DTypeError, ValueError: as in `forward`.
        """
        ids = as_ids(f"{type(self).__name__}.forward_tokens", "ids", ids, embedding.vocabulary_size)
        if ids.ndim != 2 and (lengths is not None or resets is not None or reverse or noise is not None):
            raise ShapeError(f"{type(self).__name__}: ids: expected (T, B), got {ids.shape}")
        order = order_of(type(self).__name__, ids.shape, lengths, resets, reverse)
        drawn = sample_masks(self, noise, keys, ids.shape, order, gradient)
        rows = ids if order is None else order.pack(ids)
        dropped = noise is not None and embedding.row_dropout
        if drawn.rows is None and not dropped and ids.ndim == 2 and embedding.vocabulary_size < rows.size:
            table = self._table(embedding.parameters["E"])
            first = initial_state(self, state, ids.shape, order)
            engine = (first, engine_order(order), gradient, drawn.extras)
            traced = _rnnrs.recurrent_forward_tokens(self.cell, rows, table, drawn.W, *engine)
            tokens = EmbeddingCache(rows)
            return self._result(None, tokens, first, traced, order, state is not None, drawn)
        x, tokens = embedding.forward(rows, noise)
        return self._compute(x, tokens, state, (ids.shape, order), drawn, gradient)

    def _compute(
        self,
        x: Array,
        tokens: EmbeddingCache | None,
        state: ArrayLike | None,
        shape_and_order: tuple[tuple[int, ...], Order | None],
        drawn: Drawn,
        gradient: bool,
    ) -> tuple[Array, RecurrentCache]:
        """Runs the forward pass over x: (T, B, I), or the engine's rows (N, I)."""
        shape, order = shape_and_order
        first = initial_state(self, state, shape, order)
        x = drop_input(self, x, drawn)
        engine = (first, engine_order(order), gradient, drawn.extras)
        U, b = self.parameters["U"], self._sums_bias()
        traced = _rnnrs.recurrent_forward(self.cell, x, U, drawn.W, b, *engine)
        return self._result(x, tokens, first, traced, order, state is not None, drawn)

    def _result(
        self,
        x: Array | None,
        tokens: EmbeddingCache | None,
        first: Array | None,
        traced: Any,
        order: Order | None,
        given: bool,
        drawn: Drawn,
    ) -> tuple[Array, RecurrentCache]:
        """Returns h (T, B, H) and the cache, from the engine's results."""
        h, c, kept, last, normed = traced
        state = last if order is None else order.end(last)
        cache = RecurrentCache(x, tokens, first, h, c, kept, state, order, given, drawn, normed)
        return (h if order is None else order.unpack(h)), cache

    def backward(
        self,
        cache: RecurrentCache,
        dh: ArrayLike | None,
        dstate: ArrayLike | None = None,
        *,
        need_dx: bool = True,
    ) -> tuple[Array | None, Array]:
        """Back-propagates through time: exactly, in O(T).

        For t = T … 1, ∂L/∂h_t = dh_t + Wᵀ da_{t+1}, and da_t is that times the derivative of the step. Then,
        over all steps, dU += Σ da_t x_tᵀ, dW += Σ da_t h_{t−1}ᵀ, db += Σ da_t, and dx_t = Uᵀ da_t.

        Args:
            cache: from `forward`.
            dh: (T, B, H), the upstream gradient of h: zero at steps without a loss; None for zero everywhere.
            dstate: (B, S), the upstream gradient of the state after the last step; None for zero.
            need_dx: whether to compute dx.

        Returns:
            (dx (T, B, I) or None, the gradient of the state before the first step (B, S)).

        Raises:
            ShapeError: if dh or dstate does not have the shape of h or of the state.
            ValueError: if the cache comes from `forward_tokens`, or lacks the gates (`gradient=False`).
        """
        if cache.x is None:
            name = type(self).__name__
            raise ValueError(
                f"{name}.backward: cache: expected one from forward, got one from forward_tokens"
            )
        da, dfirst, dnorm = self._through_time(cache, dh, dstate)
        dx = self._add_gradients(cache, da, dnorm, need_dx)
        if dx is not None and cache.order is not None:
            dx = cache.order.unpack(dx)
        return dx, initial_state_gradient(self, cache, dfirst)

    def backward_tokens(
        self,
        embedding: Embedding,
        cache: RecurrentCache,
        dh: ArrayLike | None,
        dstate: ArrayLike | None = None,
    ) -> Array:
        """Back-propagates through `forward_tokens`; adds to all gradients, including the embedding's.

        Frozen parameters get no gradients; what only these need is not computed. With the table P, dP[id_t]
        += da_t, and then dU = dPᵀ E, db = Σ dP and dE += dP U.

        Args:
            embedding: that of the forward pass.
            cache: from `forward_tokens`.
            dh, dstate: as in `backward`.

        Returns:
            The gradient of the state before the first step (B, S).

        Raises:
            ShapeError, ValueError: as in `backward`.
        """
        if cache.tokens is None:
            name = type(self).__name__
            raise ValueError(
                f"{name}.backward_tokens: cache: expected one from forward_tokens, got one from forward"
            )
        da, dfirst, dnorm = self._through_time(cache, dh, dstate)
        self.add_token_gradients(embedding, cache, da, dnorm)
        return initial_state_gradient(self, cache, dfirst)

    def add_token_gradients(
        self, embedding: Embedding, cache: RecurrentCache, da: Array, dnorm: tuple[Array, Array] | None
    ) -> None:
        """Adds the gradients of `backward_tokens` but that of the initial state, from da; see `bptt`."""
        assert cache.tokens is not None
        learns = embedding.parameters.are_trained
        if cache.x is not None:
            dx = self._add_gradients(cache, da, dnorm, learns)
            if dx is not None:
                embedding.backward(cache.tokens, dx)
            return
        if not learns and not self.parameters.are_trained:
            return
        E = embedding.parameters["E"]
        dP = np.zeros((len(E), da.shape[-1]), self.dtype)
        _rnnrs.embedding_backward(np.asarray(cache.tokens.ids), da, dP)
        self._add_recurrent_gradient(cache, da)
        dE = self._add_input_gradients(E, dP, None, dnorm, learns)
        if dE is not None:
            embedding.gradients.touch("E", np.asarray(cache.tokens.ids))[...] += dE

    def _through_time(
        self, cache: RecurrentCache, dh: ArrayLike | None, dstate: ArrayLike | None
    ) -> tuple[Array, Array, tuple[Array, Array] | None]:
        """Runs BPTT in the engine's rows; also returns the gradients of a normalization's gain and bias."""
        name, order = type(self).__name__, cache.order
        if cache.kept is None and self.blocks[1] > 1:
            raise ValueError(
                f"{name}.backward: cache: expected one from forward(…, gradient=True), got one without gates"
            )
        dlast = None if dstate is None else as_array(name, "dstate", dstate)
        dh = None if dh is None else as_array(name, "dh", dh)
        if order is not None:
            expected = (*order.shape, self.hidden_size)
            if dh is not None and dh.shape != expected:
                raise ShapeError(f"{name}: dh: expected {expected}, got {dh.shape}")
            if dlast is not None and dlast.shape != cache.state.shape:
                raise ShapeError(f"{name}: dstate: expected {cache.state.shape}, got {dlast.shape}")
            dlast = order.end_gradient(dlast)
        return _rnnrs.recurrent_backward(
            self.cell,
            cache.drawn.W,
            cache.h,
            cache.c,
            cache.kept,
            cache.first,
            dh,
            dlast,
            engine_order(order),
            cache.drawn.extras,
            cache.normed,
        )

    def _add_gradients(
        self, cache: RecurrentCache, da: Array, dnorm: tuple[Array, Array] | None, need_dx: bool
    ) -> Array | None:
        """Adds dU, dW and db; returns dx of the engine's rows."""
        assert cache.x is not None
        self._add_recurrent_gradient(cache, da)
        dx = self._add_input_gradients(cache.x, da, engine_order(cache.order), dnorm, need_dx)
        return None if dx is None else drop_input(self, dx, cache.drawn)

    def _add_recurrent_gradient(self, cache: RecurrentCache, da: Array) -> None:
        """Adds dW, unless the layer is frozen."""
        if not self.parameters.are_trained:
            return
        dW, seed = self.gradients["W"], cache.drawn.weights
        into = dW if seed is None else np.zeros_like(dW)
        mask = cache.drawn.extras[0]
        _rnnrs.recurrent_gradient(self.cell, da, cache.first, cache.h, into, engine_order(cache.order), mask)
        if seed is not None:
            dW += drop_weights(self, into, seed)

    def state_after(self, cache: RecurrentCache, steps: int) -> Array:
        """Returns the state (B, S) of a forward pass after `steps` steps, from 1 to T."""
        parts = [cache.h] if cache.c is None else [cache.h, cache.c]
        whole = parts if cache.order is None else [cache.order.unpack(part) for part in parts]
        return np.concatenate([part[steps - 1] for part in whole], axis=1)

    def bptt(
        self, cache: RecurrentCache, dh: ArrayLike | None, dstate: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Runs only the backward pass through time; adds to no gradient.

        Returns:
            (da (T, B, sums·H), the gradient of the state before the first step (B, S)). da is the gradient of
            the
            sums: one block of H in an RNN; i, f, g, o in an LSTM; in a GRU r, z, and n's part from W h and
                its part from U x.

        Raises:
            ShapeError: if dh does not have the shape of h.
        """
        da, dfirst, _ = self._through_time(cache, dh, dstate)
        if cache.order is None:
            return da, dfirst
        return cache.order.unpack(da), cache.order.begin_gradient(dfirst)[0]
