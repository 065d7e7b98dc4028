"""Encoding text as ids and decoding it, by characters, words and subwords."""

import json
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnrs
from rnnrs.text import (
    CharVocabulary,
    SubwordVocabulary,
    WordVocabulary,
    capitalize,
    find_words,
    join_words,
    tiny_shakespeare,
    vocabulary_from_config,
)

SOME = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind to suffer"
ANY_TEXT = st.text(st.characters(), max_size=60)
#: Typed text: words, symbols of every kind, line breaks.
WORDY = st.lists(
    st.sampled_from([*"abZ 19.,;:!?()[]{}«»“”‘’'\"$%-—¿…_\n", "don't", "well-known"]), max_size=40
).map("".join)


def subwords():
    pytest.importorskip("tokenizers")
    return SubwordVocabulary.build(SOME * 20, max_size=320)


@pytest.fixture(params=["char", "word", "subword"])
def vocabulary(request):
    if request.param == "char":
        return CharVocabulary.build(SOME)
    return WordVocabulary.build(SOME, min_count=1) if request.param == "word" else subwords()


# --- every vocabulary


@given(text=ANY_TEXT)
@settings(max_examples=50, deadline=None)
def test_every_text_is_encoded_with_ids_of_the_vocabulary(text):
    for vocabulary in (CharVocabulary.build(SOME), WordVocabulary.build(SOME, min_count=1)):
        ids = vocabulary.encode(text)
        assert ids.dtype == np.int64 and ids.ndim == 1
        assert not ids.size or (ids.min() >= 0 and ids.max() < len(vocabulary))
        assert np.count_nonzero(ids == vocabulary.end_id) == text.count("\n")
        assert isinstance(vocabulary.decode(ids), str)


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


# --- words


@given(WORDY)
def test_words_round_trip_in_normal_form(text):
    vocabulary = WordVocabulary.build(text + " a", min_count=1)
    ids = vocabulary.encode(text)
    normal = vocabulary.decode(ids)
    np.testing.assert_array_equal(vocabulary.encode(normal), ids)
    assert vocabulary.decode(vocabulary.encode(normal)) == normal
    assert re.sub(r"[ \t]", "", normal) == re.sub(r"[ \t]", "", text)


@pytest.mark.parametrize(
    "text",
    [
        "Well, that's it: don't go; stay! Will you? Yes.",
        'He said, "I\'m (really) tired." "Go," she said.',
        '"One\n"Two" three',
        "It costs $5 (or €4), 20% less… a well-known [fact].",
        "¿Qué? «Oui» “quoted” {x}",
        "\n\na\n",
        "„Ja“, sagte er, „sie ist ‚hier‘.“",
        "Er rief: »Komm!« Sie las ‚Faust‘ (‹S. 3›).",
        "»Nein«, sagt er: ›gut‹.",
        "«L'homme qu'il a vu», dit-elle, «c'est moi.»",
        "L’été, aujourd’hui: 20%.",
        "यह हिन्दी है। क्या?",
        "هل تعرف؟ نعم، أعرف؛",
    ],
)
def test_decoded_words_have_their_original_spacing(text):
    vocabulary = WordVocabulary.build(text, min_count=1)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(WORDY, WORDY)
def test_more_words_only_append_to_the_text(first, second):
    vocabulary = WordVocabulary.build(first + second + " a", min_count=1)
    ids = vocabulary.encode(first + "\n" + second)
    whole = vocabulary.decode(ids)
    assert all(whole.startswith(vocabulary.decode(ids[:n])) for n in range(len(ids)))


def test_words_are_ordered_by_frequency_then_alphabetically():
    vocabulary = WordVocabulary.build("b a c c a b c d .", min_count=1)
    assert vocabulary.tokens == ["<eos>", "<unk>", "c", "a", "b", ".", "d"]
    assert (vocabulary.end_id, vocabulary.unknown_id) == (0, 1)
    assert vocabulary.encode("c D\n.").tolist() == [2, 1, 0, 5]
    assert vocabulary.decode([1]) == "<unk>"
    assert WordVocabulary.build("b a c c a b c d .", min_count=2).tokens[2:] == ["c", "a", "b"]
    assert WordVocabulary.build("b a c c a b c d .", max_size=4).tokens[2:] == ["c", "a"]


def test_case_can_be_ignored():
    vocabulary = WordVocabulary.build("The the THE end End", min_count=1, lowercase=True)
    assert vocabulary.tokens[2:] == ["the", "end"]
    assert vocabulary.encode("tHe END").tolist() == [2, 3]
    assert vocabulary_from_config(vocabulary.to_config()).encode("tHe END").tolist() == [2, 3]


