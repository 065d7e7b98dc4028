"""From a vector to a sequence: gradients, equations, training, generation."""

import numpy as np
import pytest

import rnnrs
from rnnrs import losses, nn, optim
from rnnrs.data import Batch
from rnnrs.models import VectorToSequence

rng = np.random.default_rng(8)


def writer(C=3, V=6, E=4, H=8, cell=nn.GRU, seed=0, dtype="float64"):
    return VectorToSequence(
        cell(E + C, H, seed=seed, dtype=dtype),
        nn.Linear(H, V, seed=seed + 1, dtype=dtype),
        losses.SoftmaxCrossEntropy(),
        embedding=nn.Embedding(V, E, seed=seed + 2, dtype=dtype),
    )


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_gradients_with_tokens(cell):
    y = rng.integers(0, 6, (5, 4))
    y[3:, 1] = -1
    batch = Batch(rng.standard_normal((4, 3)), y, lengths=[5, 3, 5, 5])
    assert rnnrs.gradient_check(writer(cell=cell), batch, step=3e-4).worst <= 1e-5


def test_gradients_of_the_vector_alone():
    model = VectorToSequence(
        nn.RNN(3, 5, dtype="float64"), nn.Linear(5, 2, dtype="float64"), losses.SquaredError()
    )
    v, y = rng.standard_normal((4, 3)), rng.standard_normal((6, 4, 2))
    assert rnnrs.gradient_check(model, Batch(v, y)).worst <= 1e-6
    o, cache = model.forward(v, 6)
    dv = model.backward(cache, losses.SquaredError()(o, y)[1])
    for place in np.ndindex(v.shape):
        ends = []
        for e in (1e-6, -1e-6):
            moved = v.copy()
            moved[place] += e
            ends.append(losses.SquaredError()(model.forward(moved, 6)[0], y)[0])
        assert np.isclose(dv[place], (ends[0] - ends[1]) / 2e-6, atol=1e-8)


def test_the_equations():
    """a_t = b + W h_{t−1} + U [E[y_{t−1}]; v], with NumPy."""
    model = writer(cell=nn.RNN)
    p, v, y = model.parameters, rng.standard_normal(3), [2, 5, 0, 1]
    o, _ = model.forward(v[None], 4, np.array(y)[:, None])
    h = np.zeros(8)
    for t, before in enumerate([0, *y[:-1]]):
        h = np.tanh(p["rnn.b"] + p["rnn.W"] @ h + p["rnn.U"] @ np.concatenate([p["embedding.E"][before], v]))
        assert np.allclose(o[t, 0], p["output.c"] + p["output.V"] @ h)


def test_it_learns_to_generate_the_word_of_a_vector():
    """Three words, each with a one-hot vector."""
    words = np.array([[1, 2, 3, 0], [3, 3, 1, 0], [2, 1, 2, 0]])
    model = writer(H=16, dtype="float32", V=4)
    trainer = rnnrs.Trainer(model, optim.Adam(2e-2))
    trainer.fit([Batch(np.eye(3, dtype="float32"), words.T)], max_steps=150)
    for vector, word in zip(np.eye(3), words, strict=True):
        assert model.generate(vector, end_id=0, temperature=0) == word[:-1].tolist()
    assert len(model.generate(np.eye(3)[0], 7, temperature=3.0, seed=1)) == 7
    assert model.generate(np.eye(3)[0], 7, seed=1) == model.generate(np.eye(3)[0], 7, seed=1)


def test_generated_tokens_are_the_likeliest_of_the_forward_pass():
    model = writer(cell=nn.LSTM)
    v = rng.standard_normal(3)
    told = model.generate(v, 9, temperature=0)
    o, _ = model.forward(v[None], 9, np.array(told)[:, None])
    assert o[:, 0].argmax(axis=1).tolist() == told


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: VectorToSequence(nn.RNN(4, 5), nn.Linear(6, 2), losses.SquaredError()),
            ValueError,
            r"expected an input size of 5 \(H\)",
        ),
        (
            lambda: VectorToSequence(
                nn.RNN(4, 5), nn.Linear(5, 2), losses.SquaredError(), embedding=nn.Embedding(2, 4)
            ),
            ValueError,
            "above 4",
        ),
        (
            lambda: VectorToSequence(
                nn.RNN(4, 5), nn.Linear(5, 2), losses.SquaredError(), embedding=nn.Embedding(3, 2)
            ),
            ValueError,
            "expected 2 tokens",
        ),
        (
            lambda: VectorToSequence(nn.RNN(4, 5), nn.Linear(5, 2), losses.SquaredError(), begin_id=-1),
            ValueError,
            "begin_id",
        ),
        (
            lambda: writer().forward(np.zeros((2, 4)), 3, np.zeros((3, 2), int)),
            rnnrs.ShapeError,
            r"vectors: expected \(B, C=3\)",
        ),
        (lambda: writer().forward(np.zeros((2, 3)), 3), ValueError, "tokens: expected tokens, got none"),
        (
            lambda: writer().forward(np.zeros((2, 3)), 3, np.zeros((4, 2), int)),
            rnnrs.ShapeError,
            r"tokens: expected \(T, B\)",
        ),
        (lambda: writer().forward(np.zeros((2, 3)), 3, np.full((3, 2), 9)), IndexError, "9"),
        (lambda: writer().generate(np.zeros(4)), rnnrs.ShapeError, r"vector: expected \(C=3,\)"),
        (lambda: writer().generate(np.zeros(3), temperature=-1), ValueError, "temperature"),
        (
            lambda: VectorToSequence(nn.RNN(4, 5), nn.Linear(5, 2), losses.SquaredError()).generate(
                np.zeros(4)
            ),
            ValueError,
            "expected an embedding",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
