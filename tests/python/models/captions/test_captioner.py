"""Captioner: gradients, an independent reference, invariances, evaluation, and files."""

import itertools

import numpy as np
import pytest
from reference import cell_step, softmax
from small_captioner import PICTURES, TEXTS, VOCABULARY, model, worst_slope

import rnnrs
from rnnrs.errors import FormatError, NonFiniteError
from rnnrs.models import Captioner, Seq2Seq
from rnnrs.models.captions.batches import CaptionBatches, caption_batch
from rnnrs.models.captions.fitting import CaptionTraining

QUICK = {"progress": False, "batch_size": 2}
SETTINGS = list(
    itertools.product(("gru", "lstm", "rnn"), ("additive", "general", None), (False, True), (1, 2))
)


def batch_of(found, pictures=PICTURES, texts=TEXTS):
    ids = found.vocabulary.encode_all(texts)
    return caption_batch(
        pictures, ids, found.vocabulary.end_id, np.arange(len(texts)), found.parameters.dtype
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_gradients_of_the_whole_model(setting):
    found = model(*setting)
    worst, gradients = worst_slope(found, batch_of(found))
    assert worst <= 1e-6
    still = {name for name, g in gradients.items() if not g.any()}
    assert still == {n for n in gradients if n.endswith(("mean", "variance"))}


@pytest.mark.parametrize("features", [None, 7, (6, 7)])
@pytest.mark.parametrize("attention", ["additive", None])
def test_gradients_with_dropout_smoothing_and_features(features, attention):
    found = model(
        attention=attention,
        features=features,
        tied=True,
        convolutions=2,
        dropout=0.3,
        recurrent_dropout=0.2,
        label_smoothing=0.1,
    )
    shape = {None: None, 7: (5, 1, 7), (6, 7): (5, 6, 7)}[features]
    seen = PICTURES if shape is None else np.random.default_rng(5).standard_normal(shape) * 3 + 1
    worst, gradients = worst_slope(found, batch_of(found, seen), noise=7)
    assert worst <= 1e-6
    assert gradients["features.0.gamma" if features else "cnn.0.K"].any()


def convolved(x, K, b):
    """Returns the 3×3 convolution (Y, X, O) of a zero-padded picture (Y, X, I)."""
    Y, X, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    return np.array(
        [[b + np.einsum("uvi,uvio", padded[i : i + 3, j : j + 3], K) for j in range(X)] for i in range(Y)]
    )


def normalized(x, p, name):
    gamma, beta, mean, variance = (p[f"{name}.{n}"] for n in ("gamma", "beta", "mean", "variance"))
    return np.maximum(gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta, 0)


def reference_log_prob(found, picture, ids):
    """Returns ln P of one description, by the equations alone."""
    p = dict(found.parameters)
    y = normalized(convolved(picture / 255 - 0.5, p["cnn.0.K"], p["cnn.0.b"]), p, "cnn.1")
    Y, X, C = y.shape
    y = y[: Y // 2 * 2, : X // 2 * 2].reshape(Y // 2, 2, X // 2, 2, C).max(axis=(1, 3))
    m = normalized(convolved(y, p["cnn.3.K"], p["cnn.3.b"]), p, "cnn.4").reshape(-1, 4)
    cell = {n: p[f"decoder.{n}"] for n in ("U", "W", "b", "b_h") if f"decoder.{n}" in p}
    E, H = p["target_embedding.E"], cell["W"].shape[1]
    state = np.tanh(p["bridge.0.c"] + p["bridge.0.V"] @ m.mean(axis=0))
    total, read = 0.0, found.vocabulary.end_id
    for said in [*ids, found.vocabulary.end_id]:
        state = cell_step(found.sizes["cell"], cell, E[read], state)
        h = state[:H]
        if found.network.attention is not None:
            query = p["attention.W"] @ h + p["attention.b"]
            alpha = softmax(np.tanh(query + m @ p["attention.U"].T) @ p["attention.v"])
            joined = np.concatenate([h, alpha @ m])
            h = np.tanh(p["combination.c"] + p["combination.V"] @ joined)
        o = p["output.c"] + p["output.V"] @ h
        total += np.log(softmax(o)[said])
        read = said
    return total


@pytest.mark.parametrize(("cell", "attention"), [("gru", "additive"), ("lstm", "additive"), ("gru", None)])
def test_log_probabilities_follow_the_equations(cell, attention):
    found = model(cell, attention)
    expected = [
        reference_log_prob(found, picture, found.vocabulary.encode(text))
        for picture, text in zip(PICTURES, TEXTS, strict=True)
    ]
    np.testing.assert_allclose(found.log_probs(PICTURES, TEXTS), expected, rtol=1e-10)
    np.testing.assert_allclose(found.log_probs(PICTURES / 255, TEXTS), expected, rtol=1e-10)
    assert found.log_prob(PICTURES[1], TEXTS[1]) == pytest.approx(expected[1], rel=1e-10)


@pytest.mark.parametrize("attention", ["additive", None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_do_not_depend_on_threads_or_batch(attention, dtype):
    def results():
        found = model("gru", attention, dtype=dtype, dropout=0.3)
        log_probs = found.log_probs(PICTURES, TEXTS)
        L, _ = found.loss(batch_of(found), noise=5)  # also updates the averages, which are parameters
        return log_probs, L, found.gradients.flat, found.parameters.flat

    threads, several = rnnrs.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            rnnrs.set_num_threads(count)
            several.append(results())
    finally:
        rnnrs.set_num_threads(threads)
    for other in several[1:]:
        for one, same in zip(several[0], other, strict=True):
            np.testing.assert_array_equal(one, same)
    found = model("gru", attention, dtype=dtype, dropout=0.3)
    alone = [found.log_prob(p, t) for p, t in zip(PICTURES, TEXTS, strict=True)]
    np.testing.assert_array_equal(alone, several[0][0])


@pytest.mark.parametrize("setting", SETTINGS[:8], ids=str)
def test_steps_agree_with_teacher_forcing(setting):
    found = model(*setting)
    for picture, text in zip(PICTURES, TEXTS, strict=True):
        steps, total = found.step_model([picture, PICTURES[0]]), 0.0
        read, rows = found.vocabulary.end_id, [0, 0]
        for said in [*found.vocabulary.encode(text), found.vocabulary.end_id]:
            o = steps.step([read, read], rows)
            total += o[0, said] - np.log(np.exp(o[0]).sum())
            read, rows = said, [0, 1]
        assert total == pytest.approx(found.log_prob(picture, text), rel=1e-9)


def test_a_written_description_has_its_log_probability():
    found = model()
    assert found.grid == (4, 3)
    written = found.write(PICTURES, found.search(n_best=3, max_length=6))
    for picture, several in zip(PICTURES, written, strict=True):
        assert len(several) == 3 and several[0].score >= several[1].score >= several[2].score
        for one in several:
            ids = [VOCABULARY.id_of(word) for word in one.words]
            assert one.text == VOCABULARY.decode(ids)
            assert one.attention.shape == (len(ids), 12)
            np.testing.assert_allclose(one.attention.sum(axis=1), 1)
            if len(ids) < 6:
                assert one.log_prob == pytest.approx(found.log_prob(picture, one.text), rel=1e-9)
    assert found.describe(PICTURES[3], beam=5, max_length=6) == written[3][0].text
    alone = [found.describe(p, beam=2) for p in PICTURES]
    assert found.describe_all(list(PICTURES), beam=2) == alone
    without = model(attention=None)
    assert without.grid is None and without.write(PICTURES[:1])[0][0].attention is None


def test_results_do_not_depend_on_the_number_of_pictures_encoded_together(monkeypatch):
    found = model(dtype="float32")
    texts, log_probs = found.describe_all(PICTURES, beam=2), found.log_probs(PICTURES, TEXTS)
    looked, look = [], found.network.look
    monkeypatch.setattr(found.network, "look", lambda seen: looked.append(len(seen)) or look(seen))
    monkeypatch.setattr(rnnrs.models.captions.evaluation, "PIXELS", 100)
    assert found.describe_all(PICTURES, beam=2) == texts
    np.testing.assert_array_equal(found.log_probs(PICTURES, TEXTS), log_probs)
    assert looked == [2, 2, 1, 2, 2, 1]


def test_features_as_vectors_and_grids():
    draw = np.random.default_rng(0)
    grids = draw.standard_normal((5, 2, 3, 7))
    found = model(features=(6, 7))
    assert found.grid == (1, 6) and model(features=(9, 7)).grid == (3, 3)
    assert model(features=(2, 3, 7)).grid == (2, 3) and model(features=7).grid is None
    flat = found.log_probs(grids.reshape(5, 6, 7), TEXTS)
    np.testing.assert_array_equal(found.log_probs(grids, TEXTS), flat)
    np.testing.assert_array_equal(model(features=(2, 3, 7)).log_probs(grids, TEXTS), flat)
    vectors = Captioner(VOCABULARY, features=7, embedding_size=16, hidden_size=32, dropout=0.0, seed=2)
    seen = grids[:, 0, 0] * 1000
    vectors.fit(seen, TEXTS, epochs=80, learning_rate=0.01, progress=False)
    assert vectors.describe_all(seen, beam=1) == [VOCABULARY.decode(VOCABULARY.encode(t)) for t in TEXTS]
    assert vectors.write(grids[:, 0, 0])[0][0].attention.shape[1] == 1


def test_ranks_and_evaluation_follow_the_log_probabilities():
    found = model()
    draw = np.random.default_rng(1)
    pictures = draw.integers(0, 256, (23, 8, 6, 3), np.uint8)
    texts = [[TEXTS[i % 5], TEXTS[(i + 2) % 5]][: 1 + i % 2] for i in range(23)]
    ranked = found.rank(TEXTS[0], pictures)
    alone = found.log_probs(pictures, [TEXTS[0]] * 23)
    assert [i for i, _ in ranked] == np.argsort(-alone).tolist()
    np.testing.assert_array_equal([p for _, p in ranked], np.sort(alone)[::-1])
    evaluation = found.evaluate(pictures, texts, beam=1, max_length=8)
    pairs = [(i, text) for i, several in enumerate(texts) for text in several]
    log_probs = found.log_probs([pictures[i] for i, _ in pairs], [text for _, text in pairs])
    assert evaluation.tokens == sum(len(VOCABULARY.encode(text)) + 1 for _, text in pairs)
    assert evaluation.loss * evaluation.tokens == pytest.approx(-log_probs.sum())
    assert evaluation.descriptions == tuple(found.describe_all(pictures, beam=1, max_length=8))
    assert evaluation.scores == rnnrs.metrics.caption_scores(evaluation.descriptions, texts)
    order, right = np.random.default_rng(0).permutation(23), 0
    for i, text in pairs:
        start = int(np.flatnonzero(order == i)[0]) // 10 * 10
        group = [*order[start : start + 10], *order[:7]][:10]
        own = found.log_prob(pictures[i], text)
        right += all(own > found.log_prob(pictures[j], text) for j in group if j != i)
    assert evaluation.right_among_10 == right / len(pairs)
    assert "right picture first among 10" in str(evaluation)


def test_exact_matches_ignore_case_and_spaces(monkeypatch):
    found = model()
    wanted = ["A red : dot", ["a", "Green dot"], "two"]
    said = iter([["a red: dot"], ["green dot"], ["two two"]])
    written = [[type("W", (), {"text": text})()] for (text,) in said]
    monkeypatch.setattr(found, "_write", lambda *_: written)
    assert found.evaluate(PICTURES[:3], wanted).exact == 2 / 3


def test_an_epoch_contains_every_description_of_every_picture():
    found = model()
    several = [["red", "a red dot"], ["two green dot left", "dot"], ["a", "a dot", "a red dot left"]]
    texts = [text for own in several for text in own]
    settings = CaptionTraining(epochs=1, batch_size=3)
    data = found._batches("test", PICTURES[:3], several, settings, changed=True)
    seen = []
    for batch in data.epoch(4):
        for b, key in enumerate(batch.keys):
            ids = batch.targets[: batch.lengths[b] - 1, b]
            seen.append((VOCABULARY.decode(ids), int(key)))
            picture = PICTURES[[0, 0, 1, 1, 2, 2, 2][key]]
            np.testing.assert_array_equal(np.round(batch.pictures[b] * 255, 9), picture)
    assert sorted(seen) == sorted((text, i) for i, text in enumerate(texts))
    assert (
        data.fingerprint()
        != CaptionBatches(
            PICTURES[:3], np.arange(3), VOCABULARY.encode_all(texts[:3]), 3, 0, dtype="float64"
        ).fingerprint()
    )


def test_a_failed_step_leaves_the_averages_unchanged():
    found = model(dtype="float32")
    back = found.network.read_backward

    def spoilt(*given):
        back(*given)
        found.gradients.flat[0] = np.nan

    found.network.read_backward = spoilt
    before = found.parameters.flat.copy()
    with pytest.raises(NonFiniteError):
        found.fit(PICTURES, TEXTS, epochs=1, **QUICK)
    np.testing.assert_array_equal(found.parameters.flat, before)


@pytest.mark.parametrize(
    "options", [{}, {"features": (6, 7)}, {"features": 7, "attention": None, "layers": 2, "cell": "lstm"}]
)
def test_a_file_restores_the_model(tmp_path, options):
    found = model(dtype="float32", **options)
    found.save(tmp_path / "model")
    again = Captioner.load(tmp_path / "model")
    np.testing.assert_array_equal(again.parameters.flat, found.parameters.flat)
    assert again.sizes == found.sizes and again.grid == found.grid and again.features == found.features
    with pytest.raises(FormatError, match="holds a captioner"):
        Seq2Seq.load(tmp_path / "model")
    file = rnnrs.modelfile.load(tmp_path / "model")
    for change in (
        {"hidden_size": 10**6},
        {"channels": []},
        {"channels": [3, 4, 5], "features": None},
        {"cell": 1},
    ):
        rnnrs.modelfile.save(
            tmp_path / "bad", rnnrs.modelfile.ModelFile("captioner", file.config | change, file.tensors)
        )
        with pytest.raises(FormatError):
            Captioner.load(tmp_path / "bad")


@pytest.mark.parametrize(
    ("size", "channels", "grid"),
    [
        ((1, 1), (32,), (1, 1)),
        ((7, 90), (32,), (7, 90)),
        ((8, 8), (32, 64), (4, 4)),
        ((28, 28), (32, 64, 128), (7, 7)),
        ((32, 40), (32, 64, 128, 256), (4, 5)),
        ((120, 90), (32, 64, 128, 256, 256), (7, 5)),
    ],
)
def test_the_default_stages_fit_the_pictures(size, channels, grid):
    found = Captioner(VOCABULARY, picture_size=size, embedding_size=2, hidden_size=2)
    assert found.channels == channels and found.grid == grid
    assert found.write(np.zeros((1, *size, 3)), found.search(beam=1, max_length=1))[0][0].attention.shape[
        1
    ] == (grid[0] * grid[1])
