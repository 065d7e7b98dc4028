"""One long text among short ones: batches are bounded by steps times sequences, and results stay the same."""

import numpy as np
import pytest
import small_applications as small

from rnnrs.models.captions import evaluation as captions
from rnnrs.models.language import continuation, scoring
from rnnrs.models.text_to_text import pairs

LONG = "The cat sees a man. " * 60
TEXTS = ["The cat", LONG, "a", "The dog sees a king.", *["The bird"] * 30]
BOUND = 300


@pytest.fixture(autouse=True)
def low_bounds(monkeypatch):
    for module in (captions, continuation, scoring, pairs):
        monkeypatch.setattr(module, "POSITIONS", BOUND)


def ready(model):
    """Returns a model that may answer: parameters were assigned to it."""
    draw = np.random.default_rng(1)
    for name, array in model.parameters.items():
        model.parameters[name] = np.abs(draw.normal(0, 0.3, array.shape)) + 0.1
    return model


def watched(monkeypatch, layer, name, axes):
    """Notes the sizes (T, B) of the arrays that a layer's method gets."""
    seen, method = [], getattr(layer, name)

    def watch(*arguments, **options):
        seen.append(np.shape(arguments[axes])[:2])
        return method(*arguments, **options)

    monkeypatch.setattr(layer, name, watch)
    return seen


def check(seen, count):
    assert sum(B for _, B in seen) == count and len(seen) > 1
    assert all(T * B <= BOUND or B == 1 for T, B in seen), seen


@pytest.mark.parametrize("make", [small.language, small.language_by_sentence])
def test_probabilities_of_sentences(make, monkeypatch):
    model = ready(make()[0])
    alone = [model.log_probs([text])[0] for text in TEXTS]
    seen = watched(monkeypatch, model.rnn, "forward_tokens", 1)
    assert np.array_equal(model.log_probs(TEXTS), alone)
    check(seen, len(TEXTS))


def test_evaluation_by_sentence(monkeypatch):
    model = ready(small.language_by_sentence()[0])
    model.by_sentence = True
    text = "\n".join(TEXTS)
    monkeypatch.setattr(scoring, "POSITIONS", 10**9)
    known = model.evaluate(text)
    monkeypatch.setattr(scoring, "POSITIONS", BOUND)
    seen = watched(monkeypatch, model.rnn, "forward_tokens", 1)
    assert model.evaluate(text).nats == pytest.approx(known.nats, rel=1e-13)
    check(seen, len(TEXTS))


def test_continuations(monkeypatch):
    model = ready(small.language()[0])
    monkeypatch.setattr(continuation, "POSITIONS", 10**9)
    known = model.step_model(TEXTS)._read(model)
    monkeypatch.setattr(continuation, "POSITIONS", BOUND)
    steps = model.step_model(TEXTS)
    seen = watched(monkeypatch, model.rnn, "forward_tokens", 1)
    assert np.array_equal(steps._read(model), known)
    check(seen, len(TEXTS))


@pytest.mark.parametrize("make", [small.translator, small.summarizer, small.seq2seq])
def test_likelihoods_of_pairs(make, monkeypatch):
    model = ready(make()[0])
    data = [(text, "The cat sees a king.") for text in TEXTS]
    alone = [model.log_probs([pair])[0] for pair in data]
    sizes = []
    losses = model.network.losses

    def watch(batch):
        sizes.append((len(batch.source) + len(batch.targets), batch.targets.shape[1]))
        return losses(batch)

    monkeypatch.setattr(model.network, "losses", watch)
    assert np.array_equal(model.log_probs(data), alone)
    check(sizes, len(TEXTS))


def test_likelihoods_of_descriptions(monkeypatch):
    model = ready(small.captioner()[0])
    pictures = np.repeat(small.PICTURES[:1], len(TEXTS), axis=0)
    alone = [model.log_probs(pictures[:1], [text])[0] for text in TEXTS]
    sizes = []
    losses = model.network.losses_of

    def watch(encoded, batch):
        sizes.append(batch.targets.shape)
        return losses(encoded, batch)

    monkeypatch.setattr(model.network, "losses_of", watch)
    assert np.array_equal(model.log_probs(pictures, TEXTS), alone)
    check(sizes, len(TEXTS))
