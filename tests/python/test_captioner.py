"""Descriptions of pictures: gradients, an independent reference, invariances, files, training, bad input."""

import itertools

import numpy as np
import pytest
from reference import cell_step, softmax

import rnnrs
from rnnrs.errors import DTypeError, FormatError, NonFiniteError, ShapeError
from rnnrs.models import Augmentation, Captioner, Seq2Seq
from rnnrs.models.caption_batches import CaptionBatches, caption_batch
from rnnrs.models.caption_fitting import CaptionSettings, batches
from rnnrs.text import WordVocabulary

VOCABULARY = WordVocabulary.build("a red green dot left of right : square , two", min_count=1)
TEXTS = [
    "a red dot",
    "green : two dot , square",
    "square",
    "a red dot left of a green square",
    "two red , two",
]
PICTURES = np.random.default_rng(2).integers(0, 256, (5, 8, 6, 3), np.uint8)
QUICK = {"progress": False, "batch_size": 2}
SETTINGS = list(
    itertools.product(("gru", "lstm", "rnn"), ("additive", "general", None), (False, True), (1, 2))
)


def model(cell="gru", attention="additive", tied=False, layers=1, *, dtype="float64", **options):
    sizes = {
        "picture_size": (8, 6),
        "channels": (3, 4),
        "embedding_size": 4,
        "hidden_size": 5,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "seed": 3,
    }
    found = Captioner(
        VOCABULARY,
        cell=cell,
        attention=attention,
        tied=tied,
        layers=layers,
        dtype=dtype,
        **sizes | options,
    )
    draw = np.random.default_rng(1)
    for name, array in found.parameters.items():
        low = 0.5 if name.endswith("variance") else -0.6
        array[...] = draw.uniform(low, 0.8, array.shape)
    return found


def batch_of(found, pictures=PICTURES, texts=TEXTS):
    ids = found.vocabulary.encode_all(texts)
    return caption_batch(
        pictures, ids, found.vocabulary.end_id, np.arange(len(texts)), found.parameters.dtype
    )


def worst_slope(found, batch, **options):
    """The largest relative error of dL, as in training, along two directions of each parameter."""
    draw, worst = np.random.default_rng(0), 0.0
    found.gradients.fill(0.0)
    found.loss(batch, **options)
    gradients = {name: np.array(g) for name, g in found.gradients.items()}
    largest = max(np.linalg.norm(g) for g in gradients.values())
    for name, g in gradients.items():
        random = draw.standard_normal(g.shape)
        for d in (g / (np.linalg.norm(g) + 1e-300), random / np.linalg.norm(random)):
            theta, step = found.parameters[name], 1e-5
            here, losses = theta.copy(), []
            for sign in (1, -1):
                theta[...] = here + sign * step * d
                losses.append(found.loss(batch, **options)[0])
                theta[...] = here
            numeric = (losses[0] - losses[1]) / (2 * step)
            worst = max(worst, abs((g * d).sum() - numeric) / max(abs(numeric), 1e-3 * largest))
    return worst, gradients


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
    """(Y, X, O) of one picture (Y, X, I), 3×3 windows with zeros around."""
    Y, X, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    return np.array(
        [[b + np.einsum("uvi,uvio", padded[i : i + 3, j : j + 3], K) for j in range(X)] for i in range(Y)]
    )


def normalized(x, p, name):
    gamma, beta, mean, variance = (p[f"{name}.{n}"] for n in ("gamma", "beta", "mean", "variance"))
    return np.maximum(gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta, 0)


def reference_log_prob(found, picture, ids):
    """ln P of one description, by the equations alone."""
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
def test_log_probabilities_are_those_of_the_equations(cell, attention):
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
def test_neither_threads_nor_batch_mates_matter(attention, dtype):
    def results():
        found = model("gru", attention, dtype=dtype, dropout=0.3)
        log_probs = found.log_probs(PICTURES, TEXTS)
        L, _ = found.loss(batch_of(found), noise=5)  # moves the averages among the parameters, too
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
def test_step_by_step_is_what_teacher_forcing_says(setting):
    found = model(*setting)
    for picture, text in zip(PICTURES, TEXTS, strict=True):
        steps, total = found.step_model([picture, PICTURES[0]]), 0.0
        read, rows = found.vocabulary.end_id, [0, 0]
        for said in [*found.vocabulary.encode(text), found.vocabulary.end_id]:
            o = steps.step([read, read], rows)
            total += o[0, said] - np.log(np.exp(o[0]).sum())
            read, rows = said, [0, 1]
        assert total == pytest.approx(found.log_prob(picture, text), rel=1e-9)


