"""Pooling over time: against NumPy, finite differences, and other batches."""

import numpy as np
import pytest

import rnnrs
from rnnrs import nn
from rnnrs.nn.build import build_pooling, build_recurrent

rng = np.random.default_rng(11)
T, B, H = 9, 5, 6
LENGTHS = np.array([9, 1, 0, 4, 7])


def reference(kind, h, lengths, back_size=0):
    """Pools sequence by sequence, by the definition."""
    y = np.zeros(h.shape[1:])
    for b, length in enumerate(lengths):
        if length == 0:
            continue
        own = h[:length, b]
        if kind == "last":
            y[b] = np.concatenate([own[-1, : H - back_size], own[0, H - back_size :]])
        else:
            y[b] = {"mean": own.mean(0), "max": own.max(0)}[kind]
    return y


def attended(p, h, lengths):
    y = np.zeros(h.shape[1:])
    for b, length in enumerate(lengths):
        if length:
            e = np.tanh(h[:length, b] @ p["A"].T + p["a"]) @ p["q"]
            alpha = np.exp(e - e.max())
            y[b] = (alpha / alpha.sum()) @ h[:length, b]
    return y


def states(dtype="float64"):
    h = rng.standard_normal((T, B, H)).astype(dtype)
    h[np.arange(T)[:, None] >= LENGTHS] = np.nan  # after a sequence's end: must never be read
    return h


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "back"), [("last", 0), ("last", 2), ("mean", 0), ("max", 0)])
def test_poolings(kind, back, dtype):
    h = states(dtype)
    y, _ = nn.Pooling(kind, back_size=back).forward(h, LENGTHS)
    assert y.dtype == dtype and y.shape == (B, H)
    assert np.allclose(y, reference(kind, h.astype("float64"), LENGTHS, back), rtol=1e-6, atol=1e-6)
    whole, _ = nn.Pooling(kind, back_size=back).forward(np.nan_to_num(h))
    assert np.allclose(
        whole, reference(kind, np.nan_to_num(h).astype("float64"), [T] * B, back), rtol=1e-6, atol=1e-6
    )


def test_attention_pooling():
    layer = nn.AttentionPooling(H, 4, seed=3, dtype="float64")
    h = np.nan_to_num(states())
    y, cache = layer.forward(h, LENGTHS)
    assert np.allclose(y, attended(layer.parameters, h, LENGTHS))
    assert np.allclose(cache.alpha.sum(0), LENGTHS > 0)
    assert not cache.alpha[np.arange(T)[:, None] >= LENGTHS].any()


def difference(f, array, eps=1e-6):
    """Returns ∂f/∂array by central differences."""
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        before = array[place]
        array[place] = before + eps
        above = f()
        array[place] = before - eps
        gradient[place] = (above - f()) / (2 * eps)
        array[place] = before
    return gradient


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("kind", nn.POOLINGS)
def test_gradients(kind, lengths):
    layer = nn.AttentionPooling(H, 4, seed=3, dtype="float64") if kind == "attention" else nn.Pooling(kind)
    h, dy = rng.standard_normal((T, B, H)), rng.standard_normal((B, H))

    def L():
        return float((layer.forward(h, lengths)[0] * dy).sum())

    dh = layer.backward(layer.forward(h, lengths)[1], dy)
    assert np.allclose(dh, difference(L, h), atol=1e-7)
    if kind == "attention":
        for name, array in layer.parameters.items():
            assert np.allclose(layer.gradients[name], difference(L, array), atol=1e-7), name


