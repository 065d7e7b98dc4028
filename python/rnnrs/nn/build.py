"""Recurrent layers by the name of their cell, for models whose user chooses one."""

from __future__ import annotations

from typing import Any

from .gru import GRU
from .layer import derive_seed
from .lstm import LSTM
from .parameters import check_size
from .recurrent import Recurrent
from .rnn import RNN
from .stack import Stack

#: The cells by name.
CELLS: dict[str, type[Recurrent]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


def build_recurrent(
    op: str,
    cell: str,
    input_size: int,
    hidden_size: int,
    *,
    layers: int = 1,
    dropout: float = 0.0,
    activation: str = "tanh",
    seed: int = 0,
    **options: Any,
) -> Recurrent | Stack:
    """One recurrent layer, or several on top of each other.

    Args:
        op: who asks, for messages.
        cell: "rnn", "lstm" or "gru".
        input_size, hidden_size: I, and H of every layer.
        layers: how many.
        dropout: of what goes into each layer.
        activation: of an "rnn".
        seed: of the first weights; each layer has a stream of its own.
        options: those of `Recurrent`, for every layer.

    Raises:
        ValueError, TypeError: for an unknown cell, an activation for a cell that has its own, wrong sizes or rates.
    """
    if cell not in CELLS:
        raise ValueError(f"{op}: cell: expected one of {', '.join(CELLS)}, got {cell!r}")
    if cell == "rnn":
        options["activation"] = activation
    elif activation != "tanh":
        raise ValueError(f"{op}: activation: expected tanh with cell {cell!r}, got {activation!r}")
    count = check_size(op, "layers", layers)
    built = []
    for i in range(count):
        own = options | {"seed": seed if i == 0 else derive_seed(seed, i)}
        width = input_size if i == 0 else hidden_size
        built.append(CELLS[cell](width, hidden_size, input_dropout=dropout if i == 0 else 0.0, **own))
    return built[0] if count == 1 else Stack(*built, dropout=dropout)


def recurrent_shapes(
    cell: str, input_size: int, hidden_size: int, *, layers: int = 1, layer_norm: bool = False
) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters of what `build_recurrent` gives.

    Raises:
        KeyError: for an unknown cell.
    """
    if layers == 1:
        return CELLS[cell].parameter_shapes(input_size, hidden_size, layer_norm=layer_norm)
    return {
        f"{i}.{name}": shape
        for i in range(layers)
        for name, shape in CELLS[cell]
        .parameter_shapes(hidden_size if i else input_size, hidden_size, layer_norm=layer_norm)
        .items()
    }
