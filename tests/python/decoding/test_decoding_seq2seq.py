"""Decoding an encoder–decoder: the probability of a result is the one that the training code computes."""

import numpy as np
import pytest

from rnnrs.decoding import Constraints, beam_search, greedy, sample
from rnnrs.models import Seq2Seq
from rnnrs.text import WordVocabulary

WORDS = ["the", "a", "cat", "dog", "bird", "sat", "ran", "on", "mat", "rug", "big", "small"]


def model(**options):
    vocabularies = [WordVocabulary.build(" ".join(words), min_count=1) for words in (WORDS, WORDS[::2])]
    sizes = {"embedding_size": 6, "hidden_size": 8, "dtype": "float64", "seed": 5}
    made = Seq2Seq(*vocabularies, **{**sizes, **options})
    made.parameters.flat[:] *= 4  # far from a uniform distribution
    return made


def sources(count):
    draw = np.random.default_rng(1)
    return [" ".join(draw.choice(WORDS, draw.integers(1, 9))) for _ in range(count)]


@pytest.mark.parametrize(
    "options", [{"attention": None}, {}, {"attention": "additive", "cell": "lstm"}, {"copy": True}]
)
def test_a_translation_has_its_probability_under_the_model(options):
    made, texts = model(**options), sources(6)
    steps = made.step_model(texts)
    constraints = Constraints(max_length=7, forbidden=[made.target_vocabulary.unknown_id])
    start = np.full(len(texts), steps.end_id)
    found = beam_search(
        steps, start, steps.end_id, n_best=2, constraints=constraints, source_lengths=steps.lengths
    )
    for b, hypotheses in enumerate(found):
        assert len(hypotheses) == 2
        for hypothesis in hypotheses:
            text = steps.text(hypothesis.tokens, b)
            assert hypothesis.log_prob == pytest.approx(made.log_prob(texts[b], text), rel=1e-8)
            if options.get("attention", "general") is None:
                assert hypothesis.attention is None
                continue
            assert hypothesis.attention.shape == (len(hypothesis.tokens), steps.lengths[b])
            np.testing.assert_allclose(hypothesis.attention.sum(axis=1), 1)


@pytest.mark.parametrize("options", [{"attention": None}, {"dtype": "float32"}, {"attention": "additive"}])
def test_a_source_is_independent_of_the_others(options):
    made, texts = model(**options), sources(12)

    def decode(some, keys):
        start = np.full(len(some), made.target_vocabulary.end_id)
        results = []
        for run in (
            lambda steps, how: beam_search(steps, start, steps.end_id, beam=4, **how),
            lambda steps, how: [[h] for h in greedy(steps, start, steps.end_id, **how)],
            lambda steps, how: sample(steps, start, steps.end_id, seed=1, keys=keys, **how),
        ):
            steps = made.step_model(some)
            how = {"source_lengths": steps.lengths, "constraints": Constraints(max_length=9)}
            results.append([[(h.score, h.tokens.tolist()) for h in hs] for hs in run(steps, how)])
        return results

    together = decode(texts, list(range(12)))
    for b in (0, 5, 11):
        for alone, all_of_them in zip(decode(texts[b : b + 1], [b]), together, strict=True):
            assert alone[0] == all_of_them[b]
