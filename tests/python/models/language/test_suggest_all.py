"""Suggestions for several texts at once: those of each text by itself, bit for bit."""

from __future__ import annotations

import pytest
from small_applications import as_trained
from small_language_models import LEVELS, WANTS, as_if_trained

from rnnrs.decoding import Stopped, stoppable
from rnnrs.models import LanguageModel
from rnnrs.models.language import spelled_words
from rnnrs.models.language.adaptive_stepper import read_in_parts

TEXTS = [
    "",
    "I want to ",
    "I want to g",
    "They want\nshe said, “go",
    "home. " * 40,
    "I",
    "THEY WAN",
    "don’t",
    "zzz",
    "her ",
]
KINDS = {
    "rnn": {},
    "lstm, layers, normalized": {"cell": "lstm", "layers": 2, "layer_norm": True},
    "tied, float32": {"embedding_size": 12, "tied": True, "dtype": "float32"},
    "adaptive, zoneout": {"cutoffs": [10], "cell": "gru", "zoneout": 0.3},
}


def model(level, kind):
    vocabulary = {"char": {}, "subword": {"max_size": 320}}.get(level, {"min_count": 1})
    options = {"hidden_size": 12, "embedding_size": 5, "dtype": "float64", **KINDS[kind]}
    return as_trained(LanguageModel.from_text(WANTS, level=level, vocabulary=vocabulary, seed=3, **options))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_sentence", (False, True))
def test_each_text_gets_its_own_suggestions(level, kind, by_sentence, monkeypatch):
    made = model(level, kind)
    made.by_sentence, stepper = by_sentence, made.stepper()
    expected = [made.suggest(text, 2, stepper=stepper) for text in TEXTS]
    assert made.suggest_all(TEXTS, 2) == expected
    assert made.suggest_all(TEXTS[::-1], 2, stepper=stepper) == expected[::-1]
    monkeypatch.setattr("rnnrs.models.language.spelled_words._SCORES", 1)  # one text at a time
    assert made.suggest_all(TEXTS, 2) == expected


@pytest.mark.parametrize("level", LEVELS)
def test_each_text_gets_its_own_phrases(level):
    made = model(level, "rnn")
    assert made.suggest_all(TEXTS[:4], 2, words=2) == [made.suggest(text, 2, words=2) for text in TEXTS[:4]]


def test_no_texts_have_no_suggestions():
    assert model("word", "rnn").suggest_all([]) == []


@pytest.mark.parametrize(
    ("texts", "options", "error"),
    [
        ("I want", {}, r"texts: expected a list, got str"),
        (None, {}, r"texts: expected a list, got NoneType"),
        (iter(["I"]), {}, r"texts: expected a list, or another collection that can be read more than once"),
        (["I", 3], {}, r"texts\[1\]: expected a string, got int"),
        (["I"], {"k": 0}, r"k: expected "),
        (["I"], {"words": 21}, r"words: expected at most 20, got 21"),
    ],
)
def test_bad_arguments_are_refused(texts, options, error):
    with pytest.raises((TypeError, ValueError), match=r"^LanguageModel\.suggest_all: " + error):
        as_if_trained("word").suggest_all(texts, **options)


@pytest.mark.parametrize("words", (1, 2))
@pytest.mark.parametrize("level", ("char", "word"))
def test_suggestions_can_be_stopped(level, words):
    """Between the tokens of a spelled word, and between texts and phrases."""
    made, calls = model(level, "rnn"), []

    def at_the_third():
        calls.append(1)
        return len(calls) == 3

    before = made.suggest_all(TEXTS, words=words)
    with stoppable(at_the_third), pytest.raises(Stopped):
        for _ in range(3):
            made.suggest_all(TEXTS, words=words)
    assert len(calls) == 3 and made.suggest_all(TEXTS, words=words) == before


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_sentence", (False, True))
def test_sessions_are_answered_as_each_by_itself(level, kind, by_sentence):
    made = model(level, kind)
    made.by_sentence, stepper = by_sentence, made.stepper()
    sessions = [made.session(stepper=stepper) for _ in TEXTS]
    for round in range(4):
        for i, (session, text) in enumerate(zip(sessions, TEXTS, strict=True)):
            if (i + round) % 3:
                session.insert(text[round * 3 : round * 3 + 3 + i % 2])
            else:
                session.erase(round % 2)
        expected = [made.suggest(session.text[: session.cursor], 2, stepper=stepper) for session in sessions]
        assert made.suggest_all(sessions, 2) == expected
        assert sessions[round].suggest(2) == expected[round]
    assert made.suggest_all(sessions[:3], 2, words=2) == [
        session.suggest(2, words=2) for session in sessions[:3]
    ]
    with_own = [*sessions[:2], made.session("I want")]
    assert made.suggest_all(with_own) == [session.suggest() for session in with_own]


def test_sessions_of_another_model_and_a_mixture_are_refused():
    made, other = model("word", "rnn"), model("word", "rnn")
    with pytest.raises(ValueError, match=r"suggest_all: texts\[1\]: expected a session of this model"):
        made.suggest_all([made.session(), other.session()])
    with pytest.raises(TypeError, match=r"suggest_all: texts\[0\]: expected"):
        made.suggest_all([made.session(), "I want"])


@pytest.mark.parametrize("level", ("char", "word"))
def test_a_stepper_has_one_sequence_again(level):
    made = model(level, "rnn")
    stepper = made.stepper()
    o = stepper.read(made.context("I want"))
    made.suggest("I w", 5, stepper=stepper)
    made.suggest_all(TEXTS, stepper=stepper)
    with stoppable(iter([False, False, False, True]).__next__), pytest.raises(Stopped):
        for _ in range(4):
            made.suggest_all(TEXTS, stepper=stepper)
    stepper.reset()
    assert (stepper.read(made.context("I want")) == o).all()


def test_letters_without_end_are_searched_as_fast_as_they_are_read(monkeypatch):
    """Of the typed letters, as many are compared with the tokens as the longest of these has."""
    pytest.importorskip("tokenizers")
    compared, made = [], model("subword", "rnn")
    find = spelled_words.bisect_left
    monkeypatch.setattr(
        spelled_words, "bisect_left", lambda pieces, own: compared.append(len(own)) or find(pieces, own)
    )
    assert made.suggest("w" * 20_000) == []
    assert len(compared) < 30 * 20 and sum(compared) < 30 * 21_000


@pytest.mark.parametrize("kind", ("rnn", "adaptive, zoneout"))
@pytest.mark.parametrize("length", (0, 1, 4, 5, 8, 11))
def test_a_long_text_is_read_in_parts(kind, length, monkeypatch):
    monkeypatch.setattr("rnnrs.models.language.adaptive_stepper._PART", 4)
    made = model("char", kind)
    ids = made.vocabulary.encode("I want to go home")[:length]
    one, other = made.stepper(), made.stepper()
    one.step(0), other.step(0)
    assert read_in_parts(one, ids).tolist() == other.read(ids).tolist()
    assert one.state.tolist() == other.state.tolist()
    text = "I want to go home. I want to go"
    expected, seen = made.suggest(text), iter([False] * 3 + [True])
    with stoppable(seen.__next__), pytest.raises(Stopped):  # while it is read
        made.suggest(text)
    assert made.suggest(text) == expected
