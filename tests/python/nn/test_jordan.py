"""The output-to-hidden network: against its equations in NumPy, and its invariances."""

import numpy as np
import pytest
import reference

import rnnrs
from rnnrs import nn

T, B, I, H, O = 9, 4, 3, 6, 5
rng = np.random.default_rng(8)
X = rng.standard_normal((T, B, I))
IDS = rng.integers(0, O, (T, B))
VALUES = rng.standard_normal((T, B, O))
DO = rng.standard_normal((T, B, O))
LENGTHS = np.array([T, 4, 0, 7])


def layer(feedback="output", dtype="float64", **options):
    made = nn.JordanRNN(I, H, O, feedback=feedback, seed=3, dtype=dtype, **options)
    made.parameters.flat[...] *= 2.0  # large enough for the feedback to matter
    return made


def one_hot(ids):
    return np.where((ids >= 0)[..., None], np.eye(O)[ids], 0.0)


def by_the_equations(jordan, targets, previous, own, make, dtype=np.float64):
    """Returns the reference's (h, o, z); W multiplies z: one-hot vectors, embeddings or numbers."""
    p = dict(jordan.parameters)
    z = [previous, *targets]
    h, o, z = reference.jordan_forward(X, z, own, p, jordan.activation, make)
    return h, o, z


