"""RNN, LSTM and GRU against ONNX Runtime's, which has other gate orders."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from rnnrs.nn.build import build_recurrent

T, B, I, H = 7, 4, 5, 6
LENGTHS = np.array([7, 1, 4, 6])
#: The indices of ONNX's gates in our order: i, o, f, c in i, f, g, o; z, r, h in r, z, n.
ORDER = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


def blocks(rows, cell):
    return np.concatenate([rows[k * H : (k + 1) * H] for k in ORDER[cell]])


def onnx_weights(layer, cell):
    """Returns W, R, B of one direction."""
    p = layer.parameters
    second = np.zeros_like(p["b"])
    if cell == "gru":
        second[2 * H :] = p["b_h"]
    return {
        "W": blocks(p["U"], cell),
        "R": blocks(p["W"], cell),
        "B": np.concatenate([blocks(p["b"], cell), blocks(second, cell)]),
    }


def run(cell, direction, activation, weights, feed):
    """Returns the node's outputs (T, directions, B, H) and last states (directions, B, H)."""
    count = 2 if direction == "bidirectional" else 1
    options = {"hidden_size": H, "direction": direction}
    if cell == "rnn":
        options["activations"] = [activation] * count
    if cell == "gru":
        options["linear_before_reset"] = 1
    names = ["x", "W", "R", "B", "lengths", "h0", *(["c0"] if cell == "lstm" else [])]
    outputs = ["y", "h", *(["c"] if cell == "lstm" else [])]
    node = helper.make_node(cell.upper(), names, outputs, **options)
    kinds = {"lengths": TensorProto.INT32}
    inputs = [
        helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), value.shape)
        for name, value in feed.items()
    ]
    shapes = {"y": [T, count, B, H], "h": [count, B, H], "c": [count, B, H]}
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph([node], "network", inputs, results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = min(model.ir_version, 10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(outputs, feed)


@pytest.mark.parametrize(
    ("cell", "direction", "lengths"),
    [
        *itertools.product(
            ("rnn", "relu", "lstm", "gru"), ("forward", "reverse", "bidirectional"), (False, True)
        )
    ],
)
def test_states_match_onnxruntime(cell, direction, lengths):
    activation = "Relu" if cell == "relu" else "Tanh"
    options = {"activation": "relu"} if cell == "relu" else {}
    cell = "rnn" if cell == "relu" else cell
    both = direction == "bidirectional"
    net = build_recurrent("test", cell, I, H, bidirectional=both, seed=3, **options)
    parts = [net.ahead, net.back] if both else [net]
    sides = [onnx_weights(part, cell) for part in parts]
    weights = {name: np.stack([side[name] for side in sides]) for name in "WRB"}
    draw = np.random.default_rng(1)
    x = draw.standard_normal((T, B, I)).astype(np.float32)
    first = {name: draw.standard_normal((len(parts), B, H)).astype(np.float32) for name in ("h0", "c0")}
    if cell != "lstm":
        del first["c0"]
    length = LENGTHS if lengths else np.full(B, T)
    feed = {"x": x, "lengths": length.astype(np.int32), **first}
    y, *last = run(cell, direction, activation, weights, feed)
    state = np.concatenate([side[k] for k in range(len(parts)) for side in first.values()], axis=1)
    more = {"reverse": True} if direction == "reverse" else {}
    h, cache = net.forward(x, state, **({"lengths": length} if lengths else {}), **more)
    assert np.allclose(h, np.concatenate(list(y.transpose(1, 0, 2, 3)), axis=2), rtol=0, atol=1e-5)
    ends = np.concatenate([side[k] for k in range(len(parts)) for side in last], axis=1)
    assert np.allclose(cache.state, ends, rtol=0, atol=1e-5)
