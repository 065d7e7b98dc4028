"""Recurrent layers by the name of their cell, for models in which the user selects one."""

from __future__ import annotations

from typing import Any

from ..checks import check_size
from ..seeds import derive_seed
from .bidirectional import Bidirectional
from .gru import GRU
from .lstm import LSTM
from .noise import check_rate
from .pooling import POOLINGS, AttentionPooling, Pooling
from .recurrent import Recurrent
from .rnn import ACTIVATIONS, RNN
from .stack import Stack

#: The cells by name.
CELLS: dict[str, type[Recurrent]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}

#: The options that are dropout rates.
RATES = ("dropout", "recurrent_dropout", "zoneout", "weight_drop")

#: The seed stream of the layers that read backward.
BACK = 1 << 20


def build_recurrent(
    op: str,
    cell: str,
    input_size: int,
    hidden_size: int,
    *,
    layers: int = 1,
    dropout: float = 0.0,
    activation: str = "tanh",
    bidirectional: bool = False,
    seed: int = 0,
    **options: Any,
) -> Recurrent | Bidirectional | Stack:
    """Builds one recurrent layer, or a stack of them.

    Args:
        op: the caller's name, for error messages.
        cell: "rnn", "lstm" or "gru".
        input_size, hidden_size: I, and H of every layer.
        layers: the number of layers.
        dropout: dropout rate of every layer's input.
        activation: activation of an "rnn".
        bidirectional: whether every layer is bidirectional, with H units in each direction.
        seed: seed of the initial weights; each layer has its own stream.
        options: those of `Recurrent`, for every layer.

    Raises:
        ValueError, TypeError: if the cell is unknown, an activation is given for another cell than "rnn", or
            a size or rate is out of range.
    """
    if cell not in CELLS:
        raise ValueError(f"{op}: cell: expected one of {', '.join(CELLS)}, got {cell!r}")
    for name, rate in {"dropout": dropout, **options}.items():
        if name in RATES:
            check_rate(op, name, rate)
    if cell == "rnn":
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"{op}: activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        options["activation"] = activation
    elif activation != "tanh":
        raise ValueError(f"{op}: activation: expected tanh with cell {cell!r}, got {activation!r}")
    count = check_size(op, "layers", layers)
    check_size(op, "hidden_size", hidden_size)
    built: list[Recurrent | Bidirectional] = []
    for i in range(count):
        own = options | {"input_dropout": dropout if i == 0 else 0.0}
        first = seed if i == 0 else derive_seed(seed, i)
        width = input_size if i == 0 else hidden_size * (2 if bidirectional else 1)
        ahead = CELLS[cell](width, hidden_size, seed=first, **own)
        if bidirectional:
            back = CELLS[cell](width, hidden_size, seed=derive_seed(first, BACK), **own)
            built.append(Bidirectional(ahead, back))
        else:
            built.append(ahead)
    return built[0] if count == 1 else Stack(*built, dropout=dropout)


def build_pooling(
    op: str, kind: str, rnn: Recurrent | Bidirectional | Stack, *, seed: int = 0
) -> Pooling | AttentionPooling:
    """Builds the pooling that reduces a sequence's states to one vector, by the name of its kind.

    Args:
        op: the caller's name, for error messages.
        kind: one of `POOLINGS`.
        rnn: the layer with these states.
        seed: seed of the initial weights, if there are any.

    Raises:
        ValueError: if the kind is unknown, or is "last" where both directions' states are added.
    """
    if kind not in POOLINGS:
        raise ValueError(f"{op}: pooling: expected one of {', '.join(POOLINGS)}, got {kind!r}")
    if kind == "attention":
        return AttentionPooling(rnn.hidden_size, seed=seed, dtype=rnn.dtype)
    top = rnn.layers[-1] if isinstance(rnn, Stack) else rnn
    if not isinstance(top, Bidirectional):
        return Pooling(kind)
    if kind == "last" and top.merge != "concat":
        raise ValueError(
            f"{op}: pooling: expected mean, max or attention for directions merged by {top.merge}, got 'last'"
        )
    return Pooling(kind, back_size=top.back.hidden_size)
