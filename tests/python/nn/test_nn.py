"""Layers against the NumPy reference, for many sizes; states, shapes, seeds, threads."""

import copy

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnrs
from rnnrs import ShapeError, nn

SIZES = st.tuples(*[st.integers(1, 12)] * 2, *[st.integers(1, 70)] * 2)
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}


def close(got, expected, dtype, scale=1.0):
    assert got.dtype == dtype
    np.testing.assert_allclose(
        got, expected, rtol=0, atol=TOLERANCE[dtype] * max(scale, np.abs(expected).max(initial=1))
    )


@settings(max_examples=40, deadline=None)
@given(SIZES, st.sampled_from(nn.ACTIVATIONS), st.sampled_from([np.float32, np.float64]), st.booleans())
def test_the_recurrence_follows_the_equations(sizes, activation, dtype, given_h0):
    T, B, I, H = sizes
    rng = np.random.default_rng(T * 1000 + H)
    rnn = nn.RNN(I, H, activation=activation, seed=H, dtype=dtype)
    x = rng.standard_normal((T, B, I)).astype(dtype)
    h0 = rng.standard_normal((B, H)).astype(dtype) if given_h0 else None
    dh = rng.standard_normal((T, B, H)).astype(dtype)

    h, cache = rnn.forward(x, h0)
    dx, dh0 = rnn.backward(cache, dh)

    wide = {name: p.astype(np.float64) for name, p in rnn.parameters.items()}
    start = np.zeros((B, H)) if h0 is None else h0.astype(np.float64)
    x, dh = x.astype(np.float64), dh.astype(np.float64)
    _, h_ref = reference.forward(x, start, wide["U"], wide["W"], wide["b"], activation)
    close(h, h_ref, dtype)
    # At a kink of f, the engine's own h decides the side.
    da, dh0_ref = reference.bptt(dh, h.astype(np.float64), wide["W"], activation)
    grads = reference.gradients(da, x, start, h.astype(np.float64), wide["U"])
    close(dh0, dh0_ref, dtype)
    close(dx, grads["x"], dtype)
    for name in ("U", "W", "b"):
        close(rnn.gradients[name], grads[name], dtype, scale=T * B)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 50), st.integers(1, 40), st.integers(1, 60), st.sampled_from([np.float32, np.float64]))
def test_the_linear_layer_follows_the_equations(n, inputs, outputs, dtype):
    rng = np.random.default_rng(n)
    layer = nn.Linear(inputs, outputs, dtype=dtype)
    layer.parameters["c"] = rng.standard_normal(outputs)
    x, do = (
        rng.standard_normal((n, 2, inputs)).astype(dtype),
        rng.standard_normal((n, 2, outputs)).astype(dtype),
    )
    o, cache = layer.forward(x)
    V, c = layer.parameters["V"].astype(float), layer.parameters["c"].astype(float)
    close(o, x.astype(float) @ V.T + c, dtype)
    dx = layer.backward(cache, do)
    close(dx, do.astype(float) @ V, dtype)
    close(layer.gradients["V"], np.einsum("nbo,nbi->oi", do.astype(float), x.astype(float)), dtype, scale=n)
    close(layer.gradients["c"], do.astype(float).sum((0, 1)), dtype, scale=n)
    assert layer.backward(cache, do, need_dx=False) is None


@given(hnp.arrays(np.int64, hnp.array_shapes(min_dims=0, max_dims=3, max_side=5), elements=st.integers(0, 6)))
def test_the_embedding_gathers_and_accumulates(ids):
    layer = nn.Embedding(7, 3, dtype=np.float64)
    x, cache = layer.forward(ids)
    np.testing.assert_array_equal(x, layer.parameters["E"][ids])
    dx = np.random.default_rng(0).standard_normal(x.shape)
    layer.backward(cache, dx)
    expected = np.zeros((7, 3))
    np.add.at(expected, ids, dx)
    np.testing.assert_allclose(layer.gradients["E"], expected, atol=1e-14)


def test_gradients_accumulate_until_they_are_zeroed():
    rnn = nn.RNN(2, 3, dtype=np.float64)
    x, dh = np.ones((4, 1, 2)), np.ones((4, 1, 3))
    _, cache = rnn.forward(x)
    rnn.backward(cache, dh)
    once = rnn.gradients.flat.copy()
    rnn.backward(cache, dh)
    np.testing.assert_allclose(rnn.gradients.flat, 2 * once, rtol=1e-14)
    rnn.zero_gradients()
    assert not rnn.gradients.flat.any()


def test_a_sequence_in_two_windows_has_the_same_states():
    rnn = nn.RNN(3, 20)
    x = np.random.default_rng(0).standard_normal((9, 5, 3)).astype(np.float32)
    whole, _ = rnn.forward(x)
    first, _ = rnn.forward(x[:4])
    second, _ = rnn.forward(x[4:], first[-1])
    assert np.concatenate([first, second]).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("T", "B"), [(0, 3), (4, 0), (0, 0)])
