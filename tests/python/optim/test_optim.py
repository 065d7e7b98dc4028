"""Optimizers against their formulas in NumPy; clipping; schedules; invalid settings."""

import math

import numpy as np
import pytest

from rnnrs import ShapeError, nn, optim
from rnnrs.errors import FormatError
from rnnrs.nn import Parameters
from rnnrs.optim import SGD, clip_factor, clip_norm


def vectors(n=2000, dtype=np.float64):
    rng = np.random.default_rng(3)
    p, g = Parameters({"a": (n,)}, dtype), Parameters({"a": (n,)}, dtype)
    p["a"], g["a"] = rng.standard_normal(n), rng.standard_normal(n)
    return p, g, rng


def sgd(p, g, s, t, mu=0.9, nesterov=False, decay=0.01):
    g = g + decay * p
    s["v"] = mu * s.get("v", 0) + g
    return p - 0.1 * (g + mu * s["v"] if nesterov else s["v"])


def adagrad(p, g, s, t):
    s["s"] = s.get("s", 0) + g**2
    return p - 0.1 * g / (np.sqrt(s["s"]) + 1e-10)


def rmsprop(p, g, s, t):
    s["s"] = 0.99 * s.get("s", 0) + 0.01 * g**2
    return p - 0.1 * g / (np.sqrt(s["s"]) + 1e-8)


def adam(p, g, s, t, decay=0.0, decoupled=False):
    if decoupled:
        p = p - 0.1 * decay * p
    else:
        g = g + decay * p
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    m, v = s["m"] / (1 - 0.9**t), s["v"] / (1 - 0.999**t)
    return p - 0.1 * m / (np.sqrt(v) + 1e-8)


CASES = {
    "sgd": (optim.SGD(0.1), lambda p, g, s, t: p - 0.1 * g),
    "momentum": (optim.SGD(0.1, momentum=0.9, weight_decay=0.01), sgd),
    "nesterov": (
        optim.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda *a: sgd(*a, nesterov=True),
    ),
    "adagrad": (optim.Adagrad(0.1), adagrad),
    "rmsprop": (optim.RMSProp(0.1), rmsprop),
    "adam": (optim.Adam(0.1, weight_decay=0.02), lambda *a: adam(*a, decay=0.02)),
    "adamw": (optim.AdamW(0.1, weight_decay=0.02), lambda *a: adam(*a, decay=0.02, decoupled=True)),
}


@pytest.mark.parametrize("name", CASES)
def test_five_steps_follow_the_formula(name):
    optimizer, formula = CASES[name]
    optimizer = optim.optimizer_from_config(optimizer.to_config())  # a new one
    p, g, rng = vectors()
    expected, state = p.flat.copy(), {}
    for t in range(1, 6):
        g["a"] = rng.standard_normal(g.flat.size)
        expected = formula(expected, g.flat, state, t)
        optimizer.step(p, g)
        np.testing.assert_allclose(p.flat, expected, rtol=1e-12, atol=1e-14)
    assert optimizer.steps == 5


@pytest.mark.parametrize("name", CASES)
def test_an_optimizer_continues_from_its_state(name):
    optimizer = optim.optimizer_from_config(CASES[name][0].to_config())
    p, g, _ = vectors(dtype=np.float32)
    optimizer.step(p, g)
    other = optim.optimizer_from_config(optimizer.to_config())
    other.load_state(optimizer.state(), optimizer.steps)
    q = Parameters(p.shapes, p.dtype, p.flat.copy())
    optimizer.step(p, g)
    other.step(q, g)
    assert p.flat.tobytes() == q.flat.tobytes()
    with pytest.raises(FormatError, match="expected the vectors"):
        other.load_state({"nonsense": p.flat}, 1)


def test_clipping_by_norm_and_by_value():
    _, g, _ = vectors()
    norm = float(np.linalg.norm(g.flat))
    before = g.flat.copy()
    assert optim.clip_norm(g, math.inf) == pytest.approx(norm, rel=1e-12)
    assert optim.clip_norm(g, 2 * norm) == pytest.approx(norm, rel=1e-12)
    np.testing.assert_array_equal(g.flat, before)
    optim.clip_norm(g, 1.5)
    np.testing.assert_allclose(g.flat, before * (1.5 / norm), rtol=1e-12)
    shorter = g.flat.copy()
    optim.clip_value(g, 0.01)
    np.testing.assert_array_equal(g.flat, np.clip(shorter, -0.01, 0.01))
    g["a"][3] = np.nan
    assert math.isnan(optim.clip_norm(g, 1.0))
    optim.clip_value(g, 0.001)
    assert np.isnan(g["a"][3])
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            optim.clip_norm(g, wrong)
        with pytest.raises(ValueError, match="above 0"):
            optim.clip_value(g, wrong)


def test_schedules():
    cosine = optim.CosineDecay(100, warmup=10, final=0.1)
    assert [cosine(0), cosine(9), cosine(10)] == pytest.approx([0.1, 1.0, 1.0])
    assert cosine(55) == pytest.approx(0.55)
    assert cosine(100) == cosine(1000) == pytest.approx(0.1)
    assert optim.LinearDecay(10)(5) == pytest.approx(0.5)
    assert optim.StepDecay(10, 0.5)(29) == 0.25
    assert optim.ExponentialDecay(10, 0.5)(5) == pytest.approx(0.5**0.5)
    assert optim.Constant()(7) == 1.0
    for wrong in (
        lambda: optim.CosineDecay(0),
        lambda: optim.LinearDecay(5, warmup=6),
        lambda: optim.StepDecay(0),
    ):
        with pytest.raises(ValueError, match="schedule"):
            wrong()


