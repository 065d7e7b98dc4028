"""The adaptive softmax: exact probabilities, gradients, language models."""

import json
import struct

import numpy as np
import pytest
import reference
from small_applications import as_trained

import rnnrs
from rnnrs import nn
from rnnrs.data import Batch
from rnnrs.losses import AdaptiveCrossEntropy, SoftmaxCrossEntropy
from rnnrs.models import LanguageModel
from rnnrs.nn import AdaptiveSoftmax
from rnnrs.nn.adaptive import adaptive_shapes

rng = np.random.default_rng(8)
H, O, CUTOFFS = 8, 30, (5, 12, 20)


def layer(dtype="float64", cutoffs=CUTOFFS, factor=2.0, outputs=O):
    output = AdaptiveSoftmax(H, outputs, cutoffs=cutoffs, factor=factor, dtype=dtype, seed=2)
    for name in output.parameters:
        if name.endswith("c"):
            output.parameters[name] = np.random.default_rng(3).standard_normal(output.parameters[name].shape)
    return output


def by_hand(output, h):
    """Returns ln P (…, O), by the definition."""
    p, bounds = output.parameters, output.bounds
    head = np.log(reference.softmax(h @ p["head.V"].T + p["head.c"]))
    parts = [head[..., : bounds[0]]]
    for k in range(1, len(bounds)):
        o = (h @ p[f"tail{k}.P"].T) @ p[f"tail{k}.V"].T + p[f"tail{k}.c"]
        parts.append(head[..., bounds[0] + k - 1, None] + np.log(reference.softmax(o)))
    return np.concatenate(parts, -1)


