"""Losses over a sample of the classes: against NumPy, finite differences, and the full softmax."""

import numpy as np
import pytest
import reference

import rnnrs
from rnnrs import losses, nn
from rnnrs.data import Batch
from rnnrs.losses import NCE, Proposal, SampledSoftmax

rng = np.random.default_rng(1)
O, H = 40, 6
KINDS = [SampledSoftmax, NCE]


def layer(dtype="float64", outputs=O):
    output = nn.Linear(H, outputs, dtype=dtype, seed=3)
    output.parameters["c"] = np.random.default_rng(4).standard_normal(outputs)
    return output


def positions(T=5, B=4, ignored=True):
    h, y = rng.standard_normal((T, B, H)), rng.integers(0, O, (T, B))
    if ignored:
        y[2, 1] = -1
    return h, y


def by_hand(loss, output, h, y):
    """Returns (L_t, do (…, O)) of every position, sample by sample: equal classes are not merged."""
    q, k = loss.proposal.q, loss.samples
    classes, counts = loss.proposal.draw(k, loss.seed, loss.step)
    drawn = np.repeat(classes, counts)
    assert len(drawn) == k
    o = h @ output.parameters["V"].T + output.parameters["c"]
    L, do = np.zeros(y.shape), np.zeros_like(o)
    for at in np.ndindex(y.shape):
        right, s = y[at], o[at] - np.log(k * q)
        if right == -1:
            continue
        if isinstance(loss, NCE):
            s = s - (np.log(len(q)) if loss.log_normalizer is None else loss.log_normalizer)
            sigma = 1 / (1 + np.exp(-s))
            L[at] = -np.log(sigma[right]) - np.log(1 - sigma[drawn]).sum()
            np.add.at(do[at], drawn, sigma[drawn])
            do[at][right] += sigma[right] - 1
            continue
        some = np.array([right, *(w for w in drawn if w != right)])
        p = reference.softmax(np.array([o[at][right], *s[some[1:]]]))
        L[at] = -np.log(p[0])
        np.add.at(do[at], some, p)
        do[at][right] -= 1
    return L, do


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [1, 3, 25, 700])
def test_the_loss_follows_the_equations(kind, samples):
    output, (h, y) = layer(), positions()
    loss = kind(samples, proposal=Proposal(rng.random(O) + 0.1), reduction="sum", seed=samples)
    expected, do = by_hand(loss, output, h, y)
    L, each, dh = loss.through(output, h, y)
    np.testing.assert_allclose(each, expected, rtol=1e-11, atol=1e-12)
    assert pytest.approx(expected.sum(), rel=1e-12) == L
    np.testing.assert_allclose(dh, do @ output.parameters["V"], atol=1e-11)
    np.testing.assert_allclose(output.gradients["V"], np.einsum("tbo,tbh->oh", do, h), atol=1e-10)
    np.testing.assert_allclose(output.gradients["c"], do.sum((0, 1)), atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_is_close_to_float64(kind):
    h, y = positions()
    results = []
    for dtype in ("float32", "float64"):
        output = layer(dtype)
        result = kind(30).through(output, h.astype(dtype), y)
        assert result.gradient.dtype == result.positions.dtype == dtype
        results.append((result.total, result.gradient, output.gradients["V"]))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_the_mean(kind):
    output, (h, y) = layer(), positions()
    loss, w = kind(20), rng.random(y.shape)
    w[0, 0] = 0.0
    each = loss.through(output, h, y, gradient=False).positions
    kept = np.where(y == -1, 0.0, w)
    assert loss.through(output, h, y, w, gradient=False).total == pytest.approx(
        (kept * each).sum() / kept.sum()
    )
    assert loss.through(output, h, y, gradient=False).total == pytest.approx(each.sum() / (y != -1).sum())
    h[0, 0] = np.nan
    result = loss.through(output, h, y, w)
    assert np.isfinite(result.total)
    np.testing.assert_array_equal(result.gradient[0, 0], 0.0)
    np.testing.assert_array_equal(result.gradient[2, 1], 0.0)


class Network:
    """Embedding, recurrence and a sampled loss, always with the same sample."""

    def __init__(self, loss, tied):
        self.embedding = nn.Embedding(O, H, scale=0.5, dtype="float64")
        self.rnn = nn.RNN(H, H, dtype="float64")
        self.output = nn.TiedLinear(self.embedding) if tied else layer()
        self.criterion = loss
        self.parameters, self.gradients = nn.join(embedding=self.embedding, rnn=self.rnn, output=self.output)

    def loss(self, batch, state=None, *, gradient=True):
        self.criterion.step = 5
        h, cache = self.rnn.forward_tokens(self.embedding, batch.inputs, state)
        L, _, dh = self.criterion.through(self.output, h, batch.targets, gradient=gradient)
        if dh is not None:
            self.rnn.backward_tokens(self.embedding, cache, dh)
        return L, h[-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [False, True])
def test_the_gradient_matches_finite_differences(kind, tied):
    _, y = positions()
    batch = Batch(rng.integers(0, O, y.shape), y)
    check = rnnrs.gradient_check(Network(kind(15), tied), batch, step=1e-3)
    assert check.worst <= 1e-6, check


def test_many_samples_approach_the_softmax():
    """Compares with the full softmax at large k.

    For k → ∞, loss and gradient of the sampled softmax are those of the full softmax; so is NCE's gradient
    for normalized scores.
    """
    output, (h, y) = layer(), positions(ignored=False)
    full = layer()
    o, cache = full.forward(h)
    # Normalized scores: ln Σ e^o is 0 at every position of one state.
    h[...] = h[0, 0]
    full.parameters["c"] -= np.log(np.exp(full.forward(h)[0][0, 0]).sum())
    output.parameters.copy_from(full.parameters)
    o, cache = full.forward(h)
    expected, do = losses.SoftmaxCrossEntropy()(o, y)
    dh = full.backward(cache, do)
    proposal = Proposal(np.ones(O))
    few, many = (SampledSoftmax(k, proposal=proposal).through(output, h, y) for k in (5, 400_000))
    assert abs(few.total - expected) > 0.05
    assert many.total == pytest.approx(expected, abs=0.02)
    np.testing.assert_allclose(many.gradient, dh, atol=2e-3)
    output.zero_gradients()
    nce = NCE(400_000, proposal=proposal, log_normalizer=0.0).through(output, h, y)
    np.testing.assert_allclose(nce.gradient, dh, atol=2e-3)
    np.testing.assert_allclose(output.gradients["V"], full.gradients["V"], atol=5e-3)


def test_training_on_samples_reduces_the_true_loss():
    """Each of a few states has its own distribution of words, which the scores learn."""
    truth = reference.softmax(2 * rng.standard_normal((3, O)))
    h = np.eye(3)[rng.integers(0, 3, (40, 50))] @ rng.standard_normal((3, H))
    states, which = np.unique(h.reshape(-1, H), axis=0, return_inverse=True)
    y = np.array([rng.choice(O, p=truth[i]) for i in which.reshape(-1)]).reshape(40, 50)
    entropy = -(truth * np.log(truth)).sum(1)[which.reshape(-1)].mean()
    for loss in (SampledSoftmax(20), NCE(20)):
        output = nn.Linear(H, O, dtype="float64")
        optimizer = rnnrs.optim.Adam(0.03)
        for _ in range(300):
            output.zero_gradients()
            loss.through(output, h, y)
            optimizer.step(output.parameters, output.gradients)
        o, _ = output.forward(h)
        assert losses.SoftmaxCrossEntropy()(o, y)[0] < entropy + 0.05
    assert len(states) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_only_sampled_and_correct_rows_are_touched(kind):
    output = layer("float32", outputs=30_000)
    parameters, gradients = nn.join(output=output)
    assert parameters.size >= 1 << 17
    h, y = positions()
    loss = kind(50, seed=9)
    classes, _ = Proposal.log_uniform(30_000).draw(50, 9, 0)
    loss.through(output, h, y)
    rows = np.union1d(classes, y[y >= 0])
    spans = gradients.spans()
    assert spans is not None and (spans[:, 1] - spans[:, 0]).sum() == len(rows) * H + 30_000
    dense = gradients._flat.copy()
    touched = np.flatnonzero(dense[: 30_000 * H].reshape(-1, H).any(1))
    np.testing.assert_array_equal(touched, rows)
    gradients.fill(0.0)
    assert not gradients._flat.any()


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_a_function_of_seed_and_step(kind):
    output, (h, y) = layer(), positions()

    def run(loss, steps):
        output.zero_gradients()
        return [loss.through(output, h, y).total for _ in range(steps)], output.gradients.flat.copy()

    whole, _ = run(kind(10, seed=3), 4)
    assert len(set(whole)) == 4, "each step draws anew"
    again = kind(10, seed=3)
    again.step = 2
    assert run(again, 2)[0] == whole[2:]
    assert again.step == 4
    again.through(output, h, y, gradient=False)
    assert again.step == 4
    assert run(kind(10, seed=4), 4)[0] != whole


@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_depend_neither_on_threads_nor_on_the_batch(kind):
    h = rng.standard_normal((50, 60, 64)).astype(np.float32)
    y = rng.integers(0, 5000, (50, 60))
    threads, results = rnnrs.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            rnnrs.set_num_threads(count)
            output = nn.Linear(64, 5000)
            loss = kind(600, reduction="sum")
            total, each, dh = loss.through(output, h, y)
            results.append((total, each, dh, output.gradients.flat.copy()))
            loss.step = 0
            alone = loss.through(output, h[:, 7:8], y[:, 7:8])
            np.testing.assert_array_equal(alone.positions, each[:, 7:8])
            np.testing.assert_array_equal(alone.gradient, dh[:, 7:8])
    finally:
        rnnrs.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_large_scores_do_not_overflow():
    output = nn.Linear(1, 3, dtype="float64")
    output.parameters["V"] = [[1.0], [-1.0], [0.5]]
    for kind in KINDS:
        result = kind(200).through(output, np.array([[[1e4]], [[-1e4]]]), [[0], [0]])
        assert np.isfinite(result.total) and np.isfinite(result.gradient).all()


class TestProposal:
    def test_q_follows_its_definition(self):
        ranks = np.arange(1, 31)
        np.testing.assert_allclose(Proposal.log_uniform(30).q, np.log((ranks + 1) / ranks) / np.log(31))
        counts = rng.integers(0, 9, 30)
        known = np.maximum(counts, 1)
        np.testing.assert_allclose(Proposal.unigram(counts).q, known / known.sum())
        np.testing.assert_allclose(Proposal.unigram(counts, 0.75).q, known**0.75 / (known**0.75).sum())
        np.testing.assert_allclose(Proposal([1e308] * 4).q, [0.25] * 4)

    def test_samples_follow_q(self):
        proposal, k = Proposal([1, 2, 3, 4, 90]), 200_000
        classes, counts = proposal.draw(k, seed=1, step=7)
        np.testing.assert_array_equal(classes, np.arange(5))
        assert counts.sum() == k
        spread = np.sqrt(k * proposal.q * (1 - proposal.q))
        assert (np.abs(counts - k * proposal.q) < 5 * spread).all()
        np.testing.assert_allclose(proposal.log_expected(k), np.log(k * proposal.q))

    def test_the_bits_are_the_same_on_every_machine(self):
        classes, counts = Proposal(np.ones(8)).draw(20, seed=1, step=2)
        assert (classes.tolist(), counts.tolist()) == RECORDED

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda: Proposal([1.0, 0.0]), ValueError, "above 0, got 0.0 for class 1"),
            (lambda: Proposal([1.0, np.nan]), ValueError, "finite"),
            (lambda: Proposal([[1.0]]), ValueError, r"expected \(O,\), got \(1, 1\)"),
            (lambda: Proposal([]), ValueError, r"got \(0,\)"),
            (lambda: Proposal(["a"]), TypeError, "real numbers"),
            (lambda: Proposal.log_uniform(0), ValueError, "from 1, got 0"),
            (lambda: Proposal.unigram([-1, 2]), ValueError, "from 0, got -1"),
            (lambda: Proposal.unigram([1, 2], np.inf), ValueError, "power"),
            (lambda: Proposal.unigram(["a"]), TypeError, "real numbers"),
        ],
    )
    def test_an_invalid_proposal_is_rejected(self, call, error, message):
        with pytest.raises(error, match=message):
            call()