def test_what_is_written_has_the_probability_that_the_model_gives_it():
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


def test_how_many_are_looked_at_side_by_side_makes_no_difference(monkeypatch):
    found = model(dtype="float32")
    texts, log_probs = found.describe_all(PICTURES, beam=2), found.log_probs(PICTURES, TEXTS)
    looked, look = [], found.network.look
    monkeypatch.setattr(found.network, "look", lambda seen: looked.append(len(seen)) or look(seen))
    monkeypatch.setattr(rnnrs.models.caption_evaluation, "PIXELS", 100)
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


def test_ranks_and_evaluation_are_what_the_log_probabilities_say():
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


def test_exactness_is_regardless_of_case_and_spaces(monkeypatch):
    found = model()
    wanted = ["A red : dot", ["a", "Green dot"], "two"]
    said = iter([["a red: dot"], ["green dot"], ["two two"]])
    written = [[type("W", (), {"text": text})()] for (text,) in said]
    monkeypatch.setattr(found, "write", lambda *_: written)
    assert found.evaluate(PICTURES[:3], wanted).exact == 2 / 3


def test_every_description_of_every_picture_is_learned_from():
    found = model()
    several = [["red", "a red dot"], ["two green dot left", "dot"], ["a", "a dot", "a red dot left"]]
    texts = [text for own in several for text in own]
    data = batches(found, (PICTURES[:3], several), CaptionSettings(epochs=1, batch_size=3))
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


def drawings(count, seed):
    """Colored squares of 3×3 in pictures of 8×8, and what they are."""
    draw = np.random.default_rng(seed)
    colors = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    pictures, texts = np.full((count, 8, 8, 3), 90, np.uint8), []
    for picture in pictures:
        name, right, low = draw.choice(list(colors)), draw.integers(2), draw.integers(2)
        y, x = 5 * low, 5 * right
        picture[y : y + 3, x : x + 3] = colors[str(name)]
        texts.append(f"a {name} square at the {('upper', 'lower')[low]} {('left', 'right')[right]}")
    return pictures, texts


def small(texts, pictures, **options):
    sizes = {"channels": (8, 16), "embedding_size": 16, "hidden_size": 32, "dropout": 0.1, "seed": 1}
    return Captioner.from_pairs(pictures, texts, **sizes | options)


def test_it_learns_to_describe_and_to_find_pictures():
    pictures, texts = drawings(300, 0)
    kept = [i for i, text in enumerate(texts) if "green square at the lower left" not in text]
    found = small(texts, pictures)
    assert found.picture_size == (8, 8)
    history = found.fit(
        pictures[kept],
        [texts[i] for i in kept],
        drawings(40, 1),
        epochs=15,
        batch_size=16,
        learning_rate=5e-3,
        progress=False,
    )
    assert history.losses[-1] < history.losses[0]
    fresh = drawings(60, 2)
    evaluation = found.evaluate(*fresh, beam=3)
    assert evaluation.exact >= 0.9
    unseen = [i for i, text in enumerate(fresh[1]) if "green square at the lower left" in text]
    assert found.describe(fresh[0][unseen[0]]) == fresh[1][unseen[0]]
    best = found.rank("a blue square at the upper right", fresh[0])
    assert fresh[1][best[0][0]] == "a blue square at the upper right"
    alpha = found.write(fresh[0][:1])[0][0].attention
    assert alpha.shape == (7, 16) and found.grid == (4, 4)


class Break(rnnrs.train.Callback):
    def on_step(self, trainer, record):
        if record.step == 7:
            raise KeyboardInterrupt


def run(tmp_path, found, breaks=(), **options):
    settings = {
        "epochs": 3,
        "batch_size": 8,
        "augmentation": Augmentation(shift=1, flip=True),
        "progress": False,
        "callbacks": breaks,
    }
    pictures, texts = drawings(32, 3)
    return found.fit(pictures, texts, drawings(8, 4), **settings | options)


