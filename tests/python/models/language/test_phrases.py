"""Suggestions of several words: by brute force over all phrases, by their sum, and by the command."""

import json

import pytest
from small_language_models import LEVELS
from small_language_models import as_if_trained as model

from rnnrs.cli import main
from rnnrs.models import LanguageModel


def all_phrases(made, text, words):
    """Every phrase of so many words and its probability: word by word, without a beam."""
    if not words:
        return {"": 1.0}
    found = {}
    for first, p in made.suggest(text, k=1000):
        typed = made.vocabulary.unfinished(text)
        rest = all_phrases(made, text[: len(text) - len(typed)] + first + " ", words - 1)
        found.update({f"{first} {more}".strip(): p * q for more, q in rest.items()})
    return found


@pytest.mark.parametrize("level", ("word", "token"))
@pytest.mark.parametrize("text", ("", "I want to ", "They want to g", "she said, "))
@pytest.mark.parametrize("words", (2, 3))
def test_the_likeliest_phrases_are_found_and_all_of_them_add_up_to_one(level, text, words):
    made = model(level)
    expected = all_phrases(made, text, words)
    assert sum(expected.values()) == pytest.approx(1, abs=1e-9)
    best = sorted(expected.items(), key=lambda item: -item[1])
    found = made.suggest(text, k=len(expected), words=words)
    assert {one.word: one.probability for one in found} == pytest.approx(expected, rel=1e-9)
    assert [one.probability for one in found] == pytest.approx([p for _, p in best], rel=1e-9)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("text", ("I want to ", "I want to g"))
def test_a_phrase_is_as_likely_as_its_words_one_after_the_other(level, text):
    """With as many beams for each word as the search has: probabilities of spelled words depend on them."""
    made = model(level)
    found = made.suggest(text, k=2, words=2)
    assert len(found) == 2 and found[0].probability >= found[1].probability
    for phrase, p in found:
        first, second = phrase.split(" ")
        assert first.startswith(made.vocabulary.unfinished(text))
        one = {s.word: s.probability for s in made.suggest(text, k=4)}
        two = {s.word: s.probability for s in made.suggest(f"I want to {first} ", k=2)}
        assert p == pytest.approx(one[first] * two[second], rel=1e-9)


@pytest.mark.parametrize("level", ("char", "subword"))
def test_phrases_of_a_script_without_spaces_go_on_after_the_sign_that_ends_a_word(level):
    text = "我想回家。我想吃饭。你好世界。\n" * 40
    made = LanguageModel.from_text(
        text, level=level, vocabulary={"max_size": 300} if level == "subword" else {}, hidden_size=24, seed=1
    )
    made.fit(text, epochs=5, batch_size=4, steps=20, learning_rate=0.03, progress=False)
    assert made.suggest("我想回家。", k=1)[0].word == "我想吃饭"
    assert made.suggest("我想", k=1, words=3)[0].word == "我想回家我想吃饭你好世界"


def test_a_text_that_is_not_a_string_is_refused():
    for text in (None, 3, b"I", ["I"]):
        with pytest.raises(TypeError, match=r"^LanguageModel\.suggest: text: expected a string, got"):
            model("word").suggest(text, words=2)


def test_one_word_is_what_it_was():
    made = model("word")
    assert made.suggest("I ", k=4, words=1) == made.suggest("I ", k=4)


@pytest.mark.parametrize(
    "words, error", ((0, ValueError), (21, ValueError), (1.5, TypeError), ("2", TypeError))
)
def test_bad_numbers_of_words_are_refused(words, error):
    with pytest.raises(error, match=r"LanguageModel\.suggest: words: expected "):
        model("word").suggest("I", words=words)


def test_the_command_suggests_phrases(tmp_path, capsys):
    made = model("word")
    path = str(tmp_path / "m.rnn")
    made.save(path)
    assert main(["lm", "suggest", path, "I want to ", "--words", "2", "-k", "2", "--json"]) == 0
    expected = made.suggest("I want to ", k=2, words=2)
    found = json.loads(capsys.readouterr().out)
    assert found == [{"word": one.word, "probability": one.probability} for one in expected]
