"""Seq2Seq: gradients, invariances, single steps, files, and training."""

import itertools

import numpy as np
import pytest

import rnnrs
from rnnrs.errors import FormatError
from rnnrs.losses import SoftmaxCrossEntropy
from rnnrs.models import LanguageModel, Seq2Seq
from rnnrs.text import CharVocabulary, WordVocabulary

SOURCE = WordVocabulary.build("a b c d e f g", min_count=1)
TARGET = WordVocabulary.build("A B C D E x", min_count=1)
PAIRS = [("a b c", "A B C"), ("d e", "D"), ("c x y c", "C x q y C"), ("", ""), ("g g f q", "q A")]
ALL = [
    setting
    for setting in itertools.product(
        ("gru", "lstm", "rnn"), ("general", "dot", "additive", None), (False, True), (False, True), (1, 2)
    )
    if not (setting[2] and setting[1] is None)
]


def model(cell="gru", attention="general", copy=False, tied=False, layers=1, *, dtype="float64", **options):
    sizes = {"embedding_size": 3, "hidden_size": 4, "encoder_size": 2, "seed": 3, **options}
    found = Seq2Seq(
        SOURCE,
        TARGET,
        cell=cell,
        attention=attention,
        copy=copy,
        tied=tied,
        layers=layers,
        dtype=dtype,
        **sizes,
    )
    found.parameters.flat[...] = np.random.default_rng(1).uniform(-0.7, 0.7, found.parameters.size)
    return found


def batch_of(found, pairs=PAIRS):
    (batch,) = found.encoding.batches("test", pairs, 8, 0).epoch(0)
    return batch


def worst_slope(found, batch, noise=None):
    """Returns the largest relative error of the loss's slope along one direction per parameter.

    The direction is the gradient's plus half of a random one: half, so that the sum is never 0, not even in a
    parameter of one number.
    """
    draw, worst = np.random.default_rng(0), 0.0
    found.gradients.fill(0.0)
    options = {} if noise is None else {"noise": noise}
    found.loss(batch, **options)
    gradients = {name: np.array(g) for name, g in found.gradients.items()}
    largest = max(np.linalg.norm(g) for g in gradients.values())
    for name, g in gradients.items():
        random = draw.standard_normal(g.shape)
        d = g / np.linalg.norm(g) + random / (2 * np.linalg.norm(random))
        theta, slopes = found.parameters[name], []
        here = theta.copy()
        for step in (1e-4, 2e-4):
            theta[...] = here + step * d
            up = found.loss(batch, gradient=False, **options)[0]
            theta[...] = here - step * d
            slopes.append((up - found.loss(batch, gradient=False, **options)[0]) / (2 * step))
            theta[...] = here
        numeric = (4 * slopes[0] - slopes[1]) / 3
        worst = max(worst, abs((g * d).sum() - numeric) / max(abs(numeric), 1e-4 * largest))
    return worst


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_gradients_of_the_whole_model(setting):
    found = model(*setting)
    assert worst_slope(found, batch_of(found)) <= 1e-6


@pytest.mark.parametrize(
    "setting", [("gru", "general", True, True), ("gru", "dot", False, True), ("gru", "general")]
)
def test_gradients_of_single_parameters(setting):
    found = model(*setting)
    check = rnnrs.gradient_check(found, batch_of(found), step=1e-3, samples=8)
    assert check.worst <= 1e-6, check
    assert set(check.relative_error) == set(found.parameters)


def test_gradients_with_dropout_smoothing_and_a_shared_embedding():
    found = model(dropout=0.3, recurrent_dropout=0.2, label_smoothing=0.1)
    found.network.cross_entropy = SoftmaxCrossEntropy(label_smoothing=0.1)  # the finite differences use it
    assert worst_slope(found, batch_of(found), noise=7) <= 1e-6
    shared = Seq2Seq(SOURCE, embedding_size=4, hidden_size=4, tied=True, copy=True, dtype="float64")
    assert "source_embedding.E" not in shared.parameters
    pairs = [("a b q", "b a q"), ("c", "c c")]
    assert worst_slope(shared, batch_of(shared, pairs)) <= 1e-6


