"""The rules of earlier versions: words, and the spaces between them."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnrs.text import join_words, vocabulary_from_config
from rnnrs.text.rules import ends_in_word, split_words

#: Typed text: words, symbols of every kind, line breaks.
WORDY = st.lists(
    st.sampled_from([*"abZ 19.,;:!?()[]{}«»“”‘’'\"$%-—¿…_\n", "don't", "well-known"]), max_size=40
).map("".join)


def earlier(text, **config):
    """Returns the vocabulary of a text as a file of an earlier version describes it."""
    words = sorted(set(split_words(text)))
    config = {
        "level": "word",
        "tokens": ["<eos>", "<unk>", *words],
        "lowercase": False,
        "marks": True,
    } | config
    vocabulary = vocabulary_from_config(config)
    assert json.loads(json.dumps(vocabulary.to_config())) == config
    return vocabulary


@given(WORDY)
def test_words_round_trip_in_normal_form(text):
    vocabulary = earlier(text)
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
    vocabulary = earlier(text)
    ids = vocabulary.encode(text)
    add = vocabulary.stream()
    assert vocabulary.decode(ids) == "".join(map(add, ids)) == text
    assert [vocabulary.surface(piece) for piece in vocabulary.pieces(text)] == vocabulary.pieces(text)


@given(WORDY, WORDY)
def test_more_words_only_append_to_the_text(first, second):
    vocabulary = earlier(first + second)
    ids = vocabulary.encode(first + "\n" + second)
    whole = vocabulary.decode(ids)
    assert all(whole.startswith(vocabulary.decode(ids[:n])) for n in range(len(ids)))


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
        ("你好，世界", ["你好", "，", "世界"]),
        ("don't 'tis well-known a- -b", ["don't", "'", "tis", "well-known", "a", "-", "-", "b"]),
    ],
)
def test_marks_belong_to_the_character_before_them(text, words):
    vocabulary = earlier(text)
    assert split_words(text) == words == [vocabulary.tokens[i] for i in vocabulary.encode(text)]
    assert vocabulary.unknown_id not in vocabulary.encode(vocabulary.decode(vocabulary.encode(text)))
    assert split_words(join_words(words)) == words


@given(st.text(st.characters(exclude_categories=["M", "Cf"]), max_size=60))
def test_texts_without_marks_are_split_as_before(text):
    assert split_words(text) == re.findall(r"\w+(?:['’\-]\w+)*|[^\w\s]", text)


def test_the_first_files_split_marks_off():
    tokens = ["<eos>", "<unk>", "e", "\u0301", "e\u0301"]
    config = {"level": "word", "tokens": tokens, "lowercase": False}
    first = vocabulary_from_config(config)
    assert first.encode("e\u0301").tolist() == [2, 3]
    assert vocabulary_from_config(first.to_config()).encode("e\u0301").tolist() == [2, 3]
    assert earlier("", tokens=tokens).encode("e\u0301").tolist() == [4]
    assert earlier("", tokens=[*tokens, "É"], lowercase=True).encode("E\u0301").tolist() == [4]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("to be", "be"),
        ("to be\n", ""),
        ("to be ", ""),
        ("", ""),
        ("“don't", "don't"),
        ("a-", "a-"),
        ("-a", "a"),
        ("हि", "हि"),
    ],
)
def test_the_word_at_the_end_of_a_text(text, word):
    assert ends_in_word(text) == word and ends_in_word("x! " * 9 + text) == word
