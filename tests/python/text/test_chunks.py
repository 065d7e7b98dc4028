"""Texts that are read part by part: the same tokens and the same vocabularies as in one piece."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnrs import _rnnrs
from rnnrs.text import VOCABULARIES, build_vocabulary, lexicon, read_text, text_parts, words
from rnnrs.text.corpus import chunks
from rnnrs.text.parallel import in_order
from rnnrs.text.vocabulary import parts_of

#: Words, signs with marks of several kinds, scripts without spaces, combining marks, lower case by context.
ALPHABET = [
    *"ab Cé \n\"'-.,(« Ш你。のำกẬΣ한글",
    "\u0301",
    "\u200d",
    "\ufe0f",
    "\u3000",
    "the ",
    "ΟΔΟΣ ",
    "\n\n",
]

TEXTS = st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=60).map("".join).filter(str.strip)


def cut(text, places):
    places = sorted({0, len(text), *(place % len(text) for place in places)})
    return [text[a:b] for a, b in pairwise(places)]


@pytest.mark.parametrize("level", ["char", "word", "token"])
@pytest.mark.parametrize("lowercase", [False, True])
@given(text=TEXTS, places=st.lists(st.integers(0, 100), max_size=8))
@settings(max_examples=60)
def test_chunks_have_the_tokens_of_the_text(level, lowercase, text, places):
    options = {} if level == "char" else {"min_count": 1, "lowercase": lowercase}
    vocabulary = build_vocabulary(level, text, options)
    found = list(chunks(cut(text, places), vocabulary.divided))
    assert "".join(found) == text
    assert all(found)
    ids = np.concatenate([vocabulary.encode(chunk) for chunk in found])
    np.testing.assert_array_equal(ids, vocabulary.encode(text))
    assert build_vocabulary(level, iter(found), options).to_config() == vocabulary.to_config()


def test_subwords_of_chunks():
    text = "the cat sat on the mat。你好，世界 and\nthe rest " * 20
    vocabulary = build_vocabulary("subword", text, {"max_size": 300})
    found = list(chunks(cut(text, range(13, 900, 37)), vocabulary.divided))
    assert len(found) > 10
    assert any(not chunk.endswith("\n") for chunk in found[:-1])
    np.testing.assert_array_equal(
        np.concatenate([vocabulary.encode(chunk) for chunk in found]), vocabulary.encode(text)
    )
    assert build_vocabulary("subword", found, {"max_size": 300}).to_config() == vocabulary.to_config()


def test_a_chunk_ends_where_a_line_ends_or_goes_on_until_a_border():
    divided = VOCABULARIES["word"].divided
    assert list(chunks(["one, t", "wo\nthr", "ee"], divided)) == ["one, two\n", "three"]
    assert list(chunks(["one two th", "ree four"], divided)) == ["one two", " three", " four"]
    assert list(chunks(["(one), ", "(two), ", "(three)"], divided)) == ["(one), (two), (three)"]


def test_parts_are_joined_before_they_are_counted(monkeypatch):
    monkeypatch.setattr("rnnrs.text.vocabulary.PART", 5)
    assert list(parts_of("op", ["ab", "cd", "efghijk", "l"])) == ["ab\ncd\nefghijk", "l"]
    with pytest.raises(ValueError, match="op: text: expected some text, got only white space"):
        list(parts_of("op", [" ", "\n"]))
    with pytest.raises(ValueError, match="op: text: expected some text, got nothing"):
        list(parts_of("op", []))
    with pytest.raises(TypeError, match="op: text: expected a string, got int"):
        list(parts_of("op", ["a", 1]))


@pytest.mark.parametrize(("level", "module"), [("word", words), ("token", lexicon)])
def test_too_many_words_are_pruned_and_that_is_known(monkeypatch, level, module):
    monkeypatch.setattr("rnnrs.text.vocabulary.PART", 8)
    monkeypatch.setattr(module, "MOST_TYPES", 8)
    text = ["the cat the cat", *(f"once{i} the" for i in range(8)), "cat cat cat"]
    vocabulary = build_vocabulary(level, text, {"min_count": 1})
    assert vocabulary.tokens[2:4] == ["the", "cat"]
    assert len(vocabulary) < 2 + 10
    assert 1 <= vocabulary.undercount <= 2
    assert build_vocabulary(level, text[:3], {"min_count": 1}).undercount == 0


def test_results_come_in_order_whatever_the_threads():
    before = _rnnrs.get_num_threads()
    try:
        for threads in (1, 3):
            _rnnrs.set_num_threads(threads)
            assert list(in_order(lambda n: n * n, iter(range(50)))) == [n * n for n in range(50)]
            with pytest.raises(ZeroDivisionError):
                list(in_order(lambda n: 1 // n, [2, 1, 0, 5]))
    finally:
        _rnnrs.set_num_threads(before)


def test_parts_of_files_are_their_text(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnrs.reading._PART", 5)
    for name, text in (("a", "one\r\ntwo"), ("b", "\ufeffthrée\rfour\n"), ("c", "five\n\n")):
        (tmp_path / name).write_bytes(text.encode())
    paths = [tmp_path / name for name in "abc"]
    assert "".join(text_parts(*paths)) == read_text(*paths) == "one\ntwo\nthrée\nfour\nfive\n\n"
    (tmp_path / "d").write_bytes(b"text\0more")
    with pytest.raises(ValueError, match="d: expected a text, got a binary file"):
        list(text_parts(*paths, tmp_path / "d"))
    (tmp_path / "e").write_bytes(b" \n ")
    with pytest.raises(ValueError, match="e: expected a text, got only whitespace"):
        list(text_parts(tmp_path / "e"))
    with pytest.raises(ValueError, match="text_parts: paths: expected at least one file, got none"):
        list(text_parts())