@pytest.mark.parametrize(
    "setting", [("gru", "general", True), ("lstm", "additive"), ("rnn", "dot"), ("gru", None)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_do_not_depend_on_threads_or_batch(setting, dtype):
    found = model(*setting, dtype=dtype, dropout=0.3)
    batch, threads = batch_of(found), rnnrs.get_num_threads()
    whole = found.network.losses(batch)
    found.loss(batch, noise=5)
    gradients = found.gradients.flat.copy()
    try:
        for count in (1, 3):
            rnnrs.set_num_threads(count)
            np.testing.assert_array_equal(found.network.losses(batch), whole)
            found.gradients.fill(0.0)
            found.loss(batch, noise=5)
            np.testing.assert_array_equal(found.gradients.flat, gradients)
    finally:
        rnnrs.set_num_threads(threads)
    for b, member in enumerate(batch.keys):
        one = found.network.losses(batch_of(found, [PAIRS[member]]))
        np.testing.assert_array_equal(one[:, 0], whole[: len(one), b])


@pytest.mark.parametrize("setting", ALL, ids=str)
def test_steps_agree_with_teacher_forcing(setting):
    found = model(*setting, dtype="float32")
    for source, target in PAIRS:
        _, (ids,), _ = found.encode([(source, target)])
        steps, total = found.step_model(["a a a a a", source]), 0.0
        read, rows = 0, [1, 1]
        for said in [*ids, 0]:
            o = steps.step([read, read], rows).astype(np.float64)
            np.testing.assert_array_equal(o[0], o[1])
            total += o[0, said] - np.log(np.exp(o[0]).sum())
            read, rows = said, [1, 0]
            if found.network.attention is not None:
                assert steps.attention.shape == (2, 6)
                np.testing.assert_allclose(steps.attention.sum(1), 1, atol=1e-5)
        assert total == pytest.approx(found.log_prob(source, target), abs=1e-5 * (1 + abs(total)))


def test_the_step_model_refuses_invalid_arguments():
    found = model(copy=True)
    with pytest.raises(TypeError, match="sources"):
        found.step_model("a b")
    with pytest.raises(ValueError, match="sources: expected at least one"):
        found.step_model([])
    steps = found.step_model(["a q"])
    with pytest.raises(ValueError, match="rows: expected a row of the 1 earlier hypotheses"):
        steps.step([0], [1])
    with pytest.raises(IndexError):
        steps.step([-1], [0])
    assert steps.lacking == [["a", "q"]]
    assert steps.text([2, len(TARGET) + 1], 0).split() == ["A", "q"]
    with pytest.raises(IndexError, match="position 0"):
        steps.text([len(TARGET) + 2], 0)


def test_words_of_another_source_are_impossible():
    found = model(copy=True)
    steps = found.step_model(["a q r", "b", "z b"])
    assert steps.lacking == [["a", "q", "r"], ["b"], ["z", "b"]]
    for tokens, rows in (([steps.end_id] * 3, [0, 1, 2]), ([2] * 4, [0, 1, 1, 2])):
        scores = steps.step(tokens, rows)
        beyond = np.isneginf(scores[:, len(TARGET) :])
        known = np.array([len(steps.lacking[b]) for b in steps.sources])
        np.testing.assert_array_equal(beyond, np.arange(3) >= known[:, None])
        np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("copy", [False, True])
def test_a_file_restores_the_model(tmp_path, copy):
    found = model("lstm", "additive", copy, layers=2, dtype="float32", dropout=0.1)
    found.save(tmp_path / "model")
    again = Seq2Seq.load(tmp_path / "model")
    np.testing.assert_array_equal(again.parameters.flat, found.parameters.flat)
    assert again.sizes == found.sizes
    np.testing.assert_array_equal(again.log_probs(PAIRS), found.log_probs(PAIRS))
    with pytest.raises(FormatError, match="encoder–decoder"):
        LanguageModel.load(tmp_path / "model")

    class Translator(Seq2Seq):
        KIND = "translator"

    with pytest.raises(FormatError, match="holds an encoder–decoder"):
        Translator.load(tmp_path / "model")


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    def fresh():
        return model(dtype="float32", dropout=0.2, label_smoothing=0.1)

    settings = {"batch_size": 2, "validation": PAIRS[:2], "progress": False}
    whole = fresh()
    history = whole.fit(PAIRS, epochs=4, **settings)

    class Break(rnnrs.train.Callback):
        def on_step(self, trainer, record):
            if record.step == 5:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fresh().fit(PAIRS, epochs=4, checkpoint=tmp_path / "c", callbacks=[Break()], **settings)
    again = fresh()
    resumed = again.fit(PAIRS, epochs=4, resume=tmp_path / "c", **settings)
    np.testing.assert_array_equal(again.parameters.flat, whole.parameters.flat)
    np.testing.assert_array_equal(resumed.losses, history.losses)
    assert Seq2Seq.load(tmp_path / "c").settings == whole.settings


def test_training_stops_early_and_log_probs_rank():
    found = model(dtype="float32")
    history = found.fit(PAIRS, [("b", "E E E")], epochs=60, patience=2, learning_rate=0.05, progress=False)
    assert len(history.steps) < 60
    ranked = found.log_probs([("a b c", "A B C"), ("a b c", "E E E E E")])
    assert ranked[0] > ranked[1]
    evaluation = found.evaluate(PAIRS)
    assert evaluation.tokens == sum(len(TARGET.pieces(t)) + 1 for _, t in PAIRS)
    assert evaluation.loss * evaluation.tokens == pytest.approx(-found.log_probs(PAIRS).sum(), rel=1e-5)


def greedy(found, source, most=20):
    steps, ids = found.step_model([source]), []
    read = steps.end_id
    while len(ids) < most:
        read = int(steps.step([read], [0]).argmax())
        if read == steps.end_id:
            break
        ids.append(read)
    return steps.text(ids, 0).strip()


def test_it_learns_to_reverse_words():
    draw, letters = np.random.default_rng(0), "abcdef"
    words = ["".join(draw.choice(list(letters), draw.integers(2, 6))) for _ in range(600)]
    found = Seq2Seq(CharVocabulary.build(letters), embedding_size=16, hidden_size=64)
    found.fit([(w, w[::-1]) for w in words], epochs=12, batch_size=32, learning_rate=5e-3, progress=False)
    unseen = ["abcab", "fedc", "ca", "badfe"]
    assert sum(greedy(found, w) == w[::-1] for w in unseen) >= 3


def test_it_learns_to_copy_unseen_words():
    draw = np.random.default_rng(0)
    name = lambda: "".join(draw.choice(list("bcdfghklmnprst"), 5))  # noqa: E731
    frame = WordVocabulary.build("my name is hello you are , !", min_count=1)
    pairs = [(f"my name is {n}", f"hello {n}") for n in (name() for _ in range(300))]
    pairs += [(f"{n} you are", f"{n} !") for n in (name() for _ in range(300))]
    found = Seq2Seq(frame, copy=True, embedding_size=16, hidden_size=32)
    found.fit(pairs, epochs=15, batch_size=32, learning_rate=1e-2, progress=False)
    assert greedy(found, "my name is zorro") == "hello zorro"
    assert greedy(found, "quux you are") == "quux !"


def test_invalid_settings_are_refused():
    for wrong, message in [
        ({"copy": True, "attention": None}, "copy: expected attention"),
        ({"copy": True, "label_smoothing": 0.1}, "label_smoothing: expected 0 for a model that copies words"),
        ({"attention": "cosine"}, "Seq2Seq: attention: expected None or one of"),
        (
            {"attention": "dot", "encoder_size": 3},
            "Seq2Seq: hidden_size: expected 6, .* with attention 'dot', got 4",
        ),
        ({"cell": "tree"}, "cell: expected one of"),
        ({"dropout": 1.0}, "Seq2Seq: dropout: expected a number from 0 to below 1"),
        ({"label_smoothing": 1.0}, "Seq2Seq: label_smoothing: expected a number from 0 to below 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            Seq2Seq(SOURCE, TARGET, **({"embedding_size": 3, "hidden_size": 4} | wrong))
    found = model()
    for wrong in ([("a", 1)], ["ab"], [("a", "b", "c")]):
        with pytest.raises(TypeError, match=r"pairs\[0\]: expected two strings"):
            found.fit(wrong, epochs=1, progress=False)
    with pytest.raises(ValueError, match="pairs: expected at least one"):
        found.log_probs([])
    with pytest.raises(ValueError, match="patience"):
        found.fit(PAIRS, patience=2, progress=False)
    with pytest.raises(ValueError, match="copies: expected"):
        model(copy=True).loss(batch_of(found))
