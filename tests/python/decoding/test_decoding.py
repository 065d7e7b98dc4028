"""Decoding finds the best of all enumerated sequences; a source's result is independent of other sources."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_table import END, Table

import rnnrs
from rnnrs.decoding import Constraints, beam_search, greedy, sample


def every(V, longest, shortest=0):
    """Yields all sequences, without an end token."""
    words = [w for w in range(V) if w != END]
    for n in range(shortest, longest + 1):
        yield from itertools.product(words, repeat=n)


def score(model, source, tokens, alpha, beta=0.0):
    log_p, looked = model.walk(source, 1, [*tokens, END])
    s = log_p.sum() / ((5 + len(log_p)) / 6) ** alpha
    return s + (beta * np.log(np.minimum(np.sum(looked, axis=0), 1)).sum() if beta else 0)


def best_of_all(model, source, longest, n, alpha=0.6, beta=0.0, fits=lambda tokens: True, shortest=0):
    every_one = [
        (score(model, source, tokens, alpha, beta), tokens)
        for tokens in every(4, longest, shortest)
        if fits(tokens)
    ]
    return sorted(every_one, key=lambda item: -item[0])[:n]


def check(found, expected):
    assert [h.tokens.tolist() for h in found] == [list(tokens) for _, tokens in expected]
    np.testing.assert_allclose([h.score for h in found], [s for s, _ in expected], rtol=1e-9)


# --- against enumeration


@pytest.mark.parametrize("alpha, beta", [(0.0, 0.0), (0.6, 0.0), (1.5, 0.0), (0.6, 0.3)])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_of_all_sequences(alpha, beta, seed):
    model = Table([0, 1, 2], seed=seed, S=3)
    found = beam_search(
        model,
        [1, 1, 1],
        END,
        beam=400,
        n_best=7,
        length_penalty=alpha,
        coverage_penalty=beta,
        constraints=Constraints(max_length=5),
    )
    for source in range(3):
        check(found[source], best_of_all(model, source, 5, 7, alpha, beta))
        for hypothesis in found[source]:
            log_p, looked = model.walk(source, 1, [*hypothesis.tokens, END])
            assert hypothesis.log_prob == pytest.approx(log_p.sum(), rel=1e-12)
            np.testing.assert_array_equal(hypothesis.attention, np.reshape(looked[:-1], (-1, 3)))


@pytest.mark.parametrize(
    "options, fits",
    [
        ({"min_length": 3}, lambda t: len(t) >= 3),
        ({"forbidden": [2]}, lambda t: 2 not in t),
        ({"allowed": [1, 3]}, lambda t: 2 not in t),
        ({"prefixes": [[2, 1], [], [3]]}, None),
        ({"no_repeat_ngram": 2}, lambda t: len(set(itertools.pairwise(t))) == max(0, len(t) - 1)),
        ({"no_repeat_ngram": 1}, lambda t: len(set(t)) == len(t)),
    ],
)
def test_constraints_give_the_best_of_the_allowed_sequences(options, fits):
    model = Table([0, 1, 2], seed=5)
    found = beam_search(
        model, [1, 1, 1], END, beam=400, n_best=5, constraints=Constraints(max_length=5, **options)
    )
    for source in range(3):
        prefix = options.get("prefixes", [[]] * 3)[source]
        fit = fits or (lambda t, prefix=prefix: list(t[: len(prefix)]) == prefix)
        check(found[source], best_of_all(model, source, 5, 5, fits=fit))


def test_each_source_has_its_own_maximum_length():
    model = Table([0, 1, 2], seed=6)
    longest = [1, 5, 3]
    found = beam_search(
        model, [1, 1, 1], END, beam=400, n_best=3, constraints=Constraints(max_length=longest)
    )
    for source, most in enumerate(longest):
        check(found[source], best_of_all(model, source, most, 3))


def plain_beam(model, source, beam, n, alpha, longest):
    """Runs beam search by its definition, one hypothesis after another, to the last step."""
    live, done = [((), 0.0)], []
    for step in range(1, longest + 2):
        longer = []
        for tokens, total in live:
            for token in range(len(model.scores[0])) if step <= longest else [END]:
                longer.append(((*tokens, token), total + model.walk(source, 1, [*tokens, token])[0][-1]))
        longer.sort(key=lambda item: -item[1])
        done += [(p / ((5 + step) / 6) ** alpha, t[:-1]) for t, p in longer[:beam] if t[-1] == END]
        live = [(t, p) for t, p in longer[:beam] if t[-1] != END]
    return sorted(done, key=lambda item: -item[0])[:n]


@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([0.0, 0.6, 1.0]), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_a_narrow_beam_equals_the_plain_search(seed, beam, alpha, longest):
    """Dropping hypotheses that cannot win changes nothing."""
    model = Table([3, 4], V=6, seed=seed)
    n = max(1, beam - 1)
    found = beam_search(
        model,
        [1, 1],
        END,
        beam=beam,
        n_best=n,
        length_penalty=alpha,
        constraints=Constraints(max_length=longest),
    )
    for hypotheses, source in zip(found, (3, 4), strict=True):
        check(hypotheses, plain_beam(model, source, beam, n, alpha, longest))


@given(st.integers(0, 10**6), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_greedy_decoding_takes_the_likeliest_token(seed, longest):
    model = Table(np.arange(5), V=9, seed=seed)
    found = greedy(model, np.ones(5, int), END, constraints=Constraints(max_length=longest))
    for source, hypothesis in enumerate(found):
        tokens, state = [], model.after(model.first(np.int64(source)), 1)
        while len(tokens) < longest and (token := int(model.scores[state].argmax())) != END:
            tokens.append(token)
            state = model.after(state, token)
        assert hypothesis.tokens.tolist() == tokens
        expected = model.walk(source, 1, [*tokens, END])[0].sum()
        assert hypothesis.score == hypothesis.log_prob == pytest.approx(expected)


# --- batches


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_source_is_independent_of_the_others(dtype):
    sources = np.arange(40)
    options = {"beam": 4, "n_best": 3, "constraints": Constraints(max_length=12, no_repeat_ngram=2)}
    together = beam_search(Table(sources, V=50, S=5, dtype=dtype), np.ones(40, int), END, **options)
    drawn = sample(Table(sources, V=50, dtype=dtype), np.ones(40, int), END, count=2, seed=3)
    for source in (0, 7, 39):
        (alone,) = beam_search(Table([source], V=50, S=5, dtype=dtype), [1], END, **options)
        assert len(alone) == 3
        for a, b in zip(alone, together[source], strict=True):
            assert (a.score, a.log_prob) == (b.score, b.log_prob)
            np.testing.assert_array_equal(a.tokens, b.tokens)
            np.testing.assert_array_equal(a.attention, b.attention)
        (again,) = sample(Table([source], V=50, dtype=dtype), [1], END, count=2, seed=3, keys=[source])
        for a, b in zip(again, drawn[source], strict=True):
            assert a.log_prob == b.log_prob and a.tokens.tolist() == b.tokens.tolist()


def test_finished_sources_leave_the_batch():
    model = Table(np.arange(30), V=20)
    beam_search(model, np.ones(30, int), END, beam=3, constraints=Constraints(max_length=50))
    assert model.sizes[0] == 30 and max(model.sizes) <= 90
    assert model.sizes[-1] < 30
    assert len(model.sizes) <= 51


def test_the_number_of_threads_changes_nothing():
    before = rnnrs.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            rnnrs.set_num_threads(threads)
            model = Table(np.arange(64), V=3000, dtype=np.float32)
            found = beam_search(model, np.ones(64, int), END, constraints=Constraints(max_length=6))
            results.append([(h.score, h.tokens.tolist()) for hs in found for h in hs])
    finally:
        rnnrs.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_attention_ends_with_the_source():
    model = Table([0, 1], S=6, V=5)
    found = beam_search(model, [1, 1], END, source_lengths=[2, 6], constraints=Constraints(min_length=2))
    assert [h[0].attention.shape[1] for h in found] == [2, 6]
    assert all(len(h[0].attention) == len(h[0].tokens) >= 2 for h in found)


def test_coverage_ends_with_the_source():
    class Padded(Table):
        def step(self, tokens, rows):
            scores = super().step(tokens, rows)
            self.attention = np.concatenate([self.attention, np.zeros((len(tokens), 4))], axis=1)
            return scores

    options = {"coverage_penalty": 0.5, "constraints": Constraints(max_length=5), "beam": 3}
    (bare,) = beam_search(Table([2], S=3), [1], END, **options)
    (padded,) = beam_search(Padded([2], S=3), [1], END, source_lengths=[3], **options)
    assert bare[0].score == padded[0].score


# --- lengths and ends


def test_without_an_end_token_all_have_the_maximum_length():
    model = Table([0, 1])
    found = beam_search(model, [1, 1], None, beam=256, n_best=2, constraints=Constraints(max_length=4))
    for source in (0, 1):
        sums = {
            t: model.walk(source, 1, t)[0].sum() / 1.5**0.6 for t in itertools.product(range(4), repeat=4)
        }
        best = sorted(sums, key=lambda t: -sums[t])[:2]
        assert [tuple(h.tokens) for h in found[source]] == best
        assert found[source][0].score == pytest.approx(sums[best[0]])
    drawn = sample(Table([0, 1]), [1, 1], None, seed=1, constraints=Constraints(max_length=[3, 5]))
    assert [len(d[0].tokens) for d in drawn] == [3, 5]


def test_no_sources_give_no_hypotheses():
    assert beam_search(Table([]), [], END) == greedy(Table([]), [], END) == sample(Table([]), [], END) == []


def test_a_hypothesis_ends_where_no_token_is_allowed():
    model = Table([0], V=3)
    constraints = Constraints(max_length=9, min_length=9, no_repeat_ngram=1)
    (found,) = greedy(model, [1], END, constraints=constraints)
    assert sorted(found.tokens.tolist()) == [1, 2]
    with pytest.raises(ValueError, match="constraints: expected at least one allowed token, got none"):
        greedy(Table([0], V=3), [1], None, constraints=constraints)


def test_a_sequence_of_probability_0_is_a_result():
    model = Table([0])
    model.scores[:, 2] = -np.inf
    (found,) = beam_search(model, [1], END, constraints=Constraints(max_length=3, prefixes=[[2]]))
    assert found[0].tokens[0] == 2 and found[0].log_prob == -np.inf


# --- invalid arguments


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"beam": 0}, ValueError, "beam_search: beam: expected a whole number from 1, got 0"),
        ({"beam": 2, "n_best": 3}, ValueError, "n_best: expected at most beam, 2, got 3"),
        ({"length_penalty": -1}, ValueError, "length_penalty: expected a finite number from 0, got -1"),
        ({"coverage_penalty": np.inf}, ValueError, "coverage_penalty: expected a finite number from 0"),
        ({"coverage_penalty": 0.1}, ValueError, "coverage_penalty: expected 0 for a model without attention"),
        ({"end_id": 4}, IndexError, "end_id: expected ids from 0 to 3, got 4"),
        ({"end_id": -1}, ValueError, "end_id: expected a whole number from 0, got -1"),
        (
            {"source_lengths": [1]},
            rnnrs.ShapeError,
            "source_lengths: expected one for each of 2 sources, got 1",
        ),
        (
            {"max_length": [3]},
            rnnrs.ShapeError,
            "max_length: expected one number or one for each of 2 sources",
        ),
        ({"prefixes": [[1]]}, rnnrs.ShapeError, "prefixes: expected one for each of 2 sources, got 1"),
        ({"prefixes": [[1], [0]]}, ValueError, r"prefixes\[1\]: expected no end token, got \[0\]"),
        (
            {"prefixes": [[1] * 4, []], "max_length": 3},
            ValueError,
            r"prefixes\[0\]: expected at most max_length, 3",
        ),
        ({"prefixes": [[9], []]}, IndexError, "forced: expected ids from 0 to 3, got 9"),
        ({"forbidden": [4]}, IndexError, "forbidden: expected ids from 0 to 3, got 4"),
        ({"allowed": [4]}, IndexError, "allowed: expected ids from 0 to 3, got 4"),
        ({"allowed": [0.5]}, rnnrs.DTypeError, "Constraints: allowed: expected whole numbers"),
        ({"max_length": 0}, ValueError, "Constraints: max_length: expected at least 1"),
        ({"max_length": 2, "min_length": 3}, ValueError, "at least min_length, 3, got 2"),
        ({"max_length": 2.5}, TypeError, "max_length: expected a whole number"),
        ({"min_length": -1}, ValueError, "min_length: expected a whole number from 0"),
    ],
)
def test_invalid_arguments_are_refused(options, error, message):
    names = ("max_length", "min_length", "prefixes", "allowed", "forbidden")
    with pytest.raises(error, match=message):
        limits = Constraints(**{name: options.pop(name) for name in names if name in options})
        beam_search(Table([0, 1]), [1, 1], options.pop("end_id", END), constraints=limits, **options)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_invalid_scores_are_refused(wrong):
    model = Table([0, 1])
    model.scores[:, 1] = wrong
    for decode in (greedy, beam_search, sample):
        with pytest.raises(ValueError, match="scores: expected finite scores, got a maximum of"):
            decode(model, [1, 1], END)


def test_scores_of_another_shape_are_refused():
    for scores in (np.zeros((3, 4)), np.zeros(4), np.zeros(())):
        model = Table([0, 1])
        model.step = lambda tokens, rows, scores=scores: scores
        with pytest.raises(rnnrs.ShapeError, match="scores: expected"):
            beam_search(model, [1, 1], None)
