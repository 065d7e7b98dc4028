"""Conversion of PyTorch's recurrent layers, from and to state dicts of NumPy arrays or safetensors files.

PyTorch need not be installed. In the names of a state dict, l0 is the lowest layer, and "_reverse" marks the
backward direction. Weights have gates·H rows, in the same order here and in PyTorch:

| PyTorch | shape | here |
|---|---|---|
| weight_ih_l0 | (gates·H, I) | U |
| weight_hh_l0 | (gates·H, H) | W |
| bias_ih_l0, bias_hh_l0 | (gates·H,) both | b, their sum |
| of a GRU, the last H of bias_hh_l0 | (H,) | b_h: multiplied by the reset gate, so not part of the sum |

Gates are i, f, g, o in an LSTM; r, z, n in a GRU. See `torch.nn.LSTM`, "Variables".
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import _rnnrs
from ..checks import as_array
from ..errors import DTypeError, FormatError, ShapeError
from ..files import write_atomically
from ..nn import GRU, LSTM, RNN, Bidirectional, Recurrent, Stack
from ..nn.guarded import reading_first
from ..types import Array

Network = Recurrent | Bidirectional | Stack

_NAME = re.compile(r"(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)_l(\d+)(_reverse)?")
_CELLS: dict[int, type[Recurrent]] = {1: RNN, 3: GRU, 4: LSTM}


def from_torch(
    state: Mapping[str, Any] | str | os.PathLike[str],
    *,
    prefix: str = "",
    nonlinearity: str = "tanh",
    dtype: DTypeLike | None = None,
) -> Network:
    """Returns the layers of an `nn.RNN`, `nn.LSTM` or `nn.GRU`, with its weights.

    Args:
        state: its state dict, of NumPy arrays (`{k: v.numpy() for k, v in module.state_dict().items()}`), or
            a safetensors file of it.
        prefix: the prefix of its names in a larger model's state dict, such as "encoder."; other names are
            then ignored.
        nonlinearity: "tanh" or "relu", for an `nn.RNN`: a state dict does not contain it.
        dtype: float32 or float64; by default that of the weights.

    Returns:
        A layer; for both directions of one, `Bidirectional` with "concat"; for several, a `Stack`. Inputs and
        states are time-major, (T, B, I), as in PyTorch without `batch_first`. Dropout between layers is not
        in a state dict: give it to a `Stack` of `.layers`.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is not a safetensors file.
        KeyError: if a weight is missing.
        ValueError: if there are other names, projections (`proj_size`), or another nonlinearity.
        ShapeError: if the weights' shapes do not match.
        DTypeError: if a weight does not hold real numbers.
    """
    weights = _read(state, prefix)
    layers = 1 + max(layer for _, layer, _ in weights)
    both = any(back for _, _, back in weights)
    built: list[Recurrent | Bidirectional] = []
    for layer in range(layers):
        ahead = _layer(weights, layer, False, nonlinearity, dtype)
        built.append(
            Bidirectional(ahead, _layer(weights, layer, True, nonlinearity, dtype)) if both else ahead
        )
    for i, (below, above) in enumerate(itertools.pairwise(built), start=1):
        if above.input_size != below.hidden_size:
            raise ShapeError(
                f"from_torch: weight_ih_l{i}: expected {below.hidden_size} columns, the size of the layer "
                f"below, got {above.input_size}"
            )
    return built[0] if layers == 1 else Stack(*built)


@reading_first
def to_torch(network: Network, *, prefix: str = "") -> dict[str, Array]:
    """Returns the state dict of the equivalent `nn.RNN`, `nn.LSTM` or `nn.GRU`.

    Args:
        network: a layer, both directions, or a stack of them, all of one cell and one hidden size.
        prefix: a prefix for all names.

    Returns:
        Copies, by name; in PyTorch `module.load_state_dict({k: torch.from_numpy(v) for k, v in
        state.items()})`. bias_hh is zero except for a GRU's b_h.

    Raises:
        ValueError: if PyTorch has no such layers: different cells or sizes, other activations, directions
            that are not concatenated, residual connections, layer normalization, zoneout, a learned initial
            state.
        TypeError: if the network is none of these.
    """
    layers = list(network.layers) if isinstance(network, Stack) else [network]
    if isinstance(network, Stack) and network.residual:
        raise ValueError(
            "to_torch: network: expected a stack without residual connections, got one with them"
        )
    state: dict[str, Array] = {}
    kinds = set()
    for i, layer in enumerate(layers):
        for direction, suffix in _directions(layer):
            kinds.add((direction.cell, direction.hidden_size, isinstance(layer, Bidirectional)))
            state |= _named(direction, f"_l{i}{suffix}", prefix)
    if len(kinds) > 1:
        raise ValueError(
            "to_torch: network: expected layers of one cell, hidden size and number of directions, "
            f"got {', '.join(sorted(map(str, kinds)))}"
        )
    return state


def save_torch(network: Network, path: str | os.PathLike[str], *, prefix: str = "") -> None:
    """Writes the result of `to_torch` to a safetensors file, for `safetensors.torch.load_file`.

    Raises:
        ValueError, TypeError: see `to_torch`.
        OSError: if the file cannot be written; an existing file is unchanged.
    """
    write_atomically(path, _rnnrs.serialize(to_torch(network, prefix=prefix), ""))


Weights = dict[tuple[str, int, bool], Array]


def _read(state: Mapping[str, Any] | str | os.PathLike[str], prefix: str) -> Weights:
    """Returns the weights by kind, layer, and whether they are of the backward direction."""
    if not isinstance(state, Mapping):
        try:
            state, _ = _rnnrs.deserialize(Path(state).read_bytes())
        except FormatError as error:
            raise FormatError(f"{state}: {error}") from None
    weights: Weights = {}
    for name, value in state.items():
        if not name.startswith(prefix):
            continue
        match = _NAME.fullmatch(name[len(prefix) :])
        if match is None:
            if prefix:
                continue
            raise ValueError(f"from_torch: state: expected names like weight_ih_l0, got {name!r}")
        kind, layer, reverse = match.groups()
        if kind == "weight_hr":
            raise ValueError(
                f"from_torch: {name}: expected an LSTM without projections (proj_size), got one with them"
            )
        weights[kind, int(layer), reverse is not None] = _array(name, value)
    if not weights:
        raise ValueError(
            f"from_torch: state: expected names like {prefix}weight_ih_l0, got {_some(state) or 'none'}"
        )
    return weights


def _array(name: str, value: Any) -> Array:
    """Returns a weight as an array of real numbers."""
    array = as_array("from_torch", name, value)
    if array.dtype.kind != "f":
        raise DTypeError(f"from_torch: {name}: expected real numbers, got {array.dtype}")
    return array


def _some(names: Iterable[str]) -> str:
    """Returns the first names, for error messages."""
    first = list(itertools.islice(names, 4))
    return ", ".join(first[:3]) + (", …" if len(first) > 3 else "")


def _layer(weights: Weights, layer: int, back: bool, nonlinearity: str, dtype: DTypeLike | None) -> Recurrent:
    """Returns one direction of one layer."""
    suffix = f"_l{layer}{'_reverse' if back else ''}"

    def weight(kind: str) -> Array:
        if (kind, layer, back) not in weights:
            raise KeyError(f"from_torch: state: expected {kind}{suffix}, got none")
        return weights[kind, layer, back]

    U, W = weight("weight_ih"), weight("weight_hh")
    if U.ndim != 2 or W.ndim != 2 or W.shape[1] == 0 or W.shape[0] != U.shape[0] or W.shape[0] % W.shape[1]:
        raise ShapeError(
            f"from_torch: weight_ih{suffix}, weight_hh{suffix}: expected (gates·H, I) and (gates·H, H), "
            f"got {U.shape} and {W.shape}"
        )
    (rows, H), I = W.shape, U.shape[1]
    if rows // H not in _CELLS:
        raise ShapeError(
            f"from_torch: weight_hh{suffix}: expected 1, 3 or 4 gates of {H} rows, got {rows} rows"
        )
    cell = _CELLS[rows // H]
    options: dict[str, Any] = {"dtype": np.result_type(U, np.float32) if dtype is None else dtype}
    if cell is RNN:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"from_torch: nonlinearity: expected tanh or relu, got {nonlinearity!r}")
        options["activation"] = nonlinearity
    made = cell(I, H, **options)
    made.parameters["U"][...], made.parameters["W"][...] = U, W
    first, second = (_bias(weights, kind, layer, back, rows, suffix) for kind in ("bias_ih", "bias_hh"))
    made.parameters["b"][...] = first + second
    if cell is GRU:
        made.parameters["b"][2 * H :] = first[2 * H :]
        made.parameters["b_h"][...] = second[2 * H :]
    return made


def _bias(weights: Weights, kind: str, layer: int, back: bool, rows: int, suffix: str) -> Array:
    """Returns a bias (rows,): zero in a layer with bias=False."""
    bias = weights.get((kind, layer, back), np.zeros(rows))
    if bias.shape != (rows,):
        raise ShapeError(f"from_torch: {kind}{suffix}: expected ({rows},), got {bias.shape}")
    return bias.astype(np.float64)


def _directions(layer: Any) -> list[tuple[Recurrent, str]]:
    """Returns a layer's directions with the suffixes of their names."""
    if isinstance(layer, Bidirectional):
        if layer.merge != "concat":
            raise ValueError(f"to_torch: network: expected directions merged by concat, got {layer.merge}")
        return [(layer.ahead, ""), (layer.back, "_reverse")]
    if not isinstance(layer, Recurrent):
        raise TypeError(f"to_torch: network: expected an RNN, LSTM or GRU, got {type(layer).__name__}")
    return [(layer, "")]


def _named(layer: Recurrent, suffix: str, prefix: str) -> dict[str, Array]:
    """Returns the arrays of one direction of one layer, by name."""
    for there, what in (
        (layer.layer_norm, "layer normalization"),
        (layer.learn_state, "a learned initial state"),
        (any(layer.zoneout), "zoneout"),
        (layer.cell not in ("tanh", "relu", "lstm", "gru"), f"the activation {layer.cell}"),
    ):
        if there:
            raise ValueError(f"to_torch: network: expected a layer that PyTorch has, got one with {what}")
    p = layer.parameters
    second = np.zeros_like(p["b"])
    if isinstance(layer, GRU):
        second[2 * layer.hidden_size :] = p["b_h"]
    arrays = {
        "weight_ih": p["U"].copy(),
        "weight_hh": p["W"].copy(),
        "bias_ih": p["b"].copy(),
        "bias_hh": second,
    }
    return {f"{prefix}{kind}{suffix}": array for kind, array in arrays.items()}
