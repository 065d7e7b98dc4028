"""Losses against NumPy; their options; a user's own loss."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnrs import losses, nn
from rnnrs.data import Batch
from rnnrs.models import RecurrentNetwork

rng = np.random.default_rng(0)
O = rng.standard_normal((4, 3, 6))
Y = rng.integers(0, 6, (4, 3))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 80), st.sampled_from([np.float32, np.float64]))
def test_softmax_cross_entropy_follows_the_equations(T, B, classes, dtype):
    rng = np.random.default_rng(T)
    o, y = rng.standard_normal((T, B, classes)) * 3, rng.integers(0, classes, (T, B))
    expected, do = reference.cross_entropy(o, y)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for reduction, scale in (("sum", 1.0), ("mean", 1.0 / (T * B))):
        loss = losses.SoftmaxCrossEntropy(reduction)
        L, got = loss(o.astype(dtype), y)
        np.testing.assert_allclose(L, expected.sum() * scale, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got, do * scale, atol=tolerance)
        assert got.dtype == dtype
        detail = loss.evaluate(o.astype(dtype), y, gradient=False)
        assert detail.gradient is None
        np.testing.assert_allclose(detail.positions, expected, atol=1e-5)


def test_ignored_positions_have_no_effect():
    y = Y.copy()
    y[1, 2] = y[3, 0] = -1
    kept = y != -1
    L, do = losses.SoftmaxCrossEntropy()(O, y)
    expected, full = reference.cross_entropy(O, Y)
    assert pytest.approx(expected[kept].mean(), rel=1e-12) == L
    np.testing.assert_allclose(do, np.where(kept[..., None], full, 0) / kept.sum(), atol=1e-14)
    other = np.where(y == -1, 99, y)
    assert losses.SoftmaxCrossEntropy(ignore_id=99)(O, other)[0] == L
    with pytest.raises(IndexError, match="got -1"):
        losses.SoftmaxCrossEntropy(ignore_id=None)(O, y)


def test_weights_of_positions_and_classes():
    expected, _ = reference.cross_entropy(O, Y)
    w = rng.random(Y.shape)
    assert losses.SoftmaxCrossEntropy()(O, Y, w)[0] == pytest.approx((w * expected).sum() / w.sum())
    assert losses.SoftmaxCrossEntropy("sum")(O, Y, w)[0] == pytest.approx((w * expected).sum())
    by_class = rng.random(6)
    L, _ = losses.SoftmaxCrossEntropy(class_weights=by_class)(O, Y)
    assert pytest.approx((by_class[Y] * expected).sum() / by_class[Y].sum()) == L


def test_a_position_of_weight_zero_has_no_effect_whatever_it_holds():
    o, w = O.copy(), np.ones(Y.shape)
    o[2, 1] = np.nan
    w[2, 1] = 0
    L, do = losses.SoftmaxCrossEntropy()(o, Y, w)
    assert np.isfinite(L)
    assert np.isfinite(do).all()


def test_label_smoothing_mixes_in_the_uniform_distribution():
    log_p = np.log(reference.softmax(O))
    target = 0.9 * np.eye(6)[Y] + 0.1 / 6
    L, do = losses.SoftmaxCrossEntropy("sum", label_smoothing=0.1)(O, Y)
    assert pytest.approx(-(target * log_p).sum()) == L
    np.testing.assert_allclose(do, reference.softmax(O) - target, atol=1e-13)


def test_large_scores_do_not_overflow():
    o = np.array([[[1e4, 0.0]], [[-1e4, 0.0]]])
    L, do = losses.SoftmaxCrossEntropy("sum")(o, np.zeros((2, 1), int))
    assert pytest.approx(1e4) == L
    np.testing.assert_allclose(do[1, 0], [-1, 1])
    L, do = losses.SigmoidCrossEntropy("sum")(o, np.ones_like(o))
    assert pytest.approx(1e4 + 2 * np.log(2)) == L


def test_fused_with_the_output_layer():
    h = rng.standard_normal((4, 3, 9))
    layer, apart = nn.Linear(9, 6, dtype=np.float64), nn.Linear(9, 6, dtype=np.float64)
    loss = losses.SoftmaxCrossEntropy(label_smoothing=0.05)
    o, cache = apart.forward(h)
    L, do = loss(o, Y)
    dh = apart.backward(cache, do)
    fused = loss.through(layer, h, Y)
    assert fused.total == L
    np.testing.assert_array_equal(fused.gradient, dh)
    np.testing.assert_array_equal(layer.gradients.flat, apart.gradients.flat)
    before = layer.gradients.flat.copy()
    assert loss.through(layer, h, Y, gradient=False).gradient is None
    np.testing.assert_array_equal(layer.gradients.flat, before)


def test_sigmoid_cross_entropy_and_squared_error_follow_the_equations():
    y = rng.random(O.shape)
    sigma = 1 / (1 + np.exp(-O))
    L, do = losses.SigmoidCrossEntropy("sum")(O, y)
    assert pytest.approx(-(y * np.log(sigma) + (1 - y) * np.log(1 - sigma)).sum()) == L
    np.testing.assert_allclose(do, sigma - y, atol=1e-14)
    L, do = losses.SquaredError("mean")(O, y)
    assert pytest.approx(((O - y) ** 2).sum(-1).mean()) == L
    np.testing.assert_allclose(do, 2 * (O - y) / 12, atol=1e-14)
    w = rng.random(O.shape[:2])
    assert losses.SquaredError()(O, y, w)[0] == pytest.approx((w * ((O - y) ** 2).sum(-1)).sum() / w.sum())


def test_any_function_is_a_loss():
    def absolute(o, y):
        return np.abs(o - y).sum(), np.sign(o - y)

    network = RecurrentNetwork(nn.RNN(2, 5, dtype="float64"), nn.Linear(5, 3, dtype="float64"), absolute)
    batch = Batch(rng.standard_normal((6, 2, 2)), rng.standard_normal((6, 2, 3)))
    from rnnrs import gradient_check

    assert gradient_check(network, batch).worst <= 1e-6


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: losses.SoftmaxCrossEntropy("median"), ValueError, "'mean' or 'sum'"),
        (lambda: losses.SoftmaxCrossEntropy(label_smoothing=1.0), ValueError, "label_smoothing"),
        (lambda: losses.SoftmaxCrossEntropy()(O, Y + 6), IndexError, "y: expected ids from 0 to 5"),
        (lambda: losses.SoftmaxCrossEntropy()(O, Y.astype(float)), TypeError, "whole numbers"),
        (lambda: losses.SoftmaxCrossEntropy()(O, Y[:2]), ValueError, r"\(T=4, B=3\), got \(2, 3\)"),
        (lambda: losses.SoftmaxCrossEntropy()(O, Y, np.ones(3)), ValueError, "weights"),
        (lambda: losses.SoftmaxCrossEntropy()(O, np.full_like(Y, -1)), ValueError, "at least one position"),
        (lambda: losses.SoftmaxCrossEntropy(class_weights=np.ones(5))(O, Y), ValueError, "class_weights"),
        (lambda: losses.SquaredError()(O, O[:, :2]), ValueError, "y"),
        (lambda: losses.SigmoidCrossEntropy()(O.astype(complex), O), TypeError, "float32 or float64"),
    ],
)
def test_invalid_arguments_are_rejected_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_sum_over_no_positions_is_zero():
    L, do = losses.SoftmaxCrossEntropy("sum")(np.zeros((0, 3, 5)), np.zeros((0, 3), int))
    assert L == 0.0
    assert do.shape == (0, 3, 5)
