"""Convolution and pooling of pictures: against NumPy, PyTorch, finite differences, and other batches."""

import signal
from pathlib import Path

import numpy as np
import pytest
from convolution_cases import drawn, windows
from finite_differences import assert_gradient, difference
from interrupts import seconds_to_stop

import rnnrs
from rnnrs import nn, optim

GOLDEN = Path(__file__).parents[2] / "golden" / "torch_conv.npz"
rng = np.random.default_rng(3)


def convolved(layer, x):
    """Returns y before the activation, by the definition."""
    at = windows(x, layer.kernel_size, layer.stride, layer.padding)
    return np.einsum("byxiuv,uvio->byxo", at, layer.parameters["K"]) + layer.parameters["b"]


ODD = [
    ((3, 3), (1, 1), (1, 1), (1, 1)),
    ((5, 5), (1, 1), (2, 2), (2, 3)),
    ((2, 2), (4, 5), (0, 0), (9, 9)),
    ((1, 1), (1, 1), (2, 1), (2, 2)),
    ((3, 3), (10**12, 1), (1, 1), (4, 4)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", drawn(40, 0) + ODD, ids=str)
def test_convolution(case, dtype):
    kernel, stride, padding, size = case
    B, I, O = map(int, rng.integers(1, [5, 20, 70]))
    layer = nn.Conv2d(I, O, kernel, stride=stride, padding=padding, activation="relu", dtype=dtype)
    layer.parameters["b"][:] = rng.standard_normal(O)
    x = rng.standard_normal((B, *size, I)).astype(dtype)
    y, _ = layer.forward(x)
    assert y.dtype == dtype
    expected = np.maximum(convolved(layer, x.astype("float64")), 0)
    assert y.shape == expected.shape
    assert np.allclose(y, expected, atol=1e-4 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("activation", ["identity", "tanh", "sigmoid"])
@pytest.mark.parametrize("case", drawn(6, 1) + ODD, ids=str)
def test_gradients_of_convolution(case, activation):
    kernel, stride, padding, size = case
    layer = nn.Conv2d(
        2, 3, kernel, stride=stride, padding=padding, activation=activation, scale=0.5, dtype="float64"
    )
    x = rng.standard_normal((2, *size, 2))
    y, cache = layer.forward(x)
    dy = rng.standard_normal(y.shape)

    def L():
        return float((layer.forward(x)[0] * dy).sum())

    dx = layer.backward(cache, dy)
    assert_gradient(dx, difference(L, x))
    for name, array in layer.parameters.items():
        assert_gradient(layer.gradients[name], difference(L, array))
    before = layer.gradients.flat.copy()
    assert layer.backward(cache, dy, need_dx=False) is None
    assert np.allclose(layer.gradients.flat, 2 * before)  # added to, not replaced


def golden(kind):
    with np.load(GOLDEN) as file:
        cases = {int(name.split("/")[1]) for name in file if name.startswith(f"{kind}/")}
        for case in sorted(cases):
            yield {name: file[f"{kind}/{case}/{name}"] for name in ("x", "y", "dy", "dx", "sizes")} | {
                name: file[f"conv/{case}/{name}"] for name in ("K", "b", "dK", "db") if kind == "conv"
            }


def test_against_pytorch():
    count = 0
    for case in golden("conv"):
        kernel, stride, padding = map(tuple, case["sizes"].tolist())
        I, O = case["K"].shape[2:]
        layer = nn.Conv2d(I, O, kernel, stride=stride, padding=padding, activation="tanh", dtype="float64")
        layer.parameters["K"][...], layer.parameters["b"][...] = case["K"], case["b"]
        y, cache = layer.forward(case["x"])
        assert np.allclose(y, case["y"], rtol=1e-12, atol=1e-13)
        assert np.allclose(layer.backward(cache, case["dy"]), case["dx"], rtol=1e-11, atol=1e-13)
        for name in ("K", "b"):
            assert np.allclose(layer.gradients[name], case[f"d{name}"], rtol=1e-11, atol=1e-13)
        count += 1
    for kind, Pool in (("max", nn.MaxPool2d), ("mean", nn.MeanPool2d)):
        for case in golden(kind):
            kernel, stride, padding = map(tuple, case["sizes"].tolist())
            pool = Pool(kernel, stride=stride, padding=padding)
            y, cache = pool.forward(case["x"])
            assert np.allclose(y, case["y"], rtol=1e-12, atol=1e-13)
            assert np.allclose(pool.backward(cache, case["dy"]), case["dx"], rtol=1e-12, atol=1e-13)
            count += 1
    assert count == 13


def test_results_depend_neither_on_threads_nor_on_the_batch():
    x = rng.standard_normal((17, 20, 22, 3)).astype("float32")
    results, before = [], rnnrs.get_num_threads()
    for threads in (1, 2, 5):
        rnnrs.set_num_threads(threads)
        net = cnn(seed=1)
        y, cache = net.forward(x)
        dx = net.backward(cache, np.ones_like(y))
        results.append((y, dx, net.gradients.flat.copy()))
        alone, own = net.forward(x[4:5])
        assert np.array_equal(alone, y[4:5])
        assert np.array_equal(net.backward(own, np.ones_like(alone)), dx[4:5])
    rnnrs.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(other, results[0], strict=True))


def cnn(seed=0, dtype="float32"):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, activation="relu", seed=seed, dtype=dtype),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 20, 3, stride=2, padding=1, activation="relu", seed=seed + 1, dtype=dtype),
        nn.MeanPool2d(2, stride=1),
        nn.GlobalPool2d(),
        nn.Linear(20, 4, seed=seed + 2, dtype=dtype),
    )


