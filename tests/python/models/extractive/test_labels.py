"""Labels of sentences: found in the summary, with noise, or chosen greedily to resemble it."""

from collections import Counter

import numpy as np
import pytest

from rnnrs.models.extractive.labels import labels_of, resembling

TEXT = [
    "The firm sold its old mill in the north.",
    "He said.",
    '"We had no choice," he said.',
    "The mill had stood empty since 1999.",
    "Workers will be paid until May.",
]


def kept(summary, sentences=TEXT):
    return [i for i, keeps in enumerate(labels_of(sentences, summary)) if keeps]


def test_sentences_are_found_in_any_order_without_spaces_between_them():
    assert kept(TEXT[3] + TEXT[0]) == [0, 3]
    assert kept("".join(reversed(TEXT))) == [0, 1, 2, 3, 4]
    assert kept(" ".join(TEXT[2:4]).upper()) == [2, 3]


def test_a_short_sentence_is_not_found_within_another_one():
    assert kept(TEXT[2]) == [2]
    assert kept(TEXT[2] + TEXT[1]) == [1, 2]


def test_of_a_repeated_sentence_as_many_are_kept_as_the_summary_has():
    text = ["A b c d.", "E f g.", "A b c d."]
    assert kept("A b c d.", text) == [0]
    assert kept("A b c d.A b c d.", text) == [0, 2]


def test_noise_is_tolerated():
    noisy = "The firm sold it's old mill in the north,the mill had stood empty since"
    assert kept(noisy) == [0, 3]


def test_other_scripts():
    assert kept("再见。你好吗？", ["你好吗？", "天气很好。", "再见。"]) == [0, 2]
    assert kept("Он ушёл.", ["Шёл дождь.", "Он ушёл."]) == [1]


def test_a_written_summary_is_resembled():
    assert kept("In the north, an old mill was sold by the firm.") == [0]
    assert kept("Paid until May; a mill stood empty since 1999.") == [3, 4]
    assert kept("zebra") == kept("") == []
    assert labels_of([], "a") == []


def f1(chosen, sentences, summary):
    """ROUGE-1 + ROUGE-2, with pairs of words within sentences."""
    total = 0.0
    for n in (1, 2):
        grams = lambda words, n=n: Counter(zip(*(words[k:] for k in range(n)), strict=False))  # noqa: E731
        mine, theirs = sum((grams(sentences[i]) for i in chosen), Counter()), grams(summary)
        total += 2 * (mine & theirs).total() / max(1, mine.total() + theirs.total())
    return total


def test_the_greedy_choice_adds_the_best_sentence_until_none_helps():
    draw = np.random.default_rng(0)
    for _ in range(40):
        sentences = [draw.choice(list("abcdefgh"), draw.integers(1, 7)).tolist() for _ in range(7)]
        summary = draw.choice(list("abcdefghxyz"), 9).tolist()
        chosen, best = [], 0.0
        while len(chosen) < 7:
            rest = [i for i in range(7) if i not in chosen]
            scores = [f1([*chosen, i], sentences, summary) for i in rest]
            if max(scores) <= best:
                break
            best = max(scores)
            chosen.append(rest[scores.index(best)])
        assert [i for i, keeps in enumerate(resembling(sentences, summary)) if keeps] == sorted(chosen)


@pytest.mark.parametrize("words", [1, 500])
def test_more_sentences_never_take_words_twice(words):
    assert resembling([["a"] * words, ["a"] * words], ["a"] * words) == [True, False]
