"""Against PyTorch: values, every gradient, ten losses of training (`tests/golden/make_torch_rnn.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnrs.losses import Loss, SigmoidCrossEntropy, SoftmaxCrossEntropy, SquaredError
from rnnrs.nn import RNN, Embedding, Linear, Parameters, join
from rnnrs.optim import SGD, Adam, Optimizer, clip_norm

Array = NDArray[Any]

FILE = Path(__file__).parents[1] / "golden" / "torch_rnn.npz"
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
PARAMETERS = ("embedding.E", "rnn.U", "rnn.W", "rnn.b", "output.V", "output.c")
# As in make_torch_rnn.py.
MAX_NORM = 0.33
SMOOTHING = 0.1
IGNORED = -1

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_activation = pytest.mark.parametrize("activation", ["tanh", "relu"])
each_reduction = pytest.mark.parametrize("reduction", ["mean", "sum"])


class Golden:
    """The arrays of one precision, and the comparison with them."""

    def __init__(self, dtype: str, arrays: Mapping[str, Array]) -> None:
        self.dtype = dtype
        self._arrays = arrays

    def __getitem__(self, key: str) -> Array:
        return self._arrays[f"{self.dtype}/{key}"]

    def check(self, key: str, actual: Any, *, typed: bool = True) -> None:
        """Fails unless `actual` has the file's shape, dtype and, within the tolerance, values."""
        expected = self[key]
        actual = np.asarray(actual)
        assert actual.shape == expected.shape, key
        assert not typed or actual.dtype == self.dtype, key
        tolerance = TOLERANCE[self.dtype]
        np.testing.assert_allclose(
            actual, expected, rtol=tolerance, atol=tolerance, err_msg=f"{self.dtype}/{key}"
        )


@pytest.fixture(scope="module")
def arrays() -> Iterator[Mapping[str, Array]]:
    with np.load(FILE) as file:
        yield {key: file[key] for key in file.files}


@pytest.fixture
def golden(dtype: str, arrays: Mapping[str, Array]) -> Golden:
    return Golden(dtype, arrays)


class Network:
    """Embedding, recurrence, output layer, with the file's first weights."""

    def __init__(self, golden: Golden, activation: str) -> None:
        V, E = golden[f"{activation}/parameters/embedding.E"].shape
        H = golden[f"{activation}/parameters/rnn.b"].size
        self.embedding = Embedding(V, E, dtype=golden.dtype)
        self.rnn = RNN(E, H, activation=activation, dtype=golden.dtype)
        self.output = Linear(H, V, dtype=golden.dtype)
        self.loss = SoftmaxCrossEntropy()
        self.parameters, self.gradients = join(embedding=self.embedding, rnn=self.rnn, output=self.output)
        for name, layer in (("embedding", self.embedding), ("rnn", self.rnn), ("output", self.output)):
            for key in layer.parameters:
                layer.parameters[key] = golden[f"{activation}/parameters/{name}.{key}"]

    def pass_through(self, ids: Array, y: Array, h0: Array) -> dict[str, Any]:
        """Forward and backward; the gradients begin at zero."""
        self.gradients.fill(0.0)
        x, embedded = self.embedding.forward(ids)
        h, unfolded = self.rnn.forward(x, h0)
        o, linear = self.output.forward(h)
        L, do = self.loss(o, y)
        dx, dh0 = self.rnn.backward(unfolded, self.output.backward(linear, do))
        self.embedding.backward(embedded, dx)
        return {"h": h, "logits": o, "loss": L, "dx": dx, "dh0": dh0}


def batch(golden: Golden, activation: str) -> tuple[Array, Array, Array]:
    return golden[f"{activation}/ids"], golden[f"{activation}/y"], golden[f"{activation}/h0"]


def check_parameters(golden: Golden, prefix: str, actual: Parameters) -> None:
    assert sorted(actual) == sorted(PARAMETERS)
    for name in PARAMETERS:
        golden.check(f"{prefix}/{name}", actual[name])


def test_the_file_says_what_made_it(arrays: Mapping[str, Array]) -> None:
    assert any(str(line).startswith("torch ") for line in arrays["made_with"])


@each_activation
@each_dtype
def test_values_and_gradients(golden: Golden, activation: str) -> None:
    network = Network(golden, activation)
    quantities = network.pass_through(*batch(golden, activation))
    for name, value in quantities.items():
        golden.check(f"{activation}/{name}", value, typed=name != "loss")
    check_parameters(golden, f"{activation}/gradients", network.gradients)


@each_activation
@each_dtype
def test_fused_output_and_loss(golden: Golden, activation: str) -> None:
    network = Network(golden, activation)
    ids, y, h0 = batch(golden, activation)
    x, embedded = network.embedding.forward(ids)
    h, unfolded = network.rnn.forward(x, h0)
    L, losses, dh = network.loss.through(network.output, h, y)
    assert np.shape(losses) == y.shape
    dx, dh0 = network.rnn.backward(unfolded, dh)
    network.embedding.backward(embedded, dx)
    golden.check(f"{activation}/loss", L, typed=False)
    golden.check(f"{activation}/loss", np.mean(losses, dtype=np.float64), typed=False)
    golden.check(f"{activation}/dh0", dh0)
    check_parameters(golden, f"{activation}/gradients", network.gradients)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@each_activation
@each_dtype
def test_ten_steps_of_training(golden: Golden, activation: str, rule: str) -> None:
    network = Network(golden, activation)
    optimizer: Optimizer = SGD(0.5, momentum=0.9) if rule == "sgd" else Adam(0.01)
    case = f"{activation}/{rule}"
    losses, norms = [], []
    for _ in golden[f"{case}/losses"]:
        losses.append(network.pass_through(*batch(golden, activation))["loss"])
        norms.append(clip_norm(network.gradients, MAX_NORM))
        optimizer.step(network.parameters, network.gradients)
    golden.check(f"{case}/losses", losses, typed=False)
    golden.check(f"{case}/norms", norms, typed=False)
    check_parameters(golden, f"{case}/parameters", network.parameters)


@pytest.mark.parametrize("case", ["ignored", "smoothed", "weighted", "smoothed_weighted"])
@each_reduction
@each_dtype
def test_softmax_cross_entropy(golden: Golden, case: str, reduction: str) -> None:
    loss = SoftmaxCrossEntropy(
        reduction,
        ignore_id=IGNORED,
        label_smoothing=SMOOTHING if "smoothed" in case else 0.0,
        class_weights=golden["loss/inputs/class_weights"] if "weighted" in case else None,
    )
    check_loss(golden, f"loss/softmax/{case}/{reduction}", loss)


@each_reduction
@each_dtype
def test_sigmoid_cross_entropy(golden: Golden, reduction: str) -> None:
    check_loss(golden, f"loss/sigmoid/{reduction}", SigmoidCrossEntropy(reduction))


@each_reduction
@each_dtype
def test_squared_error(golden: Golden, reduction: str) -> None:
    check_loss(golden, f"loss/squared/{reduction}", SquaredError(reduction))


def check_loss(golden: Golden, case: str, loss: Loss) -> None:
    L, do = loss(golden["loss/inputs/o"], golden[f"{case}/y"])
    golden.check(f"{case}/L", L, typed=False)
    golden.check(f"{case}/do", do)
