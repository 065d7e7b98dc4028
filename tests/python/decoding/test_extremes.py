"""Decoding with extreme settings: temperatures, penalties, beams, and scores of −∞."""

import warnings

import numpy as np
import pytest

from rnnrs import decoding, models, nn
from rnnrs.decoding import Constraints, Sampling, beam_search, greedy, memory, sample

INF = np.inf
COLD = [0.0, 5e-324, 1e-300, 1e-40, 1e-21]
LIMITS = [{}, {"top_k": 2}, {"top_p": 0.9}, {"top_k": 3, "top_p": 0.5}]


class Fixed:
    """A model whose scores are always the same."""

    attention = None

    def __init__(self, scores, dtype=np.float64):
        self.scores = np.array(scores, dtype)

    def step(self, tokens, rows):
        return np.tile(self.scores, (len(tokens), 1))


class Covering(Fixed):
    @property
    def attention(self):
        return self.looked

    def step(self, tokens, rows):
        self.looked = np.full((len(tokens), 3), 1 / 3)
        return super().step(tokens, rows)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drawn(scores, count=50, dtype=np.float64, **options):
    """Returns the tokens of `count` samples of one token each."""
    found = sample(
        Fixed(scores, dtype), [0], None, count=count, constraints=Constraints(max_length=1), seed=3, **options
    )
    return [int(one.tokens[0]) for one in found[0]]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", COLD)
@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.0, 1.0, 3.0, 2.0], 2),
        ([-50.0, -3.0, -4.0, -3.0], 1),
        ([2.0, 7.0, 7.0, 7.0], 1),
        ([-INF, -1e30, -INF, -2e30], 1),
        ([1e30, 3e30, 2e30, -INF], 1),
        ([0.0, 0.0, 0.0, 1e-30], 3),
    ],
)
def test_cold_samples_are_greedy(scores, best, dtype, temperature, limits):
    assert set(drawn(scores, dtype=dtype, temperature=temperature, **limits)) == {best}


@pytest.mark.parametrize("temperature", [1e30, 1e300, 1.7e308])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hot_samples_are_uniform(dtype, temperature):
    counts = np.bincount(drawn([-40.0, 0.0, 50.0, -INF], 3000, dtype, temperature=temperature), minlength=4)
    assert counts[3] == 0 and np.abs(counts[:3] - 1000).max() < 100
    assert 2 not in np.unique(drawn([-40.0, 0.0, -50.0], 500, dtype, temperature=temperature, top_k=2))


@pytest.mark.parametrize("temperature", COLD)
def test_cold_text_is_greedy_in_every_model(temperature):
    language = models.LanguageModel.from_text("the cat and the dog. " * 8, hidden_size=8, embedding_size=4)
    language.fit("the cat and the dog. " * 8, epochs=2, progress=False)
    known = language.generate("the", length=12, temperature=0)
    assert language.generate("the", length=12, temperature=temperature, seed=5) == known
    assert "".join(language.stream("the", length=12, temperature=temperature, seed=6)) == known


@pytest.mark.parametrize("temperature", COLD[1:])
def test_cold_feedback_is_the_likeliest_token(temperature):
    x = np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)
    found = [
        nn.JordanRNN(3, 4, 5, feedback=kind, seed=1, temperature=t).forward(x, teacher_forcing=0.0)[0]
        for kind, t in (("argmax", 1.0), ("sample", temperature))
    ]
    assert np.array_equal(*found)


@pytest.mark.parametrize("wrong", [-1e-300, INF, -INF, np.nan])
def test_other_temperatures_are_refused(wrong):
    with pytest.raises(
        ValueError, match=f"sample: temperature: expected a finite number from 0, got {wrong}"
    ):
        sample(Fixed([0.0, 1.0]), [0], 1, temperature=wrong)
    with pytest.raises(ValueError, match="Sampling: temperature: expected"):
        Sampling(temperature=wrong)


