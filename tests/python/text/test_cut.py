"""Places that divide a text: the tokens before them stay the same, whatever follows."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rnnrs.text import CharVocabulary, SubwordVocabulary, TokenVocabulary, WordVocabulary
from rnnrs.text.earlier import EarlierWordVocabulary

TEXT = (
    "I want to go home. “Don't go,” she said; (it's late!) — well-known\r\n3.14 e\u0301 ΣΑΣ x\n\n"
    "मैं हिन्दी बोलता हूँ। 我想回家。你好世界！ ฉันกินข้าว เธอ กิน 😀 👨‍👩‍👧 1\ufe0f\u20e3 a\u00adb <eos> <unk> ￭ ␣ ˈa\n"
)
PIECES = [
    *TEXT,
    *"  \n\t\x1c\x85\u00a0\u3000\u200b\u200d\u0301'’\"“”()[]$,.;:!?-—/@#",
    "want ",
    "to ",
    "home ",
    "我",
    "ก",
]
PIECES += ["\ud83d", "\ude00", "\r\n", "Σ", "अ", "\u094d", "🇫", "🇷", "  ", "'s", " '", '"']


def subwords(**options):
    pytest.importorskip("tokenizers")
    return SubwordVocabulary.build(TEXT * 4, max_size=400, **options)


VOCABULARIES = {
    "char": lambda: CharVocabulary.build(TEXT),
    "word": lambda: WordVocabulary.build(TEXT, min_count=1),
    "word, lower case": lambda: WordVocabulary.build(TEXT, min_count=1, lowercase=True),
    "word, plain": lambda: WordVocabulary(["<eos>", "<unk>", "want", "to", '"￭', "我", "(", "(￭"]),
    "word, earlier": lambda: EarlierWordVocabulary(
        ["<eos>", "<unk>", "want", "to", "(", "e\u0301"], lowercase=True
    ),
    "token": lambda: TokenVocabulary.build(TEXT, min_count=1, lowercase=True),
    "subword": subwords,
    "subword, lower case": lambda: subwords(lowercase=True),
}


def random_text(draw: random.Random, most: int) -> str:
    """Mostly pieces of the text, so that tokens are known, and any signs between them."""
    parts = []
    for _ in range(draw.randrange(most)):
        begin = draw.randrange(len(TEXT))
        parts += [TEXT[begin : begin + draw.randrange(12)], draw.choice(PIECES)]
    return "".join(parts)


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_tokens_before_a_cut_stay_the_same(kind):
    vocabulary, draw, cuts = VOCABULARIES[kind](), random.Random(7), 0
    for _ in range(400):
        text, more = random_text(draw, 8), random_text(draw, 4)
        place = vocabulary.cut(text)
        assert 0 <= place <= len(text)
        cuts += place > 0
        whole = vocabulary.context(text + more)
        rest = vocabulary.context(text[place:] + more)
        np.testing.assert_array_equal(whole, np.concatenate([vocabulary.encode(text[:place]), rest]))
        assert len(vocabulary.unfinished(text)) <= len(text) - place
        assert vocabulary.unfinished(text[place:]) == vocabulary.unfinished(text)
    assert cuts > 200


@pytest.mark.parametrize("kind", VOCABULARIES)
@pytest.mark.parametrize(
    "text", ["I want to go home, she said to her. ", "मैं हिन्दी बोलता हूँ और हम हिन्दी पढ़ते हैं "]
)
def test_ordinary_texts_are_divided_near_their_end(kind, text):
    assert len(text * 5) - VOCABULARIES[kind]().cut(text * 5) < 30


def test_scripts_without_spaces_are_divided_between_letters():
    """A vocabulary of words divides between two letters, the others where their words or lines end."""
    for text in ("我想回家你好世界", "ฉันกินข้าวกบขนม", "សកលលោក"):
        assert len(text * 5) - VOCABULARIES["word"]().cut(text * 5) < 20


def test_a_tokenizer_of_another_kind_divides_at_line_breaks():
    tokenizers = pytest.importorskip("tokenizers")
    own = tokenizers.Tokenizer.from_str(subwords().to_config()["tokenizer"])
    own.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    vocabulary = SubwordVocabulary(own.to_str())
    assert vocabulary.cut("I want to\ngo home now") == 10
    assert vocabulary.cut("I want to go") == 0


@pytest.mark.parametrize("lowercase", (False, True))
def test_subwords_are_divided_before_signs_after_letters_without_spaces(lowercase):
    vocabulary, draw = subwords(lowercase=lowercase), random.Random(3)
    letters = [
        *"我想家กนひア龜aΣ1²ⅷ'’，。、「」！（）：；？,.:;!?()- ",
        "\u3099",
        "\u0e49",
        "ー",
        "\u0301",
        "'s",
        "\n",
    ]
    for _ in range(400):
        text, more = ("".join(draw.choices(letters, k=draw.randrange(12))) for _ in range(2))
        place = vocabulary.cut(text)
        whole, parts = vocabulary.context(text + more), vocabulary.context(text[place:] + more)
        np.testing.assert_array_equal(whole, np.concatenate([vocabulary.encode(text[:place]), parts]))
        assert vocabulary.unfinished(text[place:]) == vocabulary.unfinished(text)
    assert vocabulary.cut("我想回家。你好世界！我") == 9
