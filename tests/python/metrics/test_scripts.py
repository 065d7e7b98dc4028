"""Metrics of texts in any script, with any number of references."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnrs import MissingExtraError
from rnnrs.metrics import bleu, caption_scores, chrf, rouge
from rnnrs.metrics import words as script_words
from rnnrs.metrics.words import ascii_words, bleu_by_script, characters, unicode_words, words_by_script

#: A language: a text of four words, the words, one with the second word changed, sacrebleu's tokenizer.
LANGUAGES = {
    "English": ("The cat, sleeps well.", "the cat sleeps well", "The dog sleeps well", "13a"),
    "Russian": ("Кошка спит «дома» Сегодня!", "кошка спит дома сегодня", "Кошка ест дома сегодня", "13a"),
    "Greek": ("Η γάτα κοιμάται Καλά;", "η γάτα κοιμάται καλά", "Η μπάλα κοιμάται καλά", "13a"),
    "Arabic": ("القطة تنام جيدا اليوم؟", "القطة تنام جيدا اليوم", "القطة تأكل جيدا اليوم", "13a"),
    "Hindi": ("बिल्ली अच्छी तरह सोती।", "बिल्ली अच्छी तरह सोती", "बिल्ली बुरी तरह सोती", "13a"),
    "Chinese": ("我爱，你们。", "我 爱 你 们", "我恨你们", "zh"),
    "Japanese": ("ねこ。猫だ", "ね こ 猫 だ", "ねお猫だ", "char"),
    "Korean": ("고양이가 잠을 아주 잔다.", "고양이가 잠을 아주 잔다", "고양이가 밥을 아주 잔다", "char"),
    "Thai": ("แมวดี", "แ ม ว ดี", "แขวดี", "char"),
    "Hebrew": ("החתול ישן היטב היום", "החתול ישן היטב היום", "החתול אוכל היטב היום", "13a"),
    "Georgian": ("კატა კარგად სძინავს დღეს", "კატა კარგად სძინავს დღეს", "კატა ცუდად სძინავს დღეს", "13a"),
}


@pytest.fixture(autouse=True)
def no_mecab(monkeypatch):
    monkeypatch.setattr(script_words, "find_spec", lambda name: None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_and_scores(language):
    text, words, changed, tokenizer = LANGUAGES[language]
    assert unicode_words(text) == words.split()
    found = rouge([text], [" ".join(words.split())])
    assert found.rouge_1.f1 == found.rouge_2.f1 == found.rouge_l.f1 == 1
    found = rouge([changed], [text])
    assert (found.rouge_1.f1, found.rouge_2.f1, found.rouge_l.f1) == pytest.approx((3 / 4, 1 / 3, 3 / 4))
    assert found.tokenize == ("ascii" if language == "English" else "unicode")
    assert ("(tok:unicode)" in str(found)) == (language != "English")
    scores = caption_scores([text, changed], [[text], [text]])
    assert scores.bleu_1 == pytest.approx(7 / 8) and scores.rouge_l == pytest.approx((1 + 3 / 4) / 2)
    pytest.importorskip("sacrebleu")
    same = bleu([text], [text])
    assert same.score == pytest.approx(100) and f"tok:{tokenizer}|" in same.signature
    assert chrf([text], [text]).score == pytest.approx(100)


def test_bleu_of_chinese_is_that_of_its_characters():
    sacrebleu = pytest.importorskip("sacrebleu")
    found, wanted = ["我们昨天去了北京。"], ["我们昨天去了上海。"]
    score = bleu(found, wanted)
    assert score.score == sacrebleu.corpus_bleu(found, [wanted], tokenize="zh").score > 50
    assert bleu(found, wanted, tokenize="13a").score < 1
    assert "tok:none" in bleu(found, wanted, tokenize="none").signature


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_those_of_published_scores(text):
    assert unicode_words(text) == ascii_words(text)


@given(st.text())
def test_words_have_no_space_and_do_not_depend_on_the_form(text):
    assert all(word and not any(c.isspace() for c in word) for word in unicode_words(text))
    assert all(any(c.isalnum() for c in word) for word in unicode_words(text))
    assert "".join(characters(text)).split() in ([], ["".join(characters(text))])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("e\u0301te\u0301", "été"),
        ("co\u00adoperate", "cooperate"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("İzmir’de", "i̇zmir de"),
        ("x² + ½", "x² ½"),
        ("日本 NHK テレビ3", "日 本 nhk テ レ ビ 3"),
        ("ﾃﾚﾋﾞ", "ﾃ ﾚ ﾋ ﾞ"),
        ("中文abc中", "中 文 abc 中"),
    ],
)
def test_words_by_hand(text, words):
    assert unicode_words(text) == words.split(" ")


@pytest.mark.parametrize(
    ("texts", "tokenizer", "with_mecab"),
    [
        (["Hello", "你"], "13a", "13a"),
        (["我用 Python 写代码，很好"], "zh", "zh"),
        (["これはペンです"], "char", "ja-mecab"),
        (["東京都知事選挙はいつですか"], "char", "ja-mecab"),
        (["나는 학교에 간다", "cat"], "char", "ko-mecab"),
        (["ฉันรักคุณ"], "char", "char"),
        (["123 !?"], "13a", "13a"),
        ([""], "13a", "13a"),
        (["ＡＢＣ"], "13a", "13a"),
    ],
)
def test_the_tokenizer_of_bleu(texts, tokenizer, with_mecab, monkeypatch):
    assert bleu_by_script(texts) == tokenizer
    monkeypatch.setattr(script_words, "find_spec", lambda name: "there")
    assert bleu_by_script(texts) == with_mecab


def test_the_tokenizer_of_rouge():
    assert words_by_script(["Été à Łódź, 5 µm, 2ª"]) == "ascii"
    assert words_by_script(["a cat", "ein α"]) == "unicode"
    assert rouge(["été"], ["Été"], tokenize="unicode").rouge_1.f1 == 1
    assert rouge(["ab cd"], ["ab ce"], tokenize="char").rouge_1.f1 == pytest.approx(3 / 4)
    for wrong, error in (("words", ValueError), (3, TypeError)):
        with pytest.raises(error, match="rouge: tokenize: expected"):
            rouge(["a"], ["b"], tokenize=wrong)
        with pytest.raises(error, match="caption_scores: tokenize: expected"):
            caption_scores(["a"], ["b"], tokenize=wrong)


def test_a_tokenizer_that_needs_a_package():
    pytest.importorskip("sacrebleu")
    if script_words.find_spec("MeCab") is None:
        with pytest.raises(MissingExtraError, match="bleu: tokenize: 'ja-mecab' needs another package"):
            bleu(["猫"], ["猫"], tokenize="ja-mecab")


VARYING = ["a b c d", "e f g h"], [["a b c d", "a x c d", "x"], ["e f g z"]]


def test_varying_numbers_of_references_by_hand():
    """BLEU: 7 of 8 words, 5 of 6 pairs, 3 of 4 triples, 1 of 2 quadruples are right; lengths are equal."""
    candidates, references = VARYING
    scores = caption_scores(candidates, references)
    right = [7 / 8, 5 / 6, 3 / 4, 1 / 2]
    for n, score in enumerate((scores.bleu_1, scores.bleu_2, scores.bleu_3, scores.bleu_4), start=1):
        assert score == pytest.approx(math.prod(right[:n]) ** (1 / n))
    assert scores.rouge_l == pytest.approx((1 + 3 / 4) / 2)
    assert rouge(candidates, references).rouge_2.f1 == pytest.approx((1 + 2 / 3) / 2)
    pytest.importorskip("sacrebleu")
    found = bleu(candidates, references)
    assert found.score == pytest.approx(100 * math.prod(right) ** (1 / 4)) and "nrefs:var" in found.signature
    assert chrf(candidates, references).score == pytest.approx(
        chrf(candidates, [["a b c d"], ["e f g z"]]).score, abs=1e-9
    )
    swapped = bleu(candidates[::-1], references[::-1])
    assert (swapped.score, swapped.signature) == (found.score, found.signature)


def test_case():
    pytest.importorskip("sacrebleu")
    lower, mixed = ["the cat sat on the mat"], ["The Cat sat on the Mat"]
    assert chrf(lower, mixed).score < chrf(lower, mixed, lowercase=True).score == pytest.approx(100)
    assert "case:lc" in chrf(lower, mixed, lowercase=True).signature
    assert "case:mixed" in chrf(lower, mixed).signature
