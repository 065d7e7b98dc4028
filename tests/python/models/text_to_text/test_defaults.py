"""Every option can be given alone: the defaults of the others agree with it."""

import pytest

from rnnrs.models import Summarizer, Translator

PAIRS = [("the cat sees a dog", "le chat voit un chien"), ("a dog", "un chien")] * 4
SMALL = {"embedding_size": 4, "hidden_size": 4}
VALUES = {
    "cell": ["rnn", "lstm", "gru"],
    "attention": [None, "dot", "general", "additive"],
    "copy": [False, True],
    "tied": [False, True],
    "label_smoothing": [0.0, 0.1],
    "layers": [2],
    "dropout": [0.0, 0.2],
    "recurrent_dropout": [0.2],
    "dtype": ["float64"],
}
CASES = [(cls, name, value) for cls in (Translator, Summarizer) for name in VALUES for value in VALUES[name]]


@pytest.mark.parametrize(("cls", "name", "value"), CASES)
def test_every_option_alone(cls, name, value):
    model = cls.from_pairs(PAIRS, vocabulary={"min_count": 1}, **SMALL, **{name: value})
    assert model.sizes[name] == value
    model.fit(PAIRS, epochs=1, progress=False)


def test_copying_excludes_smoothing_and_needs_attention():
    assert Translator.from_pairs(PAIRS, copy=True, **SMALL).sizes["label_smoothing"] == 0
    assert Translator.from_pairs(PAIRS, **SMALL).sizes["label_smoothing"] == 0.1
    assert Summarizer.from_pairs(PAIRS, **SMALL).sizes["copy"] is True
    for sizes in ({"attention": None}, {"label_smoothing": 0.1}):
        assert Summarizer.from_pairs(PAIRS, **SMALL, **sizes).sizes["copy"] is False
        with pytest.raises(ValueError, match=r"Summarizer: (copy|label_smoothing): expected"):
            Summarizer.from_pairs(PAIRS, **SMALL, **sizes, copy=True)
