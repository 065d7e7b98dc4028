"""Caches: their definitions, their distributions, and their effect on a repetitive text."""

import math

import numpy as np
import pytest
import reference

from rnnrs.models import ContinuousCache, LanguageModel, NgramCache
from rnnrs.models.language.cache import Mixture

rng = np.random.default_rng(6)
V, H = 7, 5
CACHES = [
    NgramCache(0.2, size=9),
    NgramCache(0.3, size=12, order=3, share=0.7),
    NgramCache(0.3, size=1000, order=2),
    ContinuousCache(0.25, size=8, theta=0.4),
    ContinuousCache(0.25, size=1000, theta=0.0),
]


def ngrams_by_hand(tokens, t, cache):
    """P_cache (V,) of token t, from newly counted n-grams."""
    first = max(0, t - cache.size)
    p = np.bincount(tokens[first:t], minlength=V) / (t - first)
    for length in range(1, cache.order):
        if t < length:
            break
        context = tokens[t - length : t]
        followers = [
            tokens[i] for i in range(max(first, length), t) if np.array_equal(tokens[i - length : i], context)
        ]
        if not followers:
            break
        share = np.bincount(followers, minlength=V) / len(followers)
        p = cache.share * share + (1 - cache.share) * p
    return p


def states_by_hand(h, tokens, t, cache):
    first = max(0, t - cache.size)
    weights = np.exp(cache.theta * h[first:t] @ h[t])
    return np.bincount(tokens[first:t], weights, V) / weights.sum()


def by_hand(h, tokens, t, cache):
    if isinstance(cache, NgramCache):
        return ngrams_by_hand(tokens, t, cache)
    return states_by_hand(h, tokens, t, cache)


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("cuts", [[], [1, 2, 30], [13]])
def test_a_memory_follows_its_definition(cache, cuts):
    tokens, h = rng.integers(0, V, 60), rng.standard_normal((60, H))
    memory = cache.start(V)
    assert memory.distribution(h[0]) is None
    parts = [memory.read(h[part], tokens[part]) for part in (slice(*p) for p in _pairs(cuts))]
    p, known = (np.concatenate(column) for column in zip(*parts, strict=True))
    np.testing.assert_array_equal(known, np.arange(60) > 0)
    assert p[0] == 0.0
    expected = [by_hand(h, tokens, t, cache)[tokens[t]] for t in range(1, 60)]
    np.testing.assert_allclose(p[1:], expected, rtol=1e-10)
    last = rng.standard_normal(H)
    distribution = memory.distribution(last)
    np.testing.assert_allclose(
        distribution, by_hand(np.vstack([h, last]), np.append(tokens, 0), 60, cache), rtol=1e-10
    )
    assert distribution.sum() == pytest.approx(1.0, abs=1e-12)


def _pairs(cuts):
    return zip([0, *cuts], [*cuts, 60], strict=True)


def test_long_texts_are_read_in_chunks():
    cache = ContinuousCache(size=300, theta=0.3)
    tokens, h = rng.integers(0, V, 700), rng.standard_normal((700, H)).astype(np.float32)
    p, _ = cache.start(V).read(h, tokens)
    for t in (1, 255, 256, 257, 301, 600, 699):
        assert p[t] == pytest.approx(states_by_hand(h.astype(float), tokens, t, cache)[tokens[t]], rel=1e-4)


def test_large_similarities_do_not_overflow():
    cache = ContinuousCache(theta=100.0)
    p, _ = cache.start(V).read(100 * rng.standard_normal((50, H)), rng.integers(0, V, 50))
    assert np.isfinite(p).all()


def test_a_mixture_is_a_distribution():
    tokens, h = rng.integers(0, V, 40), rng.standard_normal((40, H))
    model_p = reference.softmax(rng.standard_normal(V))
    mixture = Mixture("test", CACHES[:3], V)
    np.testing.assert_array_equal(mixture.distribution(h[0], model_p), model_p)
    for t, token in enumerate(tokens):
        p = mixture.distribution(h[t], model_p)
        assert p.sum() == pytest.approx(1.0, abs=1e-12)
        own = mixture.read(h[t : t + 1], tokens[t : t + 1], np.log(model_p[[token]]))
        assert own[0] == pytest.approx(np.log(p[token]), rel=1e-10)
        if t:
            rest = 1 - sum(cache.weight for cache in CACHES[:3])
            expected = rest * model_p + sum(c.weight * by_hand(h, tokens, t, c) for c in CACHES[:3])
            np.testing.assert_allclose(p, expected, rtol=1e-10)


TEXT = "\n".join(
    f"{who} {verb} the {what}."
    for who in ("I", "You", "We", "They")
    for verb in ("like", "want", "see", "know")
    for what in ("tea", "sea", "apple", "town")
)
#: A repetitive text.
NEWS = "They want the town. They want the town.\nThey want the town.\nThey want the town. I see.\nThey want the town.\n"


