"""Forecasts: scaling and its inverse, training, evaluation, files."""

import numpy as np
import pytest
from small_applications import as_trained

import rnnrs
from rnnrs.data import Batch, Series, WindowBatches
from rnnrs.models import Forecaster
from rnnrs.models.sequences.scaling import Scaling

rng = np.random.default_rng(2)


def wave(N=240, seed=0):
    """Two waves, the second with a trend, and little noise."""
    t, draw = np.arange(N), np.random.default_rng(seed)
    x = np.stack([np.sin(t / 3), 100 + t / 2 + 10 * np.cos(t / 4)], axis=1)
    return x + 0.01 * draw.standard_normal(x.shape)


@pytest.mark.parametrize("transform", ["none", "log", "sqrt"])
@pytest.mark.parametrize("difference", [0, 1, 4])
def test_scaling_is_inverted(transform, difference):
    x = rng.random((30, 2)) + 0.5
    scaling = Scaling("test", 2, transform, difference)
    u = scaling.transformed("test", "x", x)
    scaling.learn(u)
    z = scaling.seen(u)
    assert z.shape == (30 - difference, 2)
    assert np.allclose(z.mean(axis=0), 0) and np.allclose(z.std(axis=0), 1)
    origins = np.array([9, 19, 20])
    ahead = z[origins - difference + np.arange(1, 7)[:, None]]
    assert np.allclose(scaling.restored(ahead, u[:22], origins), x[origins + np.arange(1, 7)[:, None]])


def test_a_constant_column_keeps_its_scale():
    scaling = Scaling("test", 2, "none", 0)
    x = np.stack([np.full(9, 0.1), np.arange(9.0)], axis=1)
    scaling.learn(x)
    assert np.allclose(scaling.seen(x)[:, 0], 0) and scaling.scale[0] == 1


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_it_learns(cell):
    x = wave()
    model = Forecaster(["wave", "trend"], horizon=5, difference=1, cell=cell, hidden_size=16)
    history = model.fit(x[:180], epochs=25, validation=x[150:], learning_rate=1e-2, progress=False)
    assert len(history.validation) == 25
    result = model.evaluate(x, start=180)
    assert result.origins == 240 - 180 - 5 + 1 and result.mae.shape == (5, 2)
    assert (result.skill > 0.7).all(), result.skill
    assert (result.rmse >= result.mae).all()


def test_evaluate_measures_the_errors_of_predict():
    x = wave(60)
    model = Forecaster(2, horizon=2, difference=3, layers=2, hidden_size=5, dtype="float64")
    model.fit(x, epochs=2, progress=False)
    result = model.evaluate(x, steps=7, start=40, season=4)
    places = range(40, 60 - 7 + 1)
    forecasts = np.stack([model.predict(x[:n], 7) for n in places], axis=1)
    right = np.stack([x[n : n + 7] for n in places], axis=1)
    naive = np.stack([[x[n - 4 + s % 4] for s in range(7)] for n in places], axis=1)
    assert np.allclose(result.mae, np.abs(forecasts - right).mean(axis=1))
    assert np.allclose(result.naive_rmse, np.sqrt(np.square(naive - right).mean(axis=1)))
    assert np.allclose(result.skill, 1 - result.mae.mean(axis=0) / result.naive_mae.mean(axis=0))


def test_forecasts_beyond_the_horizon_read_themselves():
    """Predictions equal those of a forward pass over the whole series for every step."""
    x = wave(50)[:, :1]
    model = as_trained(Forecaster(1, horizon=1, hidden_size=4, dtype="float64"))
    seen = list(x[:, 0])
    for _ in range(4):
        o, _ = model.network.forward(np.array(seen)[:, None, None])
        seen.append(float(o[-1, 0, 0]))
    assert np.allclose(model.predict(x, 4)[:, 0], seen[-4:])


def test_gradients():
    model = Forecaster(2, horizon=3, hidden_size=4, layers=2, dtype="float64")
    batch = WindowBatches(np.random.default_rng(0).standard_normal((40, 2)), 9, 3, 4).epoch(0)[0]
    assert rnnrs.gradient_check(model, batch, step=1e-3).worst <= 1e-5


def test_windows():
    series = np.arange(40.0).reshape(20, 2)
    data = WindowBatches(series, 4, 3, 2, seed=1)
    assert len(data) == 7 and data.stride == 1
    starts = []
    for batch in data.epoch(0):
        for b, start in enumerate(batch.keys):
            assert np.array_equal(batch.inputs[:, b], series[start : start + 4])
            for t in range(4):
                assert np.array_equal(batch.targets[t, b], series[start + t + 1 : start + t + 4].ravel())
        starts += batch.keys.tolist()
    assert sorted(starts) == list(range(14))
    assert WindowBatches(np.zeros((100_000, 1)), 50, 1, 8).stride == 50
    apart = WindowBatches(series, 4, 3, 2, stride=5, seed=1)
    seen = {tuple(sorted(k for batch in apart.epoch(n) for k in batch.keys)) for n in range(40)}
    assert seen == {(0, 5), (1, 6), (2, 7), (3, 8), (4, 9)}
    still = WindowBatches(series, 4, 3, 2, stride=5, shuffle=False)
    assert [batch.keys.tolist() for batch in still.epoch(0)] == [
        batch.keys.tolist() for batch in still.epoch(3)
    ]


