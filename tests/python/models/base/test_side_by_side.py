"""Every application answers many inputs at once as it answers them one by one, and can be stopped between."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import small_applications as small
from small_regions import scenes
from small_regions import small as captioner_of_regions

from rnnrs.decoding import Stopped, sample, stoppable
from rnnrs.losses import SoftmaxCrossEntropy
from rnnrs.models import Forecaster, VectorToSequence
from rnnrs.nn import RNN, Embedding, Linear

LINES = [
    "The cat sees a man.",
    "",
    "A dog.",
    "The bird sees the king and a horse and the cat.",
    "Who",
    "The cat",
]
TALKS = [
    ["thai food"],
    ["thai food", "Which area?", "north", "Place 0.", "something else"],
    ["greek food please", "Which area!", "the south"],
    ["hello"],
]
SERIES = [np.cumsum(np.random.default_rng(n).normal(size=n)) for n in (30, 9, 17, 30)]


def written(found):
    """Written texts as values that can be compared."""
    return [
        (one.text, one.score, one.log_prob, one.words, np.asarray(one.attention).tolist()) for one in found
    ]


def regions_model():
    pictures, regions = scenes(6, 1)
    model = captioner_of_regions(pictures, regions)
    return small.as_trained(model), pictures


def region_values(found):
    return [(*map(float, one[:4]), one.phrase, float(one.score)) for one in found]


def of_regions():
    model, pictures = regions_model()
    boxes = [
        [(3, 3, 11, 11), (10, 12, 9, 9)],
        [(0, 0, 20, 9)],
        [],
        [(5, 5, 5, 5)],
        [(1, 2, 8, 8)] * 3,
        [(4, 4, 9, 9)],
    ]
    boxes = [np.array(own, float).reshape(-1, 4) for own in boxes]
    together = model.describe_all_regions(pictures, boxes)
    return (
        model,
        [region_values(own) for own in together],
        lambda i: region_values(model.describe_regions(pictures[i], boxes[i])),
    )


def case(name):
    """Returns a model, its answers to many inputs, and a function that answers the i-th alone."""
    if name == "regions":
        return of_regions()
    model = small.as_trained(getattr(small, name)()[0])
    if name in ("translator", "summarizer"):
        search = model.search(n_best=2, beam=3)
        return (
            model,
            [written(own) for own in model.write(LINES, search)],
            lambda i: written(model.write([LINES[i]], search)[0]),
        )
    if name == "extractive_summarizer":
        texts = [f"{a} {b} It rains." for a, b in itertools.permutations(LINES, 2)]
        return (
            model,
            [[s.score for s in one] for one in model.summarize_all(texts, share=0.7)],
            lambda i: [s.score for s in model.summarize(texts[i], share=0.7)],
        )
    if name == "captioner":
        search = model.search(n_best=2, beam=3)
        return (
            model,
            [written(own) for own in model.write(small.PICTURES, search)],
            lambda i: written(model.write(small.PICTURES[i : i + 1], search)[0]),
        )
    if name == "chatbot":
        return model, model.reply_all(TALKS), lambda i: model.reply(TALKS[i])
    if name == "assistant":
        return (
            model,
            [str(vars(one)) for one in model.reply_all(TALKS)],
            lambda i: str(vars(model.reply(TALKS[i]))),
        )
    if name in ("classifier", "tagger"):
        return (
            model,
            [p.tolist() for p in model.predict_proba(small.SEQUENCES)],
            lambda i: model.predict_proba([small.SEQUENCES[i]])[0].tolist(),
        )
    if name == "classifier_of_texts":
        texts = [line or "?" for line in LINES]
        return (
            model,
            model.predict_proba(texts).tolist(),
            lambda i: model.predict_proba([texts[i]])[0].tolist(),
        )
    if name == "forecaster":
        return (
            model,
            [p.tolist() for p in model.predict_all(SERIES, 7)],
            lambda i: model.predict(SERIES[i], 7).tolist(),
        )
    before = ["", "The cat", "", "A", "The cat", "The"]
    scores = model.score_all(LINES, after=before)
    return (
        model,
        [(s.tokens, s.log_probs.tolist()) for s in scores],
        lambda i: (
            (one := model.score(LINES[i], after=before[i])).tokens,
            one.log_probs.tolist(),
        ),
    )


NAMES = [made.__name__ for made in small.APPLICATIONS if made.__name__ != "seq2seq"] + ["regions"]


@pytest.mark.parametrize("name", NAMES)
def test_many_answers_at_once_are_those_one_by_one(name):
    _, together, alone = case(name)
    assert len(together) > 2
    assert together == [alone(i) for i in range(len(together))]


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_answer_leaves_the_model_as_it_was(name):
    _, together, alone = case(name)
    calls = itertools.count(1)
    with stoppable(lambda: next(calls) > 10**6):
        assert alone(0) == together[0]
    asked = next(calls) - 1
    assert asked >= 1
    for stop_at in sorted({1, (asked + 1) // 2, asked}):
        calls = itertools.count(1)
        with stoppable(lambda at=stop_at, calls=calls: next(calls) == at), pytest.raises(Stopped):
            alone(0)
        assert next(calls) == stop_at + 1  # it ended at once
    assert alone(0) == together[0]


def test_contexts_within_each_other_all_count():
    model = small.as_trained(small.language()[0])
    for outer, inner, stopped in ((False, True, True), (True, False, True), (False, False, False)):
        with stoppable(lambda outer=outer: outer):
            with stoppable(lambda inner=inner: inner):
                if stopped:
                    with pytest.raises(Stopped):
                        model.generate("The", length=2)
                else:
                    model.generate("The", length=2)
            if not outer:
                model.generate("The", length=2)
    assert len(model.generate("The", length=2, seed=1)) == 2
    with pytest.raises(TypeError, match=r"^stoppable: check: expected a function, got True"), stoppable(True):
        pass


def test_samples_and_sequences_from_vectors_stop_too():
    model = small.as_trained(small.language()[0])
    steps, calls = model.step_model(["The"]), itertools.count(1)
    with stoppable(lambda: next(calls) == 4), pytest.raises(Stopped):
        sample(steps, steps.start, steps.end_id, seed=1)
    parts = RNN(2 + 3, 4), Linear(4, 5), SoftmaxCrossEntropy()
    network, calls = VectorToSequence(*parts, embedding=Embedding(5, 2)), itertools.count(1)
    with stoppable(lambda: next(calls) == 3), pytest.raises(Stopped):
        network.generate(np.zeros(3), length=9)
    assert next(calls) == 4


def test_forecasts_of_several_series_name_the_wrong_one():
    model = small.as_trained(Forecaster(2, difference=1, transform="log", hidden_size=4))
    good = np.exp(np.random.default_rng(1).normal(size=(12, 2)))
    assert [one.tolist() for one in model.predict_all([good, good[:3]], 4)] == [
        model.predict(good, 4).tolist(),
        model.predict(good[:3], 4).tolist(),
    ]
    assert model.predict_all([]) == []
    for wrong, match in (
        ([good, good[:1]], r"^Forecaster\.predict_all: series\[1\]: expected at least 2 steps, got 1"),
        ([good, -good], r"^Forecaster\.predict_all: series\[1\]: expected numbers above 0"),
        ([good, good[:, :1]], r"^Forecaster\.predict_all: series\[1\]: expected \(N, I=2\)"),
    ):
        with pytest.raises(ValueError, match=match):
            model.predict_all(wrong)


def test_wrong_conversations_and_texts_are_named():
    assistant = small.as_trained(small.assistant()[0])
    with pytest.raises(
        TypeError, match=r"^Assistant\.reply_all: conversations\[1\]: expected a text or turns"
    ):
        assistant.reply_all(["hello", 7])
    with pytest.raises(
        ValueError, match=r"^Assistant\.reply_all: conversations\[0\]: expected an odd number"
    ):
        assistant.reply_all([["hello", "hi"]])
    assert assistant.reply_all([]) == []
    model = small.as_trained(small.language()[0])
    with pytest.raises(ValueError, match=r"^LanguageModel\.score_all: after: expected one for each of 2"):
        model.score_all(["a", "b"], after=["a"])
    with pytest.raises(TypeError, match=r"^LanguageModel\.score_all: after: expected a string, got list"):
        model.score_all(["a"], after=[[]])
