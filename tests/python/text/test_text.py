"""Encoding text as ids and decoding it, by characters, words and subwords."""

import copy
import json
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnrs
from rnnrs.text import (
    VOCABULARIES,
    CharVocabulary,
    SubwordVocabulary,
    TokenVocabulary,
    WordVocabulary,
    tiny_shakespeare,
    vocabulary_from_config,
)

SOME = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind to suffer"
ANY_TEXT = st.text(st.characters(), max_size=60)


def subwords():
    pytest.importorskip("tokenizers")
    return SubwordVocabulary.build(SOME * 20, max_size=320)


@pytest.fixture(params=list(VOCABULARIES))
def vocabulary(request):
    if request.param == "subword":
        return subwords()
    options = {} if request.param == "char" else {"min_count": 1}
    return VOCABULARIES[request.param].build(SOME, **options)


# --- every vocabulary


@given(text=ANY_TEXT)
@settings(max_examples=50, deadline=None)
def test_every_text_is_encoded_with_ids_of_the_vocabulary(text):
    for kind in (WordVocabulary, TokenVocabulary):
        check_encoding(kind.build(SOME, min_count=1), text)
    check_encoding(CharVocabulary.build(SOME), text)


def check_encoding(vocabulary, text):
    ids, pieces = vocabulary.encode(text), vocabulary.pieces(text)
    assert ids.dtype == np.int64 and ids.ndim == 1
    assert not ids.size or (ids.min() >= 0 and ids.max() < len(vocabulary))
    assert np.count_nonzero(ids == vocabulary.end_id) == text.count("\n")
    assert isinstance(vocabulary.decode(ids), str)
    assert len(pieces) == len(ids)
    for id, piece in zip(ids, pieces, strict=True):
        assert id == (vocabulary.unknown_id if vocabulary.id_of(piece) is None else vocabulary.id_of(piece))


def test_a_vocabulary_round_trips_through_its_config(vocabulary):
    config = json.loads(json.dumps(vocabulary.to_config()))
    again = vocabulary_from_config(config)
    assert type(again) is type(vocabulary)
    assert (again.tokens, again.end_id, again.unknown_id) == (
        vocabulary.tokens,
        vocabulary.end_id,
        vocabulary.unknown_id,
    )
    np.testing.assert_array_equal(again.encode(SOME + "?!ß"), vocabulary.encode(SOME + "?!ß"))
    assert len(again) == len(vocabulary) == len(vocabulary.tokens) == len(set(vocabulary.tokens))
    assert f"({len(vocabulary)} tokens)" in repr(vocabulary)


def test_invalid_ids_are_refused(vocabulary):
    size = len(vocabulary)
    for ids, error, message in (
        ([0, size], IndexError, f"ids: expected 0 to {size - 1}, got {size} at position 1"),
        ([-1], IndexError, "got -1 at position 0"),
        ([0.0], rnnrs.DTypeError, "ids: expected whole numbers, got float64"),
        ([True], rnnrs.DTypeError, "got bool"),
        (["a"], rnnrs.DTypeError, "expected whole numbers"),
        ([[0]], rnnrs.ShapeError, r"expected a vector \(N,\), got shape \(1, 1\)"),
        (0, rnnrs.ShapeError, r"got shape \(\)"),
        ("01", rnnrs.ShapeError, r"got shape \(\)"),
    ):
        with pytest.raises(error, match=message):
            vocabulary.decode(ids)


def test_ids_in_any_sequence_type_are_decoded(vocabulary):
    ids = vocabulary.encode(SOME)
    expected = vocabulary.decode(ids)
    for same in (
        ids.tolist(),
        tuple(ids),
        iter(ids),
        ids.astype(">i4"),
        ids.astype(np.uint16),
        ids.repeat(2)[::2],
    ):
        assert vocabulary.decode(same) == expected
    assert vocabulary.decode([]) == "" and vocabulary.encode("").shape == (0,)


def test_texts_that_are_not_strings_are_refused(vocabulary):
    for text in (None, b"bytes", 3, ["a"]):
        with pytest.raises(TypeError, match=r"\.encode: text: expected a string, got "):
            vocabulary.encode(text)
    for text in (None, b"bytes", 3, ["a", 3]):
        with pytest.raises(TypeError, match="text: expected a string, got "):
            type(vocabulary).build(text)
    for text in ("", " \n\t", [], ["", " "]):
        with pytest.raises(ValueError, match="text: expected some text"):
            type(vocabulary).build(text)