def test_save_and_load_and_resume(tmp_path):
    x = wave(80)

    def run(epochs, **more):
        model = Forecaster(["a", "b"], horizon=2, transform="none", difference=1, dropout=0.2, hidden_size=5)
        model.fit(x, epochs=epochs, schedule="constant", progress=False, **more)
        return model

    whole = run(4)
    run(2, checkpoint=tmp_path / "c")
    assert np.array_equal(run(4, resume=tmp_path / "c").parameters.flat, whole.parameters.flat)
    whole.save(tmp_path / "m")
    again = Forecaster.load(tmp_path / "m")
    assert again.columns == ("a", "b") and again.sizes == whole.sizes and again.settings == whole.settings
    assert np.array_equal(again.predict(x, 9), whole.predict(x, 9))
    contents = whole.checkpoint_contents()
    for name, value, message in (
        ("hidden_size", 10**9, "at most"),
        ("mean", [1.0], "mean: expected 2"),
        ("horizon", 3, "tensor"),
    ):
        broken = rnnrs.modelfile.ModelFile(contents.kind, contents.config | {name: value}, contents.tensors)
        rnnrs.modelfile.save(tmp_path / "b", broken)
        with pytest.raises(rnnrs.FormatError, match=message):
            Forecaster.load(tmp_path / "b")


def test_a_series_from_a_reader():
    x = wave(60)
    model = as_trained(Forecaster(["a", "b"], hidden_size=4))
    assert np.array_equal(model.predict(Series(x, ("a", "b"))), model.predict(x))


X = np.ones((30, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Forecaster(0), ValueError, "columns: expected"),
        (lambda: Forecaster([]), ValueError, "columns: expected at least one name"),
        (lambda: Forecaster("x"), TypeError, "columns: expected names or their number, got 'x'"),
        (lambda: Forecaster(horizon=0), ValueError, "horizon"),
        (lambda: Forecaster(difference=-1), ValueError, "difference"),
        (
            lambda: Forecaster(transform="exp"),
            ValueError,
            "transform: expected one of none, log, sqrt, got 'exp'",
        ),
        (lambda: Forecaster(cell="x"), ValueError, "cell: expected one of"),
        (lambda: Forecaster(2).fit(X), rnnrs.ShapeError, r"series: expected \(N, I=2\), got \(30, 1\)"),
        (lambda: Forecaster().fit(np.array(["a"])), rnnrs.DTypeError, "series: expected real numbers"),
        (lambda: Forecaster(horizon=9, difference=12).fit(X[:20]), ValueError, "at least 23 steps, got 20"),
        (lambda: Forecaster().fit(np.array([1, 2, np.nan, 4, 5])), ValueError, r"got \[nan\] at step 2"),
        (
            lambda: Forecaster(transform="log").fit(X * 0),
            ValueError,
            r"numbers above 0 \(transform log\), got \[0.0\] at step 0",
        ),
        (lambda: Forecaster(transform="sqrt").predict(-X), ValueError, "numbers from 0"),
        (lambda: Forecaster().fit(X, steps=0), ValueError, "steps: expected"),
        (
            lambda: Forecaster().fit(X, validation=X[:1]),
            ValueError,
            "validation: expected at least 2 steps, got 1",
        ),
        (lambda: Forecaster().predict(X, 0), ValueError, "steps"),
        (lambda: Forecaster().predict(X[:0]), ValueError, "at least 1 steps, got 0"),
        (lambda: Forecaster().evaluate(X, start=30), ValueError, "at least 31 steps, got 30"),
        (lambda: Forecaster().evaluate(X, start=0), ValueError, "start"),
        (lambda: Forecaster().evaluate(X, season=0), ValueError, "season"),
        (lambda: WindowBatches(X[:, 0], 4, 1, 2), rnnrs.ShapeError, r"series: expected \(N, I\)"),
        (lambda: WindowBatches(X.astype(int), 4, 1, 2), rnnrs.DTypeError, "series: expected real numbers"),
        (lambda: WindowBatches(X, 30, 1, 2), ValueError, "at least 31 steps"),
        (lambda: WindowBatches(X, 3, 1, 2, stride=0), ValueError, "stride"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_batch_with_too_many_columns():
    with pytest.raises(rnnrs.ShapeError):
        Forecaster(2).loss(Batch(np.zeros((3, 1, 3)), np.zeros((3, 1, 2))))
