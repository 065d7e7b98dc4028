"""Classifiers and taggers of sequences, from numbers and from texts."""

import itertools

import numpy as np
import pytest
from small_applications import as_trained

import rnnrs
from rnnrs import losses, nn
from rnnrs.data import Batch, LabeledSequences
from rnnrs.models import LanguageModel, RecurrentNetwork, SequenceClassifier, SequenceTagger
from rnnrs.nn.build import build_pooling, build_recurrent
from rnnrs.text import CharVocabulary, WordVocabulary

QUICK = {"progress": False, "learning_rate": 1e-2}


def noisy(count=60, seed=0):
    """Sequences of 3 to 9 steps; the class is the sign of the first number."""
    draw = np.random.default_rng(seed)
    sequences = [draw.standard_normal((draw.integers(3, 10), 2)) * [1, 50] + [0, 300] for _ in range(count)]
    return sequences, ["up" if x[0, 0] > 0 else "down" for x in sequences]


def words(count=80, seed=0):
    """Names that end in -a or in -o."""
    draw = np.random.default_rng(seed)
    names = ["".join(draw.choice(list("bcdfgaeiou"), draw.integers(2, 7))) for _ in range(count)]
    return [name + "ao"[i % 2] for i, name in enumerate(names)], ["ao"[i % 2] for i in range(count)]


@pytest.mark.parametrize("pooling", nn.POOLINGS)
def test_a_classifier_learns_from_numbers(pooling):
    (x, y), (held_x, held_y) = noisy(), noisy(seed=1)
    model = SequenceClassifier(["down", "up"], input_size=2, hidden_size=16, pooling=pooling)
    history = model.fit(x, y, epochs=40, validation=(held_x, held_y), **QUICK)
    assert len(history.validation) == 40
    result = model.evaluate(held_x, held_y)
    assert result.accuracy >= 0.85 and result.count == 60
    assert result.accuracy == np.mean([a == b for a, b in zip(model.predict(held_x), held_y, strict=True)])
    p = model.predict_proba(held_x)
    right = p[np.arange(60), [model.classes.index(label) for label in held_y]]
    assert np.allclose(p.sum(axis=1), 1) and np.isclose(result.loss, -np.log(right).mean(), rtol=1e-5)


@pytest.mark.parametrize("level", ["char", "word"])
def test_a_classifier_learns_from_texts(level):
    names, labels = words()
    texts = (
        names
        if level == "char"
        else [f"the {'cat' if a == 'a' else 'dog'} {n}" for n, a in zip(names, labels, strict=True)]
    )
    model = SequenceClassifier.from_texts(texts, labels, level=level, hidden_size=16, embedding_size=8)
    model.fit(texts, labels, epochs=20, **QUICK)
    assert model.evaluate(texts, labels).accuracy >= 0.95
    assert model.predict([""])[0] in "ao"  # a sequence without steps has a likeliest class, too


def test_evaluation_measures():
    model = SequenceClassifier(["a", "b", "c"], input_size=1, hidden_size=2)
    model._log_proba = lambda op, sequences: np.log([[0.7, 0.2, 0.1]] * 3 + [[0.1, 0.8, 0.1]])
    result = model.evaluate([np.zeros((1, 1))] * 4, ["a", "a", "b", "b"])
    assert result.confusion.tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert result.accuracy == 0.75
    assert np.allclose(result.recall, [1, 0.5, np.nan], equal_nan=True)
    assert np.allclose(result.precision, [2 / 3, 1, np.nan], equal_nan=True)
    assert np.isclose(result.macro_f1, (4 / 5 + 2 / 3) / 2)
    assert np.isclose(result.loss, -(2 * np.log(0.7) + np.log(0.2) + np.log(0.8)) / 4)


def brackets(count=40, seed=0):
    """Letters in and out of brackets; the tag of a character depends on a bracket far before it."""
    draw = np.random.default_rng(seed)
    texts, tags = [], []
    for _ in range(count):
        text, inside = "", False
        for _ in range(int(draw.integers(4, 20))):
            mark = draw.random() < 0.2
            text += (")" if inside else "(") if mark else str(draw.choice(list("xyz")))
            inside ^= mark
        texts.append(text)
        open_ = np.cumsum([(c == "(") - (c == ")") for c in text]) > 0
        tags.append([None if c in "()" else ("in" if o else "out") for c, o in zip(text, open_, strict=True)])
    return texts, tags


