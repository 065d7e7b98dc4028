"""The unfolded LSTM, GRU and stack: against equations in NumPy in which each quantity can be perturbed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import sigmoid

import rnnrs
from rnnrs import losses, nn
from rnnrs.data import Batch
from rnnrs.inspection.unfolded import unfold_layer
from rnnrs.models import LanguageModel, RecurrentNetwork

Array = NDArray[Any]
T, B, I, H, O = 5, 3, 4, 6, 5
F64: dict[str, Any] = {"dtype": "float64"}
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
#: Every quantity of a cell that affects the loss.
NAMES = {
    "rnn": ["a", "h"],
    "lstm": ["a_i", "a_f", "a_g", "a_o", "i", "f", "g", "o", "c", "tanh_c", "h"],
    "gru": ["a_r", "a_z", "a_h", "a_x", "r", "z", "n", "h"],
}


class Nudged:
    """A cell in NumPy that records each quantity by name and perturbs one of them at one step."""

    def __init__(self, cell: str, p: dict[str, Array], where: tuple[str, int] | None = None, by: Any = 0.0):
        self.cell, self.p, self.where, self.by = cell, p, where, by
        self.seen: dict[str, list[Array]] = {}

    def note(self, name: str, t: int, value: Array) -> Array:
        value = value + self.by if (name, t) == self.where else value
        self.seen.setdefault(name, []).append(value)
        return value

    def step(self, t: int, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        note = lambda name, value: self.note(name, t, value)  # noqa: E731
        u, w, b = x @ self.p["U"].T, h @ self.p["W"].T, self.p["b"]
        if self.cell == "rnn":
            return note("h", np.tanh(note("a", b + u + w))), c
        if self.cell == "gru":
            (u_r, u_z, u_n), (w_r, w_z, w_n) = np.split(u, 3, -1), np.split(w, 3, -1)
            b_r, b_z, b_n = np.split(b, 3)
            r = note("r", sigmoid(note("a_r", b_r + u_r + w_r)))
            z = note("z", sigmoid(note("a_z", b_z + u_z + w_z)))
            a_h, a_x = note("a_h", self.p["b_h"] + w_n), note("a_x", b_n + u_n)
            n = note("n", np.tanh(a_x + r * a_h))
            return note("h", (1 - z) * n + z * h), c
        i, f, g, o = (note(f"a_{k}", a) for k, a in zip("ifgo", np.split(b + u + w, 4, -1), strict=True))
        i, f, g, o = (
            note("i", sigmoid(i)),
            note("f", sigmoid(f)),
            note("g", np.tanh(g)),
            note("o", sigmoid(o)),
        )
        c = note("c", f * c + i * g)
        return note("h", o * note("tanh_c", np.tanh(c))), c

    def run(self, x: Array, state: Array, R: Array, Q: Array) -> float:
        """Returns Σ R ⊙ h + Σ Q ⊙ the last state."""
        h, c = state[:, :H], state[:, H:]
        total = 0.0
        for t, x_t in enumerate(x):
            h, c = self.step(t, x_t, h, c)
            total += float((R[t] * h).sum())
        last = np.concatenate([h, c], axis=1) if self.cell == "lstm" else h
        return total + float((Q * last).sum())


def layer_and_pass(cell: str) -> tuple[Any, Any, tuple[Array, Array, Array, Array]]:
    rng = np.random.default_rng(3)
    layer = CELLS[cell](I, H, seed=1, **F64)
    S = layer.state_size
    x, state = rng.standard_normal((T, B, I)), rng.standard_normal((B, S)) * 0.5
    R, Q = rng.standard_normal((T, B, H)), rng.standard_normal((B, S))
    _, cache = layer.forward(x, state)
    return layer, unfold_layer(layer, cache, R, Q), (x, state, R, Q)


@pytest.mark.parametrize("cell", CELLS)
def test_every_quantity_of_the_forward_pass(cell):
    layer, u, arrays = layer_and_pass(cell)
    plain = Nudged(cell, dict(layer.parameters))
    plain.run(*arrays)
    assert set(plain.seen) == set(NAMES[cell])
    for name, values in plain.seen.items():
        np.testing.assert_allclose(getattr(u, name), np.array(values), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_matches_finite_differences(cell):
    layer, u, arrays = layer_and_pass(cell)
    p, rng = dict(layer.parameters), np.random.default_rng(4)
    for name in NAMES[cell]:
        gradient = getattr(u, f"d{name}")
        for t in range(T):
            d = rng.standard_normal((B, H))
            up, down = (Nudged(cell, p, (name, t), e * d).run(*arrays) for e in (1e-5, -1e-5))
            exact = float((gradient[t] * d).sum())
            assert abs(exact - (up - down) / 2e-5) <= 1e-7 * max(1.0, abs(exact)), (name, t)
    np.testing.assert_allclose(u.dh, u.dh_local + u.dh_through_time, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_the_shares_add_up_and_agree_with_the_engine(cell):
    layer, u, (_, _, R, Q) = layer_and_pass(cell)
    layer.zero_gradients()
    dx, dstate = layer.backward(u.cache, R, Q)
    for name, gradient in layer.gradients.items():
        np.testing.assert_allclose(getattr(u, f"d{name}_steps").sum(0), gradient, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(u.dx, dx)
    np.testing.assert_allclose(u.dx, u.da_input @ layer.parameters["U"], atol=1e-12)
    np.testing.assert_array_equal(u.dh0, dstate[:, :H])
    if cell == "lstm":
        np.testing.assert_array_equal(u.dc0, dstate[:, H:])
        np.testing.assert_allclose(u.dc0, u.dc[0] * u.f[0], atol=1e-12)
        np.testing.assert_allclose(u.dh0, u.da[0] @ layer.parameters["W"], atol=1e-12)
        np.testing.assert_allclose(u.dc_through_time[:-1], u.dc[1:] * u.f[1:], atol=1e-12)
    if cell == "gru":
        through = u.dh[0] * u.z[0] + u.da_recurrent[0] @ layer.parameters["W"]
        np.testing.assert_allclose(u.dh0, through, atol=1e-12)
        np.testing.assert_array_equal(u.h_tilde, u.n)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("learn_state", [False, True])
def test_a_network_of_one_layer_has_the_layers_quantities(cell, learn_state):
    rng = np.random.default_rng(0)
    layer = CELLS[cell](I, H, learn_state=learn_state, **F64)
    network = RecurrentNetwork(layer, nn.Linear(H, O, **F64), losses.SoftmaxCrossEntropy("sum"))
    if learn_state:
        network.parameters["rnn.state"][...] = rng.standard_normal(layer.state_size)
    batch = Batch(rng.standard_normal((T, B, I)), rng.integers(0, O, (T, B)))
    network.gradients.fill(2.0)
    u = rnnrs.unfold(network, batch)
    assert (network.gradients.flat == 2.0).all()
    assert u.h is u.layers[0].h and u.dW_steps is u.layers[0].dW_steps
    assert "dW_steps" in dir(u) and ("f" in dir(u)) == (cell == "lstm")
    assert u.o.shape == u.do.shape == (T, B, O)
    network.gradients.fill(0)
    assert u.loss == pytest.approx(network.loss(batch)[0]) == pytest.approx(u.losses.sum())
    for name in ("U", "W", "b"):
        np.testing.assert_allclose(
            getattr(u, f"d{name}_steps").sum(0), network.gradients[f"rnn.{name}"], atol=1e-12
        )
    if learn_state:
        first = u.dh0 if cell == "gru" else np.concatenate([u.dh0, u.layers[0].dc0], axis=1)
        np.testing.assert_allclose(first.sum(0), network.gradients["rnn.state"], atol=1e-12)
    with pytest.raises(AttributeError, match="no_such"):
        u.no_such  # noqa: B018


@pytest.mark.parametrize("residual", [False, True])
def test_a_stack_is_unfolded_layer_by_layer(residual):
    rng = np.random.default_rng(1)
    stack = nn.Stack(
        nn.LSTM(I, H, **F64), nn.GRU(H, H, seed=1, **F64), nn.RNN(H, H, **F64), residual=residual
    )
    network = RecurrentNetwork(
        stack, nn.Linear(H, O, **F64), losses.SoftmaxCrossEntropy(), embedding=nn.Embedding(7, I, **F64)
    )
    batch, state = Batch(rng.integers(0, 7, (T, B)), rng.integers(0, O, (T, B))), rng.random((B, 4 * H))
    u = rnnrs.unfold(network, batch, state)
    network.gradients.fill(0)
    assert u.loss == pytest.approx(network.loss(batch, state)[0])
    names = [name for name in network.parameters if name.startswith("rnn.")]
    for name in names:
        _, place, of = name.split(".")
        shares = getattr(u.layers[int(place)], f"d{of}_steps")
        np.testing.assert_allclose(shares.sum(0), network.gradients[name], atol=1e-12, err_msg=name)
    np.testing.assert_allclose(u.dV_steps.sum(0), network.gradients["output.V"], atol=1e-12)
    np.testing.assert_array_equal(u.layers[1].h0, state[:, 2 * H : 3 * H])
    with pytest.raises(AttributeError, match=r"3 layers.*layers\[i\].h"):
        u.h  # noqa: B018


def test_a_language_model_is_unfolded_in_place():
    model = LanguageModel.from_text("to be or not to be", hidden_size=8, dtype="float64")
    ids = model.vocabulary.encode("to be or not")
    batch, before = Batch(ids[:-1, None], ids[1:, None]), model.parameters.flat.copy()
    u = rnnrs.unfold(model, batch)
    model.gradients.fill(0)
    assert u.loss == pytest.approx(model.loss(batch)[0])
    np.testing.assert_allclose(u.dW_steps.sum(0), model.gradients["rnn.W"], atol=1e-12)
    np.testing.assert_array_equal(model.parameters.flat, before)


def test_unsupported_networks_are_rejected():
    both = nn.Bidirectional(nn.RNN(I, H, **F64), nn.RNN(I, H, **F64))
    network = RecurrentNetwork(both, nn.Linear(2 * H, O, **F64), losses.SoftmaxCrossEntropy())
    batch = Batch(np.zeros((T, B, I)), np.zeros((T, B), int))
    with pytest.raises(
        TypeError, match=r"expected one with RNN, LSTM.*got RecurrentNetwork with Bidirectional"
    ):
        rnnrs.unfold(network, batch)
    with pytest.raises(TypeError, match="got Linear"):
        rnnrs.unfold(nn.Linear(2, 3), batch)
    layer = nn.GRU(I, H)
    x = np.zeros((T, B, I))
    for options, message in [
        ({"lengths": [1, 2, 3]}, "with lengths"),
        ({"gradient": False}, "without gates"),
    ]:
        with pytest.raises(ValueError, match=message):
            unfold_layer(layer, layer.forward(x, **options)[1], None)
    _, cache = layer.forward(x)
    with pytest.raises(rnnrs.ShapeError, match="dh"):
        unfold_layer(layer, cache, np.zeros((T, B, H + 1)))
    with pytest.raises(TypeError, match="layer: expected an RNN, LSTM or GRU, got Stack"):
        unfold_layer(nn.Stack(layer), cache, None)
    _, of_tokens = layer.forward_tokens(nn.Embedding(2, I), np.zeros((T, B), int))
    with pytest.raises(ValueError, match="forward_tokens"):
        unfold_layer(layer, of_tokens, None)
