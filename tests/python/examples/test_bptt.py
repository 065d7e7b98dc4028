"""examples/bptt.py against the library, the test reference and finite differences, in float64."""

import bptt
import numpy as np
import pytest
import reference

from rnnrs import losses, nn

#: (T, B, I, H, O): one of everything; odd sizes; more steps than the engine projects at a time; more
#: sequences than units.
SIZES = [
    (1, 1, 1, 1, 1),
    (2, 3, 1, 5, 2),
    (7, 3, 4, 6, 5),
    (70, 2, 3, 17, 4),
    (5, 33, 2, 3, 9),
    (9, 4, 16, 64, 33),
]


def problem(sizes, seed=0):
    """(p, x, h0, y): random parameters, inputs, initial state and class ids."""
    T, B, I, H, O = sizes
    rng = np.random.default_rng(seed)
    shapes = {"U": (H, I), "W": (H, H), "b": (H,), "V": (O, H), "c": (O,)}
    p = {name: rng.standard_normal(shape) / shape[-1] ** 0.5 for name, shape in shapes.items()}
    return p, rng.standard_normal((T, B, I)), rng.standard_normal((B, H)), rng.integers(0, O, (T, B))


def library(p, x, h0, y):
    """(h, o, L, d) of `nn.RNN`, `nn.Linear` and `SoftmaxCrossEntropy`, d with the names of `bptt.backward`."""
    rnn = nn.RNN(x.shape[2], h0.shape[1], dtype="float64")
    output = nn.Linear(h0.shape[1], len(p["c"]), dtype="float64")
    for layer, names in ((rnn, "UWb"), (output, "Vc")):
        for name in names:
            layer.parameters[name] = p[name]
    h, rnn_cache = rnn.forward(x, h0)
    o, output_cache = output.forward(h)
    L, do = losses.SoftmaxCrossEntropy("sum")(o, y)
    _, dh0 = rnn.backward(rnn_cache, output.backward(output_cache, do))
    return h, o, L, {**rnn.gradients, **output.gradients, "h0": dh0}


def close(actual, expected):
    """To 1e-10 of the largest number."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("sizes", SIZES)
def test_the_library_agrees_in_outputs_loss_and_every_gradient(sizes):
    p, x, h0, y = problem(sizes)
    h, o = bptt.forward(p, x, h0)
    L, do = bptt.loss(o, y)
    d = bptt.backward(p, x, h0, h, do)
    their_h, their_o, their_L, theirs = library(p, x, h0, y)
    close(their_h, h)
    close(their_o, o)
    close(their_L, L)
    assert set(theirs) == set(d) == {"U", "W", "b", "V", "c", "h0"}
    for name in d:
        assert np.shape(theirs[name]) == d[name].shape
        close(theirs[name], d[name])


@pytest.mark.parametrize("sizes", SIZES)
def test_the_fused_output_layer_and_loss_agree(sizes):
    p, x, h0, y = problem(sizes, seed=1)
    h, o = bptt.forward(p, x, h0)
    L, do = bptt.loss(o, y)
    output = nn.Linear(h0.shape[1], len(p["c"]), dtype="float64")
    output.parameters["V"], output.parameters["c"] = p["V"], p["c"]
    their_L, positions, dh = losses.SoftmaxCrossEntropy("sum").through(output, h, y)
    d = bptt.backward(p, x, h0, h, do)
    close(their_L, L)
    close(np.sum(positions), L)
    close(dh, do @ p["V"])
    close(output.gradients["V"], d["V"])
    close(output.gradients["c"], d["c"])


@pytest.mark.parametrize("sizes", SIZES)
def test_the_tests_own_reference_agrees(sizes):
    p, x, h0, y = problem(sizes, seed=2)
    h, o = bptt.forward(p, x, h0)
    L, do = bptt.loss(o, y)
    d = bptt.backward(p, x, h0, h, do)
    _, their_h = reference.forward(x, h0, p["U"], p["W"], p["b"], "tanh")
    each, their_do = reference.cross_entropy(o, y)
    da, dh0 = reference.bptt(do @ p["V"], h, p["W"], "tanh")
    theirs = reference.gradients(da, x, h0, h, p["U"])
    close(their_h, h)
    close(each.sum(), L)
    close(their_do, do)
    close(dh0, d["h0"])
    for name in "UWb":
        close(theirs[name], d[name])


def test_the_gradients_agree_with_finite_differences():
    p, x, h0, y = problem((6, 3, 2, 4, 3), seed=3)
    assert bptt.check(p, x, h0, y) < 1e-7


def test_the_check_finds_a_wrong_gradient(monkeypatch):
    p, x, h0, y = problem((6, 3, 2, 4, 3), seed=3)
    right = bptt.backward
    for name in ("U", "W", "b", "V", "c", "h0"):
        wrong = lambda *given, name=name: (d := right(*given)) | {name: 1.01 * d[name]}  # noqa: E731
        monkeypatch.setattr(bptt, "backward", wrong)
        assert bptt.check(p, x, h0, y) > 1e-3, name
