"""Typing sessions: after any edits, the suggestions are those for the text before the cursor."""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest
from small_applications import as_trained
from small_language_models import LEVELS, as_if_trained

from rnnrs.decoding import Stopped, stoppable
from rnnrs.models import LanguageModel

SCRIPTS = (
    "I want to go home. I don't “want” to eat,\nshe said; it's (too) late! "
    "मैं हिन्दी बोलता हूँ। 我想回家。你好世界！ ฉันกินข้าว เธอกินขนม\r\n😀👨‍👩‍👧 e\u0301 \"to\" 'go' "
)
KINDS = {
    "rnn": {},
    "lstm, layers": {"cell": "lstm", "layers": 2},
    "tied": {"embedding_size": 12, "tied": True},
    "adaptive": {"cutoffs": [15]},
    "float32": {"dtype": "float32"},
}
OPTIONS = {
    "char": {},
    "word": {"min_count": 1},
    "token": {"min_count": 1},
    "subword": {"max_size": 330},
}


def model(level, kind="rnn", by_sentence=False):
    options = {"hidden_size": 12, "embedding_size": 5, "dtype": "float64", **KINDS[kind]}
    made = LanguageModel.from_text(SCRIPTS * 2, level=level, vocabulary=OPTIONS[level], seed=3, **options)
    made.by_sentence = by_sentence
    return as_trained(made)


def edit(draw, session):
    """Makes a random edit, and moves the cursor from time to time."""
    size, what = len(session.text), draw.random()
    begin = draw.randrange(len(SCRIPTS))
    piece = SCRIPTS[begin : begin + draw.choice([1, 1, 1, 3, 40])]
    if what < 0.6:
        session.insert(piece)
    elif what < 0.75:
        session.erase(draw.choice([1, 1, 2, 30]))
    elif what < 0.85:
        place = draw.randrange(size + 1)
        session.replace(place, min(size, place + draw.choice([0, 1, 9])), piece)
    else:
        session.move(draw.choice([size, draw.randrange(size + 1)]))


CASES = [(level, kind, by) for level in LEVELS for kind in KINDS for by in (False, True)]


@pytest.mark.parametrize(("level", "kind", "by_sentence"), CASES)
def test_after_any_edits_suggestions_are_those_for_the_text_before_the_cursor(
    level, kind, by_sentence, monkeypatch
):
    monkeypatch.setattr("rnnrs.models.language.typing_session._SPACING", 4)  # many states in a short text
    if level == "subword":
        pytest.importorskip("tokenizers")
    made, draw = model(level, kind, by_sentence), random.Random(f"{level} {kind} {by_sentence}")
    stepper = made.stepper()
    session = made.session(SCRIPTS * 2)
    for step in range(12):
        for _ in range(draw.randrange(1, 4)):
            edit(draw, session)
        words = 2 if step % 8 == 0 else 1
        expected = made.suggest(session.text[: session.cursor], 2, words=words, stepper=stepper)
        assert session.suggest(2, words=words) == expected


@pytest.mark.parametrize("level", LEVELS)
def test_each_typed_character_of_any_script(level):
    if level == "subword":
        pytest.importorskip("tokenizers")
    made = model(level)
    session, stepper = made.session(), made.stepper()
    for place, character in enumerate(SCRIPTS, 1):
        session.insert(character)
        assert session.suggest(1) == made.suggest(SCRIPTS[:place], 1, stepper=stepper)
    while session.text:
        session.erase(1 if level != "subword" else 4)
        assert session.suggest(1) == made.suggest(session.text, 1, stepper=stepper)


def test_a_state_at_the_cursor_does_not_hide_the_sign_before_it(monkeypatch):
    monkeypatch.setattr("rnnrs.models.language.typing_session._SPACING", 16)
    made = model("char")
    session = made.session("want to, " + "go home " * 9)
    session.suggest()
    for place in range(len(session.text), -1, -1):
        session.move(place)
        assert session.suggest(1) == made.suggest(session.text[:place], 1)


def test_edits():
    session = as_if_trained("word").session("I want")
    session.insert(" to")
    session.erase(2)
    assert (session.text, session.cursor) == ("I want ", 7)
    session.replace(0, 1, "They")
    assert (session.text, session.cursor) == ("They want ", 4)
    session.insert("!")
    session.move(2)
    session.erase(100)
    assert (session.text, session.cursor) == ("ey! want ", 0)
    session.erase()
    session.insert("")
    assert (session.text, session.cursor) == ("ey! want ", 0)
    assert repr(session) == "TypingSession(9 characters, cursor at 0)"


def test_a_copy_is_a_session_of_its_own():
    made = as_if_trained("char")
    session = made.session("I want to go " * 20)
    before = session.suggest()
    copied = session.copy()
    copied.insert("h")
    session.erase(3)
    session.insert("xx")
    assert copied.suggest() == made.suggest("I want to go " * 20 + "h")
    assert session.suggest() == made.suggest(session.text)
    assert copied.text != session.text and made.session("I want to go " * 20).suggest() == before