RECORDED = ([0, 1, 2, 3, 4, 5, 6, 7], [2, 1, 3, 4, 2, 1, 6, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_invalid_arguments_are_rejected_by_name(kind):
    output, (h, y) = layer(), positions()
    name = kind.__name__
    for wrong, error, message in (
        (lambda: kind(0), ValueError, f"{name}: samples: .* from 1, got 0"),
        (lambda: kind(2.5), TypeError, "whole number"),
        (lambda: kind(reduction="median"), ValueError, f"{name}: reduction"),
        (lambda: kind(seed=-1), ValueError, "seed"),
        (
            lambda: kind(5).through(output, h, y + O),
            IndexError,
            rf"{name}\.through: y: expected ids from 0 to 39",
        ),
        (lambda: kind(5, ignore_id=None).through(output, h, y), IndexError, "got -1"),
        (lambda: kind(5).through(output, h, y.astype(float)), TypeError, "whole numbers"),
        (lambda: kind(5).through(output, h, y[:2]), rnnrs.ShapeError, r"\(T=5, B=4\), got \(2, 4\)"),
        (lambda: kind(5).through(output, h[..., :3], y), rnnrs.ShapeError, "h: "),
        (lambda: kind(5).through(output, h, y, np.ones(3)), rnnrs.ShapeError, "weights"),
        (lambda: kind(5).through(output, h, np.full_like(y, -1)), ValueError, "at least one position"),
        (lambda: kind(5, proposal=Proposal([1, 2])).through(output, h, y), rnnrs.ShapeError, "40 classes"),
    ):
        with pytest.raises(error, match=message):
            wrong()
    with pytest.raises(ValueError, match="log_normalizer"):
        NCE(log_normalizer=np.nan)


def test_the_core_rejects_invalid_samples():
    from rnnrs._rnnrs import linear_sampled_loss

    output, (h, y) = layer(), positions()
    p, log_expected = output.parameters, np.zeros(O)

    def call(classes, counts, rule="nce", log_expected=log_expected):
        return linear_sampled_loss(h, p["V"], p["c"], y, None, -1, True, rule, classes, counts, log_expected)

    for wrong, error, message in (
        (lambda: call([], []), ValueError, "at least one class"),
        (lambda: call([3, 2], [1, 1]), ValueError, "got 2 classes, not in increasing order"),
        (lambda: call([2, 3], [1, 0]), ValueError, "counts of at least 1"),
        (lambda: call([2, 3], [1]), rnnrs.ShapeError, "counts"),
        (lambda: call([2, 40], [1, 1]), IndexError, "ids from 0 to 39"),
        (lambda: call([2], [1], log_expected=np.zeros(3)), rnnrs.ShapeError, "log_expected"),
        (lambda: call([2], [1], rule="all"), ValueError, "softmax"),
    ):
        with pytest.raises(error, match=message):
            wrong()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sum_over_no_positions_is_zero(kind):
    result = kind(4, reduction="sum").through(layer(), np.zeros((0, 3, H)), np.zeros((0, 3), int))
    assert result.total == 0.0
    assert result.gradient.shape == (0, 3, H)