def test_a_resumed_run_is_the_run_without_a_break(tmp_path):
    pictures, texts = drawings(32, 3)
    whole = small(texts, pictures)
    history = run(tmp_path, whole)
    for breaks, within in (([Break()], False), ([], True)):
        broken = small(texts, pictures)
        if within:  # Ctrl-C on the way back, when batch normalization's averages have moved
            calls, back = [], broken.network.read_backward

            def interrupted(*given, calls=calls, back=back):
                back(*given)
                calls.append(1)
                if len(calls) == 6:
                    raise KeyboardInterrupt

            broken.network.read_backward = interrupted
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, broken, breaks, checkpoint=tmp_path / "c")
        again = Captioner.load(tmp_path / "c")
        resumed = run(tmp_path, again, checkpoint=tmp_path / "c", resume=tmp_path / "c")
        np.testing.assert_array_equal(again.parameters.flat, whole.parameters.flat)
        np.testing.assert_array_equal(resumed.losses, history.losses)
        assert again.settings == whole.settings
        assert whole.settings.augmentation == {"flip": True, "shift": 1, "noise": 0.02}
    with pytest.raises(ValueError, match="expected the data with which the run began"):
        run(tmp_path, small(texts, pictures), augmentation=None, resume=tmp_path / "c", epochs=4)


def test_a_step_that_comes_to_nothing_leaves_the_averages():
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


def test_training_ends_with_the_best_parameters(capsys):
    pictures, texts = drawings(24, 5)
    found, losses = small(texts, pictures), []

    class Watch(rnnrs.train.Callback):
        def on_validation(self, trainer, loss):
            losses.append(loss)

    held_out = drawings(8, 6)
    settings = {"epochs": 30, "learning_rate": 0.05, "batch_size": 8, "progress": False}
    found.fit(pictures, texts, held_out, patience=3, callbacks=[Watch()], examples=2, **settings)
    assert found.evaluate(*held_out).loss == pytest.approx(min(losses), rel=1e-5)
    assert "picture 7" in (shown := capsys.readouterr().err) and f"wanted  {held_out[1][7]}" in shown
    with pytest.raises(ValueError, match="patience: expected None without validation"):
        found.fit(pictures, texts, patience=3, **settings)


@pytest.mark.parametrize(
    "options", [{}, {"features": (6, 7)}, {"features": 7, "attention": None, "layers": 2, "cell": "lstm"}]
)
def test_a_file_holds_it_all(tmp_path, options):
    found = model(dtype="float32", **options)
    found.save(tmp_path / "model")
    again = Captioner.load(tmp_path / "model")
    np.testing.assert_array_equal(again.parameters.flat, found.parameters.flat)
    assert again.sizes == found.sizes and again.grid == found.grid and again.features == found.features
    with pytest.raises(FormatError, match="holds a describer of pictures"):
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
def test_as_many_stages_as_fit_the_pictures(size, channels, grid):
    found = Captioner(VOCABULARY, picture_size=size, embedding_size=2, hidden_size=2)
    assert found.channels == channels and found.grid == grid
    assert found.write(np.zeros((1, *size, 3)), found.search(beam=1, max_length=1))[0][0].attention.shape[
        1
    ] == (grid[0] * grid[1])


def test_vocabularies_of_other_levels():
    pictures, texts = drawings(20, 7)
    spelled = small(texts, pictures, level="char")
    spelled.fit(pictures, texts, epochs=1, progress=False)
    assert spelled.log_prob(pictures[0], texts[0]) < 0
    assert len(spelled.describe(pictures[0], beam=1, max_length=9)) <= 9
    assert small([t.upper() for t in texts], pictures, lowercase=True).vocabulary.lowercase
    with pytest.raises(ValueError, match="level: expected one of word, char, subword, got 'line'"):
        small(texts, pictures, level="line")


GRAY = np.zeros((2, 8, 6), np.uint8)


