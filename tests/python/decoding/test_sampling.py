"""Sampling follows the distribution, its cutoffs and the constraints."""

import itertools

import numpy as np
import pytest
from score_table import END, Table

from rnnrs.decoding import Constraints, greedy, sample


def every(V, longest, shortest=0):
    """Yields all sequences, without an end token."""
    words = [w for w in range(V) if w != END]
    for n in range(shortest, longest + 1):
        yield from itertools.product(words, repeat=n)


def test_samples_follow_the_distribution():
    model = Table(np.zeros(3000, int), seed=2)
    drawn = sample(model, np.ones(3000, int), END, seed=0, constraints=Constraints(max_length=2))
    counts: dict[tuple[int, ...], int] = {}
    for (hypothesis,) in drawn:
        key = tuple(hypothesis.tokens.tolist())
        counts[key] = counts.get(key, 0) + 1
        assert hypothesis.log_prob == pytest.approx(model.walk(0, 1, [*key, END])[0].sum())
    for tokens in every(4, 2):
        # the end token of the longest sequences is forced, so it is certain
        log_p = model.walk(0, 1, [*tokens, END])[0][: 2 if len(tokens) == 2 else None].sum()
        p = np.exp(log_p)
        assert abs(counts.get(tokens, 0) / 3000 - p) < 5 * np.sqrt(p * (1 - p) / 3000) + 1e-3


def test_the_cutoffs_of_sampling():
    sources = np.arange(20)
    likeliest = [h.tokens.tolist() for h in greedy(Table(sources, V=9), np.ones(20, int), END)]
    for options in ({"temperature": 0.0}, {"top_k": 1}, {"top_p": 1e-9}):
        drawn = sample(Table(sources, V=9), np.ones(20, int), END, seed=1, **options)
        assert [h.tokens.tolist() for (h,) in drawn] == likeliest
    first, second = (sample(Table(sources, V=9), np.ones(20, int), END, seed=s) for s in (1, 2))
    assert [h.tokens.tolist() for (h,) in first] != [h.tokens.tolist() for (h,) in second]
    new, other = (sample(Table(sources, V=9), np.ones(20, int), END) for _ in range(2))
    assert [h.tokens.tolist() for (h,) in new] != [h.tokens.tolist() for (h,) in other]


def test_samples_satisfy_the_constraints():
    constraints = Constraints(
        max_length=8, min_length=2, no_repeat_ngram=2, forbidden=[3], prefixes=[[5]] * 50
    )
    drawn = sample(Table(np.arange(50), V=7), np.ones(50, int), END, count=2, seed=4, constraints=constraints)
    assert len(drawn) == 50
    for hypothesis in itertools.chain(*drawn):
        tokens = hypothesis.tokens.tolist()
        pairs = list(itertools.pairwise(tokens))
        assert tokens[0] == 5 and 3 not in tokens and END not in tokens
        assert 2 <= len(tokens) <= 8 and len(set(pairs)) == len(pairs)


def test_invalid_arguments_are_refused():
    for options, message in (
        ({"count": 0}, "count: expected a whole number from 1"),
        ({"top_k": -1}, "top_k: expected a whole number from 0"),
        ({"top_p": 0.0}, "top_p: expected a number above 0"),
        ({"temperature": -1.0}, "temperature: expected a finite number from 0"),
        ({"seed": -1}, "seed: expected a whole number from 0"),
        ({"keys": [1]}, "keys: expected one for each of 2 sources, got 1"),
    ):
        with pytest.raises(ValueError, match=f"sample: {message}"):
            sample(Table([0, 1]), [1, 1], END, **options)
