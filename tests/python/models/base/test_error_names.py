"""Errors name the class and the method that the user called, not the layer or function that found them."""

import re

import numpy as np
import pytest

from rnnrs.models import Forecaster, LanguageModel, NgramCache, SequenceClassifier, SequenceTagger
from rnnrs.text import CharVocabulary

LETTERS = CharVocabulary.build("abcd")
WRONG = [np.zeros((3, 4))]
SERIES = np.ones((30, 2))


def language(**options):
    return LanguageModel(LETTERS, **{"hidden_size": 4} | options)


def classifier(**options):
    return SequenceClassifier(["a", "b"], **{"input_size": 2, "hidden_size": 4} | options)


def tagger(**options):
    return SequenceTagger(["a", "b"], **{"input_size": 2, "hidden_size": 4} | options)


def forecaster(**options):
    return Forecaster(2, **{"hidden_size": 4} | options)


@pytest.mark.parametrize("make", [language, classifier, tagger, forecaster])
@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 0},
        {"cell": "elman"},
        {"layers": 0},
        {"cell": "rnn", "activation": "step"},
        {"dropout": 1.0},
        {"recurrent_dropout": -0.5},
        {"zoneout": 2},
        {"weight_drop": "half"},
        {"dtype": "int8"},
    ],
    ids=str,
)
def test_constructors(make, options):
    *_, argument = options
    with pytest.raises((ValueError, TypeError), match=rf"^{type(make()).__name__}: {argument}: expected"):
        make(**options)


@pytest.mark.parametrize(
    "options", [{"embedding_size": 0}, {"row_dropout": 1}, {"seed": -1}, {"tied": True}], ids=str
)
def test_constructor_of_a_language_model(options):
    (argument,) = options
    with pytest.raises(ValueError, match=rf"^LanguageModel: {argument}: expected"):
        language(**options)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: language().evaluate(""), "LanguageModel.evaluate: text"),
        (lambda: language().perplexity(""), "LanguageModel.perplexity: text"),
        (lambda: language().evaluate("a", cache=[]), "LanguageModel.evaluate: cache"),
        (
            lambda: language().next_distribution("a", cache=[NgramCache(), 3]),
            "LanguageModel.next_distribution: cache",
        ),
        (lambda: language().suggest(k=0), "LanguageModel.suggest: k"),
        (lambda: language().generate(top_k=-1), "LanguageModel.generate: top_k"),
        (lambda: language().stream(top_p=0), "LanguageModel.stream: top_p"),
        (lambda: language().beam_search("a", beam=0), "LanguageModel.beam_search: beam"),
        (lambda: language().fit("\n", by_sentence=True), "LanguageModel.fit: text"),
        (lambda: language().fit("abab", "a"), "LanguageModel.fit: validation"),
        (lambda: language().fit("abab", ["a", "b"]), "LanguageModel.fit: validation"),
        (lambda: language().fit("abab", checkpoint_every=0), "LanguageModel.fit: checkpoint_every"),
        (lambda: classifier().fit(WRONG, ["a"]), "SequenceClassifier.fit: sequences[0]"),
        (
            lambda: classifier().fit([np.zeros((3, 2))], ["a"], (WRONG, ["a"])),
            "SequenceClassifier.fit: validation: sequences[0]",
        ),
        (lambda: classifier().predict(WRONG), "SequenceClassifier.predict: sequences[0]"),
        (lambda: classifier().predict_proba(WRONG), "SequenceClassifier.predict_proba: sequences[0]"),
        (lambda: classifier().predict_log_proba(WRONG), "SequenceClassifier.predict_log_proba: sequences[0]"),
        (lambda: classifier().evaluate(WRONG, ["a"]), "SequenceClassifier.evaluate: sequences[0]"),
        (lambda: tagger().fit(WRONG, [["a"]]), "SequenceTagger.fit: sequences[0]"),
        (lambda: tagger().predict(WRONG), "SequenceTagger.predict: sequences[0]"),
        (lambda: tagger().evaluate([], []), "SequenceTagger.evaluate: tags"),
        (lambda: forecaster().fit(SERIES[:, :1]), "Forecaster.fit: series"),
        (lambda: forecaster(transform="log").fit(SERIES, SERIES - 1), "Forecaster.fit: validation"),
        (lambda: forecaster().predict(SERIES, 0), "Forecaster.predict: steps"),
        (lambda: forecaster().evaluate(SERIES, season=0), "Forecaster.evaluate: season"),
    ],
)
def test_methods(call, name):
    with pytest.raises((ValueError, TypeError), match=rf"^{re.escape(name)}: expected"):
        call()


def test_a_run_is_resumed_with_its_own_data(tmp_path):
    language().fit("abcd" * 20, epochs=1, progress=False, checkpoint=tmp_path / "run")
    with pytest.raises(
        ValueError, match=r"^LanguageModel\.fit: resume: expected the data with which the run"
    ):
        language().fit("dcba" * 20, epochs=2, progress=False, resume=tmp_path / "run")