def test_a_text_cannot_forge_the_special_tokens():
    vocabulary = WordVocabulary.build("<eos> < > <unk>", min_count=1)
    assert vocabulary.end_id not in vocabulary.encode("<eos> <unk>")
    assert vocabulary.unknown_id not in vocabulary.encode("<eos> <unk>")


def test_invalid_word_vocabulary_settings_are_refused():
    for options, error, message in (
        ({"min_count": 0}, ValueError, "min_count: expected a whole number from 1, got 0"),
        ({"min_count": 1.5}, TypeError, "min_count: expected a whole number"),
        ({"min_count": 9}, ValueError, "expected a word that occurs 9 times, got none"),
        ({"max_size": 2}, ValueError, "max_size: expected a whole number from 3, got 2"),
    ):
        with pytest.raises(error, match=message):
            WordVocabulary.build("a a b", **options)
    for tokens in (["a"], ["<unk>", "<eos>"], ["<eos>", "<unk>", "a", "a"]):
        with pytest.raises(ValueError, match="WordVocabulary: tokens: expected"):
            WordVocabulary(tokens)


def test_words_by_prefix():
    vocabulary = WordVocabulary.build("the the the Then Then they Tom 's , Äpfel", min_count=1)

    def words(prefix):
        ids = vocabulary.with_prefix(prefix)
        assert ids.dtype == np.int64 and (np.diff(ids) > 0).all()
        return [vocabulary.tokens[i] for i in ids]

    assert words("the") == ["the", "they"]
    assert words("The") == ["Then"]
    assert words("THE") == ["the", "Then", "they"]  # only in another case
    assert words("to") == ["Tom"]
    assert words("ä") == ["Äpfel"]
    assert words("x") == []
    assert len(words("")) == 6  # all words, no symbols


@given(st.lists(st.text("abAB", min_size=1, max_size=4), min_size=1), st.text("abAB", max_size=3))
def test_words_by_prefix_match_a_linear_search(words, prefix):
    vocabulary = WordVocabulary.build(" ".join(words), min_count=1)
    every = range(2, len(vocabulary))
    expected = [i for i in every if vocabulary.tokens[i].startswith(prefix)]
    expected = expected or [i for i in every if vocabulary.tokens[i].lower().startswith(prefix.lower())]
    assert vocabulary.with_prefix(prefix).tolist() == expected


# --- word boundaries


@pytest.mark.parametrize(
    "text, words",
    [
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("ที่นี่ ดี", ["ที่นี่", "ดี"]),
        ("cafe\u0301 na\u00efve e\u0301", ["cafe\u0301", "na\u00efve", "e\u0301"]),
        ("l'e\u0301te\u0301-la\u0300!", ["l'e\u0301te\u0301-la\u0300", "!"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("❤\ufe0f,ok", ["❤\ufe0f", ",", "ok"]),
        ("\u0301a", ["\u0301", "a"]),
        ("don't 'tis well-known a- -b", ["don't", "'", "tis", "well-known", "a", "-", "-", "b"]),
    ],
)
def test_marks_belong_to_the_character_before_them(text, words):
    assert find_words(text) == words
    vocabulary = WordVocabulary.build(text, min_count=1)
    assert [vocabulary.tokens[i] for i in vocabulary.encode(text)] == words
    assert vocabulary.unknown_id not in vocabulary.encode(vocabulary.decode(vocabulary.encode(text)))
    assert find_words(join_words(words)) == words


@given(st.text(st.characters(exclude_categories=["M", "Cf"]), max_size=60))
def test_texts_without_marks_are_split_as_before(text):
    assert find_words(text) == re.findall(r"\w+(?:['’\-]\w+)*|[^\w\s]", text)


def test_a_vocabulary_from_an_earlier_file_splits_as_before():
    config = {"level": "word", "tokens": ["<eos>", "<unk>", "e", "\u0301", "e\u0301"], "lowercase": False}
    assert vocabulary_from_config(config).encode("e\u0301").tolist() == [2, 3]
    new = WordVocabulary(config["tokens"])
    assert new.encode("e\u0301").tolist() == [4]
    assert vocabulary_from_config(new.to_config()).encode("e\u0301").tolist() == [4]
    old = vocabulary_from_config(config)
    assert vocabulary_from_config(old.to_config()).encode("e\u0301").tolist() == [2, 3]


def test_sentences_begin_with_capitals():
    assert capitalize('well. that\'s "it"? "yes." 3.5 is ok\n«été» (no)') == (
        'Well. That\'s "it"? "Yes." 3.5 is ok\n«Été» (no)'
    )
    assert capitalize("") == "" and capitalize("¿qué? ¡sí!") == "¿Qué? ¡Sí!"


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
