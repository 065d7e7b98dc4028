"""Subwords: word pieces shared across languages, with which every text can be encoded."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnrs
from rnnrs.text import (
    SubwordVocabulary,
    vocabulary_from_config,
)

SOME = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind to suffer"
ANY_TEXT = st.text(st.characters(), max_size=60)


def subwords():
    pytest.importorskip("tokenizers")
    return SubwordVocabulary.build(SOME * 20, max_size=320)


def test_two_languages_share_subwords():
    pytest.importorskip("tokenizers")
    german, english = ["Der Hund schläft."] * 30, ["The dog sleeps."] * 30
    joint = SubwordVocabulary.build([*german, *english], max_size=340, lowercase=True)
    assert len(joint.encode("der hund")) < 8 and len(joint.encode("the dog")) < 7
    assert joint.decode(joint.encode("Der DOG schläft")) == "der dog schläft"
    again = vocabulary_from_config(joint.to_config())
    np.testing.assert_array_equal(again.encode("THE Hund"), joint.encode("the hund"))


def test_subwords_encode_every_text():
    vocabulary = subwords()

    @given(ANY_TEXT)
    @settings(max_examples=100, deadline=None)
    def round_trips(text):
        expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        assert vocabulary.decode(vocabulary.encode(text)) == expected

    round_trips()
    for text in ("a<eos>b <unk>", "  two  spaces ", "\ud800 half", SOME):
        ids = vocabulary.encode(text)
        assert np.count_nonzero(ids == vocabulary.end_id) == text.count("\n")
        assert vocabulary.decode(ids) == text.replace("\ud800", "\ufffd")
    assert len(vocabulary.encode("question")) < len("question")
    assert len(vocabulary) <= 320


def test_building_subwords_is_deterministic():
    assert subwords().tokens == subwords().tokens


def test_invalid_tokenizers_are_refused():
    pytest.importorskip("tokenizers")
    other = json.loads(subwords().to_config()["tokenizer"])
    other["added_tokens"] = []
    for tokenizer in ("", "{}", "nonsense", json.dumps(other).replace("<eos>", "<end>")):
        with pytest.raises(ValueError, match="SubwordVocabulary: tokenizer: expected"):
            SubwordVocabulary(tokenizer)
    with pytest.raises(ValueError, match="size: expected a whole number from 300, got 10"):
        SubwordVocabulary.build(SOME, max_size=10)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(
        rnnrs.MissingExtraError, match=r'tokenizers is not installed: pip install "rnnrs\[subword\]"'
    ):
        SubwordVocabulary.build(SOME)
    with pytest.raises(ImportError):
        vocabulary_from_config({"level": "subword", "tokenizer": "{}"})
