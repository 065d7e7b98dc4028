"""Weights from and for PyTorch, and its layers' results (`tests/golden/make_torch_recurrent.py`)."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import rnnrs
from rnnrs import nn
from rnnrs.interop.torch import from_torch, save_torch, to_torch
from rnnrs.nn.build import build_recurrent

FILE = Path(__file__).parents[2] / "golden" / "torch_recurrent.npz"


def golden():
    """Returns case → quantity → array, and the lengths of the cases that have them."""
    cases, begin = {}, 0
    with np.load(FILE) as file:
        numbers, lengths = file["numbers"], file["lengths"]
        for case, shapes in json.loads(file["index"].tobytes()).items():
            cases[case] = {}
            for name, shape in shapes.items():
                size = int(np.prod(shape))
                cases[case][name] = numbers[begin : begin + size].reshape(shape)
                begin += size
    return cases, lengths


CASES, LENGTHS = golden()


def weights_of(arrays):
    return {name: array for name, array in arrays.items() if name.startswith(("weight_", "bias_"))}


def states(arrays, which):
    """Converts PyTorch's states (layers · directions, B, H), h and possibly c, to ours (B, S)."""
    parts = [arrays[f"{which}.{name}"] for name in "hc" if f"{which}.{name}" in arrays]
    return np.concatenate([part[i] for i in range(len(parts[0])) for part in parts], axis=1)


def close(actual, expected, what):
    scale = max(1.0, float(np.abs(expected).max()))
    assert actual.shape == expected.shape, what
    assert np.abs(actual - expected).max() <= 1e-5 * scale, what


@pytest.mark.parametrize("case", CASES)
def test_layers_match_pytorch(case):
    arrays = CASES[case]
    kind, _, _, lengths = case.split("-")
    net = from_torch(weights_of(arrays), nonlinearity=kind if kind in ("tanh", "relu") else "tanh")
    options = {"lengths": LENGTHS} if lengths == "lengths" else {}
    h, cache = net.forward(arrays["x"], states(arrays, "first"), **options)
    dx, dfirst = net.backward(cache, arrays["dh"], states(arrays, "dlast"))
    assert h.dtype == np.float32
    close(h, arrays["h"], "h")
    close(cache.state, states(arrays, "last"), "last")
    close(dx, arrays["dx"], "dx")
    close(dfirst, states(arrays, "dfirst"), "dfirst")
    # The gradients as a state dict: our gradient of b is that of both PyTorch biases.
    net.parameters.copy_from({name: gradient.copy() for name, gradient in net.gradients.items()})
    H = len(arrays["h"][0, 0]) // (2 if "both" in case else 1)
    for name, gradient in to_torch(net).items():
        if not name.startswith("bias_hh"):
            close(gradient, arrays[f"grad.{name}"], name)
        elif kind == "gru":
            close(gradient[2 * H :], arrays[f"grad.{name}"][2 * H :], name)


@pytest.mark.parametrize(
    ("cell", "layers", "both"), [*itertools.product(("rnn", "lstm", "gru"), (1, 3), (False, True))]
)
def test_round_trip(cell, layers, both, tmp_path):
    net = build_recurrent("test", cell, 3, 4, layers=layers, bidirectional=both, seed=5)
    names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    ends = [f"_l{i}{end}" for i in range(layers) for end in (["", "_reverse"] if both else [""])]
    state = to_torch(net, prefix="encoder.")
    assert list(state) == [f"encoder.{name}{end}" for end in ends for name in names]
    save_torch(net, tmp_path / "w.safetensors", prefix="encoder.")
    for source in (state, tmp_path / "w.safetensors", state | {"decoder.weight": np.zeros(3)}):
        again = from_torch(source, prefix="encoder.")
        assert type(again) is type(net) and list(again.parameters) == list(net.parameters)
        for name, array in net.parameters.items():
            assert np.array_equal(array, again.parameters[name]), name


def test_double_precision_and_layers_without_bias():
    state = {"weight_ih_l0": np.ones((8, 3)), "weight_hh_l0": np.ones((8, 2))}
    net = from_torch(state)
    assert isinstance(net, nn.LSTM) and net.dtype == np.float64 and not net.parameters["b"].any()
    assert from_torch(state, dtype="float32").dtype == np.float32
    half = {name: array.astype(np.float16) for name, array in state.items()}
    assert from_torch(half).dtype == np.float32


def test_both_biases_count():
    state = to_torch(nn.GRU(2, 3, seed=1, dtype="float64"))
    state["bias_hh_l0"][:6] = 2.0
    assert np.array_equal(
        from_torch(state).parameters["b"], state["bias_ih_l0"] + np.repeat([2.0, 0.0], [6, 3])
    )


