"""Texts that come in tokens already."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rnnrs.text import TokenVocabulary, build_vocabulary

TEXT = "he did n't say ` ` no ' ' .\na <unk> said so @-@ 3.14 . . \u200f"


def test_tokens_are_taken_as_they_stand():
    vocabulary = TokenVocabulary.build(TEXT, min_count=1)
    assert set(vocabulary.tokens) == {"<eos>", *TEXT.split()}
    assert vocabulary.tokens[:3] == ["<eos>", "<unk>", "."]
    assert vocabulary.pieces(TEXT) == TEXT.replace("\n", " <eos> ").split()
    assert vocabulary.decode(vocabulary.encode(TEXT)) == TEXT
    assert build_vocabulary("token", TEXT, {"min_count": 1}).tokens == vocabulary.tokens


def test_the_special_tokens_in_a_text_are_unknown():
    vocabulary = TokenVocabulary.build("a <unk> <eos> a", min_count=1)
    assert vocabulary.tokens == ["<eos>", "<unk>", "a"]
    assert vocabulary.encode("a <unk> b <eos>\na").tolist() == [2, 1, 1, 1, 0, 2]
    assert vocabulary.pieces("a <unk> b <eos>\na") == ["a", "<unk>", "b", "<unk>", "<eos>", "a"]
    assert vocabulary.ids_of(["a", "<eos>", "<unk>", "b"]).tolist() == [2, 1, 1, 1]
    assert vocabulary.join(["a", "b", "<eos>", "c", "d"]) == "a b\nc d"


@given(st.text())
@example("a <eos> <unk>")
def test_only_white_space_is_a_border(text):
    vocabulary = TokenVocabulary.build(text + " a", min_count=1)
    known = [token for token in text.split() if token not in ("<eos>", "<unk>")]
    assert set(vocabulary.tokens[2:]) == {*known, "a"}
    expected = ["<unk>" if token == "<eos>" else token for token in text.split()]
    assert vocabulary.decode(vocabulary.encode(text)).split() == expected


def test_options_and_their_errors():
    assert TokenVocabulary.build("A a b b", lowercase=True).tokens[2:] == ["a", "b"]
    assert TokenVocabulary.build("A a b b", min_count=1, max_size=4).tokens[2:] == ["b", "A"]
    assert TokenVocabulary.build("a", min_count=1, lowercase=True).encode("A").tolist() == [2]
    for options, message in (
        ({"min_count": 9}, "expected a word that occurs 9 times, got none"),
        ({"max_size": 2}, "max_size: expected a whole number from 3, got 2"),
        ({"min_count": 0}, "min_count: expected a whole number from 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            TokenVocabulary.build("a a b", **options)
    with pytest.raises(ValueError, match="expected a word that occurs 2 times"):
        TokenVocabulary.build("<unk> <unk>")
    for tokens in (["a"], ["<unk>", "<eos>"], ["<eos>", "<unk>", "a", "a"]):
        with pytest.raises(ValueError, match="TokenVocabulary: tokens: expected"):
            TokenVocabulary(tokens)


@pytest.mark.parametrize(
    "text, unfinished",
    [("the ca", "ca"), ("the ca-", "ca-"), ("the ", ""), ("", ""), ("so\n", ""), ("n't", "n't")],
)
def test_the_last_token_may_be_unfinished(text, unfinished):
    assert TokenVocabulary.build("a", min_count=1).unfinished(text) == unfinished
