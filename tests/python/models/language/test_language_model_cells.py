"""Language models with every cell, several layers, and dropout: training, files, resuming, generation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rnnrs
from rnnrs.data import Batch, TruncatedBPTT
from rnnrs.models import LanguageModel

TEXT = "the cat sat on the mat. the dog sat on the log.\n" * 30
OPTIONS: list[dict[str, Any]] = [
    {"cell": "lstm"},
    {"cell": "gru", "layers": 2, "layer_norm": True},
    {"cell": "lstm", "layers": 2, "dropout": 0.1, "recurrent_dropout": 0.1, "zoneout": 0.05},
    {"cell": "rnn", "dropout": 0.1, "row_dropout": 0.1, "weight_drop": 0.1},
    {"cell": "gru", "tied": True, "embedding_size": 32, "layers": 2, "dropout": 0.1},
]


def model(**options: Any) -> LanguageModel:
    return LanguageModel.from_text(TEXT, **({"embedding_size": 16, "hidden_size": 32} | options))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_model_learns_is_saved_and_generates(options, tmp_path):
    lm = model(**options)
    before = lm.perplexity(TEXT)
    lm.fit(TEXT, epochs=6, batch_size=4, steps=12, learning_rate=0.01, progress=False)
    after = lm.perplexity(TEXT)
    assert after < 0.5 * before
    lm.save(tmp_path / "model")
    again = LanguageModel.load(tmp_path / "model")
    assert again.perplexity(TEXT) == after and again.sizes == lm.sizes
    assert again.generate("the ", length=20, seed=1) == lm.generate("the ", length=20, seed=1)
    # One token at a time, and all at once.
    ids = lm.context("the cat")
    h, _ = lm.rnn.forward_tokens(lm.embedding, ids[:, None], gradient=False)
    o, _ = lm.output.forward(h[-1])
    np.testing.assert_allclose(lm.stepper().read(ids), o[0], atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_resumed_run_is_bit_identical(options, tmp_path):
    settings: dict[str, Any] = {"batch_size": 4, "steps": 12, "progress": False, "schedule": "constant"}
    whole = model(**options)
    whole.fit(TEXT, epochs=3, **settings)
    part = model(**options)
    part.fit(TEXT, epochs=1, checkpoint=tmp_path / "run", **settings)
    rest = model(**options)
    rest.fit(TEXT, epochs=3, resume=tmp_path / "run", **settings)
    assert np.array_equal(rest.parameters.flat, whole.parameters.flat)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_gradient_agrees_with_finite_differences(cell):
    noisy = {"dropout": 0.2, "row_dropout": 0.2, "recurrent_dropout": 0.2, "zoneout": 0.1, "weight_drop": 0.2}
    lm = model(
        cell=cell, layers=2, hidden_size=6, embedding_size=5, layer_norm=True, dtype="float64", **noisy
    )
    rng = np.random.default_rng(0)
    V = len(lm.vocabulary)
    batch = Batch(rng.integers(0, V, (5, 3)), rng.integers(0, V, (5, 3)), lengths=np.array([5, 0, 3]))
    batch.targets[3:, 2] = batch.targets[:, 1] = -1
    theta, d = lm.parameters.flat, rng.standard_normal(lm.parameters.size)
    lm.gradients.fill(0)
    lm.loss(batch, noise=7)
    exact = float(lm.gradients.flat @ d)

    def moved(by: float) -> float:
        theta[...] += by * d
        return lm.loss(batch, gradient=False, noise=7)[0]

    def slope(e: float) -> float:
        up, down = moved(e), moved(-2 * e)
        moved(e)
        return (up - down) / (2 * e)

    assert exact == pytest.approx((4 * slope(1e-5) - slope(2e-5)) / 3, rel=1e-6)


def test_truncated_windows_of_a_text():
    lm = model(cell="lstm", layers=2, dtype="float64")
    ids = lm.vocabulary.encode(TEXT)
    for window, stride in ((20, 20), (20, 7), (5, 9)):
        data = TruncatedBPTT.of_text(
            ids, 3, window=window, stride=stride, reset_after=int(lm.vocabulary.end_id)
        )
        trainer = rnnrs.Trainer(lm, rnnrs.optim.Adam(1e-3), clip_norm=1.0)
        history = trainer.fit(data, max_steps=20)
        assert np.isfinite(history.losses).all()


def test_invalid_options_are_refused():
    with pytest.raises(ValueError, match="activation: expected tanh with cell 'lstm', got 'relu'"):
        model(cell="lstm", activation="relu")
    with pytest.raises(ValueError, match="cell: expected one of rnn, lstm, gru, got 'transformer'"):
        model(cell="transformer")
    with pytest.raises(ValueError, match="layers"):
        model(layers=0)
    with pytest.raises(ValueError, match="dropout"):
        model(dropout=1.5)