def test_what_changes_the_model_is_noticed():
    made = as_if_trained("char")
    session = made.session("I want to go ", stepper=made.stepper())
    session.suggest()
    made.parameters.copy_from({name: -array for name, array in made.parameters.items()})
    assert session.suggest() == made.suggest("I want to go ")
    made.parameters["output.c"] = np.arange(len(made.vocabulary)) % 3
    assert session.suggest() == made.suggest("I want to go ")
    with made.parameters.changing:
        session.suggest()
        made.parameters["output.c"] = np.arange(len(made.vocabulary)) % 5
        assert session.suggest() == made.suggest("I want to go ")
    made.fit("I want to go. " * 20, epochs=1, batch_size=2, steps=20, progress=False)
    assert session.suggest() == made.suggest("I want to go ")
    made.by_sentence = True
    session.insert("\nI ")
    assert session.suggest() == made.suggest("I ")


@pytest.mark.parametrize("level", ("char", "word"))
def test_only_what_is_near_the_cursor_is_read(level, monkeypatch):
    """A keystroke reads a bounded number of tokens, wherever it is; the states have bounded memory."""
    made = as_if_trained(level)
    session = made.session("I want to go home. They want to eat, she said. " * 400)
    session.suggest()
    read = []
    encode = type(made.vocabulary).encode
    monkeypatch.setattr(
        type(made.vocabulary), "encode", lambda self, text: read.append(len(text)) or encode(self, text)
    )
    for place in (len(session.text), 9_000, 120, 9_001):
        session.move(place)
        session.suggest()  # comes to the place, once
        for edit in [lambda: session.insert(" wa"), session.erase, lambda: session.insert("x ")] * 4:
            read.clear()
            edit()
            session.suggest()
            assert sum(read) <= 2_000
    monkeypatch.setattr("rnnrs.models.language.typing_session._MEMORY", 20_000)
    small = made.session(session.text)
    assert small.suggest() == made.suggest(session.text)
    assert sum(kept.state.nbytes for kept in small._kept) <= 20_000


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("insert", (3,), r"TypingSession\.insert: text: expected a string, got int"),
        ("erase", (-1,), r"TypingSession\.erase: count: expected "),
        ("erase", (1.5,), r"TypingSession\.erase: count: expected "),
        ("move", (7,), r"TypingSession\.move: cursor: expected a place from 0 to 6, got 7"),
        ("move", (-1,), r"TypingSession\.move: cursor: expected "),
        ("replace", (3, 2, ""), r"TypingSession\.replace: begin: expected a place from 0 to 2, got 3"),
        ("replace", (3, 9, ""), r"TypingSession\.replace: end: expected a place from 0 to 6, got 9"),
        ("replace", (3, 4, None), r"TypingSession\.replace: text: expected a string, got NoneType"),
        ("suggest", (0,), r"TypingSession\.suggest: k: expected "),
    ],
)
def test_a_bad_edit_is_refused_and_changes_nothing(method, arguments, error):
    session = as_if_trained("word").session("I want")
    session.move(5)
    with pytest.raises((TypeError, ValueError), match=error):
        getattr(session, method)(*arguments)
    assert (session.text, session.cursor) == ("I want", 5)


def test_a_session_needs_a_text_and_a_trained_model():
    with pytest.raises(TypeError, match=r"LanguageModel\.session: text: expected a string, got bytes"):
        as_if_trained("word").session(b"I")
    session = LanguageModel.from_text("I want to go", level="word", vocabulary={"min_count": 1}).session("I ")
    with pytest.raises(ValueError, match=r"LanguageModel\.suggest: expected a trained model"):
        session.suggest()


@pytest.mark.parametrize("copied", (copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))))
def test_copies_and_pickles_are_sessions_of_their_own(copied):
    made = as_if_trained("char")
    session = made.session("I want to go " * 40)
    session.move(500)
    before = session.suggest()
    other = copied(session)
    assert (other.text, other.cursor, other.suggest()) == (session.text, 500, before)
    other.replace(3, 6, "they want")
    other.move(len(other.text))
    other.suggest()
    session.move(len(session.text))
    assert session.suggest() == made.suggest(session.text)
    assert other.suggest() == made.suggest(other.text)


def test_a_text_of_subwords_without_spaces_is_read_in_parts():
    pytest.importorskip("tokenizers")
    made = model("subword")
    session = made.session("我想回家。你好世界！" * 60 + "我")
    assert session.suggest(1) == made.suggest(session.text, 1)
    assert session._kept[-1].place > 300


@pytest.mark.parametrize("level", ("char", "word"))
def test_the_reading_of_a_long_text_can_be_stopped_and_goes_on_later(level):
    made = as_if_trained(level)
    session = made.session("I want to go home. " * 200)
    with stoppable(iter([False, False, False, True]).__next__), pytest.raises(Stopped):
        session.suggest()
    assert len(session._kept) == 3
    assert session.suggest() == made.suggest(session.text)


@pytest.mark.parametrize("level", LEVELS)
def test_apostrophes_of_another_kind_are_read_as_those_that_the_model_knows(level, monkeypatch):
    monkeypatch.setattr("rnnrs.models.language.typing_session._SPACING", 4)
    if level == "subword":
        pytest.importorskip("tokenizers")
    vocabulary = OPTIONS[level]
    made = as_trained(
        LanguageModel.from_text("I don't want 我想 it's\n" * 9, level=level, vocabulary=vocabulary, seed=3)
    )
    for text in ("I don’t want it, it’s ", "it’s 我想回", "don’t don’t w"):
        assert made.session(text).suggest(2) == made.suggest(text, 2)
        assert made.session(text).suggest(2, words=2) == made.suggest(text, 2, words=2)
