"""Words and symbols with marks: where texts are cut, and that they are written back."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnrs.text
from rnnrs.text import (
    WordVocabulary,
    capitalize,
    chatterbot_dialogues,
    debian_synopses,
    find_words,
    tatoeba_pairs,
    tiny_shakespeare,
    vocabulary_from_config,
)
from rnnrs.text.words import first_words, is_word

FAMILY, THUMB, KEYCAP = "👨\u200d👩\u200d👧\u200d👦", "👍🏽", "1\ufe0f\u20e3"

#: A text, and its tokens in its own vocabulary, with a space between them.
CASES = {
    "Well, that's it: don't go; stay! Will you?": "Well , that's it : don't go ; stay ! Will you ?",
    'He said, "I\'m (really) tired." "Go," she said.': (
        'He said , "￭ I\'m ( really ) tired . ￭" "￭ Go , ￭" she said .'
    ),
    "It costs $5 (or €4), 20% less… a well-known [fact].": (
        "It costs $ 5 ( or € 4 ) , 20 % less … a well-known [ fact ] ."
    ),
    "pi is 3.14 at 10:30": "pi is 3 .￭ 14 at 10 :￭ 30",
    "https://a.org/b?c=d&e#f": "https : ￭/ ￭/￭ a .￭ org ￭/￭ b ?￭ c ￭=￭ d ￭&￭ e ￭#￭ f",
    "me@mail.example.org": "me ￭@￭ mail .￭ example .￭ org",
    "the U.S.A. and C++": "the U .￭ S .￭ A . and C ￭+ ￭+",
    "l'eau !": "l'eau ␣!",
    "« L'été », dit-elle : ça va ?": "«␣ L'été ␣» , dit-elle ␣: ça va ␣?",
    "«L'homme», „so“, »so«, ‚so‘, ›so‹": "« L'homme » , „ so ￭“ , ␣»￭ so ￭« , ‚ so ￭‘ , ␣›￭ so ￭‹",
    "“quoted” and ‘so’": "“ quoted ” and ‘ so ’",
    "a--b — c—d": "a ￭- ￭-￭ b — c ￭—￭ d",
    "你好，世界。": "你 好 ， 世 界 。",
    "他说：“好！”（对）": "他 说 ： “ 好 ！ ” （ 对 ）",
    "在 Linux 系统,在Linux系统": "在␣ Linux ␣系 统 , 在 Linux 系 统",
    "第3回、パソコンを買う。": "第 3 回 、 パソコン を 買 う 。",
    "한국어 텍스트는 이렇다.": "한국어 텍스트는 이렇다 .",
    "ที่นี่ดี 10 ปี": "ที่ นี่ ดี 10 ␣ปี",
    "यह हिन्दी है। क्या?": "यह हिन्दी है । क्या ?",
    "هل تعرف؟ نعم، أعرف؛": "هل تعرف ؟ نعم ، أعرف ؛",
    "\u200fשלום\u200f, עולם! \u200e(a)\u200e": "\u200fשלום\u200f , עולם ! \u200e( a )\u200e",
    "co\u00adop\u00aderation e\u0301te\u0301": "co\u00adop\u00aderation e\u0301te\u0301",
    "\u0301a \u0301 b": "\u0301￭ a \u0301 b",
    f"{FAMILY}{THUMB} 🇫🇷🇩🇪 {KEYCAP}ok": f"{FAMILY} ￭{THUMB} 🇫🇷 ￭🇩🇪 {KEYCAP}￭ ok",
    "می\u200cخواهم": "می\u200cخواهم",
    "￭ ␣ a￭b": "￭￭￭ ␣␣␣ a ￭￭￭ b",
    "a\u00a0b\x1cc\x85d\u2028e\u3000f": "a b c d e f",
    "a\u200bb": "a \u200b b",
}

ANY_TEXT = st.text(st.characters(), max_size=60)
#: Characters with a part in segmentation.
SCRIPTS = st.text(
    st.sampled_from(
        "ab19_'’-—.,;:!?()«»“„\"$%/@ \n\t\xa0\x1c\x85\u2028\u00ad\u200b\u200c\u200d\u200f\u0301\ufe0f\u20e3"
        "👩👧🏽🇫🇷❤你好世，。（「ーカのกำที่हिन्दीالعربيةשלוםㄱ한각￭␣\u0600\ufeff\x00\ud800ẞİςΣ"
    ),
    max_size=40,
)


def squeezed(text):
    """Returns a text with one space for each run of white space, without lone surrogates."""
    return re.sub("[\ud800-\udfff]", "\ufffd", " ".join(text.split()))


@pytest.mark.parametrize("text", CASES)
def test_texts_are_cut_and_marked(text):
    vocabulary = WordVocabulary.build(text, min_count=1)
    assert " ".join(vocabulary.pieces(text)) == CASES[text]
    assert vocabulary.decode(vocabulary.encode(text)) == squeezed(text)
    surfaces = [vocabulary.surface(piece) for piece in vocabulary.pieces(text)]
    assert surfaces == find_words(text)
    assert "".join(surfaces) == "".join(text.split())


@given(text=ANY_TEXT | SCRIPTS, lowercase=st.booleans())
@settings(deadline=None)
def test_every_text_is_written_back(text, lowercase):
    vocabulary = WordVocabulary.build(text + " a", min_count=1, lowercase=lowercase)
    ids = vocabulary.encode(text)
    assert vocabulary.unknown_id not in ids
    expected = squeezed(re.sub("[\ud800-\udfff]", "\ufffd", text).lower() if lowercase else text)
    assert squeezed(vocabulary.decode(ids)) == expected
    assert vocabulary.join(vocabulary.pieces(text)) == vocabulary.decode(ids)
    np.testing.assert_array_equal(vocabulary.encode(vocabulary.decode(ids)), ids)


@given(
    text=SCRIPTS,
    other=SCRIPTS,
    options=st.fixed_dictionaries(
        {}, optional={"min_count": st.integers(1, 3), "max_size": st.integers(5, 25)}
    ),
)
@settings(deadline=None)
def test_known_words_are_written_back_in_any_place(text, other, options):
    vocabulary = WordVocabulary.build(f"a a a {text}\n{other}\n{other} {text}", **options)
    ids, pieces = vocabulary.encode(text), vocabulary.pieces(text)
    assert len(ids) == len(pieces)
    assert squeezed(vocabulary.join(pieces)) == squeezed(text)
    if vocabulary.unknown_id not in ids:
        assert squeezed(vocabulary.decode(ids)) == squeezed(text)
    assert [
        vocabulary.unknown_id if vocabulary.id_of(p) is None else vocabulary.id_of(p) for p in pieces
    ] == [*ids]


@given(SCRIPTS, SCRIPTS)
@settings(deadline=None)
def test_more_words_only_append_to_the_text(first, second):
    vocabulary = WordVocabulary.build(first + second + " a", min_count=1)
    ids = vocabulary.encode(first + "\n" + second)
    whole, text, add = vocabulary.decode(ids), "", vocabulary.stream()
    for n, id in enumerate(ids):
        assert text == vocabulary.decode(ids[:n])
        text += add(id)
    assert text == whole


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lambda: tiny_shakespeare(), id="shakespeare"),
        pytest.param(lambda: "\n".join(side for pair in tatoeba_pairs() for side in pair), id="tatoeba"),
        pytest.param(lambda: "\n".join(side for pair in debian_synopses() for side in pair), id="debian"),
        pytest.param(
            lambda: "\n".join(turn for turns in chatterbot_dialogues() for turn in turns), id="chat"
        ),
    ],
)
def test_the_bundled_texts_are_written_back(text):
    text = text()
    for options in ({"min_count": 1}, {"min_count": 1, "lowercase": True}):
        vocabulary = WordVocabulary.build(text, **options)
        ids = vocabulary.encode(text)
        assert vocabulary.unknown_id not in ids
        lines = (text.lower() if "lowercase" in options else text).split("\n")
        assert vocabulary.decode(ids).split("\n") == [squeezed(line) for line in lines]


def test_marks_of_rare_forms_are_tokens():
    vocabulary = WordVocabulary.build("a. a. a. b . c")
    assert vocabulary.tokens == ["<eos>", "<unk>", "￭", "␣", ".", "a"]
    ids = vocabulary.encode("a .a.a b.")
    assert ids.tolist() == [5, 3, 4, 2, 5, 4, 2, 5, 1, 4]
    assert vocabulary.decode(ids) == "a .a.a <unk>."
    assert vocabulary.pieces("x ?y") == ["x", "␣", "?", "￭", "y"]
    assert vocabulary.decode(vocabulary.encode("x ?y")) == "<unk> <unk><unk>"
    assert [vocabulary.surface(p) for p in ("￭", "␣", ".￭", "￭￭￭", "<eos>", "x")] == [
        "",
        "",
        ".",
        "￭",
        "<eos>",
        "x",
    ]


def test_words_alone_need_no_marks():
    vocabulary = WordVocabulary.build("so it is so, it")
    assert vocabulary.tokens == ["<eos>", "<unk>", "it", "so"]
    assert vocabulary.encode("it+so .").tolist() == [2, 1, 3, 1]
    assert vocabulary.pieces("it+so .") == ["it", "￭+￭", "so", "␣."]
    assert vocabulary.join(vocabulary.pieces("it+so .")) == "it+so ."


def test_lone_surrogates_become_the_replacement_character():
    vocabulary = WordVocabulary.build("a \ud800 b", min_count=1)
    assert vocabulary.pieces("a \ud800b") == ["a", "\ufffd", "￭", "b"]
    assert vocabulary.join(["a", "\udc00"]) == "a \ufffd"
    assert find_words("\ud83d\ude00\ud800") == ["\U0001f600", "\ufffd"]


def test_a_text_that_goes_on_may_end_in_an_open_quotation():
    text = 'He said: "Go." She said: "No." (\'so\') and/or'
    vocabulary = WordVocabulary.build(text, min_count=1)
    for prompt, last in (
        ('"', '"￭'),
        ('said "', '"￭'),
        ("('", "'￭"),
        ('said: "Go."', '￭"'),
        ("and/", "￭/￭"),
        ("Go.", "."),
        ("Go", "Go"),
    ):
        assert vocabulary.tokens[vocabulary.context(prompt)[-1]] == last
    assert vocabulary.context("").shape == (0,)


def test_words_are_ordered_by_frequency_then_alphabetically():
    vocabulary = WordVocabulary.build("b a c c a b c d .", min_count=1)
    assert vocabulary.tokens == ["<eos>", "<unk>", "￭", "␣", "c", "a", "b", "d", "␣.", "."]
    assert (vocabulary.end_id, vocabulary.unknown_id) == (0, 1)
    assert vocabulary.encode("c D\na").tolist() == [4, 1, 0, 5]
    assert vocabulary.decode([1]) == "<unk>"
    assert WordVocabulary.build("b a c c a b c d .", min_count=2).tokens[2:] == ["c", "a", "b"]
    assert WordVocabulary.build("b a c c a b c d .", max_size=4).tokens[2:] == ["c", "a"]


def test_case_can_be_ignored():
    vocabulary = WordVocabulary.build("The the THE end End", min_count=1, lowercase=True)
    assert vocabulary.tokens[2:] == ["the", "end"]
    assert vocabulary.encode("tHe END").tolist() == [2, 3]
    assert vocabulary_from_config(vocabulary.to_config()).encode("tHe END").tolist() == [2, 3]


def test_a_text_cannot_forge_the_special_tokens():
    vocabulary = WordVocabulary.build("<eos> < > <unk> ￭ ␣ ￭￭", min_count=1)
    for id in range(4):
        assert id not in vocabulary.encode("<eos> <unk> ￭ ␣ ￭￭ ␣")


def test_invalid_settings_are_refused():
    for options, error, message in (
        ({"min_count": 0}, ValueError, "min_count: expected a whole number from 1, got 0"),
        ({"min_count": 1.5}, TypeError, "min_count: expected a whole number"),
        ({"min_count": 9}, ValueError, "expected a word that occurs 9 times, got none"),
        ({"max_size": 2}, ValueError, "max_size: expected a whole number from 3, got 2"),
    ):
        with pytest.raises(error, match=message):
            WordVocabulary.build("a a b", **options)
    special = ["<eos>", "<unk>", "￭", "␣"]
    for tokens in (
        ["a"],
        ["<unk>", "<eos>"],
        [*special, "a", "a"],
        [*special, "￭"],
        ["<eos>", "<unk>", "a", "a"],
    ):
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


def test_symbols_are_known_in_any_place():
    vocabulary = WordVocabulary.build("a . b ; c+d", min_count=1)
    assert set(vocabulary.tokens[4:]) == {"a", "b", "c", "d", "␣.", ".", "␣;", ";", "￭+￭", "+"}
    assert vocabulary.unknown_id not in vocabulary.encode(".;a+")
    assert vocabulary.decode(vocabulary.encode(".;a+")) == ".;a+"
    assert [vocabulary.tokens[i] for i in vocabulary.ids_of([".", "a", "+", "z"])] == [".", "a", "+", "<unk>"]


@given(st.text(st.characters(max_codepoint=0x24F, exclude_characters="\xad"), max_size=60))
def test_european_words_are_runs_of_letters_with_inner_apostrophes(text):
    assert find_words(text) == re.findall(r"\w+(?:['’\-]\w+)*|[^\w\s]", text)


def test_single_words_and_first_words():
    assert [is_word(text) for text in ("don't", "你", "हिन्दी", "a b", "!", "", "你好")] == [True] * 3 + [
        False
    ] * 4
    assert first_words("One, two, three.", 3) == "One, two"
    assert (
        first_words(" \n你好，世界", 3) == " \n你好，"
        and first_words("a", 0) == ""
        and first_words("a", 9) == "a"
    )
    with pytest.raises(TypeError, match="find_words: text: expected a string"):
        rnnrs.text.find_words(b"a")


def test_sentences_begin_with_capitals():
    assert capitalize('well. that\'s "it"? "yes." 3.5 is ok\n«été» (no)') == (
        'Well. That\'s "it"? "Yes." 3.5 is ok\n«Été» (no)'
    )
    assert capitalize("") == "" and capitalize("¿qué? ¡sí!") == "¿Qué? ¡Sí!"