@pytest.mark.parametrize("cutoffs", [(5, 12, 20), (1,), (29,), (1, 2, 3), [10, 20]])
def test_probabilities_are_exact_and_sum_to_one(cutoffs):
    output = layer(cutoffs=cutoffs)
    h = rng.standard_normal((4, 3, H))
    log_p, _ = output.forward(h)
    assert log_p.shape == (4, 3, O)
    np.testing.assert_allclose(log_p, by_hand(output, h), rtol=1e-11)
    np.testing.assert_allclose(np.exp(log_p).sum(-1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_fused_loss_is_minus_ln_p(reduction):
    output = layer()
    h, y, w = rng.standard_normal((6, 5, H)), rng.integers(0, O, (6, 5)), rng.random((6, 5))
    y[3, 2] = -1
    kept = np.where(y == -1, 0.0, w)
    each = np.where(y == -1, 0.0, -np.take_along_axis(by_hand(output, h), y[..., None], -1)[..., 0])
    scale = 1.0 if reduction == "sum" else 1.0 / kept.sum()
    result = AdaptiveCrossEntropy(reduction).through(output, h, y, w)
    np.testing.assert_allclose(result.positions, each, rtol=1e-11)
    assert result.total == pytest.approx((kept * each).sum() * scale, rel=1e-12)
    # The gradients equal those through the probabilities of all classes.
    other = layer()
    log_p, cache = other.forward(h)
    dlog_p = np.zeros_like(log_p)
    np.put_along_axis(dlog_p, np.where(y == -1, 0, y)[..., None], -(kept * scale)[..., None], -1)
    np.testing.assert_allclose(result.gradient, other.backward(cache, dlog_p), atol=1e-13)
    np.testing.assert_allclose(output.gradients.flat, other.gradients.flat, atol=1e-12)
    without = AdaptiveCrossEntropy(reduction).through(output, h, y, w, gradient=False)
    assert without.gradient is None and without.total == result.total


class Network:
    """A recurrence with an adaptive softmax, with the fused loss or without it."""

    def __init__(self, fused):
        self.fused = fused
        self.rnn, self.output = nn.RNN(3, H, dtype="float64"), layer()
        self.parameters, self.gradients = nn.join(rnn=self.rnn, output=self.output)
        self.mix = rng.standard_normal(O)

    def loss(self, batch, state=None, *, gradient=True):
        h, cache = self.rnn.forward(batch.inputs, state)
        if self.fused:
            L, _, dh = AdaptiveCrossEntropy().through(self.output, h, batch.targets, gradient=gradient)
        else:
            # Any function of all of ln P.
            log_p, own = self.output.forward(h)
            L = float((self.mix * log_p**2).sum())
            dh = self.output.backward(own, 2 * self.mix * log_p) if gradient else None
        if dh is not None:
            self.rnn.backward(cache, dh)
        return L, h[-1]


@pytest.mark.parametrize("fused", [True, False])
def test_the_gradient_matches_finite_differences(fused):
    y = rng.integers(0, O, (6, 4))
    y[0, 0] = -1
    network = Network(fused)
    check = rnnrs.gradient_check(network, Batch(rng.standard_normal((6, 4, 3)), y), step=1e-4)
    assert check.worst <= 1e-6, check
    assert set(check.relative_error) == set(network.parameters)


def test_clusters_that_do_not_occur_are_untouched():
    output = layer()
    h, y = rng.standard_normal((7, H)), np.array([0, 4, 13, 3, 2, 13, 19])  # the head and the second tail
    AdaptiveCrossEntropy().through(output, h, y)
    for name, gradient in output.gradients.items():
        assert gradient.any() == name.startswith(("head", "tail2")), name
    output.parameters["tail1.V"] = np.nan * output.parameters["tail1.V"]
    assert np.isfinite(AdaptiveCrossEntropy().through(output, h, y).total)


def test_float32_is_close_to_float64():
    h, y = rng.standard_normal((6, 5, H)), rng.integers(0, O, (6, 5))
    one, two = layer("float32"), layer()
    a, b = (AdaptiveCrossEntropy().through(output, h, y) for output in (one, two))
    assert a.gradient.dtype == a.positions.dtype == np.float32
    assert a.total == pytest.approx(b.total, rel=1e-5)
    np.testing.assert_allclose(a.gradient, b.gradient, atol=1e-6)
    np.testing.assert_allclose(one.forward(h)[0], two.forward(h)[0], atol=1e-5)


def test_the_bits_depend_neither_on_threads_nor_on_the_batch():
    h = rng.standard_normal((60, 40, H)).astype(np.float32)
    y = (2000 * rng.random((60, 40)) ** 3).astype(int)
    threads, results = rnnrs.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            rnnrs.set_num_threads(count)
            output = layer("float32", (100, 700), outputs=2000)
            loss = AdaptiveCrossEntropy("sum")
            total, each, dh = loss.through(output, h, y)
            results.append((total, each, dh, output.gradients.flat.copy(), output.forward(h)[0]))
            alone = loss.through(output, h[:, 7:8], y[:, 7:8])
            np.testing.assert_array_equal(alone.positions, each[:, 7:8])
            np.testing.assert_array_equal(alone.gradient, dh[:, 7:8])
    finally:
        rnnrs.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_shapes():
    assert adaptive_shapes(64, 1000, [100, 300]) == {
        "head.V": (102, 64),
        "head.c": (102,),
        "tail1.P": (16, 64),
        "tail1.V": (200, 16),
        "tail1.c": (200,),
        "tail2.P": (4, 64),
        "tail2.V": (700, 4),
        "tail2.c": (700,),
    }
    assert adaptive_shapes(3, 10, [2, 5])["tail2.P"] == (1, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layer(cutoffs=[]), ValueError, r"increasing numbers below 30 \(O\), got \[\]"),
        (lambda: layer(cutoffs=[5, 5]), ValueError, "increasing"),
        (lambda: layer(cutoffs=[5, 30]), ValueError, "increasing"),
        (lambda: layer(cutoffs=[0, 5]), ValueError, "from 1, got 0"),
        (lambda: layer(cutoffs=[2.5]), TypeError, "whole number"),
        (lambda: layer(cutoffs=7), TypeError, "a sequence"),
        (lambda: layer(cutoffs="57"), TypeError, "a sequence"),
        (lambda: layer(factor=0.5), ValueError, "factor"),
        (lambda: layer(factor=float("nan")), ValueError, "factor"),
        (lambda: AdaptiveSoftmax(0, 5, cutoffs=[2]), ValueError, "input_size"),
        (lambda: layer().forward(np.zeros((2, H + 1))), rnnrs.ShapeError, "I=8"),
        (
            lambda: layer().backward(layer().forward(np.zeros((2, H)))[1], np.zeros((2, O - 1))),
            rnnrs.ShapeError,
            r"dlog_p: expected \(2, 30\), got \(2, 29\)",
        ),
        (lambda: AdaptiveCrossEntropy("median"), ValueError, "'mean' or 'sum'"),
        (lambda: through(y=[[0, 30]]), IndexError, "ids from 0 to 29, got 30 at position 1"),
        (lambda: through(y=[[0, -2]]), IndexError, "got -2 at position 1"),
        (lambda: through(AdaptiveCrossEntropy(ignore_id=None), y=[[0, -1]]), IndexError, "got -1"),
        (lambda: through(y=[[0.0, 1.0]]), TypeError, "whole numbers"),
        (lambda: through(y=[0, 1]), rnnrs.ShapeError, r"y: expected \(1, 2\), got \(2,\)"),
        (lambda: through(y=[[-1, -1]]), ValueError, "at least one position"),
        (lambda: through(w=np.ones(2)), rnnrs.ShapeError, "weights"),
        (lambda: through(w=[["a", "b"]]), TypeError, "weights"),
        (lambda: through(h=np.zeros((1, 2, H + 1))), rnnrs.ShapeError, "h"),
        (lambda: through(h=np.zeros((1, 2, H), complex)), TypeError, "real numbers"),
    ],
)
def test_invalid_arguments_are_rejected_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def through(loss=None, h=None, y=((0, 1),), w=None):
    h = np.zeros((1, 2, H)) if h is None else h
    return (loss or AdaptiveCrossEntropy()).through(layer(), h, np.asarray(y), w)


