"""Names decide what a label means."""

import numpy as np
import pytest
from small_applications import as_trained

from rnnrs.data import LabeledSequences
from rnnrs.models import SequenceClassifier, SequenceTagger

RANDOM = np.random.default_rng(0)
DIGITS = ["7", "8", "9"]
KINDS = [7, 8, 9] * 12
X = [RANDOM.normal(size=(5, 2)) + 3 * (kind - 8) for kind in KINDS]


def trained(labels):
    model = SequenceClassifier(DIGITS, input_size=2, hidden_size=8)
    model.fit(X, labels, epochs=40, learning_rate=2e-2, progress=False)
    return model


@pytest.mark.parametrize(
    "labels", [KINDS, np.array(KINDS), [str(k) for k in KINDS], np.array(KINDS).astype(str)]
)
def test_numbers_mean_names_that_are_numbers(labels):
    model = trained(labels)
    assert model.predict(X) == [str(kind) for kind in KINDS]
    assert model.evaluate(X, labels).accuracy == 1.0


def test_indices_of_names_that_are_numbers_are_refused():
    model = SequenceClassifier(DIGITS, input_size=2, hidden_size=8)
    with pytest.raises(ValueError, match=r"labels\[0\]: expected one of 7, 8, 9, got 0"):
        model.fit(X, [kind - 7 for kind in KINDS], epochs=1, progress=False)


def test_indices_of_other_names_are_taken():
    model = SequenceClassifier(["low", "mid", "high"], input_size=2, hidden_size=8)
    model.fit(X, [kind - 7 for kind in KINDS], epochs=40, learning_rate=2e-2, progress=False)
    assert model.predict(X[:3]) == ["low", "mid", "high"]


def test_a_readers_labels_are_indices_of_its_classes():
    x = np.stack(X, axis=1)
    data = LabeledSequences(x, np.full(len(X), 5), np.array(KINDS) - 7, tuple(DIGITS))
    model = SequenceClassifier.from_data(data, hidden_size=8)
    model.fit(data, epochs=40, learning_rate=2e-2, progress=False)
    assert model.predict(data) == [str(kind) for kind in KINDS]
    assert model.evaluate(data).accuracy == model.evaluate(data, data.labels).accuracy == 1.0


def test_tags_too():
    tagger = SequenceTagger(DIGITS, input_size=2, hidden_size=8)
    tags = [[kind] * 5 for kind in KINDS]
    tagger.fit(X, tags, epochs=40, learning_rate=2e-2, progress=False)
    assert tagger.evaluate(X, tags).accuracy == 1.0 and set(tagger.predict(X)[1]) == {"8"}


@pytest.mark.parametrize("names", [{"a", "b"}, frozenset(("a", "b"))])
def test_names_without_an_order_are_refused(names):
    with pytest.raises(TypeError, match=r"classes: expected names in an order, got a (frozen)?set"):
        SequenceClassifier(names, input_size=2)


def test_memory_of_predictions_is_bounded_whatever_the_lengths(monkeypatch):
    model = as_trained(SequenceClassifier(["a", "b"], input_size=2, hidden_size=4))
    lengths = [5, 40_000, 3, *([4] * 600)]
    sequences = [RANDOM.normal(size=(length, 2)) for length in lengths]
    shapes, forward = [], model.network.forward

    def watched(x, **options):
        shapes.append(x.shape[:2])
        return forward(x, **options)

    monkeypatch.setattr(model.network, "forward", watched)
    together = model.predict_proba(sequences)
    assert all(T * B <= 1 << 15 or B == 1 for T, B in shapes) and sum(B for _, B in shapes) == len(lengths)
    for i in (0, 1, 2, 3):
        np.testing.assert_array_equal(model.predict_proba([sequences[i]])[0], together[i])