GOOD = to_torch(build_recurrent("test", "gru", 3, 4, layers=2, bidirectional=True))


def changed(**weights):
    """Returns a valid state dict with some weights changed, or removed by None."""
    state = GOOD | weights
    return {name: array for name, array in state.items() if array is not None}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: from_torch({}), ValueError, "state: expected names like weight_ih_l0, got none"),
        (
            lambda: from_torch(GOOD, prefix="rnn."),
            ValueError,
            "expected names like rnn.weight_ih_l0, got weight_ih_l0, weight_hh_l0",
        ),
        (
            lambda: from_torch({"fc.weight": np.zeros(3)}),
            ValueError,
            "expected names like weight_ih_l0, got 'fc.weight'",
        ),
        (
            lambda: from_torch(changed(weight_hr_l0=np.zeros((2, 4)))),
            ValueError,
            r"weight_hr_l0: .*without projections \(proj_size\)",
        ),
        (lambda: from_torch(changed(weight_hh_l1=None)), KeyError, "expected weight_hh_l1, got none"),
        (
            lambda: from_torch(changed(weight_ih_l1_reverse=None)),
            KeyError,
            "expected weight_ih_l1_reverse, got none",
        ),
        (
            lambda: from_torch(changed(weight_hh_l0=np.zeros((12, 5)))),
            rnnrs.ShapeError,
            r"expected \(gates·H, I\) and \(gates·H, H\)",
        ),
        (
            lambda: from_torch(changed(weight_hh_l0=np.zeros(12))),
            rnnrs.ShapeError,
            r"got \(12, 3\) and \(12,\)",
        ),
        (
            lambda: from_torch({"weight_ih_l0": np.zeros((4, 3)), "weight_hh_l0": np.zeros((4, 2))}),
            rnnrs.ShapeError,
            "expected 1, 3 or 4 gates of 2 rows, got 4 rows",
        ),
        (
            lambda: from_torch(changed(bias_ih_l0=np.zeros(11))),
            rnnrs.ShapeError,
            r"bias_ih_l0: expected \(12,\), got \(11,\)",
        ),
        (
            lambda: from_torch(changed(weight_ih_l1=np.zeros((12, 4)))),
            (rnnrs.ShapeError, ValueError),
            "input size",
        ),
        (
            lambda: from_torch(
                {k: v for k, v in changed(weight_ih_l1=np.zeros((12, 4))).items() if "reverse" not in k}
                | {"weight_ih_l1": np.zeros((12, 9))}
            ),
            rnnrs.ShapeError,
            "weight_ih_l1: expected 4 columns",
        ),
        (
            lambda: from_torch(changed(bias_hh_l0=np.zeros(12, int))),
            rnnrs.DTypeError,
            "bias_hh_l0: expected real numbers",
        ),
        (
            lambda: from_torch(
                {"weight_ih_l0": np.zeros((2, 3)), "weight_hh_l0": np.zeros((2, 2))}, nonlinearity="gelu"
            ),
            ValueError,
            "nonlinearity: expected tanh or relu, got 'gelu'",
        ),
        (lambda: from_torch("none.safetensors"), OSError, r"none\.safetensors"),
        (lambda: to_torch(nn.GRU(3, 4, layer_norm=True)), ValueError, "layer normalization"),
        (lambda: to_torch(nn.GRU(3, 4, learn_state=True)), ValueError, "a learned initial state"),
        (lambda: to_torch(nn.LSTM(3, 4, zoneout=0.1)), ValueError, "zoneout"),
        (lambda: to_torch(nn.RNN(3, 4, activation="sigmoid")), ValueError, "the activation sigmoid"),
        (
            lambda: to_torch(nn.Bidirectional(nn.GRU(3, 4), nn.GRU(3, 4), merge="sum")),
            ValueError,
            "merged by concat, got sum",
        ),
        (
            lambda: to_torch(nn.Stack(nn.GRU(3, 3), nn.GRU(3, 3), residual=True)),
            ValueError,
            "without residual connections",
        ),
        (lambda: to_torch(nn.Stack(nn.GRU(3, 3), nn.LSTM(3, 3))), ValueError, "layers of one cell"),
        (
            lambda: to_torch(nn.Stack(nn.GRU(3, 3), nn.GRU(3, 4))),
            ValueError,
            "layers of one cell, hidden size",
        ),
        (lambda: to_torch(nn.Linear(3, 3)), TypeError, "expected an RNN, LSTM or GRU, got Linear"),
    ],
)
def test_invalid_state_dicts_and_networks_are_rejected(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_file_of_another_format(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(rnnrs.FormatError, match=r"x\.safetensors: "):
        from_torch(tmp_path / "x.safetensors")
