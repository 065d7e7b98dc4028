"""Models with extreme parameters answer or raise an error that says why; no warning reaches the user."""

import warnings

import numpy as np
import pytest
import small_applications as small
from small_applications import APPLICATIONS

import rnnrs
from rnnrs.models.base.sums import perplexity

VERBS = {
    "LanguageModel": [
        lambda m: m.generate("The", length=10, seed=1),
        lambda m: m.generate("The", length=10, temperature=0),
        lambda m: str(m.evaluate(small.TEXT)),
        lambda m: m.log_probs(["The cat", "a"]),
        lambda m: m.suggest("The c", 3),
        lambda m: m.suggest("The ", 3),
        lambda m: m.score("The cat sees a dog").perplexity,
    ],
    "Translator": [lambda m: m.translate("The cat."), lambda m: str(m.evaluate(small.PAIRS[:3]))],
    "Summarizer": [lambda m: m.summarize("The cat."), lambda m: str(m.evaluate(small.PAIRS[:3]))],
    "ExtractiveSummarizer": [
        lambda m: m.summarize("The cat. A dog."),
        lambda m: m.scores("The cat. A dog."),
        lambda m: str(m.evaluate(small.PAIRS[:3])),
    ],
    "Seq2Seq": [lambda m: str(m.evaluate(small.PAIRS[:3]))],
    "Chatbot": [
        lambda m: m.reply("hello"),
        lambda m: str(m.evaluate(small.DIALOGUES)),
        lambda m: m.rank("hello", ["good day", "bye"]),
    ],
    "Assistant": [lambda m: m.reply("thai food"), lambda m: str(m.evaluate(small.ANNOTATED[:2]))],
    "Captioner": [
        lambda m: m.describe(small.PICTURES[0]),
        lambda m: str(m.evaluate(small.PICTURES, small.TEXTS)),
        lambda m: m.rank("a red dog", small.PICTURES),
    ],
    "SequenceClassifier": [
        lambda m, *data: m.predict_proba(data[0]),
        lambda m, *data: m.evaluate(*data).macro_f1,
        lambda m, *data: m.evaluate(*data).precision,
    ],
    "SequenceTagger": [lambda m, *data: m.predict(data[0]), lambda m, *data: m.evaluate(*data).recall],
    "Forecaster": [lambda m: m.predict(small.SERIES, 9), lambda m: m.evaluate(small.SERIES).skill],
}


@pytest.mark.parametrize("make", APPLICATIONS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("scale", [1e-38, 1e3, 3e38, np.inf, np.nan])
def test_extreme_parameters(make, scale):
    model, data, held_out = make()
    draw = np.random.default_rng(0)
    for name, array in model.parameters.items():
        model.parameters[name] = np.where(draw.random(array.shape) < 0.5, -scale, scale)
    kind = type(model).__name__
    calls = [*VERBS[kind], lambda m, *_: m.fit(*data, *held_out, epochs=1, progress=False)]
    for call in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                call(model, *data) if kind.startswith("Sequence") else call(model)
            except (rnnrs.NonFiniteError, ValueError) as error:
                assert scale != 1e-38, error
                assert "expected" in str(error) or str(error).startswith("step 1: "), error


def test_perplexities():
    assert perplexity(0.0) == 1 and perplexity(1e9) == perplexity(np.inf) == np.inf
    assert perplexity(-1e9) == 0 and np.isnan(perplexity(np.nan))
