"""ONNX Runtime: the operators `RNN`, `LSTM` and `GRU`, inference only, with one thread and with all."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from library import Variant
from onnx import TensorProto, helper, numpy_helper
from tasks import Array, Arrays, NextToken, Recurrence, Task

OPSET = 17


def version() -> str:
    return f"onnxruntime {onnxruntime.__version__}"


def variants(task: Task, threads: int) -> dict[str, Variant]:
    found = {}
    for n in sorted({1, threads}):
        name = f"{n} thread{'s' * (n > 1)}"
        match task:
            case Recurrence(mode="forward"):
                found[name] = _forward(task, n)
            case NextToken():
                found[name] = _next_tokens(task, n)
            case _:
                pass
    return found


def _session(
    nodes: list[onnx.NodeProto], weights: Arrays, ends: dict[str, list], threads: int
) -> onnxruntime.InferenceSession:
    """Returns a session that runs the graph of `nodes`.

    Args:
        nodes: the nodes in order of execution.
        weights: the constants by name.
        ends: inputs and outputs: name → [type, sizes …].
        threads: the session's number of threads.
    """
    values = {name: helper.make_tensor_value_info(name, kind, sizes) for name, (kind, *sizes) in ends.items()}
    made = {output for node in nodes for output in node.output}
    graph = helper.make_graph(
        nodes,
        "network",
        [value for name, value in values.items() if name not in made],
        [value for name, value in values.items() if name in made],
        [numpy_helper.from_array(w, name) for name, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = min(model.ir_version, 10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


#: Our indices of ONNX's gates: its i, o, f, c among our i, f, g, o; its z, r, h among our r, z, n.
ORDER = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


def _rnn_weights(inputs: Arrays, cell: str = "rnn") -> Arrays:
    """Converts the weights to ONNX's form.

    ONNX has a first axis for directions, both biases in one array, and another order of the gates.
    """
    H = inputs["W"].shape[1]

    def ordered(rows: Array) -> Array:
        return np.concatenate([rows[k * H : (k + 1) * H] for k in ORDER[cell]])

    second = np.zeros_like(inputs["b"])
    if cell == "gru":
        second[2 * H :] = inputs["b_h"]
    b = np.concatenate([ordered(inputs["b"]), ordered(second)])
    return {"W": ordered(inputs["U"])[None], "R": ordered(inputs["W"])[None], "B": b[None]}


def _forward(task: Recurrence, threads: int) -> Variant:
    T, B, I, H = task.T, task.B, task.I, task.H
    inputs = task.inputs()
    how = {"rnn": {"activations": ["Tanh"]}, "lstm": {}, "gru": {"linear_before_reset": 1}}[task.cell]
    arguments = ["x", "W", "R", "B", "", "h0"]
    node = helper.make_node(task.cell.upper(), arguments, ["h"], hidden_size=H, **how)
    real = TensorProto.FLOAT
    ends: dict[str, list] = {"x": [real, T, B, I], "h0": [real, 1, B, H], "h": [real, T, 1, B, H]}
    session = _session([node], _rnn_weights(inputs, task.cell), ends, threads)
    feed = {"x": inputs["x"], "h0": inputs["h0"][None]}

    def run() -> Array:
        h: Array = session.run(["h"], feed)[0]
        return h

    return Variant(run, lambda: {"h": run()[:, 0]})


def _next_tokens(task: NextToken, threads: int) -> Variant:
    V, H = task.V, task.H
    inputs = task.inputs()
    nodes = [
        helper.make_node("Gather", ["E", "token"], ["x"]),
        helper.make_node(
            "RNN", ["x", "W", "R", "B", "", "h"], ["", "h_next"], hidden_size=H, activations=["Tanh"]
        ),
        helper.make_node("Reshape", ["h_next", "shape"], ["row"]),
        helper.make_node("Gemm", ["row", "V", "c"], ["scores"], transB=1),
    ]
    weights = _rnn_weights(inputs) | {name: inputs[name] for name in ("E", "V", "c")}
    weights["shape"] = np.array([1, H], np.int64)
    real = TensorProto.FLOAT
    ends: dict[str, list] = {"token": [TensorProto.INT64, 1, 1], "h": [real, 1, 1, H]}
    ends |= {"h_next": [real, 1, 1, H], "scores": [real, 1, V]}
    session = _session(nodes, weights, ends, threads)
    tokens = [np.array([[token]], np.int64) for token in inputs["ids"]]
    rest = np.zeros((1, 1, H), np.float32)

    def run() -> Array:
        h = scores = rest
        for token in tokens:
            scores, h = session.run(["scores", "h_next"], {"token": token, "h": h})
        return scores[0]

    return Variant(run, lambda: {"scores": run()})
