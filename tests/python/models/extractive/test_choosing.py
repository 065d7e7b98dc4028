"""The choice of sentences by number, share, and number of words."""

from itertools import combinations

import numpy as np
import pytest

from rnnrs.models.extractive import choosing
from rnnrs.models.extractive.choosing import check_length, choose

P = np.array([0.2, 0.9, 0.5, 0.9, 0.1])
WORDS = np.array([3, 8, 2, 4, 9])


def test_the_likeliest_sentences_in_the_order_of_the_text():
    assert choose(P, WORDS, "sentences", 2) == [1, 3]
    assert choose(P, WORDS, "sentences", 3) == [1, 2, 3]
    assert choose(P, WORDS, "sentences", 99) == [0, 1, 2, 3, 4]
    assert choose(P, WORDS, "share", 0.3) == [1, 3]
    assert choose(P, WORDS, "share", 1e-9) == [1]
    assert choose(P, WORDS, "share", 1.0) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("cells", [choosing.CELLS, 60])
def test_words_are_filled_as_the_best_of_all_choices(cells, monkeypatch):
    monkeypatch.setattr(choosing, "CELLS", cells)
    draw = np.random.default_rng(0)
    for _ in range(100):
        n = int(draw.integers(1, 9))
        p, words, budget = draw.random(n), draw.integers(1, 12, n), int(draw.integers(1, 40))
        value = lambda some, p=p, words=words: sum(p[i] * words[i] for i in some)  # noqa: E731
        every = (s for k in range(n + 1) for s in combinations(range(n), k))
        best = max(value(s) for s in every if words[list(s)].sum() <= budget)
        found = choose(p, words, "words", budget)
        assert words[found].sum() <= budget and found == sorted(set(found))
        greedy = value(
            list(np.argsort(-p)[: np.searchsorted(np.cumsum(words[np.argsort(-p)]), budget, "right")])
        )
        assert value(found) >= greedy - 1e-12
        if cells > 60:
            assert value(found) == pytest.approx(best)


def test_sentences_without_words_are_kept_last():
    p, words = np.array([0.9, 0.1, 0.8, 0.3]), np.array([0, 4, 0, 5])
    assert choose(p, words, "sentences", 1) == [3] and choose(p, words, "share", 0.5) == [1, 3]
    assert choose(p, words, "sentences", 3) == [0, 1, 3]
    assert choose(p, words, "words", 4) == [1] and choose(p, words, "words", 10**30) == [1, 3]


def test_long_texts_and_long_summaries_take_little():
    n = 10_000
    draw = np.random.default_rng(0)
    p, words = draw.random(n), draw.integers(1, 60, n)
    for budget in (5, 1000, 100_000, 10**9):
        found = choose(p, words, "words", budget)
        assert words[found].sum() <= budget
    assert len(found) == n
    assert choose(p, words + 100, "words", 50) == []
    assert choose(p[:0], words[:0], "words", 5) == choose(p[:0], words[:0], "sentences", 5) == []


def test_lengths():
    assert check_length("f", None, None, None) == ("sentences", 3)
    assert check_length("f", None, 60, None) == ("words", 60)
    assert check_length("f", None, None, 0.3) == ("share", 0.3)
    with pytest.raises(
        ValueError, match=r"^f: expected one of sentences, words and share, got sentences and share"
    ):
        check_length("f", 3, None, 0.3)
    for name, value in (
        ("sentences", 0),
        ("words", -1),
        ("share", 0),
        ("share", 1.5),
        ("share", float("nan")),
    ):
        with pytest.raises(ValueError, match=f"^f: {name}: expected "):
            check_length("f", **({"sentences": None, "words": None, "share": None} | {name: value}))
    with pytest.raises(TypeError, match=r"^f: words: expected "):
        check_length("f", None, 2.5, None)