def test_sequential():
    net = cnn(dtype="float64")
    assert list(net.parameters) == ["0.K", "0.b", "2.K", "2.b", "5.V", "5.c"]
    x = rng.standard_normal((2, 9, 8, 3))
    y, cache = net.forward(x)
    dy = rng.standard_normal(y.shape)
    expected = x
    for layer in net.layers:
        expected = layer.forward(expected)[0]
    assert np.array_equal(y, expected)
    dx = net.backward(cache, dy)
    assert_gradient(dx, difference(lambda: float((net.forward(x)[0] * dy).sum()), x))
    gradients = net.gradients.flat.copy()
    net.zero_gradients()
    assert net.backward(cache, dy, need_dx=False) is None
    assert np.array_equal(net.gradients.flat, gradients)


def test_a_pooling_below_the_first_weights_needs_no_gradient():
    net = nn.Sequential(nn.MeanPool2d(2), nn.Conv2d(1, 2, 1), nn.GlobalPool2d())
    y, cache = net.forward(np.ones((1, 4, 4, 1), "float32"))
    assert net.backward(cache, np.ones_like(y)).shape == (1, 4, 4, 1)
    assert net.backward(cache, np.ones_like(y), need_dx=False) is None


def test_a_network_learns_to_distinguish_stripes():
    draw = np.random.default_rng(0)
    x = draw.standard_normal((64, 8, 8, 3)).astype("float32")
    kind = np.arange(64) % 2
    x[kind == 0, ::2] += 1.0
    x[kind == 1, :, ::2] += 1.0
    net, optimizer = cnn(), optim.Adam(1e-2)
    losses = []
    for _ in range(30):
        o, cache = net.forward(x)
        p = 1 / (1 + np.exp(-o[:, 0]))
        losses.append(-np.log(np.where(kind, p, 1 - p)).mean())
        do = np.zeros_like(o)
        do[:, 0] = (p - kind) / len(x)
        net.zero_gradients()
        net.backward(cache, do, need_dx=False)
        optimizer.step(net.parameters, net.gradients)
    assert losses[-1] < 0.2 < losses[0]