@pytest.mark.parametrize(
    "make",
    [
        lambda: optim.SGD(0.0),
        lambda: optim.SGD(math.inf),
        lambda: optim.SGD(0.1, momentum=1.0),
        lambda: optim.SGD(0.1, nesterov=True),
        lambda: optim.Adam(0.1, betas=(0.9, 1.0)),
        lambda: optim.Adam(0.1, epsilon=0.0),
        lambda: optim.AdamW(0.1, weight_decay=-1),
        lambda: optim.RMSProp(0.1, decay=-0.1),
        lambda: optim.Adagrad(-1),
    ],
)
def test_settings_out_of_range_are_rejected(make):
    with pytest.raises(ValueError, match="expected"):
        make()


def test_vectors_that_do_not_match_are_rejected():
    p, g, _ = vectors()
    with pytest.raises(ShapeError, match="gradients: expected 2000"):
        optim.SGD(0.1).step(p, Parameters({"a": (3,)}, np.float64))
    with pytest.raises(ShapeError):
        optim.SGD(0.1).step(p, Parameters({"a": (2000,)}, np.float32))
    adam = optim.Adam(0.1)
    adam.step(p, g)
    with pytest.raises(ShapeError, match="as in earlier steps"):
        adam.step(Parameters({"a": (3,)}, np.float64), Parameters({"a": (3,)}, np.float64))


class TestTouchedRows:
    """The gradient of a large table: only the rows that a batch touched are visited."""

    V, I = 5000, 40

    def gradients(self, ids):
        """Returns the gradients of two joined layers after a pass through the table, tracked and dense."""
        embedding, rnn = nn.Embedding(self.V, self.I, seed=1), nn.RNN(self.I, 8, seed=2)
        parameters, gradients = nn.join(embedding=embedding, rnn=rnn)
        rng = np.random.default_rng(0)
        dx = rng.standard_normal((*ids.shape, self.I), np.float32)
        embedding.backward(embedding.forward(ids)[1], dx)
        rnn.gradients["W"][...] = 0.5
        assert gradients.spans() is not None
        dense = gradients._flat.copy()
        assert dense.any()
        return embedding, parameters, gradients, dense

    @pytest.fixture
    def ids(self):
        return np.random.default_rng(3).integers(self.V, size=(7, 5))

    def test_the_spans_contain_all_nonzero_gradients(self, ids):
        *_, gradients, dense = self.gradients(ids)
        spans = gradients.spans()
        outside = dense.copy()
        for start, end in spans:
            outside[start:end] = 0
        assert not outside.any()
        assert (spans[:, 1] - spans[:, 0]).sum() == len(np.unique(ids)) * self.I + (
            dense.size - self.V * self.I
        )

    def test_clipping_equals_that_of_the_dense_vector(self, ids):
        *_, gradients, dense = self.gradients(ids)
        norm = np.linalg.norm(dense.astype(np.float64))
        factor, measured = clip_factor(gradients, 1.0)
        assert measured == pytest.approx(norm, rel=1e-12) and factor == pytest.approx(1 / norm)
        assert np.array_equal(gradients._flat, dense), "measuring changes nothing"
        assert clip_norm(gradients, 1.0) == measured
        np.testing.assert_allclose(gradients._flat, dense / norm, rtol=1e-6, atol=1e-12)

    @pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, {"weight_decay": 0.1}])
    def test_a_step_equals_that_of_the_dense_vector(self, ids, settings):
        _, parameters, gradients, dense = self.gradients(ids)
        other = parameters.zeros_like()
        other.flat[...] = parameters.flat
        whole = parameters.zeros_like()
        whole.flat[...] = dense
        one, two = SGD(0.1, **settings), SGD(0.1, **settings)
        for _ in range(2):
            one.step(parameters, gradients, scale=0.5)
            two.step(other, whole, scale=0.5)
        assert np.array_equal(parameters.flat, other.flat)

    def test_clearing_clears_everything(self, ids):
        embedding, _, gradients, _ = self.gradients(ids)
        gradients.fill(0.0)
        assert not gradients._flat.any()
        assert len(gradients.spans()) == 2, "no row of the table is left"
        embedding.backward(embedding.forward(ids[:1])[1], np.ones((1, 5, self.I), np.float32))
        embedding.zero_gradients()
        assert not gradients._flat.any()

    @pytest.mark.parametrize(
        "reach", [lambda g, e: g["embedding.E"], lambda g, e: g.flat, lambda g, e: e.gradients["E"]]
    )
    def test_a_holder_of_the_array_may_write_anywhere(self, ids, reach):
        embedding, _, gradients, _ = self.gradients(ids)
        array = reach(gradients, embedding)
        gradients.fill(0.0)
        array[...] = 1.0
        assert gradients.spans() is None
        assert clip_norm(gradients, 1.0) >= np.sqrt(self.V * self.I)
