"""Unusual arrays: the right result if they are meaningful, else an error that names the argument."""

import numpy as np
import pytest

import rnnrs
from rnnrs import nn

X = np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32)


def rnn():
    return nn.RNN(2, 5)


@pytest.mark.parametrize(
    "x",
    [
        X.astype(np.float64),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=0)[::2],
        X[::-1].copy()[::-1],
        X.astype(">f4"),
        X.tolist(),
    ],
    ids=["f64", "fortran", "strided", "negative strides", "big-endian", "list"],
)
def test_equal_numbers_give_equal_states(x):
    expected, _ = rnn().forward(X)
    got, _ = rnn().forward(x)
    np.testing.assert_array_equal(got, expected)


def test_read_only_misaligned_integer_and_boolean_inputs_are_accepted():
    frozen = X.copy()
    frozen.flags.writeable = False
    buffer = np.zeros(X.nbytes + 1, np.uint8)
    misaligned = buffer[1:].view(np.float32).reshape(X.shape)
    misaligned[...] = X
    for x in (frozen, misaligned):
        np.testing.assert_array_equal(rnn().forward(x)[0], rnn().forward(X)[0])
    whole = np.ones((2, 1, 2), int)
    np.testing.assert_array_equal(rnn().forward(whole)[0], rnn().forward(whole.astype(bool))[0])


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (X.astype(object), rnnrs.DTypeError, "RNN.forward: x: .*object"),
        (X.astype(complex), rnnrs.DTypeError, "complex"),
        (X.astype(str), rnnrs.DTypeError, "x: expected"),
        (None, rnnrs.DTypeError, "x: expected"),
        (X[0], rnnrs.ShapeError, r"x: expected \(T, B, I=2\), got \(3, 2\)"),
        (X[..., :1], rnnrs.ShapeError, r"x: expected \(T, B, I=2\), got \(4, 3, 1\)"),
        (3.0, rnnrs.ShapeError, r"got \(\)"),
    ],
)
def test_bad_inputs_are_rejected_by_name(x, error, message):
    with pytest.raises(error, match=message):
        rnn().forward(x)


def test_states_and_gradients_of_other_shapes_are_rejected_by_name():
    layer = rnn()
    with pytest.raises(rnnrs.ShapeError, match=r"state: expected \(B=3, S=5\), got \(3, 4\)"):
        layer.forward(X, np.zeros((3, 4)))
    _, cache = layer.forward(X)
    with pytest.raises(rnnrs.ShapeError, match=r"dh: expected \(T=4, B=3, H=5\)"):
        layer.backward(cache, np.zeros((4, 3, 4)))
    assert not layer.gradients.flat.any()
    output = nn.Linear(5, 2)
    _, cache = output.forward(np.zeros((4, 5)))
    with pytest.raises(rnnrs.ShapeError, match="do"):
        output.backward(cache, np.zeros((4, 3)))
    with pytest.raises(rnnrs.ShapeError, match=r"x: expected \(…, I=5\)"):
        output.forward(np.zeros((4, 6)))


def test_nan_and_infinity_stay_in_their_sequence():
    x = X.copy()
    x[1, 0, 0] = np.nan
    x[1, 1, 0] = np.inf
    h, _ = rnn().forward(x)
    clean, _ = rnn().forward(X)
    assert np.isnan(h[1:, 0]).any(axis=-1).all()
    assert np.isfinite(h[:, 1]).all()
    np.testing.assert_array_equal(h[:, 2], clean[:, 2])
    np.testing.assert_array_equal(h[0], clean[0])


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([0, 1, 7], IndexError, "from 0 to 6, got 7 at position 2"),
        ([[0], [-1]], IndexError, "got -1 at position 1"),
        ([0.0, 1.0], rnnrs.DTypeError, "whole numbers"),
        (["a"], rnnrs.DTypeError, "whole numbers"),
        ([True], rnnrs.DTypeError, "whole numbers"),
        (np.array([2**63 + 5], np.uint64), IndexError, "from 0 to 6"),
    ],
)
def test_ids_outside_the_vocabulary_are_rejected(ids, error, message):
    with pytest.raises(error, match=message):
        nn.Embedding(7, 3).forward(ids)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, ">i8", np.uint64])
def test_ids_of_any_integer_type_are_accepted(dtype):
    layer = nn.Embedding(7, 3)
    np.testing.assert_array_equal(layer.forward(np.array([3, 6], dtype))[0], layer.parameters["E"][[3, 6]])


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (2**40, 2**40)])
def test_invalid_layer_sizes(sizes):
    with pytest.raises((ValueError, MemoryError)):
        nn.RNN(*sizes)
    with pytest.raises((ValueError, MemoryError)):
        nn.Embedding(*sizes)
    with pytest.raises((ValueError, MemoryError)):
        nn.Linear(*sizes)


def test_results_too_large_for_memory_are_an_error_at_once():
    layer = nn.RNN(1, 1)
    # A broadcast number takes no memory itself; the result would exceed what there is.
    with pytest.raises(MemoryError):
        nn.RNN(1, 170_000)  # more than a hundred GiB
    many = np.broadcast_to(np.float32(0), (2**22, 2**22, 1))
    with pytest.raises(MemoryError):
        layer.forward(many)
    from rnnrs import _rnnrs

    wide = np.zeros((2**24, 1), np.float32)
    with pytest.raises(MemoryError, match=r"Linear\.forward: memory: expected a request for at most"):
        _rnnrs.linear_forward(np.zeros((2**24, 1), np.float32), wide, wide[:, 0].copy())


def test_sizes_must_be_whole_numbers():
    for wrong in (2.0, "3", None, True):
        with pytest.raises(TypeError, match="whole number"):
            nn.RNN(wrong, 3)
    with pytest.raises(ValueError, match="one of tanh, relu"):
        nn.RNN(2, 3, activation="softmax")
    with pytest.raises(ValueError, match="scheme"):
        nn.RNN(2, 3, recurrent_initializer="random")
    with pytest.raises(rnnrs.DTypeError, match="float32 or float64"):
        nn.RNN(2, 3, dtype=np.float16)
    with pytest.raises(rnnrs.DTypeError, match="float32 or float64"):
        nn.RNN(2, 3, dtype="nonsense")
    with pytest.raises(ValueError, match="seed"):
        nn.RNN(2, 3, seed=-1)


def test_parameters_accept_only_arrays_that_fit():
    p = rnn().parameters
    with pytest.raises(rnnrs.ShapeError, match=r"W: expected \(5, 5\), got \(5,\)"):
        p["W"] = np.zeros(5)
    with pytest.raises(rnnrs.DTypeError, match="b: expected real numbers"):
        p["b"] = ["x"] * 5
    with pytest.raises(KeyError, match="no parameter 'Z'"):
        p["Z"]
    with pytest.raises(KeyError, match="missing: W"):
        p.copy_from({"U": p["U"], "b": p["b"]})
    with pytest.raises(TypeError, match="cannot be deleted"):
        del p["W"]


def test_an_array_passed_twice_is_rejected_if_it_is_written():
    from rnnrs import _rnnrs

    g = np.zeros(4)
    with pytest.raises(ValueError, match="overlaps"):
        _rnnrs.sgd(g, g, None, 0.1, 0.0, False, 0.0, 1.0, None)
    frozen = np.zeros(4)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        _rnnrs.clip_value(frozen, 1.0)