TEXT = "\n".join(
    f"{who} {verb} the {what} {when}."
    for who in ("I", "You", "We", "They")
    for verb in ("like", "want", "see", "know")
    for what in ("tea", "sea", "apple", "town")
    for when in ("now", "today", "here")
)


def model(**settings):
    settings = {"embedding_size": 10, "hidden_size": 16, "cutoffs": [6, 12], **settings}
    return LanguageModel.from_text(TEXT, level="word", **settings)


@pytest.fixture(scope="module")
def trained():
    trained = model()
    trained.fit(TEXT, epochs=12, batch_size=4, steps=20, learning_rate=1e-2, progress=False)
    return trained


class TestLanguageModel:
    def test_it_learns(self, trained):
        assert trained.perplexity(TEXT) < 4.0 < model().perplexity(TEXT)

    def test_the_gradient_matches_finite_differences(self):
        double = model(dtype="float64")
        ids = double.vocabulary.encode(TEXT)[:25]
        batch = Batch(ids[:24].reshape(8, 3), ids[1:25].reshape(8, 3))
        assert rnnrs.gradient_check(double, batch, step=1e-3).worst <= 1e-6

    def test_scores_are_ln_p(self, trained):
        ids = trained.context("You want the")
        h, _ = trained.rnn.forward_tokens(trained.embedding, ids[:, None])
        log_p, _ = trained.output.forward(h)
        stepper = trained.stepper()
        for t, token in enumerate(ids.tolist()):
            np.testing.assert_allclose(stepper.step(token), log_p[t, 0], atol=1e-5)
        stepper.reset()
        np.testing.assert_allclose(stepper.read(ids), log_p[-1, 0], atol=1e-5)
        assert stepper.batch == 1
        p = trained.next_distribution("You want the")
        assert p.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(p, np.exp(log_p[-1, 0]), rtol=1e-4)
        score = trained.score("You want the sea now.")
        assert score.total == pytest.approx(-trained.evaluate("You want the sea now.\n").nats, rel=1e-4)

    def test_the_state_can_be_set_and_later_training_has_no_effect(self, trained):
        stepper = trained.stepper()
        first = stepper.read(trained.context("We know"))
        state = stepper.state
        stepper.step(3)
        stepper.state = state
        own = model()
        own.parameters.copy_from(trained.parameters)
        before = own.stepper()
        own.parameters.flat[...] = 0.0
        np.testing.assert_array_equal(before.read(own.context("We know")), first)

    def test_it_suggests_and_generates(self, trained):
        words = trained.suggest("We know the ", k=4)
        assert {word for word, _ in words} == {"tea", "sea", "apple", "town"}
        text = trained.generate("I", length=40, seed=3)
        assert text == trained.generate("I", length=40, seed=3) and "the" in text
        spelled = as_trained(LanguageModel.from_text(TEXT, cutoffs=[10], hidden_size=16))
        assert spelled.generate("I", length=5, seed=1)
        assert spelled.suggest("I wan", k=2) is not None

    def test_saving_and_loading(self, trained, tmp_path):
        trained.save(tmp_path / "a.rnn")
        loaded = LanguageModel.load(tmp_path / "a.rnn")
        assert loaded.output.bounds == trained.output.bounds
        np.testing.assert_array_equal(loaded.parameters.flat, trained.parameters.flat)
        assert loaded.perplexity(TEXT) == trained.perplexity(TEXT)

    @pytest.mark.parametrize("cutoffs", [[6, 11], [6], [12, 6], "ab", [1.5], 4])
    def test_a_damaged_file_is_rejected(self, trained, tmp_path, cutoffs):
        path = tmp_path / "a.rnn"
        trained.save(path)
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        ((key, text),) = header["__metadata__"].items()
        inner = json.loads(text)
        inner["config"]["cutoffs"] = cutoffs
        header["__metadata__"][key] = json.dumps(inner)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
        with pytest.raises(rnnrs.FormatError):
            LanguageModel.load(path)

    def test_incompatible_options(self):
        with pytest.raises(ValueError, match="cutoffs: expected None for a tied model"):
            model(tied=True, embedding_size=16)
        with pytest.raises(ValueError, match="'full' for an adaptive softmax, got 'nce'"):
            model().fit(TEXT, loss="nce", progress=False)

    def test_it_is_close_to_the_full_softmax(self, trained):
        full = model(cutoffs=None)
        full.fit(TEXT, epochs=12, batch_size=4, steps=20, learning_rate=1e-2, progress=False)
        assert isinstance(full.cross_entropy, SoftmaxCrossEntropy)
        assert trained.perplexity(TEXT) < 1.2 * full.perplexity(TEXT)