def test_a_tagger_learns_from_texts():
    texts, tags = brackets()
    model = SequenceTagger(
        ["in", "out"], vocabulary=CharVocabulary.build("()xyz"), hidden_size=16, embedding_size=8
    )
    model.fit(texts, tags, epochs=40, **QUICK)
    held_texts, held_tags = brackets(seed=1)
    result = model.evaluate(held_texts, held_tags)
    assert result.accuracy >= 0.97
    assert result.count == sum(tag is not None for own in held_tags for tag in own)
    told = model.predict([*held_texts, ""])
    assert [len(tags) for tags in told] == [len(text) for text in [*held_texts, ""]]


def test_a_tagger_accepts_lists_of_tokens_and_numbers():
    vocabulary = WordVocabulary.build("the dog saw a cat .", min_count=1, lowercase=True)
    model = as_trained(SequenceTagger(["N", "other"], vocabulary=vocabulary, hidden_size=8))
    tokens = ["The", "dog", "saw", "a", "zebra"]
    assert len(model.predict([tokens])[0]) == 5
    assert np.array_equal(
        model.predict_proba([tokens])[0], model.predict_proba([["the", "dog", "saw", "a", "quagga"]])[0]
    )
    numbers = as_trained(SequenceTagger(["N", "other"], input_size=1, hidden_size=8))
    assert [len(tags) for tags in numbers.predict([np.zeros(3), np.zeros((5, 1))])] == [3, 5]


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceTagger])
def test_a_sequence_s_result_is_independent_of_the_batch(kind):
    model = as_trained(kind(["a", "b"], input_size=3, hidden_size=8, cell="lstm", layers=2))
    draw = np.random.default_rng(3)
    sequences = [draw.standard_normal((n, 3)) for n in (4, 1, 9, 0, 7)]
    for one, all_ in zip(
        (model.predict_proba([x]) for x in sequences), model.predict_proba(sequences), strict=True
    ):
        assert np.array_equal(one[0], all_)


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceTagger])
@pytest.mark.parametrize("texts", [False, True])
def test_save_and_load(kind, texts, tmp_path):
    sequences, labels = words(12) if texts else noisy(12)
    if kind is SequenceTagger:
        labels = [[label] * len(x) for x, label in zip(sequences, labels, strict=True)]
    inputs = {"vocabulary": CharVocabulary.build("".join(sequences))} if texts else {"input_size": 2}
    names = ["a", "o"] if texts else ["down", "up"]
    model = kind(
        names, **inputs, hidden_size=6, layers=2, cell="rnn", activation="relu", dropout=0.1, layer_norm=True
    )
    model.fit(sequences, labels, epochs=2, progress=False)
    model.save(tmp_path / "m")
    again = kind.load(tmp_path / "m")
    assert again.sizes == model.sizes and again.settings == model.settings and again.labels == model.labels
    for a, b in zip(model.predict_proba(sequences), again.predict_proba(sequences), strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(rnnrs.FormatError, match=r"expected a language model \(rnnrs lm\)"):
        LanguageModel.load(tmp_path / "m")


def test_a_resumed_run_equals_an_uninterrupted_run(tmp_path):
    x, y = noisy(40)

    def run(epochs, **more):
        model = SequenceClassifier(["down", "up"], input_size=2, hidden_size=6, dropout=0.2)
        model.fit(x, y, epochs=epochs, schedule="constant", **QUICK, **more)
        return model.parameters.flat

    whole = run(4)
    run(2, checkpoint=tmp_path / "c")
    assert np.array_equal(run(4, resume=tmp_path / "c"), whole)


def test_damaged_files_are_refused(tmp_path):
    model = SequenceClassifier(["down", "up"], input_size=2, hidden_size=4)
    contents = model.checkpoint_contents()
    for name, value, message in (
        ("hidden_size", 10**9, "at most"),
        ("hidden_size", 5, "tensor rnn.ahead"),
        ("cell", "elman", "cell: expected one of"),
        ("labels", ["one"], "at least two"),
        ("inputs", {"mean": [0.0], "scale": [1.0]}, "expected 2 finite numbers"),
        ("settings", {"epochs": -1}, "epochs"),
    ):
        config = contents.config | {name: value}
        rnnrs.modelfile.save(
            tmp_path / "m", rnnrs.modelfile.ModelFile(contents.kind, config, contents.tensors)
        )
        with pytest.raises(rnnrs.FormatError, match=f"m: .*{message}"):
            SequenceClassifier.load(tmp_path / "m")


@pytest.mark.parametrize("number", range(24))
def test_gradients_of_whole_sequences(number):
    """Random combinations of cell, layers, directions, pooling, lengths, inputs."""
    draw = np.random.default_rng(number)
    cell, pooling = draw.choice(["rnn", "lstm", "gru"]), [*nn.POOLINGS, None][number % 5]
    T, B, I, O = 6, 4, 3, 3
    tokens = bool(draw.integers(2))
    rnn = build_recurrent(
        "test",
        str(cell),
        I,
        int(draw.integers(2, 6)),
        layers=int(draw.integers(1, 3)),
        bidirectional=bool(draw.integers(2)),
        dropout=float(draw.choice([0, 0.3])),
        recurrent_dropout=float(draw.choice([0, 0.3])),
        layer_norm=bool(draw.integers(2)),
        dtype="float64",
    )
    values = bool(draw.integers(2))
    network = RecurrentNetwork(
        rnn,
        nn.Linear(rnn.hidden_size, O, dtype="float64"),
        losses.SquaredError() if values else losses.SoftmaxCrossEntropy(),
        embedding=nn.Embedding(7, I, dtype="float64") if tokens else None,
        pooling=None if pooling is None else build_pooling("test", pooling, rnn),
        output_dropout=float(draw.choice([0, 0.3])),
    )
    x = draw.integers(0, 7, (T, B)) if tokens else draw.standard_normal((T, B, I))
    lengths = draw.integers(1, T + 1, B) if draw.integers(2) else None
    shape = (B,) if pooling else (T, B)
    y = draw.standard_normal((*shape, O)) if values else draw.integers(0, O, shape)
    if lengths is not None and not pooling and not values:
        y[np.arange(T)[:, None] >= lengths] = -1
    noise = 5 if network.stochastic else None
    # Some gradients are tiny. A longer step has less rounding error, a shorter one less curvature error, so the
    # best step differs between parameters; a wrong gradient is wrong at every step.
    batch = Batch(x, y, lengths=lengths)
    errors = dict.fromkeys(network.parameters, np.inf)
    for step in (1e-3, 3e-4, 1e-4):
        check = rnnrs.gradient_check(network, batch, noise=noise, step=step, samples=24)
        errors = {name: min(error, check.relative_error[name]) for name, error in errors.items()}
        if max(errors.values()) <= 5e-5:
            break
    assert max(errors.values()) <= 5e-5, errors


def test_values_after_a_sequence_s_end_are_not_scored():
    rnn = nn.RNN(2, 3, dtype="float64")
    network = RecurrentNetwork(rnn, nn.Linear(3, 2, dtype="float64"), losses.SquaredError())
    draw = np.random.default_rng(0)
    x, y, lengths = draw.standard_normal((5, 2, 2)), draw.standard_normal((5, 2, 2)), np.array([5, 2])
    batch = Batch(x, y, lengths=lengths)
    assert batch.positions == 7
    L, _ = network.loss(batch)
    parts = [
        network.loss(Batch(x[:n, b : b + 1], y[:n, b : b + 1]), gradient=False)[0] * n
        for b, n in enumerate(lengths)
    ]
    assert np.isclose(L, sum(parts) / 7)
    other = y.copy()
    other[2:, 1] = 1e6
    assert network.loss(Batch(x, other, lengths=lengths), gradient=False)[0] == L


def classifier(**more):
    return SequenceClassifier(["a", "b"], **({"input_size": 2, "hidden_size": 4} | more))


def tagger():
    return SequenceTagger(["a", "b"], input_size=2, hidden_size=4)


ONE = [np.zeros((3, 2))]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: SequenceClassifier(["a"], input_size=2),
            ValueError,
            "classes: expected at least two different",
        ),
        (
            lambda: SequenceClassifier(["a", "a"], input_size=2),
            ValueError,
            "classes: expected at least two different",
        ),
        (lambda: SequenceClassifier([1, "2"], input_size=2), TypeError, "classes: expected strings"),
        (lambda: SequenceClassifier(["a", "b"]), ValueError, "either input_size or vocabulary, got neither"),
        (lambda: classifier(vocabulary=CharVocabulary.build("ab")), ValueError, "or vocabulary, got both"),
        (lambda: classifier(input_size=0), ValueError, "input_size"),
        (
            lambda: classifier(pooling="median"),
            ValueError,
            "SequenceClassifier: pooling: expected one of last, mean",
        ),
        (lambda: classifier(cell="elman"), ValueError, "cell: expected one of rnn, lstm, gru"),
        (lambda: classifier(dropout=1.0), ValueError, "dropout"),
        (lambda: classifier(layers=0), ValueError, "layers"),
        (
            lambda: classifier().fit(ONE, ["c"], progress=False),
            ValueError,
            r"labels\[0\]: expected one of a, b, got 'c'",
        ),
        (
            lambda: classifier().fit(ONE, [2], progress=False),
            ValueError,
            r"labels\[0\]: expected one of a, b, got 2",
        ),
        (
            lambda: classifier().fit(ONE, ["a", "b"], progress=False),
            rnnrs.ShapeError,
            "for each of 1 sequences, got 2",
        ),
        (
            lambda: classifier().fit(ONE, progress=False),
            ValueError,
            "labels: expected one for each sequence, got none",
        ),
        (
            lambda: classifier().fit([], [], progress=False),
            ValueError,
            "sequences: expected at least one, got none",
        ),
        (
            lambda: classifier().fit([np.zeros((0, 2))], ["a"], progress=False),
            ValueError,
            r"\[0\]: expected at least one step",
        ),
        (lambda: classifier().fit(ONE, ["a"], epochs=0), ValueError, "epochs: expected"),
        (lambda: classifier().fit(ONE, ["a"], optimizer="lion"), ValueError, "optimizer: expected one of"),
        (lambda: classifier().fit(ONE, ["a"], seed=-1), ValueError, "seed: expected"),
        (
            lambda: classifier().predict([np.zeros((3, 4))]),
            rnnrs.ShapeError,
            r"\[0\]: expected \(T, I=2\), got \(3, 4\)",
        ),
        (
            lambda: classifier().predict([[[1, 2], [3]]]),
            rnnrs.ShapeError,
            r"sequences\[0\]\[1\]: expected 2 values, as \[0\] has, got 1 values",
        ),
        (lambda: classifier().predict(["text"]), rnnrs.DTypeError, r"\[0\]: expected real numbers"),
        (
            lambda: classifier().predict([*ONE, [[1, np.nan]]]),
            ValueError,
            r"\[1\]: expected finite numbers, got \[1.0, nan\]",
        ),
        (lambda: classifier().evaluate([], []), ValueError, "at least one"),
        (
            lambda: SequenceClassifier.from_texts(["a"], ["x"], level="line"),
            ValueError,
            "level: expected one of char",
        ),
        (
            lambda: tagger().fit(ONE, [["a", "b"]], progress=False),
            rnnrs.ShapeError,
            r"tags\[0\]: expected 3, got 2",
        ),
        (
            lambda: tagger().fit(ONE, [], progress=False),
            rnnrs.ShapeError,
            "a list for each of 1 sequences, got 0",
        ),
        (
            lambda: tagger().fit(ONE, [["a", "b", "c"]], progress=False),
            ValueError,
            r"tags\[0\]\[2\]: expected one of",
        ),
        (lambda: tagger().evaluate(ONE, [[None] * 3]), ValueError, "tags: expected at least one, got none"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_texts_instead_of_numbers_and_numbers_instead_of_texts():
    model = SequenceClassifier.from_texts(["ab", "b"], ["x", "y"], hidden_size=4)
    with pytest.raises(TypeError, match=r"sequences\[0\]: expected a text or a list of tokens, got ndarray"):
        model.predict([np.zeros((3, 2))])
    with pytest.raises(TypeError, match="expected a list of texts, got str"):
        model.predict("ab")
    labeled = LabeledSequences(np.zeros((3, 1, 2)), np.array([3]), np.array([0]), ("p", "q"))
    with pytest.raises(ValueError, match="expected the classes a, b, got p, q"):
        classifier().fit(labeled, progress=False)


def test_every_setting_is_saved(tmp_path):
    for cell, both in itertools.product(("rnn", "lstm", "gru"), (False, True)):
        model = classifier(cell=cell, bidirectional=both, zoneout=0.1, weight_drop=0.1, recurrent_dropout=0.1)
        model.save(tmp_path / "m")
        assert SequenceClassifier.load(tmp_path / "m").sizes == model.sizes