@pytest.mark.parametrize("kind", nn.POOLINGS)
def test_results_depend_neither_on_threads_nor_on_the_batch(kind):
    T, B, H = 50, 33, 70
    h, dy = rng.standard_normal((T, B, H)).astype("float32"), rng.standard_normal((B, H)).astype("float32")
    lengths = rng.integers(0, T + 1, B)
    results = []
    before = rnnrs.get_num_threads()
    for threads in (1, 2, 5):
        rnnrs.set_num_threads(threads)
        layer = (
            nn.AttentionPooling(H)
            if kind == "attention"
            else nn.Pooling(kind, back_size=20 * (kind == "last"))
        )
        y, cache = layer.forward(h, lengths)
        results.append((y, layer.backward(cache, dy)))
        alone = [layer.forward(h[: max(n, 1), b : b + 1], [n])[0][0] for b, n in enumerate(lengths)]
        assert np.array_equal(y, alone)
    rnnrs.set_num_threads(before)
    for y, dh in results[1:]:
        assert np.array_equal(y, results[0][0]) and np.array_equal(dh, results[0][1])


def test_the_last_of_both_directions_is_their_final_state():
    rnn = build_recurrent("test", "gru", 3, 4, layers=2, bidirectional=True, dtype="float64")
    x = rng.standard_normal((T, B, 3))
    h, cache = rnn.forward(x, lengths=LENGTHS)
    y, _ = build_pooling("test", "last", rnn).forward(h, LENGTHS)
    assert np.array_equal(y[LENGTHS > 0], cache.state[LENGTHS > 0, -8:])


def test_a_nan_is_the_maximum():
    h = np.zeros((4, 1, 2), "float32")
    h[1, 0, 0], h[:, 0, 1] = np.nan, [3, 7, 7, 1]
    y, cache = nn.Pooling("max").forward(h)
    assert np.isnan(y[0, 0]) and y[0, 1] == 7
    assert cache.kept.tolist() == [[1, 1]]


@pytest.mark.parametrize("kind", nn.POOLINGS)
@pytest.mark.parametrize("shape", [(0, 3, H), (4, 0, H), (0, 0, H)])
def test_empty_batches(kind, shape):
    layer = nn.AttentionPooling(H) if kind == "attention" else nn.Pooling(kind)
    y, cache = layer.forward(np.zeros(shape, "float32"))
    assert y.shape == shape[1:] and not y.any()
    assert layer.backward(cache, y).shape == shape


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Pooling("median"), ValueError, "kind: expected one of last, mean, max, got 'median'"),
        (lambda: nn.Pooling("last", back_size=-1), ValueError, "back_size: expected"),
        (
            lambda: nn.Pooling("mean").forward(np.zeros((3, 4))),
            rnnrs.ShapeError,
            r"h: expected \(T, B, H\), got \(3, 4\)",
        ),
        (
            lambda: nn.Pooling("mean").forward(np.zeros((3, 4, 2), int)),
            rnnrs.DTypeError,
            "h: expected float32 or",
        ),
        (
            lambda: nn.Pooling("max").forward(np.zeros((3, 2, 2)), [1, 4]),
            ValueError,
            "lengths: expected from 0 to T=3",
        ),
        (lambda: nn.Pooling("max").forward(np.zeros((3, 2, 2)), [1]), rnnrs.ShapeError, "lengths: expected"),
        (
            lambda: nn.Pooling("last", back_size=3).forward(np.zeros((3, 2, 2))),
            rnnrs.ShapeError,
            "expected at least back_size=3 units",
        ),
        (lambda: nn.AttentionPooling(0), ValueError, "hidden_size"),
        (lambda: nn.AttentionPooling(4, -1), ValueError, "attention_size"),
        (
            lambda: nn.AttentionPooling(4).forward(np.zeros((3, 2, 5), "float32")),
            rnnrs.ShapeError,
            "x: expected",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_gradient_of_another_shape_is_rejected():
    for kind in nn.POOLINGS:
        layer = nn.AttentionPooling(H) if kind == "attention" else nn.Pooling(kind)
        _, cache = layer.forward(np.zeros((T, B, H), "float32"))
        with pytest.raises(rnnrs.ShapeError, match="dy: expected"):
            layer.backward(cache, np.zeros((B, H + 1), "float32"))


def test_the_last_state_needs_separate_directions():
    ahead, back = nn.GRU(3, 4), nn.GRU(3, 4, seed=1)
    with pytest.raises(ValueError, match="expected mean, max or attention"):
        build_pooling("test", "last", nn.Bidirectional(ahead, back, merge="sum"))
