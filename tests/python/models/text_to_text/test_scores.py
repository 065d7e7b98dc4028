"""Translations and summaries are scored as the model writes, by the tokenizer of their script."""

import pytest

from rnnrs.models import Summarizer, Translator

PAIRS = [
    (f"the {a} sees", f"Die {b} Sieht Uns") for a, b in (("cat", "Katze"), ("cow", "Kuh"), ("duck", "Ente"))
] * 4
CHINESE = [("a b", "你好世界。"), ("b a", "世界你好。")] * 4
QUICK = {"epochs": 60, "learning_rate": 0.03, "progress": False, "batch_size": 4}


def trained(cls, pairs, level, **vocabulary):
    options = {"min_count": 1} if level == "word" else {"max_size": 300}
    sizes = {"embedding_size": 16, "hidden_size": 32, "dropout": 0.0}
    model = cls.from_pairs(pairs, level=level, vocabulary=options | vocabulary, **sizes)
    model.fit(pairs, **QUICK)
    return model


@pytest.mark.parametrize("level", ["word", "subword"])
def test_a_model_in_lower_case_is_scored_without_case(level, tmp_path):
    pytest.importorskip("sacrebleu")
    if level == "subword":
        pytest.importorskip("tokenizers")
    model = trained(Translator, PAIRS, level, lowercase=True)
    model.save(tmp_path / "m")
    for one in (model, Translator.load(tmp_path / "m")):
        result = one.evaluate(PAIRS)
        assert [text.lower() for text in result.translations] == [target.lower() for _, target in PAIRS]
        assert (result.bleu.score, result.chrf.score) == pytest.approx((100, 100))
        assert "case:lc" in result.bleu.signature and "case:lc" in result.chrf.signature


def test_a_model_with_capitals_is_scored_with_case():
    pytest.importorskip("sacrebleu")
    result = trained(Translator, PAIRS, "word").evaluate(PAIRS)
    assert "case:mixed" in result.bleu.signature and "case:mixed" in result.chrf.signature
    assert result.bleu.score == pytest.approx(100)


def test_summaries_in_lower_case():
    result = trained(Summarizer, PAIRS, "word", lowercase=True).evaluate(PAIRS)
    assert result.rouge.rouge_l.f1 == 1 and result.rouge.tokenize == "ascii"


@pytest.mark.parametrize("tokenize", [None, "char", "13a"])
def test_the_tokenizer_follows_the_script(tokenize):
    pytest.importorskip("sacrebleu")
    model = Translator.from_pairs(CHINESE, level="char", embedding_size=16, hidden_size=32, dropout=0.0)
    model.fit(CHINESE, **QUICK)
    result = model.evaluate(CHINESE, tokenize=tokenize)
    assert f"tok:{tokenize or 'zh'}|" in result.bleu.signature
    assert result.translations[0] == "你好世界。" and result.bleu.score == pytest.approx(
        100 if tokenize != "13a" else 0
    )


def test_the_tokenizer_of_summaries_follows_the_script():
    model = Summarizer.from_pairs(CHINESE, level="char", embedding_size=16, hidden_size=32, dropout=0.0)
    model.fit(CHINESE, **QUICK)
    assert model.evaluate(CHINESE).rouge.tokenize == "unicode"
    result = model.evaluate(CHINESE, tokenize="char")
    assert result.rouge.tokenize == "char" and result.rouge.rouge_1.f1 == 1