@pytest.mark.parametrize(
    ("pictures", "error", "message"),
    [
        (PICTURES[..., 0], ShapeError, r"expected \(N, 8, 6, 3\), got \(5, 8, 6\)"),
        (PICTURES[..., :1], ShapeError, r"got \(5, 8, 6, 1\) \(gray: expected red, green and blue\)"),
        (np.zeros((1, 8, 6, 4), np.uint8), ShapeError, "with transparency"),
        (np.zeros((1, 32, 32, 3), np.uint8), ShapeError, r"expected \(N, 8, 6, 3\), got \(1, 32, 32, 3\)"),
        (PICTURES[0], ShapeError, r"one picture: expected several"),
        (list(GRAY), ShapeError, r"got \(2, 8, 6\)"),
        ([PICTURES[0], PICTURES[0, :4]], ShapeError, r"pictures\[1\]: expected the first one's shape"),
        (PICTURES[:0], ValueError, "expected at least one, got none"),
        ([], ValueError, "expected at least one, got none"),
        ("a.png", TypeError, "expected an array"),
        (["a.png"], DTypeError, r"pictures\[0\]: expected numbers, got <U5"),
        (PICTURES.astype(bool), DTypeError, "expected uint8 or floating-point numbers, got bool"),
        (PICTURES.astype(float), ValueError, r"pictures\[0\]: expected numbers from 0 to 1, got"),
        (PICTURES.astype(int) + 1, ValueError, "expected whole numbers from 0 to 255, got 256"),
        (np.full((2, 8, 6, 3), np.nan), ValueError, r"pictures\[0\]: expected numbers from 0 to 1, got nan"),
        (PICTURES.astype(complex), DTypeError, "got complex128"),
    ],
)
def test_what_is_no_picture_is_refused(pictures, error, message):
    found = model(dtype="float32")
    with pytest.raises(error, match=message):
        found.describe_all(pictures)
    with pytest.raises(error, match=message):
        found.rank("a", pictures)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (np.zeros((2, 7)), ShapeError, r"expected features \(N, 6, 7\), got \(2, 7\)"),
        (np.zeros((2, 3, 3, 7)), ShapeError, r"got \(2, 3, 3, 7\)"),
        (np.full((2, 6, 7), np.inf), ValueError, r"pictures\[0\]: expected finite features, got inf"),
        (np.array([["a"]]), ShapeError, r"got \(1, 1\)"),
        (np.zeros((2, 6, 7), bool), DTypeError, "got bool"),
    ],
)
def test_features_that_do_not_fit_are_refused(features, error, message):
    with pytest.raises(error, match=message):
        model(features=(6, 7)).describe_all(features)


@pytest.mark.parametrize(
    ("descriptions", "error", "message"),
    [
        (TEXTS[:4], ShapeError, "descriptions: expected one for each of 5 pictures, got 4"),
        ("abcde", TypeError, "descriptions: expected one for each picture"),
        ([*TEXTS[:4], " \t"], ValueError, r"descriptions\[4\]: expected some text, got ' \\t'"),
        ([*TEXTS[:4], []], ValueError, r"descriptions\[4\]: expected at least one, got none"),
        ([*TEXTS[:4], ["a", 3]], TypeError, r"descriptions\[4\]: expected a string, got 3"),
        ([*TEXTS[:4], 3], TypeError, r"descriptions\[4\]: expected a string, or several, got 3"),
    ],
)
def test_descriptions_that_are_none_are_refused(descriptions, error, message):
    for call in (
        lambda: Captioner.from_pairs(PICTURES, descriptions),
        lambda: model().fit(PICTURES, descriptions, epochs=1),
        lambda: model().fit(PICTURES, TEXTS, (PICTURES, descriptions), epochs=1),
        lambda: model().evaluate(PICTURES, descriptions),
    ):
        with pytest.raises(error, match=message):
            call()


def test_texts_that_are_none_are_refused():
    found = model()
    with pytest.raises(ValueError, match="sentence: expected some text"):
        found.rank("", PICTURES)
    with pytest.raises(ValueError, match=r"texts\[0\]: expected some text"):
        found.log_prob(PICTURES[0], " ")
    with pytest.raises(ShapeError, match="texts: expected one for each of 5 pictures"):
        found.log_probs(PICTURES, ["a"])
    with pytest.raises(TypeError, match=r"texts\[0\]: expected a string"):
        found.log_probs(PICTURES[:1], [None])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ()}, "channels: expected from one to as many stages"),
        ({"channels": (2, 2, 2, 2)}, r"halve \(8, 6\) pixels, got 4"),
        ({"channels": (0,)}, "channels: expected a whole number from 1"),
        ({"convolutions": 0}, "convolutions"),
        ({"picture_size": 8}, "picture_size: expected two numbers"),
        ({"features": (1, 2, 3, 4)}, "features: expected K"),
        ({"features": 0}, "features: expected a whole number from 1"),
        ({"cell": "tree"}, "cell: expected one of"),
        ({"attention": "none"}, "kind: expected one of"),
        ({"attention": "dot"}, "memory_size: expected 5"),
        ({"dropout": 1.0}, "expected a number from 0 to below 1"),
        ({"label_smoothing": 2.0}, "label_smoothing"),
    ],
)
def test_settings_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        model(**options)
    with pytest.raises(ValueError, match="augmentation: expected None for features"):
        model(features=7).fit(np.zeros((1, 7)), ["a"], augmentation=Augmentation())