def test_no_steps_or_no_sequences_give_empty_arrays(T, B):
    rnn, output, embedding = nn.RNN(2, 3), nn.Linear(3, 4), nn.Embedding(5, 2)
    x, cache_e = embedding.forward(np.zeros((T, B), np.int64))
    h, cache_r = rnn.forward(x, np.ones((B, 3)))
    o, cache_o = output.forward(h)
    assert (x.shape, h.shape, o.shape) == ((T, B, 2), (T, B, 3), (T, B, 4))
    dh = output.backward(cache_o, o)
    dx, dh0 = rnn.backward(cache_r, dh)
    embedding.backward(cache_e, dx)
    assert dx.shape == (T, B, 2)
    assert dh0.shape == (B, 3)
    assert not rnn.gradients.flat.any()


def test_joined_layers_share_one_vector_and_keep_their_values():
    rnn, output = nn.RNN(2, 3, seed=1), nn.Linear(3, 4, seed=2)
    before = {"rnn.W": rnn.parameters["W"].copy(), "output.V": output.parameters["V"].copy()}
    parameters, gradients = nn.join(rnn=rnn, output=output)
    assert list(parameters) == ["rnn.U", "rnn.W", "rnn.b", "output.V", "output.c"]
    for name, value in before.items():
        np.testing.assert_array_equal(parameters[name], value)
    parameters["rnn.b"] = [1, 2, 3]
    np.testing.assert_array_equal(rnn.parameters["b"], [1, 2, 3])
    output.gradients["c"][...] = 5
    np.testing.assert_array_equal(gradients["output.c"], [5] * 4)
    assert gradients.locate(gradients.flat.size - 1) == "output.c"
    assert gradients.locate(0) == "rnn.U"
    with pytest.raises(ValueError, match="one dtype"):
        nn.join(a=nn.RNN(2, 3), b=nn.Linear(3, 4, dtype=np.float64))


def test_a_layer_of_another_network_is_refused_until_that_one_is_gone():
    rnn, message = nn.RNN(2, 3), "expected a layer that belongs to no other network.*copy.deepcopy"
    old = nn.Stack(rnn, nn.RNN(3, 3))
    before = old.parameters.flat.copy()
    for again in (
        lambda: nn.join(a=rnn),
        lambda: nn.Stack(rnn, nn.RNN(3, 3)),
        lambda: nn.join(x=old.layers[1]),
    ):
        with pytest.raises(ValueError, match=message):
            again()
    fresh = nn.RNN(3, 3)
    with pytest.raises(ValueError, match=f"join: b: {message}"):
        nn.join(a=fresh, b=fresh)
    rnn.parameters["b"] = [1, 2, 3]
    assert old.parameters["0.b"].tolist() == [1, 2, 3] and not np.array_equal(old.parameters.flat, before)
    head, _ = nn.join(rnn=copy.deepcopy(rnn), output=nn.Linear(3, 4))  # the encoder of a new network
    assert head["rnn.b"].tolist() == [1, 2, 3]
    head["rnn.b"] = [0, 0, 0]
    assert old.parameters["0.b"].tolist() == [1, 2, 3]
    inner = copy.deepcopy(old).layers[0]  # its network is gone
    assert not inner.is_joined and nn.join(a=inner)[0]["a.b"].tolist() == [1, 2, 3]
    kept = copy.deepcopy(old)
    with pytest.raises(ValueError, match=message):
        nn.join(a=kept.layers[0])
    whole, _ = nn.join(stack=old)
    assert old.is_joined and whole["stack.0.b"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("scheme", ["uniform", "xavier", "orthogonal", "identity", "normal"])
def test_initializers_are_seeded_and_follow_their_definitions(scheme):
    W = nn.RNN(3, 50, recurrent_initializer=scheme, seed=7, dtype=np.float64).parameters["W"]
    again = nn.RNN(3, 50, recurrent_initializer=scheme, seed=7, dtype=np.float64).parameters["W"]
    np.testing.assert_array_equal(W, again)
    if scheme == "identity":
        np.testing.assert_array_equal(W, np.eye(50))
        return
    assert not np.array_equal(
        W, nn.RNN(3, 50, recurrent_initializer=scheme, seed=8, dtype=np.float64).parameters["W"]
    )
    if scheme == "orthogonal":
        np.testing.assert_allclose(W @ W.T, np.eye(50), atol=1e-12)
    bound = {"uniform": 50**-0.5, "xavier": (6 / 100) ** 0.5}.get(scheme)
    if bound:
        assert 0.9 * bound < np.abs(W).max() <= bound
    if scheme == "normal":
        assert abs(W.std() * 50**0.5 - 1) < 0.1
    # Each parameter of a layer has its own random stream.
    layer = nn.RNN(50, 50, seed=7, dtype=np.float64)
    assert not np.array_equal(layer.parameters["U"], layer.parameters["W"])


def test_f32_and_f64_have_the_same_initial_weights():
    wide = nn.RNN(5, 9, seed=3, dtype=np.float64).parameters.flat
    np.testing.assert_array_equal(nn.RNN(5, 9, seed=3).parameters.flat, wide.astype(np.float32))


def test_the_number_of_threads_changes_nothing():
    def run():
        rnn = nn.RNN(40, 130, seed=1)
        x = np.random.default_rng(1).standard_normal((30, 33, 40)).astype(np.float32)
        h, cache = rnn.forward(x)
        dx, dh0 = rnn.backward(cache, h)
        return h.tobytes(), dx.tobytes(), dh0.tobytes(), rnn.gradients.flat.tobytes()

    before = rnnrs.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 4):
            rnnrs.set_num_threads(threads)
            results.append(run())
    finally:
        rnnrs.set_num_threads(before)
    assert all(result == results[0] for result in results)
    for wrong in (0, -1, 10**6):
        with pytest.raises(ValueError, match="1 to 1024"):
            rnnrs.set_num_threads(wrong)


