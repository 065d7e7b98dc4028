"""Suggestions of next words and completions, and their probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_applications import as_trained
from small_language_models import numpy_log_probs

from rnnrs.models import LanguageModel


def test_suggestions_of_next_words(trained_words):
    found = trained_words.suggest("I want ", k=3)
    assert len(found) == 3
    assert {s.word for s in found} <= {"tea", "the", "apples", "an", "you"}
    assert found == sorted(found, key=lambda s: -s.probability)
    assert found == trained_words.suggest("I want  ", k=3)


def test_suggestions_are_words_and_sum_to_at_most_one(trained_words, trained_characters):
    for model in (trained_words, trained_characters):
        for text in ("", "I want the sea.", "I want ", "t", "zzz"):
            found = model.suggest(text, k=100)
            assert sum(s.probability for s in found) <= 1 + 1e-6
            for s in found:
                assert s.word[0].isalnum()
                assert "<" not in s.word
                assert s.probability > 0


def test_completions_ignore_the_unfinished_word(trained_words):
    after = {s.word: s.probability for s in trained_words.suggest("You ", k=100)}
    begun = trained_words.suggest("You w", k=100)
    assert [s.word for s in begun][:2] in (["want", "wanted"], ["wanted", "want"])
    share = sum(after[s.word] for s in begun)
    for s in begun:
        assert s.probability == pytest.approx(after[s.word] / share)
    assert sum(s.probability for s in begun) == pytest.approx(1)


def test_completions_in_any_case_and_after_apostrophes(trained_words):
    assert [s.word for s in trained_words.suggest("WAN", k=2)] in (["WANT", "WANTED"], ["WANTED", "WANT"])
    assert trained_words.suggest("They don'")[0].word == "don't"
    assert trained_words.suggest("They don")[0].word == "don't"
    assert trained_words.suggest("xyzzy") == []


def test_suggestions_by_characters(trained_characters):
    assert trained_characters.suggest("To be, or not to b")[0].word == "be"
    assert trained_characters.suggest("that is the ", k=1)[0].word == "question"
    assert trained_characters.suggest("that is the que", k=1)[0].word == "question"
    assert trained_characters.suggest("To be,", k=1)[0].word == "or"


def test_suggestions_by_characters_have_the_probability_of_the_word(trained_characters):
    model = trained_characters
    [best] = model.suggest("To be, or n", k=1)
    logs = numpy_log_probs(model, model.context("To be, or not"))
    tokens = model.vocabulary.tokens
    spelled = logs[-3, tokens.index("o")] + logs[-2, tokens.index("t")]
    ends = [i for i, c in enumerate(tokens) if not (c.isalnum() or c in "'’-\ufffd")]
    assert best.word == "not"
    assert best.probability == pytest.approx(math.exp(spelled) * np.exp(logs[-1, ends]).sum(), rel=1e-3)


def test_a_stepper_can_be_reused(trained_words):
    stepper = trained_words.stepper()
    for text in ("I want ", "I w", ""):
        assert trained_words.suggest(text, stepper=stepper) == trained_words.suggest(text)
    with pytest.raises(ValueError, match="k: expected"):
        trained_words.suggest("", k=0)


def test_a_word_with_combining_marks_is_completed_as_a_whole():
    text = "मैं हिन्दी बोलता हूँ\nमैं हिन्दी पढ़ता हूँ\nहम हिसाब करते हैं\n" * 3
    model = as_trained(LanguageModel.from_text(text, level="word", hidden_size=8))
    assert {s.word for s in model.suggest("मैं हि", k=5)} == {"हिन्दी", "हिसाब"}
    characters = LanguageModel.from_text(text, hidden_size=32)
    characters.fit(text, epochs=80, batch_size=2, learning_rate=1e-2, progress=False)
    assert "हिन्दी" in [s.word for s in characters.suggest("मैं हि", k=3)]
