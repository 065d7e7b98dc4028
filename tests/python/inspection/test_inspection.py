"""Norms, Jacobians and saturation, against finite differences and NumPy; the monitor."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import cell_step

import rnnrs
from rnnrs import inspection, losses, nn, optim
from rnnrs.data import Batch
from rnnrs.inspection import GradientMonitor, jacobian_norms, linearize, spectral_radius
from rnnrs.models import RecurrentNetwork

Array = NDArray[Any]
T, B, I, H = 6, 3, 4, 5
F64: dict[str, Any] = {"dtype": "float64"}
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def layer_and_cache(cell: str, gain: float = 2.0, **options: Any) -> tuple[Any, Any, Array, Array]:
    rng = np.random.default_rng(0)
    layer = CELLS[cell](I, H, recurrent_scale=gain, **F64, **options)
    x, first = rng.standard_normal((T, B, I)), rng.standard_normal((B, layer.state_size))
    return layer, layer.forward(x, first)[1], x, first


def states(layer: Any, cell: str, x: Array, first: Array) -> list[Array]:
    """Returns the states (S,) of one sequence by NumPy: before the first step, and after each."""
    all_states = [first]
    for x_t in x:
        all_states.append(cell_step(cell, dict(layer.parameters), x_t, all_states[-1]))
    return all_states


def numeric_jacobian(layer: Any, cell: str, x: Array, state: Array) -> Array:
    """Returns ∂s_T/∂s_0 (S, S) of one sequence, by central differences."""
    e = 1e-6 * np.eye(len(state))
    columns = [
        (states(layer, cell, x, state + d)[-1] - states(layer, cell, x, state - d)[-1]) / 2e-6 for d in e
    ]
    return np.array(columns).T


@pytest.mark.parametrize(
    ("kind", "cell"),
    [("lstm", "lstm"), ("gru", "gru"), *(("rnn", f) for f in nn.ACTIVATIONS)],
)
def test_jacobians_match_finite_differences(kind, cell):
    layer, cache, x, first = layer_and_cache(kind, **({"activation": cell} if kind == "rnn" else {}))
    linear = linearize(layer, cache)
    norms = jacobian_norms(layer, cache, 4)
    assert norms.t == 4 and norms.spectral.shape == (5, B)
    for b in range(B):
        run = states(layer, cell, x[:, b], first[b])
        for t in range(T):
            exact = numeric_jacobian(layer, cell, x[t : t + 1, b], run[t])
            np.testing.assert_allclose(linear.step(t)[b], exact, atol=1e-8)
        for s in range(5):
            J = numeric_jacobian(layer, cell, x[s + 1 : 5, b], run[s + 1])
            assert norms.spectral[s, b] == pytest.approx(np.linalg.norm(J, 2), rel=1e-6, abs=1e-9)
            assert norms.frobenius[s, b] == pytest.approx(np.linalg.norm(J), rel=1e-6, abs=1e-9)
            if kind == "lstm":
                for of, part in (("h", slice(0, H)), ("c", slice(H, None))):
                    got = jacobian_norms(layer, cache, 4, of=of).spectral[s, b]
                    assert got == pytest.approx(np.linalg.norm(J[part, part], 2), rel=1e-6, abs=1e-9)
    mean = np.mean([linear.step(t) for t in range(T)], axis=(0, 1))
    np.testing.assert_allclose(linear.mean(), mean, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_a_small_change_grows_as_the_jacobians_predict(cell):
    """The singular vector that grows most, added to the engine's own state, grows by the spectral norm."""
    layer, cache, x, first = layer_and_cache(cell)
    linear = linearize(layer, cache)
    P = np.linalg.multi_dot([linear.step(t)[0] for t in reversed(range(T))])
    _, size, directions = np.linalg.svd(P)
    pushed = first.copy()
    pushed[0] += 1e-6 * directions[0]
    moved = layer.forward(x, pushed)[1].state[0] - cache.state[0]
    assert np.linalg.norm(moved) / 1e-6 == pytest.approx(size[0], rel=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_the_jacobians_agree_with_bptt(cell):
    """∂L/∂s_0 = (∂s_T/∂s_0)ᵀ ∂L/∂s_T, by the engine's BPTT and by the Jacobians."""
    layer, cache, _, _ = layer_and_cache(cell)
    linear = linearize(layer, cache)
    dlast = np.random.default_rng(1).standard_normal(cache.state.shape)
    _, dfirst = layer.bptt(cache, None, dlast)
    for b in range(B):
        P = np.linalg.multi_dot([linear.step(t)[b] for t in reversed(range(T))])
        np.testing.assert_allclose(P.T @ dlast[b], dfirst[b], atol=1e-12)
    u = inspection.unfolded.unfold_layer(layer, cache, None, dlast)
    norms = inspection.gradient_norms(u, "state")
    np.testing.assert_allclose(norms[-1], np.linalg.norm(dlast, axis=1))
    J = linear.step(T - 1)
    np.testing.assert_allclose(
        norms[-2], np.linalg.norm(np.einsum("bij,bi->bj", J, dlast), axis=1), atol=1e-12
    )


def test_norms_stay_finite_when_the_product_overflows():
    x = np.zeros((2000, 1, 1))
    for scale, expected in ((0.25, 0.25), (4.0, 4.0)):
        layer = nn.RNN(
            1,
            3,
            activation="identity",
            recurrent_initializer="identity",
            recurrent_scale=scale,
            dtype="float64",
        )
        layer.parameters["b"][...] = 0
        norms = jacobian_norms(layer, layer.forward(x)[1])
        np.testing.assert_allclose(norms.log_spectral[:, 0], np.log(expected) * np.arange(1999, -1, -1))
        np.testing.assert_allclose(norms.log_frobenius - norms.log_spectral, np.log(3) / 2)
        assert norms.spectral[0, 0] == (0 if scale < 1 else np.inf)
    dead = nn.RNN(1, 3, activation="relu", dtype="float64")
    dead.parameters["b"][...] = -1
    norms = jacobian_norms(dead, dead.forward(x[:5])[1])
    assert (
        (norms.log_spectral[:4] == -np.inf).all()
        and norms.spectral[4, 0] == 1
        and (norms.spectral[:4] == 0).all()
    )


def test_invalid_arguments_of_jacobians_are_rejected():
    layer, cache, x, _ = layer_and_cache("gru")
    for t in (T, -T - 1):
        with pytest.raises(IndexError, match=f"t: expected -{T} to {T - 1}, got {t}"):
            jacobian_norms(layer, cache, t)
    assert jacobian_norms(layer, cache, -2).t == T - 2
    with pytest.raises(ValueError, match="of: expected one of state, h for GRU, got 'c'"):
        jacobian_norms(layer, cache, of="c")
    with pytest.raises(ValueError, match="with lengths"):
        linearize(layer, layer.forward(x, reverse=True)[1])
    with pytest.raises(ValueError, match="without gates"):
        linearize(layer, layer.forward(x, gradient=False)[1])
    with pytest.raises(TypeError, match="got Linear"):
        linearize(nn.Linear(2, 2), cache)
    with pytest.raises(rnnrs.ShapeError, match="T=0"):
        linearize(layer, layer.forward(x[:0])[1])


def network(cell: str = "rnn", layers: int = 1, seed: int = 0) -> RecurrentNetwork:
    cells = [CELLS[cell](I if i == 0 else H, H, seed=seed + i) for i in range(layers)]
    rnn = cells[0] if layers == 1 else nn.Stack(*cells)
    return RecurrentNetwork(rnn, nn.Linear(H, 3, seed=seed), losses.SoftmaxCrossEntropy())


def batches(n: int = 4) -> list[Batch]:
    rng = np.random.default_rng(7)
    return [Batch(rng.standard_normal((T, B, I)), rng.integers(0, 3, (T, B))) for _ in range(n)]


def test_norms_of_gradients_and_of_their_shares():
    u = rnnrs.unfold(network("lstm"), batches()[0]).layers[0]
    np.testing.assert_allclose(inspection.gradient_norms(u), np.sqrt((u.dh.astype(float) ** 2).sum(-1)))
    np.testing.assert_allclose(inspection.gradient_norms(u, "c"), np.sqrt((u.dc.astype(float) ** 2).sum(-1)))
    for of in ("nothing", "U_steps.x", ""):
        with pytest.raises(ValueError, match="expected a quantity of UnfoldedLSTM"):
            inspection.gradient_norms(u, of)
    for cell in CELLS:
        u = rnnrs.unfold(network(cell), batches()[0]).layers[0]
        norms = inspection.share_norms(u)
        assert set(norms) == {"U", "W", "b"} | ({"b_h"} if cell == "gru" else set())
        for name, values in norms.items():
            steps = getattr(u, f"d{name}_steps").astype(float).reshape(T, -1)
            np.testing.assert_allclose(values, np.linalg.norm(steps, axis=1), rtol=1e-5, atol=1e-9)


def test_the_spectral_radius():
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])  # eigenvalues ±2i
    assert spectral_radius(turn) == pytest.approx(2.0)
    assert spectral_radius([[0.5, 100.0], [0.0, -0.7]]) == pytest.approx(0.7)
    orthogonal = nn.RNN(2, 16, recurrent_initializer="orthogonal", recurrent_scale=1.25).parameters["W"]
    assert spectral_radius(orthogonal) == pytest.approx(1.25, rel=1e-5)
    for wrong in (np.zeros((2, 3)), np.zeros(4), np.zeros((0, 0))):
        with pytest.raises(rnnrs.ShapeError, match="square"):
            spectral_radius(wrong)
    with pytest.raises(ValueError, match="finite"):
        spectral_radius([[np.nan]])
    with pytest.raises(rnnrs.DTypeError, match="real numbers"):
        spectral_radius([["a"]])