def test_initial_weights():
    layer = nn.Conv2d(32, 64, (3, 5), seed=4)
    K = layer.parameters["K"]
    assert K.shape == (3, 5, 32, 64) and not layer.parameters["b"].any()
    assert abs(K.std() / np.sqrt(2 / (3 * 5 * 32)) - 1) < 0.02
    assert np.array_equal(K, nn.Conv2d(32, 64, (3, 5), seed=4).parameters["K"])
    assert not np.array_equal(K, nn.Conv2d(32, 64, (3, 5), seed=5).parameters["K"])


def test_integer_pictures_and_other_memory_layouts():
    layer = nn.Conv2d(3, 2, 3, padding=1)
    x = rng.integers(0, 256, (2, 5, 5, 3)).astype("uint8")
    expected, _ = layer.forward(x.astype("float32"))
    for same in (x, x.tolist(), np.asfortranarray(x), x.astype("float64")):
        y, cache = layer.forward(same)
        assert np.array_equal(y, expected)
        assert layer.backward(cache, np.ones_like(y)).dtype == "float32"


@pytest.mark.parametrize("shape", [(0, 6, 6, 3), (0, 1, 4, 3)])
def test_empty_batches(shape):
    layers = [nn.Conv2d(3, 4, (1, 3)), nn.MaxPool2d((1, 2)), nn.MeanPool2d((1, 2)), nn.GlobalPool2d()]
    for layer in layers:
        y, cache = layer.forward(np.zeros(shape, "float32"))
        assert len(y) == 0
        assert layer.backward(cache, y).shape == shape
    assert not layers[0].gradients.flat.any()


def test_a_picture_of_padding_alone():
    layer = nn.Conv2d(2, 3, 2, padding=1)
    layer.parameters["b"][:] = [1, 2, 3]
    y, cache = layer.forward(np.zeros((2, 0, 1, 2), "float32"))
    assert y.shape == (2, 1, 2, 3) and (y == [1, 2, 3]).all()
    assert layer.backward(cache, y).shape == (2, 0, 1, 2)
    assert not layer.gradients["K"].any()


