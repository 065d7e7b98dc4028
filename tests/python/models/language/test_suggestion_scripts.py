"""Suggestions while typing in any script: cases of other lengths, subwords within letters, apostrophes."""

import pytest
from small_applications import as_trained

from rnnrs.models import LanguageModel
from rnnrs.text.folding import folded

TEXTS = {
    "Hindi": ("मैं हिन्दी बोलता हूँ\nहम हिन्दी पढ़ते हैं\nवह हिसाब करता है\n", "मैं हि", "हिन्दी"),
    "Thai": ("ฉัน กิน ข้าว\nเธอ กิน ขนม\n", "ฉัน กิ", "กิน"),
    "Arabic": ("أنا أحب الكتاب\nأنت تحب الكتابة\n", "أنا أحب الك", "الكتاب"),
    "Russian": ("я люблю чай\nты любишь чай\n", "я лю", "люблю"),
    "English": ("I don't know you\nwe don't want tea\n", "I do", "don't"),
}


def model(text, level, **vocabulary):
    if level == "subword":
        pytest.importorskip("tokenizers")
        vocabulary = {"max_size": 300} | vocabulary
    elif level == "word":
        vocabulary = {"min_count": 1} | vocabulary
    return LanguageModel.from_text(
        text, level=level, vocabulary=vocabulary, hidden_size=48, embedding_size=24
    )


CASES = [(language, level) for language in TEXTS for level in ("word", "subword", "char")]
CASES.remove(("Thai", "word"))  # its words are not found without a dictionary: each letter is a token


@pytest.mark.parametrize(("language", "level"), CASES)
def test_words_are_suggested(language, level):
    lines, typed, word = TEXTS[language]
    made = model(lines * 4, level)
    made.fit(lines * 4, epochs=100, batch_size=2, learning_rate=2e-2, progress=False)
    assert word in [s.word for s in made.suggest(typed, k=3)]
    before = typed.rpartition(" ")[0] + " "
    following = made.suggest(before, k=5)
    assert word in [s.word for s in following] and sum(s.probability for s in following) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("İ", "İstanbul"),
        ("İst", "İstanbul"),
        ("ist", "istanbul"),
        ("İS", "İSTANBUL"),
        ("i\u0307st", "i\u0307stanbul"),
        ("İstanbul", "İstanbul"),
        ("STRAS", "STRASSE"),
        ("straß", "straße"),
        ("ǅ", "ǆungla"),
        ("caf", "café"),
        ("cafe\u0301", "cafe\u0301"),
    ],
)
@pytest.mark.parametrize("lowercase", [False, True])
def test_letters_whose_case_has_another_length_are_not_doubled(typed, word, lowercase):
    made = as_trained(model("İstanbul straße STRASSE café ǆungla\n", "word", lowercase=lowercase))
    [found, *_] = made.suggest(typed, k=2)
    expected = {word, "ǅungla"} if typed == "ǅ" else {word}
    assert found.word in expected


@pytest.mark.parametrize("level", ["word", "subword", "char"])
@pytest.mark.parametrize(("known", "other"), [("'", "’"), ("’", "'"), ("'", "ʼ")])
def test_apostrophes_of_all_kinds_are_the_same(level, known, other):
    text = f"we don{known}t know\nwe don{known}t want\n" * 4
    made = model(text, level)
    made.fit(text, epochs=60, batch_size=2, learning_rate=2e-2, progress=False)
    for sign in (known, other):
        found = made.suggest(f"we don{sign}", k=1)
        assert [s.word for s in found] == [f"don{sign}t"]
        assert found[0].probability == pytest.approx(made.suggest(f"we don{known}", k=1)[0].probability)


@pytest.mark.parametrize(
    ("a", "b"), [("İ", "i"), ("i\u0307", "I"), ("DON’T", "don't"), ("e\u0301", "É"), ("ﬀ", "ﬀ")]
)
def test_folding(a, b):
    assert folded(a) == folded(b)
