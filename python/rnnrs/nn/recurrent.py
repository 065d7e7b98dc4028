"""What all recurrent layers share: the way through time. What is a cell's own stands in its file."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _rnnrs
from ..errors import ShapeError
from .embedding import Embedding, EmbeddingCache
from .layer import Layer, derive_seed
from .order import Order, order_of
from .parameters import check_size

Array = NDArray[Any]


class RecurrentCache(NamedTuple):
    """What BPTT needs of the forward pass.

    Where there are lengths, resets, or sequences read backwards, `order` says how; then the arrays hold the rows of the
    engine (N, ·) instead of (T, B, ·).

    Attributes:
        x: (T, B, I), or None where only `ids` were there.
        ids: (T, B), or None.
        first: the state before the first step (B, S), or None for zero.
        h: (T, B, H).
        c: the LSTM's c (T, B, H); None in other cells.
        kept: what a gated cell keeps of each step (T, B, 4H): the gates; else None.
        state: the state after the last step (B, S).
        order: see there.
        given: whether the caller gave a state.
    """

    x: Array | None
    ids: Array | None
    first: Array | None
    h: Array
    c: Array | None
    kept: Array | None
    state: Array
    order: Order | None
    given: bool


class Recurrent(Layer):
    """A recurrent layer: a cell, unfolded over sequences.

    A state is one array (B, S): h for RNN and GRU (S = H); h, then c, for LSTM (S = 2H).

    Attributes:
        input_size, hidden_size, state_size: I, H, S.
    """

    #: Blocks of H numbers in U's rows (and b's), in W's rows, and in a state.
    blocks: ClassVar[tuple[int, int, int]] = (1, 1, 1)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        recurrent: str,
        recurrent_scale: float,
        learn_state: bool,
        seed: int,
        dtype: DTypeLike,
        more: dict[str, tuple[int, ...]] | None = None,
    ) -> None:
        name, (u, w, s) = type(self).__name__, self.blocks
        I = self.input_size = check_size(name, "input_size", input_size)
        H = self.hidden_size = check_size(name, "hidden_size", hidden_size)
        self.state_size = s * H
        self.learn_state = learn_state
        shapes: dict[str, tuple[int, ...]] = {"U": (u * H, I), "W": (w * H, H), "b": (u * H,)} | (more or {})
        if learn_state:
            shapes["state"] = (self.state_size,)
        super().__init__(shapes, dtype)
        bound = H**-0.5
        self.initialise("U", "uniform", bound, seed)
        scale = recurrent_scale * (bound if recurrent in ("uniform", "normal") else 1.0)
        self._initialise_recurrent(recurrent, scale, seed)
        self.initialise("b", "uniform", bound, seed)

    def _initialise_recurrent(self, scheme: str, scale: float, seed: int) -> None:
        """Draws each gate's block of W on its own: an orthogonal matrix is square."""
        H, blocks = self.hidden_size, self.blocks[1]
        for block in range(blocks):
            part = self.parameters["W"][block * H : (block + 1) * H]
            stream = list(self.parameters).index("W") + block * len(self.parameters)
            _rnnrs.initialise(part, scheme, scale, derive_seed(seed, stream))

    @property
    def cell(self) -> str:
        """The engine's name of the cell."""
        raise NotImplementedError

    def engine_weights(self) -> list[tuple[str, Array, Array, Array]]:
        """Cell, U, W and bias of each layer, as the engine's stepper takes them."""
        p = self.parameters
        return [(self.cell, p["U"], p["W"], self._bias())]

    def _bias(self) -> Array:
        """The bias of the engine's sums."""
        return self.parameters["b"]

    def _bias_gradient(self) -> Array:
        """Where to add its gradient; `_add_bias` then takes it over."""
        return self.gradients["b"]

    def _add_bias(self, db: Array) -> None:
        """Adds the gradient of the engine's bias to the parameters' gradients, where it is not there already."""

    def forward(
        self,
        x: ArrayLike,
        state: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        reverse: bool = False,
        gradient: bool = True,
    ) -> tuple[Array, RecurrentCache]:
        """All states h of a batch of sequences, from the first step to the last.

        Args:
            x: (T, B, I).
            state: before the first step (B, S); by default zero, or the learnt one.
            lengths: how many steps each sequence has (B,), in any order, 0 among them; T by default. Padding is neither
                computed nor does it change a gradient: its h is 0.
            resets: (T, B), True where a new sequence begins: the state before that step is the initial one again, not
                that of the step before (nor `state`, at the first step).
            reverse: whether to read each sequence from its last step to its first. h stays at its step's place.
            gradient: whether there will be a way back; without, less is kept.

        Returns:
            (h (T, B, H), cache); `cache.state` (B, S) is the state after each sequence's last step.

        Raises:
            ShapeError, DTypeError: if an array has another shape, or holds no numbers of the kind.
            ValueError: for a length below 0 or above T.
            MemoryError: if h does not fit.
        """
        x = np.asarray(x)
        [(_, U, W, b)] = self.engine_weights()
        if x.ndim != 3 and (lengths is not None or resets is not None or reverse):
            raise ShapeError(f"{type(self).__name__}: x: expected (T, B, I={self.input_size}), got {x.shape}")
        order = order_of(type(self).__name__, x.shape, lengths, resets, reverse)
        rows = x if order is None else order.pack(np.asarray(x, self.dtype))
        first = self._first(state, x.shape, order)
        traced = _rnnrs.recurrent_forward(self.cell, rows, U, W, b, first, *_counts(order), gradient)
        return self._traced(rows, None, first, traced, order, state is not None)

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
    ) -> tuple[Array, RecurrentCache]:
        """`forward` of x = E[ids], with the same bits, for less where the vocabulary is smaller than the batch.

        b + U E[id] is the same wherever a token stands: with V < T·B, the V rows of P = b + U E are computed once and
        a_t = P[id_t] + W h_{t−1}.

        Args:
            embedding: whose table E (V, I) is read.
            ids: (T, B). What stands in the padding does not matter.
            state, lengths, resets, reverse, gradient: as in `forward`.

        Returns:
            (h (T, B, H), cache).

        Raises:
            IndexError: for an id outside the table.
            ShapeError, DTypeError, ValueError: for arrays that do not fit.
        """
        ids = np.asarray(ids)
        if ids.ndim != 2 and (lengths is not None or resets is not None or reverse):
            raise ShapeError(f"{type(self).__name__}: ids: expected (T, B), got {ids.shape}")
        order = order_of(type(self).__name__, ids.shape, lengths, resets, reverse)
        rows = ids if order is None else order.pack(ids)
        first = self._first(state, ids.shape, order)
        given = state is not None
        [(_, U, W, b)] = self.engine_weights()
        if ids.ndim != 2 or embedding.vocabulary_size >= rows.size:
            x, _ = embedding.forward(rows)
            traced = _rnnrs.recurrent_forward(self.cell, x, U, W, b, first, *_counts(order), gradient)
            return self._traced(x, rows, first, traced, order, given)
        table = self._table(embedding.parameters["E"])
        traced = _rnnrs.recurrent_forward_tokens(self.cell, rows, table, W, first, *_counts(order), gradient)
        return self._traced(None, rows, first, traced, order, given)

    def _table(self, E: Array) -> Array:
        """b + U E (V, sums·H): what the engine's sums begin with, for every token."""
        return _rnnrs.linear_forward(E, self.parameters["U"], self.parameters["b"])

    def _first(self, state: ArrayLike | None, shape: tuple[int, ...], order: Order | None) -> Array | None:
        """The state before the first step, for every sequence of the engine; None for zero."""
        initial = self.parameters["state"] if self.learn_state else None
        if order is None:
            if state is not None:
                return np.asarray(state)
            return None if initial is None else np.tile(initial, (shape[1] if len(shape) > 1 else 1, 1))
        if state is not None and np.shape(state) != (shape[1], self.state_size):
            name, S = type(self).__name__, self.state_size
            raise ShapeError(f"{name}: state: expected (B={shape[1]}, S={S}), got {np.shape(state)}")
        given = None if state is None else np.asarray(state, self.dtype)
        return order.begin(given, initial, self.state_size, self.dtype)

    def _traced(
        self,
        x: Array | None,
        ids: Array | None,
        first: Array | None,
        traced: Any,
        order: Order | None,
        given: bool,
    ) -> tuple[Array, RecurrentCache]:
        h, c, kept, last = traced
        state = last if order is None else order.end(last)
        cache = RecurrentCache(x, ids, first, h, c, kept, state, order, given)
        return (h if order is None else order.unpack(h)), cache

    def backward(
        self,
        cache: RecurrentCache,
        dh: ArrayLike | None,
        dstate: ArrayLike | None = None,
        *,
        need_dx: bool = True,
    ) -> tuple[Array | None, Array]:
        """Back-propagation through time: exact, in O(T).

        For t = T … 1: dh_t + Wᵀ da_{t+1} is what L feels of h_t, da_t that times the step's derivative. Then, over all
        steps, dU += Σ da_t x_tᵀ, dW += Σ da_t h_{t−1}ᵀ, db += Σ da_t, and dx_t = Uᵀ da_t.

        Args:
            cache: from `forward`.
            dh: (T, B, H), what the layers above say of h: zero at steps without a loss; None for zero everywhere.
            dstate: (B, S), what is said of the state after the last step; None for nothing.
            need_dx: whether dx is wanted.

        Returns:
            (dx (T, B, I) or None, the gradient of the state before the first step (B, S)): of forward's two inputs.

        Raises:
            ShapeError: if dh or dstate has another shape than h or the state.
            ValueError: if the forward pass was told that there is no way back.
        """
        if cache.x is None:
            raise ValueError(
                f"{type(self).__name__}.backward: cache: expected that of forward, got that of forward_tokens"
            )
        da, dfirst = self._through_time(cache, dh, dstate)
        dx = self._add_gradients(cache, da, need_dx)
        if dx is not None and cache.order is not None:
            dx = cache.order.unpack(dx)
        return dx, self._initial_gradient(cache, dfirst)

    def backward_tokens(
        self,
        embedding: Embedding,
        cache: RecurrentCache,
        dh: ArrayLike | None,
        dstate: ArrayLike | None = None,
    ) -> Array:
        """BPTT through `forward_tokens`: adds to all gradients, the embedding's among them.

        With the table P, dP[id_t] += da_t, and then dU = dPᵀ E, db = Σ dP and dE += dP U.

        Args:
            embedding: the one of the way forward.
            cache: from `forward_tokens`.
            dh, dstate: as in `backward`.

        Returns:
            The gradient of the state before the first step (B, S).

        Raises:
            ShapeError: if dh has not the shape of h.
        """
        if cache.ids is None:
            raise ValueError(
                f"{type(self).__name__}.backward_tokens: cache: expected that of forward_tokens, got that of forward"
            )
        da, dfirst = self._through_time(cache, dh, dstate)
        if cache.x is not None:
            dx = self._add_gradients(cache, da, True)
            assert dx is not None  # wanted
            embedding.backward(EmbeddingCache(cache.ids), dx)
            return self._initial_gradient(cache, dfirst)
        E = embedding.parameters["E"]
        dP = np.zeros((len(E), da.shape[-1]), self.dtype)
        _rnnrs.embedding_backward(cache.ids, da, dP)
        self._add_recurrent_gradient(cache, da)
        dE = self._add_input_gradients(E, dP, True)
        assert dE is not None  # wanted
        embedding.gradients.touch("E", np.unique(cache.ids))[...] += dE
        return self._initial_gradient(cache, dfirst)

    def _through_time(
        self, cache: RecurrentCache, dh: ArrayLike | None, dstate: ArrayLike | None
    ) -> tuple[Array, Array]:
        """BPTT in the engine's rows."""
        name, order = type(self).__name__, cache.order
        if cache.kept is None and self.blocks[1] > 1:
            raise ValueError(
                f"{name}.backward: cache: expected one of forward(…, gradient=True), got one without gates"
            )
        dlast = None if dstate is None else np.asarray(dstate)
        if order is not None:
            expected = (*order.shape, self.hidden_size)
            if dh is not None and np.shape(dh) != expected:
                raise ShapeError(f"{name}: dh: expected {expected}, got {np.shape(dh)}")
            if dlast is not None and dlast.shape != cache.state.shape:
                raise ShapeError(f"{name}: dstate: expected {cache.state.shape}, got {dlast.shape}")
            dh = None if dh is None else order.pack(np.asarray(dh, self.dtype))
            dlast = order.end_gradient(dlast)
        W, dh = self.parameters["W"], None if dh is None else np.asarray(dh)
        states = (cache.h, cache.c, cache.kept, cache.first)
        return _rnnrs.recurrent_backward(self.cell, W, *states, dh, dlast, *_counts(order))

    def _add_gradients(self, cache: RecurrentCache, da: Array, need_dx: bool) -> Array | None:
        """Adds dU, dW and db; gives dx of the engine's rows."""
        assert cache.x is not None
        self._add_recurrent_gradient(cache, da)
        return self._add_input_gradients(cache.x, da, need_dx)

    def _add_recurrent_gradient(self, cache: RecurrentCache, da: Array) -> None:
        into = self.gradients["W"]
        _rnnrs.recurrent_gradient(self.cell, da, cache.first, cache.h, into, *_counts(cache.order))

    def _add_input_gradients(self, x: Array, da: Array, need_dx: bool) -> Array | None:
        db = self._bias_gradient()
        U, dU = self.parameters["U"], self.gradients["U"]
        dx = _rnnrs.recurrent_input_gradients(self.cell, da, x, U, dU, db, need_dx)
        self._add_bias(db)
        return dx

    def _initial_gradient(self, cache: RecurrentCache, dfirst: Array) -> Array:
        """The gradient of the state before the first step (B, S); adds that of a learnt one."""
        if cache.order is None:
            dstate, others = dfirst, np.zeros(self.state_size, self.dtype)
        else:
            dstate, others = cache.order.begin_gradient(dfirst)
        if self.learn_state:
            self.gradients["state"][...] += others if cache.given else others + dstate.sum(axis=0)
        return dstate

    def bptt(
        self, cache: RecurrentCache, dh: ArrayLike | None, dstate: ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """The way back through time alone: (da (T, B, sums), the gradient of the state before the first step (B, S)).

        No gradient is added to.

        `da` is ∂L/∂ the sums: one block of H in an RNN, i, f, g, o in an LSTM; in a GRU r, z, and n's two parts, that
        of W h and that of U x.

        Raises:
            ShapeError: if dh has not the shape of h.
        """
        da, dfirst = self._through_time(cache, dh, dstate)
        if cache.order is None:
            return da, dfirst
        return cache.order.unpack(da), cache.order.begin_gradient(dfirst)[0]


def _counts(order: Order | None) -> tuple[Array | None, int]:
    """What the engine is told of an order."""
    return (None, 0) if order is None else (order.counts, order.sequences)