def test_a_forked_child_can_compute():
    import os
    import warnings

    rnn, x = nn.RNN(40, 130), np.ones((30, 33, 40), np.float32)
    rnn.forward(x)  # now the pool's threads exist
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python itself warns of fork with threads
        child = os.fork()
    if child == 0:
        rnn.forward(x)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_the_stepper_computes_the_same_states():
    rng = np.random.default_rng(0)
    embedding, rnn, output = nn.Embedding(11, 5), nn.RNN(5, 33), nn.Linear(33, 11)
    p = (embedding.parameters["E"], rnn.engine_weights(), *output.parameters.values())
    ids = rng.integers(0, 11, (7, 3))
    h, _ = rnn.forward(embedding.forward(ids)[0])
    o = output.forward(h)[0]
    from rnnrs._rnnrs import Stepper

    three = Stepper(*p, batch=3)
    for t in range(7):
        np.testing.assert_allclose(three.step(ids[t]), o[t], atol=1e-6)
        np.testing.assert_allclose(three.state, h[t], atol=1e-6)
    one = Stepper(*p)
    np.testing.assert_allclose(one.read(ids[:, 1]), o[-1, 1], atol=1e-6)
    kept = one.state
    first = one.step(4)
    assert first.shape == (11,)
    one.state = kept
    np.testing.assert_array_equal(one.step(4), first)
    one.reset()
    assert not one.state.any()
    for wrong in (11, -1):
        before = one.state
        with pytest.raises(IndexError, match="0 to 10"):
            one.step(wrong)
        np.testing.assert_array_equal(one.state, before)


class TestTokens:
    """The recurrence over token ids equals that over the embedding's vectors, with and without the table."""

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(
        ("V", "T", "B", "H"), [(7, 6, 5, 9), (50, 6, 5, 9), (30, 40, 3, 300), (3, 1, 4, 2)]
    )
    def test_it_equals_embedding_and_recurrence(self, V, T, B, H, dtype):
        def network():
            embedding, rnn = nn.Embedding(V, 8, seed=1, dtype=dtype), nn.RNN(8, H, seed=2, dtype=dtype)
            return embedding, rnn, *nn.join(embedding=embedding, rnn=rnn)

        rng = np.random.default_rng(V)
        ids, h0 = rng.integers(V, size=(T, B)), rng.standard_normal((B, H)).astype(dtype)
        dh = rng.standard_normal((T, B, H)).astype(dtype)
        embedding, rnn, _, expected = network()
        x, cache_e = embedding.forward(ids)
        h, cache = rnn.forward(x, h0)
        dx, dh0 = rnn.backward(cache, dh)
        embedding.backward(cache_e, dx)

        embedding, rnn, _, gradients = network()
        got, cache = rnn.forward_tokens(embedding, ids, h0)
        assert np.array_equal(got, h), "the bits of the states"
        assert np.array_equal(rnn.backward_tokens(embedding, cache, dh), dh0)
        tolerance = 2e-4 if dtype == np.float32 else 1e-12
        for name, g in gradients.items():
            scale = np.abs(expected[name]).max()
            assert np.abs(g - expected[name]).max() <= tolerance * scale, name

    def test_ids_outside_the_table_are_rejected(self):
        embedding, rnn = nn.Embedding(4, 3), nn.RNN(3, 5)
        for shape in ((2, 1), (6, 2)):
            with pytest.raises(IndexError, match="4"):
                rnn.forward_tokens(embedding, np.full(shape, 4))
        with pytest.raises(ShapeError, match="state"):
            rnn.forward_tokens(embedding, np.zeros((6, 2), int), np.zeros((3, 5), np.float32))
        with pytest.raises(ShapeError):
            rnn.forward_tokens(embedding, np.zeros(6, int))
