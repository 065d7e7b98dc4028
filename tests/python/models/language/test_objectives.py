"""Language models trained with sampled losses: full-softmax evaluation, bit-identical resuming."""

import io

import numpy as np
import pytest

import rnnrs
from rnnrs import losses
from rnnrs.data import Batch
from rnnrs.models import LanguageModel
from rnnrs.train import Callback, CSVLog, History, ProgressBar

TEXT = "\n".join(
    f"{who} {verb} the {what} {when}."
    for who in ("I", "You", "We", "They")
    for verb in ("like", "want", "see", "know")
    for what in ("tea", "sea", "apple", "town")
    for when in ("now", "today", "here")
)
FIT = {
    "epochs": 6,
    "batch_size": 4,
    "steps": 20,
    "learning_rate": 1e-2,
    "samples": 12,
    "by_sentence": False,
    "progress": False,
}
OBJECTIVES = ("sampled", "nce")


def model(**sizes):
    sizes = {"embedding_size": 12, "hidden_size": 24, **sizes}
    return LanguageModel.from_text(TEXT, level="word", vocabulary={"min_count": 1}, **sizes)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("settings", [{}, {"tied": True, "embedding_size": 24}])
def test_the_full_softmax_perplexity_falls_and_is_reported(objective, settings):
    trained = model(**settings)
    before = trained.perplexity(TEXT)
    history = trained.fit(TEXT, TEXT, loss=objective, **FIT)
    after = trained.perplexity(TEXT)
    assert after < 0.35 * before
    ids = trained.vocabulary.encode(TEXT)
    data = rnnrs.data.StreamBatches(ids, 4, 20)
    loss, state, count = 0.0, None, 0
    for inputs, targets, *_ in data.epoch(0):
        h, _ = trained.rnn.forward_tokens(trained.embedding, inputs, state)
        each = losses.SoftmaxCrossEntropy("sum").evaluate(trained.output.forward(h)[0], targets)
        loss, count, state = loss + each.total, count + targets.size, h[-1]
    assert history.validation[-1][1] == pytest.approx(loss / count, rel=1e-5)
    assert history.perplexities[-1] == (
        history.validation[-1][0],
        pytest.approx(np.exp(loss / count), rel=1e-5),
    )
    assert trained.objective is trained.cross_entropy


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_resumed_run_equals_an_uninterrupted_run(objective, tmp_path):
    whole = model()
    whole.fit(TEXT, loss=objective, schedule="constant", **FIT)

    class Stop(Callback):
        def on_step(self, trainer, record):
            if record.step == 17:
                raise KeyboardInterrupt

    broken = model()
    with pytest.raises(KeyboardInterrupt):
        broken.fit(
            TEXT,
            loss=objective,
            schedule="constant",
            callbacks=[Stop()],
            checkpoint=tmp_path / "c.rnn",
            **FIT,
        )
    assert broken.objective is broken.cross_entropy
    resumed = LanguageModel.load(tmp_path / "c.rnn")
    assert resumed.settings.loss == objective and resumed.settings.samples == 12
    resumed.fit(TEXT, loss=objective, schedule="constant", resume=tmp_path / "c.rnn", **FIT)
    np.testing.assert_array_equal(resumed.parameters.flat, whole.parameters.flat)
    other = model()
    other.fit(TEXT, loss=objective, schedule="constant", **{**FIT, "seed": 1})
    assert not np.array_equal(other.parameters.flat, whole.parameters.flat)


def test_without_gradients_the_loss_is_the_full_cross_entropy():
    small = model(dtype="float64")
    ids = small.vocabulary.encode(TEXT)[:31]
    batch = Batch(ids[:30].reshape(10, 3), ids[1:31].reshape(10, 3))
    full, _ = small.loss(batch)
    small.objective = losses.SampledSoftmax(5)
    assert small.loss(batch, gradient=False)[0] == pytest.approx(full, rel=1e-12)
    assert small.loss(batch)[0] != pytest.approx(full, rel=1e-3)


def test_logs_and_history_name_the_loss(tmp_path):
    out, log = io.StringIO(), tmp_path / "log.csv"
    settings = {**FIT, "epochs": 1}
    history = model().fit(
        TEXT,
        TEXT,
        loss="nce",
        callbacks=[ProgressBar(out, every=0.0, perplexity=True), CSVLog(log)],
        **settings,
    )
    assert history.loss_name == "NCE loss"
    lines = out.getvalue().splitlines()
    assert all("· NCE loss " in line for line in lines)
    assert f"(perplexity {history.perplexities[-1][1]:.4g})" in lines[-1]
    history.to_csv(tmp_path / "history.csv")
    for path in (log, tmp_path / "history.csv"):
        assert ",NCE loss," in path.read_text().splitlines()[0]
    assert History.from_config(history.to_config()).loss_name == "NCE loss"
    old = history.to_config()
    del old["loss_name"]
    assert History.from_config(old).loss_name == "loss"
    assert model().fit(TEXT, **settings).loss_name == "loss"


def test_only_sampled_rows_are_visited():
    """The rows of a large vocabulary are tracked, so that SGD visits only those that a step touched."""
    words = [f"w{i}" for i in range(3000)]
    text = " ".join(np.random.default_rng(0).choice(words, 4000)) + " " + " ".join(words)
    big = LanguageModel.from_text(
        text, level="word", vocabulary={"min_count": 1}, embedding_size=64, hidden_size=64
    )
    spans = []

    class Watch(Callback):
        def on_step(self, trainer, record):
            spans.append(trainer.model.gradients.spans())

    settings = {**FIT, "epochs": 1, "optimizer": "sgd", "learning_rate": 0.1}
    big.fit(text, loss="sampled", callbacks=[Watch()], **settings)
    dense = 3 * 64 * 64  # U, W and more
    for found in spans:
        assert found is not None
        assert (found[:, 1] - found[:, 0]).sum() < (80 + 80 + 12) * 64 + dense + 3002


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"loss": "half"}, "fit: loss: expected one of full, sampled, nce"), ({"samples": 0}, "fit: samples")],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        model().fit(TEXT, **{**FIT, **settings})
