"""Batch normalization: against NumPy, PyTorch and finite differences; updates of its averages."""

from pathlib import Path

import numpy as np
import pytest
from finite_differences import assert_gradient, difference

import rnnrs
from rnnrs import nn

GOLDEN = Path(__file__).parents[2] / "golden" / "torch_conv.npz"
rng = np.random.default_rng(4)


def layer_of(C, dtype="float64", **options):
    layer = nn.BatchNorm(C, dtype=dtype, **options)
    p = layer.parameters
    p["gamma"][:], p["beta"][:] = rng.standard_normal((2, C))
    p["mean"][:], p["variance"][:] = rng.standard_normal(C), rng.uniform(0.5, 2.0, C)
    return layer


def normalized(p, x, training):
    """Normalizes rows (n, C) by the definition."""
    mean, variance = (x.mean(0), x.var(0)) if training else (p["mean"], p["variance"])
    return p["gamma"] * (x - mean) / np.sqrt(variance + 1e-5) + p["beta"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(3, 5, 4, 7), (1000, 2), (1, 3), (2, 1, 1)])
def test_values(shape, training, dtype):
    layer = layer_of(shape[-1], dtype, activation="relu")
    x = (rng.standard_normal(shape) * 3 + 1).astype(dtype)
    y, _ = layer.forward(x, training=training)
    p = {name: array.astype("float64") for name, array in layer.parameters.items()}
    expected = np.maximum(normalized(p, x.astype("float64").reshape(-1, shape[-1]), training), 0)
    assert y.dtype == dtype and y.shape == shape
    assert np.allclose(y.reshape(expected.shape), expected, atol=2e-5 if dtype == "float32" else 1e-12)


def test_a_mean_far_from_zero_leaves_the_variance_its_digits():
    layer = nn.BatchNorm(2)
    x = (1000 + rng.standard_normal((100_000, 2))).astype("float32")
    _, cache = layer.forward(x, training=True)
    assert np.allclose(cache.mean, x.mean(0, dtype="float64"), rtol=1e-7)
    assert np.allclose(cache.variance, x.var(0, dtype="float64"), rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_gradients(activation, training):
    layer = layer_of(3, activation=activation)
    x, dy = rng.standard_normal((2, 2, 3, 4, 3))
    _, cache = layer.forward(x, training=training)

    def L():
        return float((layer.forward(x, training=training)[0] * dy).sum())

    numeric = {name: difference(L, layer.parameters[name]) for name in ("gamma", "beta")}
    assert_gradient(layer.backward(cache, dy), difference(L, x))
    for name, expected in numeric.items():
        assert_gradient(layer.gradients[name], expected)
    assert not layer.gradients["mean"].any() and not layer.gradients["variance"].any()


def test_only_the_backward_pass_in_training_updates_the_averages():
    layer = nn.BatchNorm(2, momentum=0.25, dtype="float64")
    x = rng.standard_normal((10, 2)) + 5
    before = layer.parameters.flat.copy()
    _, cache = layer.forward(x)
    layer.backward(cache, x)
    _, cache = layer.forward(x, training=True)
    assert np.array_equal(layer.parameters.flat, before)
    assert layer.backward(cache, x, need_dx=False) is None
    assert np.allclose(layer.parameters["mean"], 0.25 * x.mean(0))
    assert np.allclose(layer.parameters["variance"], 0.75 + 0.25 * x.var(0, ddof=1))


def test_against_pytorch():
    with np.load(GOLDEN) as file:
        arrays = dict(file)
    layer = nn.BatchNorm(4, dtype="float64")
    layer.parameters["gamma"][:], layer.parameters["beta"][:] = arrays["norm/gamma"], arrays["norm/beta"]
    for case, training in enumerate((True, False)):
        expected = {name: arrays[f"norm/{case}/{name}"] for name in ("x", "y", "dy", "dx")}
        y, cache = layer.forward(expected["x"], training=training)
        layer.zero_gradients()
        dx = layer.backward(cache, expected["dy"])
        assert np.allclose(y, expected["y"], rtol=1e-11) and np.allclose(dx, expected["dx"], atol=1e-12)
        for name in ("gamma", "beta"):
            assert np.allclose(layer.gradients[name], arrays[f"norm/{case}/d{name}"], rtol=1e-11)
        for name in ("mean", "variance"):
            assert np.allclose(layer.parameters[name], arrays[f"norm/{case}/{name}"], rtol=1e-12)


def test_threads_never_matter_and_the_batch_only_in_training():
    x = rng.standard_normal((9, 30, 31, 20)).astype("float32")
    results, before = [], rnnrs.get_num_threads()
    for threads in (1, 2, 5):
        rnnrs.set_num_threads(threads)
        layer = nn.BatchNorm(20, activation="relu")
        y, cache = layer.forward(x, training=True)
        dx = layer.backward(cache, x)
        results.append((y, dx, layer.parameters.flat.copy(), layer.gradients.flat.copy()))
        assert np.array_equal(layer.forward(x[3:4])[0], layer.forward(x)[0][3:4])
    rnnrs.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(other, results[0], strict=True))


def test_in_a_sequential():
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, dtype="float64"),
        nn.BatchNorm(3, activation="relu", dtype="float64"),
        nn.Sequential(nn.BatchNorm(3, dtype="float64")),
        nn.GlobalPool2d(),
    )
    assert "1.gamma" in net.parameters and "2.0.variance" in net.parameters
    x = rng.standard_normal((4, 6, 6, 1))
    y, cache = net.forward(x, training=True)
    dy = rng.standard_normal(y.shape)
    expected = difference(lambda: float((net.forward(x, training=True)[0] * dy).sum()), x)
    assert_gradient(net.backward(cache, dy), expected)
    assert net.parameters["1.mean"].any() and net.parameters["2.0.mean"].any()
    assert not np.allclose(net.forward(x)[0], y)


def test_empty_batches():
    layer = nn.BatchNorm(3)
    before = layer.parameters.flat.copy()
    y, cache = layer.forward(np.zeros((0, 4, 4, 3), "float32"), training=True)
    assert layer.backward(cache, y).shape == (0, 4, 4, 3)
    assert np.array_equal(layer.parameters.flat, before)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.BatchNorm(0), ValueError, "BatchNorm: channels: expected a whole number from 1, got 0"),
        (lambda: nn.BatchNorm(2, momentum=1.5), ValueError, "momentum: expected a number from 0 to 1"),
        (lambda: nn.BatchNorm(2, epsilon=0.0), ValueError, "epsilon: expected a positive number"),
        (lambda: nn.BatchNorm(2, activation="gelu"), ValueError, "activation: expected one of"),
        (
            lambda: nn.BatchNorm(2).forward(np.zeros((3, 4), "f")),
            rnnrs.ShapeError,
            r"BatchNorm.forward: x: expected \(…, C=2\), got \(3, 4\)",
        ),
        (lambda: nn.BatchNorm(2).forward(["a", "b"]), rnnrs.DTypeError, "BatchNorm.forward: x: expected"),
        (lambda: nn.BatchNorm(2).forward(1.0), rnnrs.ShapeError, "x: expected at least one axis"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_gradient_of_another_shape_is_rejected():
    layer = nn.BatchNorm(2)
    before = layer.parameters.flat.copy()
    _, cache = layer.forward(np.ones((3, 2), "f"), training=True)
    with pytest.raises(rnnrs.ShapeError, match=r"BatchNorm.backward: dy: expected"):
        layer.backward(cache, np.ones((2, 2), "f"))
    assert np.array_equal(layer.parameters.flat, before) and not layer.gradients.flat.any()