@pytest.mark.parametrize("top_k", [30_000, 2**31, 2**63, 2**70])
def test_more_candidates_than_tokens_are_all_tokens(top_k):
    scores = [0.0, 1.0, 2.0]
    assert drawn(scores, top_k=top_k, top_p=0.9) == drawn(scores, top_p=0.9)


def whole(found):
    return [[(one.tokens.tolist(), one.score) for one in source] for source in found]


@pytest.mark.parametrize("scores", [[0.0, 1.0, -1.0], [-INF, 1.0, 0.5], [0.0, -INF, -INF]])
def test_a_beam_of_more_than_there_are_hypotheses_finds_them_all(scores):
    """All sequences of up to two tokens, by their ln P."""
    log_p = np.array(scores) - np.log(np.exp(scores).sum())
    every = [
        (words, sum(log_p[[*words, 2]]))
        for words in [[], *[[a] for a in (0, 1)], *[[a, b] for a in (0, 1) for b in (0, 1)]]
        if np.isfinite(log_p[words]).all() and (np.isfinite(log_p[2]) or len(words) == 2)
    ]
    for beam in (8, 30_000, 10**6):
        found = beam_search(
            Fixed(scores),
            [0, 0],
            2,
            beam=beam,
            n_best=8,
            length_penalty=0,
            constraints=Constraints(max_length=2),
        )
        assert len(found[0]) == len(every) and whole(found)[0] == whole(found)[1]
        assert sorted(words for words, _ in whole(found)[0]) == sorted(words for words, _ in every)
        found = {tuple(one.tokens.tolist()): one.log_prob for one in found[0]}
        for words, known in every:
            assert (
                found[tuple(words)] == pytest.approx(known) or np.isneginf([found[tuple(words)], known]).all()
            )


def test_beams_that_do_not_fit_in_memory_are_refused_by_name(monkeypatch):
    longer = Constraints(max_length=8)
    with pytest.raises(
        MemoryError, match=r"beam_search: n_best: expected hypotheses that fit in memory, got 10{15}, "
    ):
        beam_search(Fixed(np.zeros(9)), [0], 8, beam=10**15, n_best=10**15, constraints=longer)
    with pytest.raises(
        MemoryError, match=r"sample: count: expected hypotheses that fit in memory, got 10{15}, "
    ):
        sample(Fixed(np.zeros(9)), [0], 8, count=10**15)
    asked = []

    def little(size):
        asked.append(size)
        if size > 1 << 16:
            raise MemoryError

    monkeypatch.setattr(memory, "check_memory", little)
    with pytest.raises(
        MemoryError, match=r"Translator.translate: beam: expected hypotheses that fit in .*, got 30000"
    ):
        beam_search(Fixed(np.zeros(99)), [0], 8, beam=30_000, constraints=longer, op="Translator.translate")
    assert max(asked) < 30_000**2 * 24


@pytest.mark.parametrize("penalty", [0.0, 1.0, 1e5, 1e300])
@pytest.mark.parametrize("coverage", [0.0, 1.0, 1e300])
def test_scores_are_numbers_whatever_the_penalties(penalty, coverage):
    found = beam_search(
        Covering([-INF, 1.0, 0.5, -INF]),
        [0, 0],
        3,
        beam=4,
        n_best=4,
        length_penalty=penalty,
        coverage_penalty=coverage,
        constraints=Constraints(max_length=3),
    )
    for one in found[0]:
        assert not np.isnan(one.score) and np.isfinite(one.score)


def test_tokens_of_probability_zero_are_only_written_if_they_must_be():
    model = Fixed([-INF, 0.0, 1.0, -1.0])
    for search in (
        lambda c: greedy(model, [0], 3, constraints=c)[0],
        lambda c: sample(model, [0], 3, constraints=c)[0][0],
    ):
        assert 0 not in search(Constraints(max_length=9)).tokens
        forced = search(Constraints(max_length=9, prefixes=[[0]]))
        assert forced.tokens[0] == 0 and np.isneginf(forced.log_prob)
        assert search(Constraints(max_length=9, allowed=[0])).tokens.size == 0
    assert decoding.beam_search(model, [0], 3, beam=4)[0][0].log_prob > -INF