def test_the_share_of_saturated_values():
    h = np.array([[-1.0, -0.96, 0.0, 0.5], [0.94, 0.95, 1.0, -0.2]])
    assert inspection.saturated_share(h) == 0.5
    assert inspection.saturated_share(h, side="low") == 0.25 == inspection.saturated_share(h, side="high")
    assert inspection.saturated_share(h, axis=1).tolist() == [0.5, 0.5]
    gates = np.array([0.0, 0.05, 0.11, 0.5, 0.95])
    assert inspection.saturated_share(gates, 0.8, bounds=inspection.GATE) == pytest.approx(3 / 5)
    for wrong in ({"threshold": 0.0}, {"threshold": 1.1}, {"bounds": (1, 0)}, {"side": "left"}):
        with pytest.raises(ValueError, match=r"threshold|side"):
            inspection.saturated_share(h, **wrong)
    with pytest.raises(ValueError, match="at least one"):
        inspection.saturated_share([])


def test_saturation_of_every_cell():
    for cell, names in (("rnn", "h"), ("lstm", "i f g o tanh_c"), ("gru", "r z n")):
        layer, cache, x, _ = layer_and_cache(cell)
        shares = inspection.saturation(layer, cache, 0.5)
        assert set(shares) == set(names.split())
        for name, share in shares.items():
            u = inspection.unfolded.unfold_layer(layer, cache, None)
            low = -1 if name in ("h", "g", "n", "tanh_c") else 0
            v = (2 * getattr(u, name) - (1 + low)) / (1 - low)
            assert share == pytest.approx((np.abs(v) >= 0.5).mean()), name
        assert inspection.saturation(layer, u, 0.5) == shares
        if cell != "rnn":
            with pytest.raises(ValueError, match="without gates"):
                inspection.saturation(layer, layer.forward(x, gradient=False)[1])
    for f, expected in (("identity", 0.0), ("relu", None), ("saturated_linear", None), ("sigmoid", None)):
        layer, cache, _, _ = layer_and_cache("rnn", activation=f)
        expected = {
            "relu": (cache.h == 0).mean(),
            "identity": 0.0,
        }.get(f, (np.abs(2 * cache.h - 1) >= 0.95).mean())
        assert inspection.saturation(layer, cache) == {"h": pytest.approx(expected)}


