"""Generated text: seeds, temperature, spacing, stop texts, invalid settings."""

from __future__ import annotations

import math

import pytest
from small_language_models import SENTENCES, char_model

from rnnrs.models.language.pieces import Pieces, Until
from rnnrs.text import WordVocabulary


@pytest.mark.parametrize("name", ["trained_words", "trained_characters"])
def test_the_same_seed_gives_the_same_text(request, name):
    model = request.getfixturevalue(name)
    settings = {"length": 40, "temperature": 1.3}
    one = model.generate("I", seed=3, **settings)
    assert one == model.generate("I", seed=3, **settings)
    assert one == "".join(model.stream("I", seed=3, **settings))
    assert len({model.generate("I", seed=seed, **settings) for seed in range(5)}) > 1


def test_generation_takes_the_likeliest_token_at_temperature_0(trained_characters):
    text = trained_characters.generate("To be, or not", length=30, temperature=0)
    assert len(text) == 30
    assert text == trained_characters.generate("To be, or not", length=30, top_k=1, seed=9)
    assert text == trained_characters.generate("To be, or not", length=30, top_p=1e-9, seed=9)
    assert text.startswith(" to be,\nthat is the question:")


def test_generated_words_are_spaced_as_in_text(trained_words):
    for prompt in ("", "I want ", "I want", "You\n"):
        text = prompt + trained_words.generate(prompt, length=60, seed=1)
        assert "  " not in text
        assert " ." not in text
        assert " \n" not in text
        assert "<" not in text
        assert trained_words.vocabulary.encode(text).size == trained_words.vocabulary.encode(prompt).size + 60


def test_generation_ends_before_a_stop_text(trained_words, trained_characters):
    line = trained_words.generate("I want", length=50, seed=2, stop="\n")
    assert "\n" not in line
    assert line.endswith(".")
    text = trained_characters.generate("To be", length=60, temperature=0)
    assert (
        trained_characters.generate("To be", length=60, temperature=0, stop=["quest", "that"])
        == (text[: text.index("that")])
    )
    assert trained_characters.generate("To be", length=0) == ""


def up_to(stops, pieces):
    """The text of pieces up to the first of some texts."""
    until, found = Until(stops), []
    for piece in pieces:
        found.append(until.add(piece, ())[0])
        if until.has_ended:
            return "".join(found)
    return "".join([*found, until.rest()[0]])


def test_a_stop_text_may_be_split_between_pieces():
    for cut in range(1, 12):
        text = "abcabcabd and more"
        pieces = [text[i : i + cut] for i in range(0, len(text), cut)]
        assert up_to(["abcabd"], pieces) == "abc"
        assert up_to(["xyz", "mo"], pieces) == "abcabcabd and "
        assert up_to([], pieces) == text


def test_pieces_join_to_the_text():
    vocabulary = WordVocabulary.build(SENTENCES, min_count=1)
    ids = vocabulary.encode(SENTENCES)
    pieces = Pieces(vocabulary, [], "")
    assert "".join(pieces.push(token) for token in ids.tolist()) == vocabulary.decode(ids) == SENTENCES


@pytest.mark.parametrize(
    "settings",
    [
        {"length": -1},
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"seed": -1},
    ],
)
def test_settings_outside_their_range(settings):
    model = char_model()
    name = next(iter(settings))
    with pytest.raises(ValueError, match=rf"^LanguageModel\.generate: {name}: expected"):
        model.generate(**settings)
    with pytest.raises(ValueError, match=rf"^LanguageModel\.stream: {name}: expected"):
        model.stream(**settings)  # at once, not with the first piece
