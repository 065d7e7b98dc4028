"""BLEU compared with sacrebleu, CIDEr with a plain implementation of its definition, and both by hand."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rnnrs
from rnnrs.metrics import caption_scores, rouge
from rnnrs.metrics.captions import caption_words

TEXT = st.lists(st.sampled_from(["a", "red", "heart", "cat", "with", "eyes"]), max_size=9).map(" ".join)
CASES = st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=6)


def plain_cider(found, wanted):
    """Computes CIDEr-D over dense vectors.

    Vedantam, Zitnick and Parikh 2015, equations 1 to 5 with clipping and penalty.
    """
    texts = [[text.split() for text in own] for own in wanted]
    hypotheses = [text.split() for text in found]
    scores = np.zeros(len(found))
    for n in (1, 2, 3, 4):

        def grams(words, n=n):
            return [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]

        every = [words for own in texts for words in own] + hypotheses
        axes = sorted({gram for words in every for gram in grams(words)})
        counts = {id(words): np.array([grams(words).count(g) for g in axes], float) for words in every}
        documents = np.array([sum(any(g in grams(words) for words in own) for own in texts) for g in axes])
        idf = np.log(len(found)) - np.log(np.maximum(documents, 1))
        for i, (candidate, own) in enumerate(zip(hypotheses, texts, strict=True)):
            for words in own:
                a, b = counts[id(candidate)] * idf, counts[id(words)] * idf
                norms = np.linalg.norm(a) * np.linalg.norm(b)
                if norms > 0:
                    penalty = np.exp(-((len(candidate) - len(words)) ** 2) / (2 * 6.0**2))
                    scores[i] += penalty * (np.minimum(a, b) @ b) / norms / len(own) / 4 * 10
    return scores.mean()


@given(CASES)
@settings(max_examples=60, deadline=None)
def test_cider_equals_its_definition(cases):
    found, wanted = zip(*cases, strict=True)
    assert caption_scores(found, wanted).cider == pytest.approx(plain_cider(found, wanted), abs=1e-12)


@given(CASES)
@example([("a red", ["a", "a red cat"])])  # two references equally near in length: the shorter counts
@settings(max_examples=60, deadline=None)
def test_bleu_equals_sacrebleu_without_smoothing(cases):
    metrics = pytest.importorskip("sacrebleu.metrics")
    found, wanted = zip(*cases, strict=True)
    most = max(map(len, wanted))
    streams = [[own[k] if k < len(own) else None for own in wanted] for k in range(most)]
    scores = caption_scores(found, wanted)
    for n, score in enumerate((scores.bleu_1, scores.bleu_2, scores.bleu_3, scores.bleu_4), 1):
        judge = metrics.BLEU(max_ngram_order=n, smooth_method="none", tokenize="none", force=True)
        assert 100 * score == pytest.approx(judge.corpus_score(list(found), streams).score, abs=1e-9)


def test_cider_by_hand():
    # Two pictures: an n-gram of only one of them has weight ln 2, an n-gram of both has weight 0.
    wanted = [["a red heart"], ["a blue cat"]]
    # n = 1: (red, heart) of (red, cat): 1/√2·1/√2; n = 2: "a red" of "a red" and "red cat": 1/√2·1/√2;
    # n = 3: no overlap; n = 4: none. The other picture: 1 + 1 + 1 + 0.
    scores = caption_scores(["a red cat", "a blue cat"], wanted)
    assert scores.cider == pytest.approx((10 * (1 / 2 + 1 / 2 + 0 + 0) / 4 + 10 * 3 / 4) / 2)
    # "red red" has twice the weight of the reference: clipped, 1·1/(2·√2); one word fewer: the penalty.
    scores = caption_scores(["red red", "a blue cat"], wanted)
    first = 10 * (1 / (2 * math.sqrt(2))) / 4 * math.exp(-1 / 72)
    assert scores.cider == pytest.approx((first + 7.5) / 2)


def test_bleu_by_hand():
    scores = caption_scores(["the cat the cat on the mat", "dog"], [["the cat is on the mat"], ["a dog"]])
    brevity = 1.0  # 8 words against 8
    one, two = (
        (2 + 1 + 1 + 1 + 1) / 8,
        (1 + 1 + 1) / 6,
    )  # the (twice), cat, on, mat, dog; the cat, on the, the mat
    assert scores.bleu_1 == pytest.approx(brevity * one)
    assert scores.bleu_2 == pytest.approx(brevity * math.sqrt(one * two))
    assert scores.bleu_3 == pytest.approx((one * two * (1 / 5)) ** (1 / 3))
    assert scores.bleu_4 == 0
    short = caption_scores(["dog"], [["a dog", "the dog barks loudly"]])
    assert short.bleu_1 == pytest.approx(math.exp(1 - 2 / 1))


def test_words_are_in_lower_case_without_punctuation():
    assert caption_words("Kaffee, l'Été — Waving-Hand: 3!") == ["kaffee", "l'été", "waving-hand", "3"]
    scores = caption_scores(["Red Heart!", "gato"], ["red heart", ["GATO.", "el gato"]])
    assert (scores.bleu_1, scores.bleu_2, scores.rouge_l) == (1, 1, 1)
    assert scores.cider == pytest.approx((5 + (2.5 + 2.5 / math.sqrt(2) * math.exp(-1 / 72)) / 2) / 2)
    assert str(scores) == f"BLEU-1/2/3/4 100.0 / 100.0 / 0.0 / 0.0, ROUGE-L 100.0, CIDEr {scores.cider:.3f}"
    other = caption_scores(["Red Heart"], ["red heart"], tokenize=str.split)
    assert other.bleu_1 == 0


def test_rouge_l_equals_rouge():
    found, wanted = ["a cat with red eyes", "heart"], [["the cat has eyes", "a red cat"], ["a heart"]]
    assert caption_scores(found, wanted).rouge_l == rouge(found, wanted).rouge_l.f1


def test_empty_texts_and_a_single_picture():
    nothing = caption_scores(["", "!"], [["a cat"], ["a dog"]])
    assert (nothing.bleu_1, nothing.bleu_4, nothing.rouge_l, nothing.cider) == (0, 0, 0, 0)
    alone = caption_scores(["a cat sat down"], ["a cat sat down"])
    assert (alone.bleu_4, alone.rouge_l, alone.cider) == (1, 1, 0)


def test_invalid_arguments_are_refused():
    for found, wanted, error, message in (
        ([], [], ValueError, "candidates: expected at least one, got none"),
        (["a"], [], rnnrs.ShapeError, "references: expected as many as candidates, 1, got 0"),
        (["a"], [[]], ValueError, r"references\[0\]: expected at least one, got none"),
        ("a", ["a"], TypeError, "candidates: expected a list of texts, got str"),
        ([3], ["a"], TypeError, r"candidates\[0\]: expected a text, got int"),
    ):
        with pytest.raises(error, match=f"caption_scores: {message}"):
            caption_scores(found, wanted)
