"""A recurrent cell's options, parameters and their gradients; `recurrent` unfolds it over sequences."""

from __future__ import annotations

from typing import ClassVar, TypedDict

import numpy as np
from numpy.typing import DTypeLike

from .. import _rnnrs
from ..checks import check_size
from ..seeds import derive_seed
from ..types import Array
from .layer import Layer
from .linear import input_gradient
from .noise import check_rate
from .order import EngineOrder


class RecurrentOptions(TypedDict, total=False):
    """The options of every recurrent layer; `Recurrent` documents them."""

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


class RecurrentCell(Layer):
    """The parameters of a recurrent layer, in blocks of H rows: one block for each gate.

    `Recurrent` documents the arguments. A subclass with another memory layout overrides `_bias`,
    `_bias_gradient`, `_add_bias` and `_table`.
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
        """Returns the parameter shapes of a layer of these sizes, by name."""
        (u, w, s), I, H = cls.blocks, input_size, hidden_size
        shapes: dict[str, tuple[int, ...]] = {"U": (u * H, I), "W": (w * H, H), "b": (u * H,)}
        if learn_state:
            shapes["state"] = (s * H,)
        if layer_norm:
            shapes["gain"] = (cls.sums * H,)
        return shapes

    def _zoneout_rates(self, rates: float | tuple[float, float]) -> tuple[float, float]:
        """Returns the rates for h and c."""
        name = type(self).__name__
        if not isinstance(rates, (tuple, list)):
            rate = check_rate(name, "zoneout", rates)
            return rate, rate
        if len(rates) != 2 or self.blocks[2] == 1:
            expected = "one rate" if self.blocks[2] == 1 else "one rate or two"
            raise ValueError(f"{name}: zoneout: expected {expected}, got {rates}")
        return check_rate(name, "zoneout", rates[0]), check_rate(name, "zoneout", rates[1])

    def _initialize_recurrent(self, scheme: str, scale: float, seed: int) -> None:
        """Initializes each gate's block of W separately, since an orthogonal matrix is square."""
        H, blocks = self.hidden_size, self.blocks[1]
        for block in range(blocks):
            part = self.parameters["W"][block * H : (block + 1) * H]
            stream = list(self.parameters).index("W") + block * len(self.parameters)
            _rnnrs.initialize(part, scheme, scale, derive_seed(seed, stream))

    @property
    def cell(self) -> str:
        """The engine's name for the cell."""
        raise NotImplementedError

    @property
    def stochastic(self) -> bool:
        """Whether noise has an effect, that is, whether there is dropout of any kind."""
        return bool(self.input_dropout or self.recurrent_dropout or self.weight_drop or any(self.zoneout))

    def normalization(self) -> tuple[Array, Array] | None:
        """Returns the gain and the bias of layer normalization; None without it."""
        return (self.parameters["gain"], self._bias()) if self.layer_norm else None

    def _sums_bias(self) -> Array:
        """Returns the bias that the engine adds to U x: zero if the bias follows a normalization."""
        return np.zeros(self.sums * self.hidden_size, self.dtype) if self.layer_norm else self._bias()

    def _bias(self) -> Array:
        """Returns the bias of the engine's sums."""
        return self.parameters["b"]

    def _bias_gradient(self) -> Array:
        """Returns the array to which the engine adds the bias gradient; `_add_bias` then receives it."""
        return self.gradients["b"]

    def _add_bias(self, db: Array) -> None:
        """Adds the gradient of the engine's bias to `gradients`, unless it was accumulated there directly."""

    def _table(self, E: Array) -> Array:
        """Returns b + U E (V, sums·H), every token's part of the engine's sums.

        b is 0 if it is added after a normalization.
        """
        b = self.parameters["b"]
        return _rnnrs.linear_forward(E, self.parameters["U"], np.zeros_like(b) if self.layer_norm else b)

    def _input_sums(self, da: Array) -> Array:
        """Returns the columns of da that U x is part of, in the order of U's rows."""
        return da

    def _add_input_gradients(
        self,
        x: Array,
        da: Array,
        order: EngineOrder | None,
        dnorm: tuple[Array, Array] | None,
        need_dx: bool,
    ) -> Array | None:
        """Adds dU and db, and the gain's gradient; returns dx of the engine's rows. If frozen, only dx."""
        if not self.parameters.are_trained:
            return input_gradient(self.parameters["U"], self._input_sums(da)) if need_dx else None
        db, U, dU = self._bias_gradient(), self.parameters["U"], self.gradients["U"]
        if dnorm is not None:  # the bias was added after the normalization
            self.gradients["gain"][...] += dnorm[0]
            db += dnorm[1]
        into = db if dnorm is None else None
        dx = _rnnrs.recurrent_input_gradients(self.cell, da, x, U, dU, into, need_dx, order)
        self._add_bias(db)
        return dx
