"""ROUGE compared with the package rouge_score; BLEU and chrF compared with sacrebleu."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnrs
from rnnrs.metrics import bleu, chrf, rouge
from rnnrs.metrics.rouge import longest_common_subsequence
from rnnrs.text import find_words

TEXT = st.lists(
    st.sampled_from(["the", "The", "cat", "sat", "on", "mat,", "a-b", "3.5", "été", "!"]), max_size=15
).map(" ".join)


def plain(a, b):
    """Computes the length by the table of the definition."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@given(st.text("abc", max_size=80), st.text("abcd", max_size=80))
def test_the_longest_common_subsequence(a, b):
    assert longest_common_subsequence(a, b) == plain(a, b) == longest_common_subsequence(b, a)


@given(st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_rouge_equals_the_reference_implementation(cases):
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rouge1", "rouge2", "rougeL"])
    candidates, references = zip(*cases, strict=True)
    found = rouge(candidates, references)
    rows = [scorer.score_multi(own, candidate) for candidate, own in cases]
    for name, score in (("rouge1", found.rouge_1), ("rouge2", found.rouge_2), ("rougeL", found.rouge_l)):
        expected = [row[name] for row in rows]
        assert score.f1 == pytest.approx(sum(s.fmeasure for s in expected) / len(rows))
        if all(len(own) == 1 for own in references):
            assert score.precision == pytest.approx(sum(s.precision for s in expected) / len(rows))
            assert score.recall == pytest.approx(sum(s.recall for s in expected) / len(rows))


def test_rouge_by_hand():
    found = rouge(["The cat sat."], ["the cat, on the mat, sat"])
    assert (found.rouge_1.precision, found.rouge_1.recall, found.rouge_1.f1) == (1.0, 0.5, 2 / 3)
    assert found.rouge_2.f1 == pytest.approx(2 * 1 / (2 + 5))
    assert found.rouge_l.f1 == 2 / 3
    assert str(found) == "ROUGE-1/2/L F1 66.7 / 28.6 / 66.7"
    assert rouge([""], ["a"]).rouge_l.f1 == 0 == rouge(["a"], [""]).rouge_1.f1


def test_rouge_with_another_tokenizer():
    assert rouge(["l'été"], ["Été"]).rouge_1.f1 > 0  # "t" alone
    assert rouge(["été"], ["Été"], tokenize=find_words).rouge_1.f1 == 0
    assert rouge(["été là"], ["été ici"], tokenize=find_words).rouge_1.f1 == 0.5


def test_bleu_and_chrf_equal_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    candidates = ["The cat sat on the mat.", "A dog barks loudly at night!"]
    references = [["The cat sat on a mat.", "A cat sat on the mat."], ["A dog barks at night.", "Dogs bark."]]
    streams = list(map(list, zip(*references, strict=True)))
    found = bleu(candidates, references)
    assert found.score == sacrebleu.corpus_bleu(candidates, streams).score
    assert found.signature.startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert str(found) == f"BLEU|{found.signature} = {found.score:.1f}"
    assert chrf(candidates, references).score == sacrebleu.corpus_chrf(candidates, streams).score
    single = [own[0] for own in references]
    assert bleu(candidates, single).score == sacrebleu.corpus_bleu(candidates, [single]).score
    lower = bleu([c.upper() for c in candidates], single, lowercase=True)
    assert lower.score == pytest.approx(bleu(candidates, single, lowercase=True).score)
    assert "case:lc" in lower.signature
    assert chrf(candidates, single, word_order=2).name == "chrF2++"
    assert bleu(single, single).score == pytest.approx(100)


def test_invalid_arguments_are_refused():
    for metric in (rouge, bleu, chrf):
        name = metric.__name__
        for candidates, references, error, message in (
            ([], [], ValueError, "candidates: expected at least one, got none"),
            (["a"], [], rnnrs.ShapeError, "references: expected as many as candidates, 1, got 0"),
            (["a"], [[]], ValueError, r"references\[0\]: expected at least one, got none"),
            ("a", ["a"], TypeError, "candidates: expected a list of texts, got str"),
            (["a"], "a", TypeError, "references: expected a list of texts, got str"),
            ([None], ["a"], TypeError, r"candidates\[0\]: expected a text, got NoneType"),
            (["a"], [[3]], TypeError, r"references\[0\]: expected a text, got int"),
        ):
            with pytest.raises(error, match=f"{name}: {message}"):
                metric(candidates, references)
    pytest.importorskip("sacrebleu")
    with pytest.raises(ValueError, match=r"tokenize: expected one of 13a, .*got 'words'"):
        bleu(["a"], ["b"], tokenize="words")
    with pytest.raises(ValueError, match="word_order: expected a whole number from 0, got -1"):
        chrf(["a"], ["b"], word_order=-1)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.delitem(sys.modules, "sacrebleu.metrics", raising=False)
    for metric in (bleu, chrf):
        with pytest.raises(
            rnnrs.MissingExtraError, match=r'sacrebleu is not installed: pip install "rnnrs\[metrics\]"'
        ):
            metric(["a"], ["b"])