@pytest.fixture(scope="module", params=[False, True], ids=["stream", "sentences"])
def model(request):
    model = LanguageModel.from_text(TEXT, level="word", embedding_size=8, hidden_size=12)
    model.fit(
        TEXT, epochs=4, batch_size=4, steps=10, learning_rate=1e-2, by_sentence=request.param, progress=False
    )
    return model


@pytest.mark.parametrize("cache", [*CACHES, CACHES[2:4]])
def test_evaluation_is_the_sum_over_the_distributions(model, cache):
    result, plain = model.evaluate(NEWS, cache=cache), model.evaluate(NEWS)
    assert (result.tokens, result.characters, result.unknown) == (
        plain.tokens,
        plain.characters,
        plain.unknown,
    )
    lines = NEWS.splitlines() if model.by_sentence else [NEWS]
    nats, before = 0.0, ""
    for line in lines:
        ids = model.vocabulary.encode(line)
        words = [model.vocabulary.tokens[i] for i in ids]
        targets = [*ids, model.vocabulary.end_id] if model.by_sentence else ids
        for t, target in enumerate(targets):
            said = model.vocabulary.join(words[:t])
            p = model.next_distribution(before + said, cache=cache)
            assert p.sum() == pytest.approx(1.0, abs=1e-6)
            nats -= math.log(p[target])
        before += line + "\n"
    assert result.nats == pytest.approx(nats, rel=1e-4)


@pytest.mark.parametrize("cache", [None, CACHES[1]])
def test_the_perplexity_of_known_words_leaves_out_unknown_ones(model, cache):
    text = "They want the zebra.\nYaks want the town.\n"
    result = model.evaluate(text, cache=cache)
    assert result.unknown == 2 and 0 < result.unknown_nats < result.nats
    known = (result.nats - result.unknown_nats) / (result.tokens - 2)
    assert result.known_perplexity == pytest.approx(math.exp(known))
    if cache is None and model.by_sentence:
        scores = [model.score(line) for line in text.splitlines()]
        unknown = sum(s.log_probs[s.tokens.index("<unk>")] for s in scores)
        assert result.unknown_nats == pytest.approx(-unknown, rel=1e-5)
    plain = model.evaluate(NEWS)
    assert plain.known_perplexity == plain.perplexity
    assert math.isnan(model.evaluate("zebra").known_perplexity) or model.by_sentence


@pytest.mark.parametrize("cache", CACHES[1:4])  # those that use more than the words' frequencies
def test_a_repetitive_text_becomes_more_likely(model, cache):
    assert model.evaluate(NEWS, cache=cache).perplexity < model.evaluate(NEWS).perplexity


def test_a_cache_of_weight_0_changes_nothing(model):
    plain = model.evaluate(NEWS).nats
    for cache in (NgramCache(0.0), ContinuousCache(0.0)):
        assert model.evaluate(NEWS, cache=cache).nats == pytest.approx(plain, rel=1e-5)
        np.testing.assert_allclose(
            model.next_distribution("We know", cache=cache), model.next_distribution("We know")
        )


def test_characters_and_an_adaptive_softmax():
    for settings in ({}, {"cutoffs": [6, 15]}):
        chars = LanguageModel.from_text(TEXT, hidden_size=12, **settings)
        plain = chars.perplexity(NEWS)
        assert chars.evaluate(NEWS, cache=NgramCache(0.3, order=4)).perplexity < plain
        assert chars.evaluate(NEWS, cache=ContinuousCache(0.3)).perplexity < plain


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: NgramCache(1.0), ValueError, "NgramCache: weight: expected 0 ≤ λ < 1, got 1.0"),
        (lambda m: NgramCache(math.nan), ValueError, "weight"),
        (lambda m: NgramCache(size=0), ValueError, "size: .* from 1"),
        (lambda m: NgramCache(order=0), ValueError, "order"),
        (lambda m: NgramCache(order=1.5), TypeError, "order"),
        (lambda m: NgramCache(share=1.5), ValueError, "share"),
        (lambda m: ContinuousCache(-0.1), ValueError, "ContinuousCache: weight"),
        (lambda m: ContinuousCache(size=2.0), TypeError, "size"),
        (lambda m: ContinuousCache(theta=-1), ValueError, "theta"),
        (lambda m: ContinuousCache(theta=math.inf), ValueError, "theta"),
        (lambda m: m.evaluate(NEWS, cache=[]), ValueError, "at least one"),
        (
            lambda m: m.evaluate(NEWS, cache=[NgramCache(0.5), ContinuousCache(0.5)]),
            ValueError,
            "less than 1",
        ),
        (lambda m: m.evaluate(NEWS, cache=["lru"]), TypeError, "got 'lru'"),
        (lambda m: m.evaluate("", cache=NgramCache()), ValueError, "at least one token"),
    ],
)
def test_invalid_settings_are_refused(model, call, error, message):
    with pytest.raises(error, match=message):
        call(model)