@pytest.mark.parametrize(("cell", "layers"), [("rnn", 1), ("lstm", 1), ("gru", 2)])
def test_the_monitor_records_the_functions_values_and_changes_nothing(cell, layers, tmp_path):
    probe, data = batches()[0], batches()
    runs = []
    for callbacks in ([], [GradientMonitor(probe, 3, sequences=2)]):
        trainer = rnnrs.Trainer(network(cell, layers), optim.Adam(1e-2), callbacks=callbacks)
        trainer.fit(data, epochs=2)
        runs.append(trainer)
    np.testing.assert_array_equal(runs[0].model.parameters.flat, runs[1].model.parameters.flat)
    monitor = runs[1].callbacks[0]
    assert monitor["step"].tolist() == [0, 3, 6] and len(monitor) == 3
    model = network(cell, layers)
    u = rnnrs.unfold(model, probe)
    for place, layer in enumerate(u.layers):
        prefix = f"{place}." if layers > 1 else ""
        curve = inspection.gradient_norms(layer, "state").mean(axis=1)
        np.testing.assert_allclose(monitor.through_time[str(place)][0], curve)
        assert monitor[prefix + "gradient.first"][0] == curve[0]
        norms = jacobian_norms(layer.layer, layer)
        assert monitor[prefix + "log_jacobian"][0] == pytest.approx(norms.log_spectral[0, :2].mean())
        radius = spectral_radius(linearize(layer.layer, layer).mean())
        assert monitor[prefix + "radius"][0] == pytest.approx(radius)
        assert (prefix + "radius.W" in monitor.columns) == (cell == "rnn")
        for name, share in inspection.saturation(layer.layer, layer).items():
            assert monitor[f"{prefix}saturated.{name}"][0] == share
    model.loss(probe)
    name, column = ("rnn.W", "gradient.W") if layers == 1 else ("rnn.1.W", "1.gradient.W")
    assert monitor[column][0] == pytest.approx(np.linalg.norm(model.gradients[name]), rel=1e-5)
    assert monitor["loss"][-1] != monitor["loss"][0]

    monitor.to_csv(tmp_path / "m.csv")
    with (tmp_path / "m.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == pytest.approx(monitor["loss"].tolist(), rel=1e-8)
    assert float(rows[1]["through_time.0.2"]) == pytest.approx(monitor.through_time["0"][1][2], rel=1e-8)
    monitor.to_json(tmp_path / "m.json")
    again = GradientMonitor(probe)
    again.load_state(json.loads((tmp_path / "m.json").read_text()))
    assert again.state() == monitor.state() and again.every == 3


def test_the_monitor_continues_after_a_checkpoint_bit_for_bit(tmp_path):
    probe, data, path = batches()[0], batches(), tmp_path / "run"
    whole = rnnrs.Trainer(network(), optim.Adam(1e-2), callbacks=[GradientMonitor(probe, 2)])
    whole.fit(data, max_steps=9)
    first = rnnrs.Trainer(network(), optim.Adam(1e-2), callbacks=[GradientMonitor(probe, 2)], checkpoint=path)
    first.fit(data, max_steps=5)
    second = rnnrs.Trainer(network(seed=9), optim.Adam(1e-2), callbacks=[GradientMonitor(probe, 2)])
    second.resume(path)
    second.fit(data, max_steps=9)
    assert second.callbacks[0].state() == whole.callbacks[0].state()
    assert whole.callbacks[0]["step"].tolist() == [0, 2, 4, 6, 8]


def test_the_monitor_is_bounded_and_keeps_non_finite_numbers(monkeypatch):
    monkeypatch.setattr(inspection.monitor, "CAPACITY", 4)
    dead = RecurrentNetwork(nn.RNN(I, H, activation="relu"), nn.Linear(H, 3), losses.SoftmaxCrossEntropy())
    dead.parameters["rnn.b"][...] = -100
    monitor = GradientMonitor(batches()[0], 1)
    rnnrs.Trainer(dead, optim.SGD(1e-3), callbacks=[monitor]).fit(batches(), max_steps=13)
    assert monitor.every == 4 and monitor["step"].tolist() == [0, 4, 8, 12]
    assert len(monitor.through_time["0"]) == 4 and (monitor["log_jacobian"] == -np.inf).all()
    state = json.loads(json.dumps(monitor.state(), allow_nan=False))
    other = GradientMonitor(batches()[0])
    other.load_state(state)
    assert other.state() == monitor.state() and (other["log_jacobian"] == -np.inf).all()
    plain = GradientMonitor(batches()[0], jacobians=False)
    rnnrs.Trainer(network(), optim.SGD(1e-3), callbacks=[plain]).fit(batches(), max_steps=1)
    assert "log_jacobian" not in plain.columns and len(plain) == 1


def test_invalid_monitors_are_rejected():
    probe = batches()[0]
    for wrong in ({"every": 0}, {"sequences": 0}, {"threshold": 0.0}):
        with pytest.raises(ValueError, match="GradientMonitor: expected every"):
            GradientMonitor(probe, **wrong)
    wide = Batch(np.zeros((T, B, I + 1)), np.zeros((T, B), int))
    with pytest.raises(rnnrs.ShapeError):
        rnnrs.Trainer(network(), optim.SGD(0.1), callbacks=[GradientMonitor(wide)]).fit(
            batches(), max_steps=1
        )
