"""Attention and the copying loss, against NumPy and finite differences."""

import numpy as np
import pytest

import rnnrs
from rnnrs import losses, nn
from rnnrs.errors import DTypeError, ShapeError

T, S, B, Q, K, A = 4, 5, 6, 3, 3, 2
LENGTHS, SOURCES = np.array([4, 1, 0, 3, 2, 4]), np.array([5, 3, 2, 0, 1, 4])


def arrays(seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((T, B, Q)).astype(dtype), rng.standard_normal((S, B, K)).astype(dtype)


def layer(kind, dtype="float64", seed=3):
    attention = nn.Attention(
        Q, K, kind, attention_size=A if kind == "additive" else None, seed=seed, dtype=dtype
    )
    if kind == "additive":
        attention.parameters["b"][...] = [0.3, -0.2]
    return attention


def reference(attention, h, memory):
    """Returns the contexts and α, step by step from the equations."""
    p, kind = attention.parameters, attention.kind
    contexts, alphas = np.zeros((T, B, K)), np.zeros((B, T, S))
    for b in range(B):
        for t in range(LENGTHS[b]):
            m = memory[: SOURCES[b], b]
            if not len(m):
                continue
            if kind == "dot":
                e = m @ h[t, b]
            elif kind == "general":
                e = m @ (p["W"] @ h[t, b])
            else:
                e = np.tanh(m @ p["U"].T + p["W"] @ h[t, b] + p["b"]) @ p["v"]
            alpha = np.exp(e - e.max()) / np.exp(e - e.max()).sum()
            contexts[t, b], alphas[b, t, : SOURCES[b]] = alpha @ m, alpha
    return contexts, alphas


@pytest.mark.parametrize("kind", nn.ATTENTIONS)
def test_forward_follows_the_equations(kind):
    h, memory = arrays()
    h[LENGTHS[0] :, 0], memory[SOURCES[1] :, 1] = np.nan, np.nan  # padding is never read
    attention = layer(kind)
    context, cache = attention.forward(h, np.nan_to_num(memory), SOURCES, LENGTHS)
    expected, alpha = reference(attention, h, memory)
    np.testing.assert_allclose(context, expected, atol=1e-13)
    np.testing.assert_allclose(cache.alpha, alpha, atol=1e-13)


@pytest.mark.parametrize("kind", nn.ATTENTIONS)
def test_backward_matches_finite_differences(kind):
    attention, (h, memory) = layer(kind), arrays(1)
    rng = np.random.default_rng(2)
    dcontext, dalpha = rng.standard_normal((T, B, K)), rng.standard_normal((B, T, S))

    def L():
        context, cache = attention.forward(h, memory, SOURCES, LENGTHS)
        return float((context * dcontext).sum() + (cache.alpha * dalpha).sum())

    _, cache = attention.forward(h, memory, SOURCES, LENGTHS)
    dh, dmemory = attention.backward(cache, dcontext, dalpha)
    pairs = [
        (h, dh),
        (memory, dmemory),
        *((attention.parameters[n], attention.gradients[n]) for n in attention.parameters),
    ]
    for array, gradient in pairs:
        numeric = np.empty_like(array)
        for place in np.ndindex(array.shape):
            here, slopes = array[place], []
            for step in (1e-4, 2e-4):
                array[place] = here + step
                up = L()
                array[place] = here - step
                slopes.append((up - L()) / (2 * step))
                array[place] = here
            numeric[place] = (4 * slopes[0] - slopes[1]) / 3
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", nn.ATTENTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sequence_depends_neither_on_its_batch_nor_on_threads(kind, dtype):
    attention, (h, memory) = layer(kind, dtype), arrays(4, dtype)
    dcontext = np.random.default_rng(5).standard_normal((T, B, K)).astype(dtype)

    def run(members, steps, sources):
        context, cache = attention.forward(
            h[:steps, members], memory[:sources, members], SOURCES[members], LENGTHS[members]
        )
        return context, *attention.backward(cache, dcontext[:steps, members])

    threads, everything = rnnrs.get_num_threads(), np.arange(B)
    try:
        whole = run(everything, T, S)
        for count in (1, 3):
            rnnrs.set_num_threads(count)
            for one, other in zip(whole, run(everything, T, S), strict=True):
                np.testing.assert_array_equal(one, other)
    finally:
        rnnrs.set_num_threads(threads)
    for b in range(B):
        alone = run(np.array([b]), max(LENGTHS[b], 1), max(SOURCES[b], 1))
        for one, other in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(one[: len(other), b], other[:, 0])


def test_bad_input_is_rejected_by_name():
    attention, (h, memory) = layer("general"), arrays()
    with pytest.raises(ShapeError, match=r"h: expected \(T, B, Q=3\)"):
        attention.forward(h[..., :2], memory)
    with pytest.raises(ShapeError, match=r"memory: expected \(S, B=6"):
        attention.forward(h, memory[:, :2])
    with pytest.raises(DTypeError, match="memory"):
        attention.forward(h, memory.astype(int))
    with pytest.raises(ValueError, match="from 0 to T=5, got 6"):
        attention.forward(h, memory, np.full(B, 6))
    _, cache = attention.forward(h, memory)
    with pytest.raises(ShapeError, match="dcontext"):
        attention.backward(cache, h[:1])
    with pytest.raises(ShapeError, match="dalpha"):
        attention.backward(cache, np.zeros((T, B, K)), np.zeros((B, T, 1)))
    for wrong in (
        {"kind": "cosine"},
        {"kind": "dot", "memory_size": 4},
        {"kind": "dot", "attention_size": 2},
    ):
        with pytest.raises(ValueError, match="Attention: "):
            nn.Attention(3, **({"memory_size": 3} | wrong))


def mixture(h, V, c, y, gate, copied):
    """Returns −ln P of each position."""
    o = h @ V.T + c
    P = np.exp(o - o.max(-1, keepdims=True))
    P /= P.sum(-1, keepdims=True)
    own = [p[i] if i < len(p) else 0.0 for p, i in zip(P, y, strict=True)]
    return -np.log(gate * own + (1 - gate) * copied)


@pytest.mark.parametrize(("classes", "hidden"), [(7, 3), (1500, 130)])  # whole rows; blocks of classes
def test_the_mixture_of_softmax_and_copies(classes, hidden):
    rng = np.random.default_rng(0)
    output = nn.Linear(hidden, classes, dtype="float64", seed=1)
    h, y = rng.standard_normal((9, hidden)), rng.integers(0, classes, 9)
    y[2], y[5], y[7] = classes + 3, -1, classes
    gate, copied = rng.uniform(0.1, 0.9, 9), rng.uniform(0.1, 0.5, 9)
    criterion, counts = losses.CopyCrossEntropy("sum"), y >= 0
    found = criterion.through(output, h, y, gate, copied)
    V, c = output.parameters["V"], output.parameters["c"]
    expected = mixture(h[counts], V, c, y[counts], gate[counts], copied[counts])
    np.testing.assert_allclose(found.positions[counts], expected, rtol=1e-12)
    assert found.positions[5] == 0.0
    assert found.total == pytest.approx(expected.sum(), rel=1e-12)

    def L():
        return criterion.through(output, h, y, gate, copied, gradient=False).total

    gradients = [
        (h, found.gradient),
        (gate, found.dgate),
        (copied, found.dcopied),
        (V, output.gradients["V"]),
        (c, output.gradients["c"]),
    ]
    for array, gradient in gradients:
        for place in [
            np.unravel_index(i, array.shape)
            for i in rng.choice(array.size, min(array.size, 9), replace=False)
        ]:
            here, slopes = array[place], []
            for step in (1e-4, 2e-4):
                array[place] = here + step
                up = L()
                array[place] = here - step
                slopes.append((up - L()) / (2 * step))
                array[place] = here
            assert gradient[place] == pytest.approx((4 * slopes[0] - slopes[1]) / 3, rel=1e-6, abs=1e-9)


def test_an_impossible_word_has_a_finite_loss():
    output = nn.Linear(2, 4)
    found = losses.CopyCrossEntropy().through(
        output, np.ones((1, 2), np.float32), [9], np.ones(1, np.float32), np.zeros(1, np.float32)
    )
    assert found.total == pytest.approx(-np.log(1e-30), rel=1e-6)
    assert np.isfinite(found.gradient).all()
    with pytest.raises(ShapeError, match="gate"):
        losses.CopyCrossEntropy().through(output, np.ones((1, 2), np.float32), [1], [0.5, 0.5], [0.1])
    with pytest.raises(ValueError, match="reduction"):
        losses.CopyCrossEntropy("median")