X = np.zeros((2, 6, 5, 3), "float32")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.Conv2d(0, 2, 3),
            ValueError,
            "Conv2d: in_channels: expected a whole number from 1, got 0",
        ),
        (lambda: nn.Conv2d(2, 1.5, 3), TypeError, "Conv2d: out_channels: expected a whole number"),
        (
            lambda: nn.Conv2d(2, 2, 0),
            ValueError,
            "Conv2d: kernel_size: expected a whole number from 1, got 0",
        ),
        (lambda: nn.Conv2d(2, 2, (3, 3, 3)), ValueError, "kernel_size: expected one number or two"),
        (lambda: nn.Conv2d(2, 2, 3, stride=0), ValueError, "stride: expected a whole number from 1"),
        (lambda: nn.Conv2d(2, 2, 3, padding=-1), ValueError, "padding: expected a whole number from 0"),
        (lambda: nn.Conv2d(2, 2, 3, padding="same"), TypeError, "padding: expected a whole number"),
        (lambda: nn.Conv2d(2, 2, 3, stride=10**30), ValueError, "stride: expected numbers below"),
        (lambda: nn.Conv2d(2, 2, 3, activation="swish"), ValueError, "activation: expected one of tanh"),
        (lambda: nn.Conv2d(2, 2, 3, dtype="int32"), rnnrs.DTypeError, "dtype"),
        (lambda: nn.Conv2d(10**6, 10**6, 10**3), MemoryError, "Parameters"),
        (
            lambda: nn.Conv2d(4, 2, 3).forward(X),
            rnnrs.ShapeError,
            r"Conv2d.forward: x: expected \(B, Y, X, I=4\), got \(2, 6, 5, 3\)",
        ),
        (lambda: nn.Conv2d(3, 2, 3).forward(X[0]), rnnrs.ShapeError, r"x: expected \(B, Y, X, I=3\)"),
        (lambda: nn.Conv2d(3, 2, 3).forward(X.astype(complex)), rnnrs.DTypeError, "x: expected"),
        (lambda: nn.Conv2d(3, 2, 3).forward(None), rnnrs.DTypeError, "x: expected"),
        (
            lambda: nn.Conv2d(3, 2, (3, 8), padding=1).forward(X),
            rnnrs.ShapeError,
            r"x: expected pictures \(Y, X\) of at least \(1, 6\), .*got \(6, 5\)",
        ),
        (lambda: nn.Conv2d(3, 2, 3, padding=2**61).forward(X), MemoryError, "Conv2d.forward: "),
        (lambda: nn.Conv2d(3, 2, 3, padding=2**40).forward(X), MemoryError, "Conv2d.forward: "),
        (lambda: nn.Conv2d(3, 2, 3, padding=2**40, stride=2**40).forward(X), MemoryError, "Conv2d.forward: "),
        (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: kernel_size: expected a whole number from 1"),
        (lambda: nn.MeanPool2d(2, stride=0), ValueError, "MeanPool2d: stride"),
        (lambda: nn.MaxPool2d(3, padding=2), ValueError, r"MaxPool2d: padding: expected at most half"),
        (
            lambda: nn.MaxPool2d(7).forward(X),
            rnnrs.ShapeError,
            r"MaxPool2d.forward: x: expected pictures \(Y, X\) of at least \(7, 7\)",
        ),
        (lambda: nn.MeanPool2d(2).forward(X[0]), rnnrs.ShapeError, r"x: expected \(B, Y, X, C\)|x: expected"),
        (lambda: nn.MeanPool2d(2).forward(X.astype(int)), rnnrs.DTypeError, "MeanPool2d.forward: x"),
        (lambda: nn.GlobalPool2d("sum"), ValueError, "GlobalPool2d: kind: expected mean or max, got 'sum'"),
        (lambda: nn.GlobalPool2d().forward(X[:, :0]), rnnrs.ShapeError, "GlobalPool2d.forward: x: expected"),
        (lambda: nn.GlobalPool2d().forward(X[0]), rnnrs.ShapeError, "GlobalPool2d.forward: x: expected"),
        (lambda: nn.Sequential(), ValueError, "Sequential: layers: expected at least one"),
        (lambda: nn.Sequential(*[nn.Linear(2, 2)] * 2), ValueError, "got one of them twice"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_gradients_of_another_shape_are_rejected():
    layers = [
        nn.Conv2d(3, 4, 3),
        nn.MaxPool2d(2),
        nn.MeanPool2d(2),
        nn.GlobalPool2d(),
        nn.GlobalPool2d("max"),
    ]
    for layer in layers:
        y, cache = layer.forward(X)
        for wrong in (y[:1], y[..., :1], y[None]):
            with pytest.raises(rnnrs.ShapeError, match=r"backward: dy: expected \(B=2"):
                layer.backward(cache, wrong)
    assert not layers[0].gradients.flat.any()


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="needs SIGINT")
@pytest.mark.parametrize("what", ["forward", "backward"])
def test_ctrl_c_interrupts_a_convolution(what):
    program = f"""
        import os, signal, threading, time
        import numpy as np
        from rnnrs import nn
        layer = nn.Conv2d(256, 256, 7, padding=3)
        small, cache = layer.forward(np.zeros((1, 8, 8, 256), "f"))
        x = np.zeros((8, 100, 100, 256), "f")  # seconds of work
        if {what == "backward"}:
            cache = nn.conv.Conv2dCache(x, None)
        def interrupt():
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        sent = []
        threading.Timer(0.1, interrupt).start()
        try:
            layer.forward(x) if {what == "forward"} else layer.backward(cache, x)
            print("ran to its end")
        except KeyboardInterrupt:
            print(time.monotonic() - sent[0])
        assert np.array_equal(layer.forward(np.zeros((1, 8, 8, 256), "f"))[0], small)
    """
    assert seconds_to_stop(program, within=1.0) < 1.0
