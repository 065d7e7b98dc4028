"""What all recurrent layers share: the way through time. What is a cell's own stands in its file."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _rnnrs
from ..checks import check_size
from ..errors import ShapeError
from ..seeds import derive_seed
from ..types import Array
from .embedding import Embedding, EmbeddingCache
from .layer import Layer
from .noise import INPUT, RECURRENT, WEIGHTS, ZONEOUT, check_rate, keys_of, place_seed, rows_of
from .order import Order, order_of


class RecurrentCache(NamedTuple):
    """What BPTT needs of the forward pass.

    Where there are lengths, resets, or sequences read backwards, `order` says how; then the arrays hold the rows of the
    engine (N, ·) instead of (T, B, ·).

    Attributes:
        x: (T, B, I), or None where only tokens were there.
        tokens: the embedding's cache, its ids (T, B); None where x was given.
        first: the state before the first step (B, S), or None for zero.
        h: (T, B, H).
        c: the LSTM's c (T, B, H); None in other cells.
        kept: what a gated cell keeps of each step (T, B, 4H): the gates; else None.
        state: the state after the last step (B, S).
        order: see there.
        given: whether the caller gave a state.
        drawn: the masks.
        normed: of a layer normalization, x̂ (T, B, sums·H) and the scales (T, B, sums).
    """

    x: Array | None
    tokens: EmbeddingCache | None
    first: Array | None
    h: Array
    c: Array | None
    kept: Array | None
    state: Array
    order: Order | None
    given: bool
    drawn: Drawn
    normed: tuple[Array, Array] | None


class Drawn(NamedTuple):
    """What noise made of a layer for one pass.

    Attributes:
        rows: the key and step of every row of x, and the seed, of dropout of the input; None without.
        weights: the seed of the weights that were dropped; None without.
        W: what is left of W.
        extras: for the engine: a mask of h_{t−1}, zoneout, normalization.
    """

    rows: tuple[Array, Array, int] | None
    weights: int | None
    W: Array
    extras: tuple[Any, Any, Any]


#: Cell, U, W, bias, and what is done besides.
EngineLayer = tuple[str, Array, Array, Array, tuple[Any, Any, Any]]


class RecurrentOptions(TypedDict, total=False):
    """The options of every recurrent layer, see `Recurrent`."""

    recurrent_initializer: str
    recurrent_scale: float
    learn_state: bool
    input_dropout: float
    recurrent_dropout: float
    zoneout: float | tuple[float, float]
    weight_drop: float
    layer_norm: bool
    seed: int
    dtype: DTypeLike


class Recurrent(Layer):
    """A recurrent layer: a cell, unfolded over sequences.

    A state is one array (B, S): h for RNN and GRU (S = H); h, then c, for LSTM (S = 2H).

    Args:
        input_size: I.
        hidden_size: H.
        recurrent_initializer: how each block of W is initialized: "uniform" (±1/√H), "xavier", "orthogonal",
            "identity", "normal" (standard deviation 1/√H).
        recurrent_scale: times that.
        learn_state: whether the state before the first step is a parameter, "state" (S,), zero at first, where none is
            given.
        input_dropout: with which probability a number of x is dropped, another one at every step (Zaremba, Sutskever
            and Vinyals 2014).
        recurrent_dropout: with which probability a unit of h_{t−1} is dropped before W, the same at every step of a
            sequence (Gal and Ghahramani 2016).
        zoneout: with which probability a unit keeps its state for a step (Krueger et al. 2017); for an LSTM one rate or
            one for h and one for c. Without noise it keeps that share of it.
        weight_drop: with which probability a number of W is dropped, the same for the whole batch (Merity, Keskar and
            Socher 2018).
        layer_norm: whether every block of sums U x_t + W h_{t−1} is normalized: divided by its deviation after its mean
            was taken away, then times "gain" (a parameter, 1 at first) and plus the bias (Ba, Kiros and Hinton 2016).
            Where a GRU needs U x and W h apart, they are normalized apart.
        seed: of the first weights.
        dtype: float32 or float64.

    Dropout of any kind needs the `noise` that `forward` is given, and has no effect without.

    Attributes:
        input_size, hidden_size, state_size: I, H, S.
    """

    #: Blocks of H numbers in U's rows (and b's), in W's rows, and in a state.
    blocks: ClassVar[tuple[int, int, int]] = (1, 1, 1)

    #: Blocks of H numbers in a row of the engine's sums.
    sums: ClassVar[int] = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        recurrent_initializer: str = "uniform",
        recurrent_scale: float = 1.0,
        learn_state: bool = False,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float | tuple[float, float] = 0.0,
        weight_drop: float = 0.0,
        layer_norm: bool = False,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        self.input_size = check_size(name, "input_size", input_size)
        H = self.hidden_size = check_size(name, "hidden_size", hidden_size)
        self.state_size = self.blocks[2] * H
        self.learn_state, self.layer_norm = learn_state, layer_norm
        self.input_dropout = check_rate(name, "input_dropout", input_dropout)
        self.recurrent_dropout = check_rate(name, "recurrent_dropout", recurrent_dropout)
        self.weight_drop = check_rate(name, "weight_drop", weight_drop)
        self.zoneout = self._zoneout_rates(zoneout)
        sizes = (self.input_size, self.hidden_size)
        shapes = self.parameter_shapes(*sizes, learn_state=learn_state, layer_norm=layer_norm)
        super().__init__(shapes, dtype)
        bound = H**-0.5
        self.initialize("U", "uniform", bound, seed)
        scale = recurrent_scale * (bound if recurrent_initializer in ("uniform", "normal") else 1.0)
        self._initialize_recurrent(recurrent_initializer, scale, seed)
        self.initialize("b", "uniform", bound, seed)
        if layer_norm:
            self.parameters["gain"][...] = 1.0

    @classmethod
    def parameter_shapes(
        cls, input_size: int, hidden_size: int, *, learn_state: bool = False, layer_norm: bool = False
    ) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters that a layer of these sizes has."""
        (u, w, s), I, H = cls.blocks, input_size, hidden_size
        shapes: dict[str, tuple[int, ...]] = {"U": (u * H, I), "W": (w * H, H), "b": (u * H,)}
        if learn_state:
            shapes["state"] = (s * H,)
        if layer_norm:
            shapes["gain"] = (cls.sums * H,)
        return shapes

    def _zoneout_rates(self, rates: float | tuple[float, float]) -> tuple[float, float]:
        """One rate for h, one for c."""
        name = type(self).__name__
        if not isinstance(rates, (tuple, list)):
            rate = check_rate(name, "zoneout", rates)
            return rate, rate
        if len(rates) != 2 or self.blocks[2] == 1:
            expected = "one rate" if self.blocks[2] == 1 else "one rate or two"
            raise ValueError(f"{name}: zoneout: expected {expected}, got {rates}")
        return check_rate(name, "zoneout", rates[0]), check_rate(name, "zoneout", rates[1])

    def _initialize_recurrent(self, scheme: str, scale: float, seed: int) -> None:
        """Draws each gate's block of W on its own: an orthogonal matrix is square."""
        H, blocks = self.hidden_size, self.blocks[1]
        for block in range(blocks):
            part = self.parameters["W"][block * H : (block + 1) * H]
            stream = list(self.parameters).index("W") + block * len(self.parameters)
            _rnnrs.initialize(part, scheme, scale, derive_seed(seed, stream))

    @property
    def cell(self) -> str:
        """The engine's name of the cell."""
        raise NotImplementedError

    def engine_weights(self) -> list[EngineLayer]:
        """Cell, U, W, bias, and what is done besides, of each layer, as the engine's stepper takes them."""
        drawn = self._draw(None, None, (0, 0), None, False)
        return [(self.cell, self.parameters["U"], self.parameters["W"], self._sums_bias(), drawn.extras)]

    def _sums_bias(self) -> Array:
        """What the engine adds to U x: the bias, unless it comes after a normalization."""
        return np.zeros(self.sums * self.hidden_size, self.dtype) if self.layer_norm else self._bias()

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
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, RecurrentCache]:
        """All states h of a batch of sequences, from the first step to the last.

        Args:
            x: (T, B, I).
            state: before the first step (B, S); by default zero, or the learned one.
            lengths: how many steps each sequence has (B,), in any order, 0 among them; T by default. Padding is neither
                computed nor does it change a gradient: its h is 0.
            resets: (T, B), True where a new sequence begins: the state before that step is the initial one again, not
                that of the step before (nor `state`, at the first step).
            reverse: whether to read each sequence from its last step to its first. h stays at its step's place.
            gradient: whether there will be a way back; without, less is kept.
            noise: from which the masks of dropout are drawn, from 0 to 2⁶⁴ − 1; None: nothing is dropped.
            keys: whole numbers (B,) by which sequences get masks of their own wherever they stand; by default their
                places in the batch.

        Returns:
            (h (T, B, H), cache); `cache.state` (B, S) is the state after each sequence's last step.

        Raises:
            ShapeError, DTypeError: if an array has another shape, or holds no numbers of the kind.
            ValueError: for a length below 0 or above T.
            MemoryError: if h does not fit.
        """
        x = np.asarray(x)
        if x.ndim != 3 and (lengths is not None or resets is not None or reverse or noise is not None):
            raise ShapeError(f"{type(self).__name__}: x: expected (T, B, I={self.input_size}), got {x.shape}")
        order = order_of(type(self).__name__, x.shape, lengths, resets, reverse)
        drawn = self._draw(noise, keys, x.shape, order, gradient)
        shape = x.shape
        if order is not None and drawn.rows is not None:
            x = order.pack(np.asarray(x, self.dtype))
        return self._walk(x, None, state, (shape, order), drawn, gradient)

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
        """`forward` of x = E[ids], with the same bits, for less where the vocabulary is smaller than the batch.

        b + U E[id] is the same wherever a token stands: with V < T·B, the V rows of P = b + U E are computed once and
        a_t = P[id_t] + W h_{t−1}.

        Args:
            embedding: whose table E (V, I) is read.
            ids: (T, B). What stands in the padding does not matter.
            state, lengths, resets, reverse, gradient, noise, keys: as in `forward`.

        Returns:
            (h (T, B, H), cache).

        Raises:
            IndexError: for an id outside the table.
            ShapeError, DTypeError, ValueError: for arrays that do not fit.
        """
        ids = np.asarray(ids)
        if ids.ndim != 2 and (lengths is not None or resets is not None or reverse or noise is not None):
            raise ShapeError(f"{type(self).__name__}: ids: expected (T, B), got {ids.shape}")
        order = order_of(type(self).__name__, ids.shape, lengths, resets, reverse)
        drawn = self._draw(noise, keys, ids.shape, order, gradient)
        rows = ids if order is None else order.pack(ids)
        dropped = noise is not None and embedding.row_dropout
        if drawn.rows is None and not dropped and ids.ndim == 2 and embedding.vocabulary_size < rows.size:
            table = self._table(embedding.parameters["E"])
            first = self._first(state, ids.shape, order)
            engine = (first, _engine(order), gradient, drawn.extras)
            traced = _rnnrs.recurrent_forward_tokens(self.cell, rows, table, drawn.W, *engine)
            tokens = EmbeddingCache(rows)
            return self._traced(None, tokens, first, traced, order, state is not None, drawn)
        x, tokens = embedding.forward(rows, noise)
        return self._walk(x, tokens, state, (ids.shape, order), drawn, gradient)

    def _walk(
        self,
        x: Array,
        tokens: EmbeddingCache | None,
        state: ArrayLike | None,
        shape_and_order: tuple[tuple[int, ...], Order | None],
        drawn: Drawn,
        gradient: bool,
    ) -> tuple[Array, RecurrentCache]:
        """The way forward of x: (T, B, I), or the engine's rows (N, I)."""
        shape, order = shape_and_order
        first = self._first(state, shape, order)
        x = self._times_mask(x, drawn)
        engine = (first, _engine(order), gradient, drawn.extras)
        U, b = self.parameters["U"], self._sums_bias()
        traced = _rnnrs.recurrent_forward(self.cell, x, U, drawn.W, b, *engine)
        return self._traced(x, tokens, first, traced, order, state is not None, drawn)

    def _draw(
        self,
        noise: int | None,
        keys: ArrayLike | None,
        shape: tuple[int, ...],
        order: Order | None,
        gradient: bool,
    ) -> Drawn:
        """The masks of a pass."""
        W, (zone_h, zone_c) = self.parameters["W"], self.zoneout
        norm = (self.parameters["gain"], self._bias()) if self.layer_norm else None
        if noise is None:
            if gradient and (zone_h or zone_c):
                raise ValueError(
                    f"{type(self).__name__}: noise: expected a number for a way back through zoneout, got None"
                )
            on_average = (zone_h, zone_c, None) if zone_h or zone_c else None
            return Drawn(None, None, W, (None, on_average, norm))
        T, B = shape[:2]
        streams = keys_of(type(self).__name__, keys, B)
        sequences = streams if order is None else order.keys(streams)
        rows = weights = mask = zoneout = None
        if self.input_dropout:
            own = rows_of(T, streams) if order is None else (streams[order.rows % B], order.steps)
            rows = (*own, place_seed(noise, INPUT))
        if self.weight_drop:
            weights = place_seed(noise, WEIGHTS)
            W = _rnnrs.apply_dropout(W, np.arange(len(W)), None, self.weight_drop, weights)
        if self.recurrent_dropout:
            seed = place_seed(noise, RECURRENT)
            mask = _rnnrs.dropout_masks(sequences, self.hidden_size, self.recurrent_dropout, seed, W)
        if zone_h or zone_c:
            zoneout = (zone_h, zone_c, (place_seed(noise, ZONEOUT), sequences))
        return Drawn(rows, weights, W, (mask, zoneout, norm))

    def _times_mask(self, x: Array, drawn: Drawn) -> Array:
        """Dropout of the input, or of its gradient: rows (T, B, I), or the engine's (N, I)."""
        if drawn.rows is None:
            return x
        flat = np.asarray(x, self.dtype).reshape(-1, x.shape[-1])
        keys, steps, seed = drawn.rows
        return _rnnrs.apply_dropout(flat, keys, steps, self.input_dropout, seed).reshape(x.shape)

    def _table(self, E: Array) -> Array:
        """b + U E (V, sums·H): what the engine's sums begin with, for every token; b = 0 where that comes later."""
        b = self.parameters["b"]
        return _rnnrs.linear_forward(E, self.parameters["U"], np.zeros_like(b) if self.layer_norm else b)

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
        tokens: EmbeddingCache | None,
        first: Array | None,
        traced: Any,
        order: Order | None,
        given: bool,
        drawn: Drawn,
    ) -> tuple[Array, RecurrentCache]:
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
        da, dfirst, dnorm = self._through_time(cache, dh, dstate)
        dx = self._add_gradients(cache, da, dnorm, need_dx)
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
        if cache.tokens is None:
            raise ValueError(
                f"{type(self).__name__}.backward_tokens: cache: expected that of forward_tokens, got that of forward"
            )
        da, dfirst, dnorm = self._through_time(cache, dh, dstate)
        if cache.x is not None:
            dx = self._add_gradients(cache, da, dnorm, True)
            assert dx is not None  # wanted
            embedding.backward(cache.tokens, dx)
            return self._initial_gradient(cache, dfirst)
        E = embedding.parameters["E"]
        dP = np.zeros((len(E), da.shape[-1]), self.dtype)
        _rnnrs.embedding_backward(np.asarray(cache.tokens.ids), da, dP)
        self._add_recurrent_gradient(cache, da)
        dE = self._add_input_gradients(E, dP, None, dnorm, True)
        assert dE is not None  # wanted
        embedding.gradients.touch("E", np.unique(cache.tokens.ids))[...] += dE
        return self._initial_gradient(cache, dfirst)

    def _through_time(
        self, cache: RecurrentCache, dh: ArrayLike | None, dstate: ArrayLike | None
    ) -> tuple[Array, Array, tuple[Array, Array] | None]:
        """BPTT in the engine's rows; with the gradients of a normalization's gain and shift."""
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
            dlast = order.end_gradient(dlast)
        dh = None if dh is None else np.asarray(dh)
        return _rnnrs.recurrent_backward(
            self.cell,
            cache.drawn.W,
            cache.h,
            cache.c,
            cache.kept,
            cache.first,
            dh,
            dlast,
            _engine(order),
            cache.drawn.extras,
            cache.normed,
        )

    def _add_gradients(
        self, cache: RecurrentCache, da: Array, dnorm: tuple[Array, Array] | None, need_dx: bool
    ) -> Array | None:
        """Adds dU, dW and db; gives dx of the engine's rows."""
        assert cache.x is not None
        self._add_recurrent_gradient(cache, da)
        dx = self._add_input_gradients(cache.x, da, cache.order, dnorm, need_dx)
        return None if dx is None else self._times_mask(dx, cache.drawn)

    def _add_recurrent_gradient(self, cache: RecurrentCache, da: Array) -> None:
        dW, seed = self.gradients["W"], cache.drawn.weights
        into = dW if seed is None else np.zeros_like(dW)
        mask = cache.drawn.extras[0]
        _rnnrs.recurrent_gradient(self.cell, da, cache.first, cache.h, into, _engine(cache.order), mask)
        if seed is not None:
            dW += _rnnrs.apply_dropout(into, np.arange(len(into)), None, self.weight_drop, seed)

    def _add_input_gradients(
        self,
        x: Array,
        da: Array,
        order: Order | None,
        dnorm: tuple[Array, Array] | None,
        need_dx: bool,
    ) -> Array | None:
        db, U, dU = self._bias_gradient(), self.parameters["U"], self.gradients["U"]
        if dnorm is not None:  # the bias came after the normalization
            self.gradients["gain"][...] += dnorm[0]
            db += dnorm[1]
        into = db if dnorm is None else None
        dx = _rnnrs.recurrent_input_gradients(self.cell, da, x, U, dU, into, need_dx, _engine(order))
        self._add_bias(db)
        return dx

    def _initial_gradient(self, cache: RecurrentCache, dfirst: Array) -> Array:
        """The gradient of the state before the first step (B, S); adds that of a learned one."""
        dstate, others = (dfirst, 0.0) if cache.order is None else cache.order.begin_gradient(dfirst)
        if self.learn_state:
            self.gradients["state"][...] += others if cache.given else others + dstate.sum(axis=0)
        return dstate

    @property
    def stochastic(self) -> bool:
        """Whether noise has an effect: whether there is dropout of any kind."""
        return bool(self.input_dropout or self.recurrent_dropout or self.weight_drop or any(self.zoneout))

    def state_after(self, cache: RecurrentCache, steps: int) -> Array:
        """The state (B, S) after so many steps, from 1 to T, of a forward pass."""
        parts = [cache.h] if cache.c is None else [cache.h, cache.c]
        whole = parts if cache.order is None else [cache.order.unpack(part) for part in parts]
        return np.concatenate([part[steps - 1] for part in whole], axis=1)

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
        da, dfirst, _ = self._through_time(cache, dh, dstate)
        if cache.order is None:
            return da, dfirst
        return cache.order.unpack(da), cache.order.begin_gradient(dfirst)[0]


def _engine(order: Order | None) -> tuple[Array, int, Array, tuple[int, int]] | None:
    """What the engine is told of an order."""
    return None if order is None else (order.counts, order.sequences, order.rows, order.shape)