def test_a_list_of_sentences_equals_a_text_of_lines(vocabulary):
    lines = SOME.split("\n") * 20
    for first, second in ((lines, "\n".join(lines)), (iter(lines), lines)):
        one, other = (type(vocabulary).build(text) for text in (first, second))
        assert one.tokens == other.tokens
    several = vocabulary.encode_all([*lines[:3], "", "x\ny"])
    for ids, line in zip(several, [*lines[:3], "", "x\ny"], strict=True):
        assert ids.dtype == np.int64
        np.testing.assert_array_equal(ids, vocabulary.encode(line))


def test_streamed_text_is_the_decoded_text(vocabulary):
    ids = vocabulary.encode(SOME)
    for first in (0, 1, 5, 20):
        add = vocabulary.stream(ids[:first])
        assert vocabulary.decode(ids[:first]) + "".join(map(add, ids[first:])) == vocabulary.decode(ids)


def test_tokens_one_by_one_have_the_ids_of_the_text(vocabulary):
    words = {"char": list("To b"), "word": ["To", "be", ","], "token": ["To", "be,"]}.get(
        vocabulary.level, []
    )
    ids = vocabulary.ids_of([*words, "\x00"])
    assert ids.dtype == np.int64 and ids[-1] == vocabulary.unknown_id
    np.testing.assert_array_equal(ids[:-1], vocabulary.encode(SOME)[: len(words)])


def test_copies_of_a_vocabulary_encode_alike(vocabulary):
    for again in (copy.deepcopy(vocabulary), pickle.loads(pickle.dumps(vocabulary))):
        np.testing.assert_array_equal(again.encode(SOME + "?!ß"), vocabulary.encode(SOME + "?!ß"))
        assert again.decode(again.encode(SOME)) == vocabulary.decode(vocabulary.encode(SOME))


# --- characters


@given(st.text(min_size=1).filter(str.strip))
def test_characters_round_trip(text):
    vocabulary = CharVocabulary.build(text)
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert len(ids) == len(text)
    assert vocabulary.tokens == sorted({*text, "\n", "\ufffd"})


def test_an_unseen_character_is_unknown():
    vocabulary = CharVocabulary.build("a")
    assert vocabulary.tokens == ["\n", "a", "\ufffd"]
    assert vocabulary.encode("a\U0001f600\0ba\ud800").tolist() == [1, 2, 2, 2, 1, 2]


@pytest.mark.parametrize(
    "characters", [["a"], ["\n", "a"], ["\n", "\ufffd", "a", "a"], ["\n", "\ufffd", "ab"], []]
)
def test_invalid_characters_are_refused(characters):
    with pytest.raises(ValueError, match="CharVocabulary: characters: expected"):
        CharVocabulary(characters)


# --- optional packages, configs, speed


def test_a_broken_package_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import nowhere_to_be_found")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found") as caught:
        rnnrs.errors.require("half_there", "half")
    assert not isinstance(caught.value, rnnrs.MissingExtraError)
    assert rnnrs.errors.require("json.decoder", "none").__name__ == "json.decoder"


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        {},
        {"level": "sentence"},
        {"level": "char"},
        {"level": "char", "tokens": "\n\ufffd"},
        {"level": "char", "tokens": ["a", 3]},
        {"level": "char", "tokens": ["\n"]},
        {"level": "word", "tokens": ["<eos>", "<unk>"]},
        {"level": "word", "tokens": ["<unk>"], "lowercase": False},
        {"level": "subword", "tokenizer": "nonsense"},
        {"level": "word", "tokens": ["<unk>", "<eos>", "a"], "lowercase": False, "reversible": True},
        {"level": "word", "tokens": ["<eos>", "<unk>", "￭", "￭"], "lowercase": False, "reversible": True},
        {"level": "word", "tokens": ["<eos>", "<unk>", "￭", "␣"], "lowercase": False, "reversible": 1},
        {"level": "token", "tokens": ["<eos>", "a"], "lowercase": False},
    ],
)
def test_invalid_configs_are_refused(config):
    with pytest.raises(rnnrs.FormatError, match=r"^vocabulary: ") as caught:
        vocabulary_from_config(config)
    assert "\n" not in str(caught.value)


def test_a_million_characters_are_encoded_at_once():
    text = tiny_shakespeare()
    vocabulary = CharVocabulary.build(text)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        ids = vocabulary.encode(text)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1  # 5 ms is usual
    assert vocabulary.decode(ids) == text
