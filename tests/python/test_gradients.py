"""Whole networks against finite differences, and the unfolded network against the equations."""

import copy

import numpy as np
import pytest
import reference

import rnnrs
from rnnrs import losses, nn
from rnnrs.data import Batch
from rnnrs.models import RecurrentNetwork

rng = np.random.default_rng(5)


def network(activation="tanh", loss=None, embedding=False, seed=1):
    return RecurrentNetwork(
        nn.RNN(4, 6, activation=activation, seed=seed, dtype="float64"),
        nn.Linear(6, 5, seed=seed + 1, dtype="float64"),
        loss or losses.SoftmaxCrossEntropy(),
        embedding=nn.Embedding(7, 4, seed=seed + 2, dtype="float64") if embedding else None,
    )


def ids_batch(T=7, B=3):
    return Batch(rng.integers(0, 7, (T, B)), rng.integers(0, 5, (T, B)))


def array_batch(T=7, B=3, targets="ids"):
    y = rng.integers(0, 5, (T, B)) if targets == "ids" else rng.random((T, B, 5))
    return Batch(rng.standard_normal((T, B, 4)), y)


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
@pytest.mark.parametrize("embedding", [False, True])
def test_every_activation(activation, embedding):
    batch = ids_batch() if embedding else array_batch()
    check = rnnrs.gradient_check(network(activation, embedding=embedding), batch, np.full((3, 6), 0.1))
    assert check.worst <= 1e-6, check
    assert set(check.relative_error) == set(network(embedding=embedding).parameters)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (lambda r: losses.SoftmaxCrossEntropy(r), "ids"),
        (lambda r: losses.SoftmaxCrossEntropy(r, label_smoothing=0.2), "ids"),
        (lambda r: losses.SoftmaxCrossEntropy(r, class_weights=[1, 2, 0.5, 1, 3]), "ids"),
        (lambda r: losses.SigmoidCrossEntropy(r), "values"),
        (lambda r: losses.SquaredError(r), "values"),
    ],
)
def test_every_loss(loss, reduction, targets):
    assert (
        rnnrs.gradient_check(network(loss=loss(reduction)), array_batch(targets=targets), step=1e-4).worst
        <= 1e-6
    )


def test_the_check_finds_a_wrong_gradient():
    class Wrong(RecurrentNetwork):
        def backward(self, cache, do):
            result = super().backward(cache, do)
            self.gradients["rnn.W"][2, 3] *= 1.001
            return result

    right = copy.deepcopy(network())
    rnn, output = copy.deepcopy(right.rnn), copy.deepcopy(right.output)
    wrong = Wrong(rnn, output, right.loss_function)
    check = rnnrs.gradient_check(wrong, array_batch())
    assert check.relative_error["rnn.W"] > 1e-4
    assert check.relative_error["rnn.U"] <= 1e-6


def test_the_check_leaves_everything_as_it_was_and_refuses_f32():
    model = network()
    model.gradients.fill(3.0)
    before = model.parameters.flat.copy()
    check = rnnrs.gradient_check(model, array_batch(), samples=4)
    assert check.numbers <= 4 * 5
    np.testing.assert_array_equal(model.parameters.flat, before)
    assert (model.gradients.flat == 3.0).all()
    small = RecurrentNetwork(nn.RNN(4, 6), nn.Linear(6, 5), losses.SoftmaxCrossEntropy())
    with pytest.raises(TypeError, match="float64"):
        rnnrs.gradient_check(small, array_batch())
    with pytest.raises(ValueError, match="positive"):
        rnnrs.gradient_check(model, array_batch(), step=0.0)


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_unfold_gives_every_quantity_of_the_equations(activation):
    model, batch, h0 = (
        network(activation, losses.SoftmaxCrossEntropy("sum")),
        array_batch(),
        rng.random((3, 6)),
    )
    p = model.parameters
    u = rnnrs.unfold(model, batch, h0)
    a, h = reference.forward(batch.inputs, h0, p["rnn.U"], p["rnn.W"], p["rnn.b"], activation)
    L, do = reference.cross_entropy(h @ p["output.V"].T + p["output.c"], batch.targets)
    dh = do @ p["output.V"]
    da, dh0 = reference.bptt(dh, h, p["rnn.W"], activation)
    for got, expected in [
        (u.a, a),
        (u.h, h),
        (u.o, h @ p["output.V"].T + p["output.c"]),
        (u.y_hat, reference.softmax(u.o)),
        (u.losses, L.sum(1)),
        (u.do, do),
        (u.dh_local, dh),
        (u.da, da),
        (u.dh0, dh0),
        (u.da, u.dh * reference.F[activation][1](u.h)),
        (u.dh_through_time[:-1], da[1:] @ p["rnn.W"]),
    ]:
        np.testing.assert_allclose(got, expected, atol=1e-12)
    assert not u.dh_through_time[-1].any()
    assert u.loss == pytest.approx(L.sum(), rel=1e-12)

    model.gradients.fill(0)
    model.loss(batch, h0)
    for name, steps in [
        ("rnn.U", u.dU_steps),
        ("rnn.W", u.dW_steps),
        ("rnn.b", u.db_steps),
        ("output.V", u.dV_steps),
        ("output.c", u.dc_steps),
    ]:
        assert len(steps) == 7
        np.testing.assert_allclose(steps.sum(0), model.gradients[name], atol=1e-12)


def test_unfold_works_with_an_embedding_and_with_a_loss_in_python():
    u = rnnrs.unfold(network(embedding=True), ids_batch())
    assert u.losses.sum() == pytest.approx(u.loss)
    u = rnnrs.unfold(
        network(loss=lambda o, y: ((o - y).sum(), np.ones_like(o))), array_batch(targets="values")
    )
    assert u.losses.sum() == pytest.approx(u.loss)
    with pytest.raises(ValueError, match="T=0"):
        rnnrs.unfold(network(), Batch(np.zeros((0, 2, 4)), np.zeros((0, 2, 5))))


def test_unfolding_leaves_the_gradients_alone():
    model = network()
    model.gradients.fill(2.0)
    rnnrs.unfold(model, array_batch())
    assert (model.gradients.flat == 2.0).all()