def own_of(jordan, forcing, seed=0, step=0, keys=range(B)):
    own = np.zeros((T + 1, B), bool)
    for t in range(1, T + 1):
        for b, key in enumerate(keys):
            own[t, b] = reference.jordan_draws(seed, step, key, t)[0] >= forcing
    return own


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
@pytest.mark.parametrize("forcing", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("targets", ["ids", "values"])
@pytest.mark.parametrize("feedback", ["output", "softmax"])
def test_feedback_of_numbers(feedback, targets, forcing, activation):
    jordan, previous = layer(feedback, activation=activation), rng.standard_normal((B, O))
    y = IDS if targets == "ids" else VALUES
    o, cache = jordan.forward(X, y, teacher_forcing=forcing, previous=previous, seed=5, step=2)
    own = own_of(jordan, forcing, 5, 2)
    make = reference.softmax if feedback == "softmax" else lambda o: o
    rows = one_hot(IDS) if targets == "ids" else VALUES
    h, o_, z = by_the_equations(jordan, rows, previous, own, make)
    np.testing.assert_allclose(o, o_, atol=1e-10)
    np.testing.assert_allclose(cache.h, h, atol=1e-10)
    if forcing < 1.0:
        np.testing.assert_array_equal(cache.own, own)
        np.testing.assert_allclose(cache.z, z, atol=1e-10)
        np.testing.assert_allclose(cache.next, z[-1], atol=1e-10)

    dx, dprevious = jordan.backward(cache, DO)
    p, g = jordan.parameters, jordan.gradients
    da, total = reference.jordan_bptt(DO, h, z, own, dict(p), activation, feedback)
    for got, expected in [
        (dx, da @ p["U"]),
        (dprevious, da[0] @ p["W"]),
        (g["U"], np.einsum("tbh,tbi->hi", da, X)),
        (g["W"], np.einsum("tbh,tbo->ho", da, z[:T])),
        (g["b"], da.sum((0, 1))),
        (g["V"], np.einsum("tbo,tbh->oh", total, h)),
        (g["c"], total.sum((0, 1))),
    ]:
        np.testing.assert_allclose(got, expected, atol=1e-9)


@pytest.mark.parametrize("forcing", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("embedding_size", [None, 4])
@pytest.mark.parametrize("feedback", ["sample", "argmax"])
def test_feedback_of_tokens(feedback, embedding_size, forcing):
    jordan = layer(feedback, embedding_size=embedding_size, temperature=0.7)
    previous, ids = np.array([0, -1, 4, 2]), IDS.copy()
    ids[3, 1] = -1
    o, cache = jordan.forward(X, ids, teacher_forcing=forcing, previous=previous, seed=9)
    p, g = jordan.parameters, jordan.gradients
    E = p["E"] if embedding_size else np.eye(O)
    embed = lambda ids: np.where((ids >= 0)[..., None], E[ids], 0.0)  # noqa: E731
    own, t = own_of(jordan, forcing, 9), iter(range(1, T + 1))

    def make(o):
        at, temperature = next(t), 0.0 if feedback == "argmax" else 0.7
        u = [reference.jordan_draws(9, 0, b, at)[1] for b in range(B)]
        return embed(
            np.array([reference.jordan_choose(row, temperature, v) for row, v in zip(o, u, strict=True)])
        )

    h, o_, z = by_the_equations(jordan, embed(ids), embed(previous), own, make)
    np.testing.assert_allclose(o, o_, atol=1e-10)
    np.testing.assert_allclose(embed(cache.fed[2]), z[:T], atol=1e-12)
    np.testing.assert_allclose(embed(cache.next), z[T], atol=1e-12)

    dx, dprevious = jordan.backward(cache, DO)
    assert dprevious is None
    da = (DO @ p["V"]) * (1 - h**2)
    np.testing.assert_allclose(dx, da @ p["U"], atol=1e-10)
    np.testing.assert_allclose(g["W"], np.einsum("tbh,tbe->he", da, z[:T]), atol=1e-10)
    np.testing.assert_allclose(g["V"], np.einsum("tbo,tbh->oh", DO, h), atol=1e-10)
    if embedding_size:
        dE = np.zeros_like(E)
        for token in range(O):
            dE[token] = (da[cache.fed[2] == token] @ p["W"]).sum(0)
        np.testing.assert_allclose(g["E"], dE, atol=1e-10)


def ways():
    for feedback in nn.FEEDBACKS:
        tokens = feedback in ("sample", "argmax")
        for targets in ["ids", None] if tokens else ["ids", "values", None]:
            for forcing in (1.0, 0.5):
                for embedding_size in [None, 4] if tokens else [None]:
                    yield pytest.param(feedback, targets, forcing, embedding_size)


EVERY_WAY = list(ways())


def run(jordan, targets, x=X, columns=slice(None), **options):
    y = {"ids": IDS, "values": VALUES, None: None}[targets]
    y = None if y is None else y[:, columns]
    o, cache = jordan.forward(x[:, columns], y, **options)
    jordan.zero_gradients()
    jordan.backward(cache, DO[:, columns])
    return o, cache


@pytest.mark.parametrize(("feedback", "targets", "forcing", "embedding_size"), EVERY_WAY)
def test_gradients_by_finite_differences(feedback, targets, forcing, embedding_size):
    jordan = layer(feedback, embedding_size=embedding_size)
    options = {"teacher_forcing": forcing, "seed": 4, "lengths": LENGTHS}
    run(jordan, targets, **options)
    theta, gradient = jordan.parameters.flat, jordan.gradients.flat.copy()
    y = {"ids": IDS, "values": VALUES, None: None}[targets]

    def loss(at, e):
        before = theta[at]
        theta[at] = before + e
        try:
            return float((jordan.forward(X, y, **options)[0] * DO).sum())
        finally:
            theta[at] = before

    slope = lambda at, e: (loss(at, e) - loss(at, -e)) / (2 * e)  # noqa: E731
    numeric = np.array([(4 * slope(i, 1e-5) - slope(i, 2e-5)) / 3 for i in range(theta.size)])
    scale = np.maximum(np.maximum(np.abs(gradient), np.abs(numeric)), 1e-3 * np.abs(numeric).max())
    assert (np.abs(gradient - numeric) / scale).max() <= 1e-6


@pytest.mark.parametrize(("feedback", "targets", "forcing", "embedding_size"), EVERY_WAY)
def test_bits_depend_neither_on_threads_nor_on_the_batch(feedback, targets, forcing, embedding_size):
    jordan = nn.JordanRNN(I, 70, O, feedback=feedback, embedding_size=embedding_size)
    x, y = (
        np.tile(X, (3, 9, 1)),
        {"ids": np.tile(IDS, (3, 9)), "values": np.tile(VALUES, (3, 9, 1))}.get(targets),
    )
    keys, before = np.arange(x.shape[1]) + 100, rnnrs.get_num_threads()
    options = {"teacher_forcing": forcing, "seed": 1, "step": 7}
    results = []
    try:
        for threads in (1, 2, 3):
            rnnrs.set_num_threads(threads)
            jordan.zero_gradients()
            o, cache = jordan.forward(x, y, keys=keys, **options)
            dx, _ = jordan.backward(cache, np.cos(o))
            results.append((o, dx, cache.next, jordan.gradients.flat.copy()))
    finally:
        rnnrs.set_num_threads(before)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert np.array_equal(one, two)
    some = [30, 2, 17]
    o, cache = jordan.forward(x[:, some], None if y is None else y[:, some], keys=keys[some], **options)
    assert np.array_equal(o, results[0][0][:, some])
    assert np.array_equal(jordan.backward(cache, np.cos(o))[0], results[0][1][:, some])


@pytest.mark.parametrize(("feedback", "targets", "forcing", "embedding_size"), EVERY_WAY)
def test_padding_has_no_effect_whatever_it_holds(feedback, targets, forcing, embedding_size):
    jordan = layer(feedback, embedding_size=embedding_size)
    options = {"teacher_forcing": forcing, "seed": 2}
    beyond = np.arange(T)[:, None] >= LENGTHS
    x, y, do = X.copy(), {"ids": IDS, "values": VALUES, None: None}[targets], DO.copy()
    x[beyond], do[beyond] = np.nan, np.nan
    if y is not None:
        y = y.copy()
        y[beyond] = -1 if targets == "ids" else np.nan
    o, cache = jordan.forward(x, y, lengths=LENGTHS, **options)
    dx, _ = jordan.backward(cache, do)
    assert not o[beyond].any() and not dx[beyond].any() and np.isfinite(dx).all()
    total = np.zeros_like(jordan.gradients.flat)
    for b, length in enumerate(LENGTHS):  # every sequence by itself, without padding
        jordan2 = layer(feedback, embedding_size=embedding_size)
        cut = (slice(length), slice(b, b + 1))
        alone, cache2 = jordan2.forward(X[cut], None if y is None else y[cut], keys=[b], **options)
        np.testing.assert_array_equal(alone, o[cut])
        dx2, _ = jordan2.backward(cache2, DO[cut])
        np.testing.assert_array_equal(dx2, dx[cut])
        total += jordan2.gradients.flat
    np.testing.assert_allclose(jordan.gradients.flat, total, atol=1e-12)


def test_teacher_forcing_with_tokens_equals_one_hot_vectors():
    jordan = layer("softmax")
    o, cache = run(jordan, "ids")
    g = jordan.gradients.flat.copy()
    o2, cache2 = jordan.forward(X, one_hot(IDS))
    jordan.zero_gradients()
    jordan.backward(cache2, DO)
    np.testing.assert_array_equal(o, o2)
    np.testing.assert_allclose(g, jordan.gradients.flat, atol=1e-12)
    np.testing.assert_array_equal(cache.next, IDS[-1])


def test_a_probability_near_one_has_the_bits_of_teacher_forcing():
    for feedback in nn.FEEDBACKS:
        jordan = layer(feedback, dtype="float32")
        o, _ = jordan.forward(X, IDS)
        almost, cache = jordan.forward(X, IDS, teacher_forcing=np.nextafter(1.0, 0.0))
        assert not cache.own.any()
        np.testing.assert_array_equal(o, almost)


@pytest.mark.parametrize(("feedback", "targets", "forcing", "embedding_size"), EVERY_WAY)
def test_a_sequence_in_two_parts(feedback, targets, forcing, embedding_size):
    jordan = layer(feedback, embedding_size=embedding_size)
    y = {"ids": IDS, "values": VALUES, None: None}[targets]
    if targets is not None:
        forcing = 1.0  # the random choices are numbered from the start of each call
    elif feedback == "sample":
        jordan.temperature = 1e-9  # equivalent to "argmax", whatever is sampled
    whole, _ = jordan.forward(X, y, teacher_forcing=forcing)
    first, cache = jordan.forward(X[:4], None if y is None else y[:4], teacher_forcing=forcing)
    second, _ = jordan.forward(
        X[4:], None if y is None else y[4:], teacher_forcing=forcing, previous=cache.next
    )
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_targets_are_fed_at_the_given_rate_and_independently():
    jordan = nn.JordanRNN(0, 2, 3)
    x, y = np.zeros((100, 50, 0)), np.zeros((100, 50), int)
    own = [
        jordan.forward(x, y, teacher_forcing=0.7, **o)[1].own[1:]
        for o in ({}, {"seed": 1}, {"step": 1}, {"keys": np.arange(50) - 7})
    ]
    for one in own:
        assert abs(one.mean() - 0.3) < 0.03
    assert not any(np.array_equal(own[0], other) for other in own[1:])
    np.testing.assert_array_equal(own[0][:, :43], own[3][:, 7:])
    assert abs(np.corrcoef(own[0].ravel(), own[1].ravel())[0, 1]) < 0.05
    # A sequence's choices at neighboring steps are independent.
    assert abs(np.corrcoef(own[0][1:].ravel(), own[0][:-1].ravel())[0, 1]) < 0.05


def test_sampling_follows_the_distribution():
    jordan = layer("sample", temperature=2.0)
    jordan.parameters.fill(0.0)
    jordan.parameters["c"] = np.log([0.1, 0.2, 0.3, 0.25, 0.15])
    _, cache = jordan.forward(np.zeros((100, 50, I)), seed=3)
    counts = np.bincount(cache.fed[2][1:].ravel(), minlength=O) / (99 * 50)
    expected = np.sqrt([0.1, 0.2, 0.3, 0.25, 0.15])
    np.testing.assert_allclose(counts, expected / expected.sum(), atol=0.03)


@pytest.mark.parametrize("feedback", nn.FEEDBACKS)
def test_no_steps_or_sequences_or_inputs(feedback):
    for steps, batch in ((0, 3), (4, 0), (0, 0), (4, 3)):
        jordan = nn.JordanRNN(0, H, O, feedback=feedback, dtype="float64")
        for y in (None, np.zeros((steps, batch), int)):
            o, cache = jordan.forward(np.zeros((steps, batch, 0)), y)
            assert o.shape == (steps, batch, O) and len(cache.next) == batch
            dx, _ = jordan.backward(cache, np.ones_like(o))
            assert dx.shape == (steps, batch, 0)
            if steps * batch == 0:
                assert not jordan.gradients.flat.any()
    start = np.full(2, 3)
    _, cache = nn.JordanRNN(0, H, O, feedback=feedback).forward(
        np.zeros((0, 2, 0)), np.zeros((0, 2), int), previous=start
    )
    np.testing.assert_array_equal(cache.next, start)


def test_nan_stays_in_its_sequence():
    x = X.copy()
    x[2, 1] = np.nan
    jordan = layer("softmax")
    o, clean = jordan.forward(x)[0], jordan.forward(X)[0]
    assert np.isnan(o[2:, 1]).all()
    np.testing.assert_array_equal(np.delete(o, 1, 1), np.delete(clean, 1, 1))
    with pytest.raises(ValueError, match="scores: expected finite"):
        layer("argmax").forward(x)
