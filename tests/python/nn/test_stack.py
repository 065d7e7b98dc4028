"""Stacks and bidirectional layers: against their layers, and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnnrs
from rnnrs import nn

Array = NDArray[Any]
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def draw(rng: np.random.Generator) -> nn.Stack | nn.Bidirectional:
    """Returns a random combination of layers."""
    options: dict[str, Any] = {"dtype": "float64"}

    def cell(I: int, H: int) -> nn.Recurrent:
        kind = CELLS[str(rng.choice(list(CELLS)))]
        options["recurrent_dropout"], options["input_dropout"] = rng.choice([0.0, 0.3], 2)
        return kind(I, H, learn_state=bool(rng.random() < 0.3), seed=int(rng.integers(1000)), **options)

    def part(I: int) -> nn.Recurrent | nn.Bidirectional:
        H = int(rng.integers(2, 6))
        if rng.random() < 0.4:
            return nn.Bidirectional(cell(I, H), cell(I, H), merge=str(rng.choice(nn.MERGES)))
        return cell(I, I if I > 1 and rng.random() < 0.5 else H)

    if rng.random() < 0.3:
        return nn.Bidirectional(cell(3, 4), cell(3, 5))
    layers, width = [], 3
    for _ in range(int(rng.integers(1, 4))):
        layers.append(part(width))
        width = layers[-1].hidden_size
    residual = any(layer.input_size == layer.hidden_size for layer in layers[1:]) and rng.random() < 0.7
    return nn.Stack(
        *layers, residual=residual, dropout=0.3 if len(layers) > 1 and rng.random() < 0.5 else 0.0
    )


@pytest.mark.parametrize("seed", range(60))
def test_gradients_match_finite_differences(seed):
    rng = np.random.default_rng(seed)
    net, embedding = draw(rng), nn.Embedding(4, 3, dtype="float64")
    parameters, gradients = rnnrs.nn.join(net=net, embedding=embedding)
    T, B = (int(n) for n in rng.integers([1, 1], [6, 4]))
    tokens = rng.random() < 0.5
    x = rng.integers(0, 4, (T, B)) if tokens else rng.standard_normal((T, B, 3))
    state = rng.standard_normal((B, net.state_size)) if rng.random() < 0.6 else None
    lengths = rng.integers(0, T + 1, B) if rng.random() < 0.5 else None
    R, Q = rng.standard_normal((T, B, net.hidden_size)), rng.standard_normal((B, net.state_size))

    options = {"lengths": lengths, "noise": int(rng.integers(1000)) if rng.random() < 0.7 else None}

    def forward() -> tuple[Array, Any]:
        if tokens:
            return net.forward_tokens(embedding, x, state, **options)
        return net.forward(x, state, **options)

    def loss() -> float:
        h, cache = forward()
        return float((R * h).sum() + (Q * cache.state).sum())

    _, cache = forward()
    if tokens:
        dstate, dx = net.backward_tokens(embedding, cache, R, Q), None
    else:
        dx, dstate = net.backward(cache, R, Q)
    variables = [(parameters.flat, gradients.flat.copy())]
    if dx is not None:
        variables.append((x, dx))
    if state is not None:
        variables.append((state, dstate))
    directions = [rng.standard_normal(v.shape) for v, _ in variables]
    exact = sum(float((g * d).sum()) for (_, g), d in zip(variables, directions, strict=True))

    def moved(by: float) -> float:
        for (v, _), d in zip(variables, directions, strict=True):
            v += by * d
        return loss()

    def slope(e: float) -> float:
        up, down = moved(e), moved(-2 * e)
        moved(e)
        return (up - down) / (2 * e)

    numeric = (4 * slope(1e-4) - slope(2e-4)) / 3
    assert abs(exact - numeric) <= 1e-6 * max(1.0, abs(exact))


def test_a_stack_equals_its_layers_in_sequence():
    rng = np.random.default_rng(0)
    low, high = nn.LSTM(3, 5), nn.GRU(5, 5, seed=1)
    apart = nn.LSTM(3, 5), nn.GRU(5, 5, seed=1)
    stack = nn.Stack(low, high, residual=True)
    assert list(stack.parameters) == ["0.U", "0.W", "0.b", "1.U", "1.W", "1.b", "1.b_h"]
    x, lengths = rng.standard_normal((4, 2, 3)), [4, 2]
    below, first = apart[0].forward(x, lengths=lengths)
    above, second = apart[1].forward(below, lengths=lengths)
    h, cache = stack.forward(x, lengths=lengths)
    assert np.array_equal(h, below + above) and not h[2:, 1].any()
    assert np.array_equal(cache.state, np.concatenate([first.state, second.state], axis=1))
    stack.parameters["1.b"] += 1
    assert (high.parameters["b"] == stack.parameters["1.b"]).all()


def test_the_backward_direction_equals_the_forward_one_on_the_reversed_sequence():
    rng = np.random.default_rng(1)
    both = nn.Bidirectional(nn.GRU(3, 4), nn.GRU(3, 4, seed=1))
    x = rng.standard_normal((5, 2, 3))
    h, _ = both.forward(x)
    turned, _ = both.back.forward(x[::-1])
    assert np.array_equal(h[..., 4:], turned[::-1]) and np.array_equal(h[..., :4], both.ahead.forward(x)[0])
    total = nn.Bidirectional(nn.GRU(3, 4), nn.GRU(3, 4, seed=1), merge="sum").forward(x)[0]
    mean = nn.Bidirectional(nn.GRU(3, 4), nn.GRU(3, 4, seed=1), merge="mean").forward(x)[0]
    assert np.array_equal(total, h[..., :4] + h[..., 4:]) and np.array_equal(mean, total / 2)


def test_layers_in_layers_move_into_one_vector():
    stack = nn.Stack(nn.Bidirectional(nn.RNN(2, 3), nn.RNN(2, 3)), nn.LSTM(6, 4))
    before = stack.parameters.flat.copy()
    parameters, gradients = nn.join(net=stack, output=nn.Linear(4, 2))
    assert np.array_equal(parameters.flat[: before.size], before)
    parameters["net.0.back.W"][...] = 7
    assert (stack.layers[0].back.parameters["W"] == 7).all()
    gradients["net.1.b"][...] = 3
    assert (stack.layers[1].gradients["b"] == 3).all() and (stack.gradients["1.b"] == 3).all()


def test_stacks_run_step_by_step():
    rng = np.random.default_rng(2)
    embedding, output = nn.Embedding(7, 3), nn.Linear(5, 7)
    stack = nn.Stack(nn.LSTM(3, 4), nn.GRU(4, 5), nn.RNN(5, 5))
    ids = rng.integers(0, 7, (6, 2))
    h, cache = stack.forward_tokens(embedding, ids)
    stepper = rnnrs._rnnrs.Stepper(
        embedding.parameters["E"], stack.engine_weights(), *output.parameters.values(), batch=2
    )
    for t in range(6):
        np.testing.assert_allclose(stepper.step(ids[t]), output.forward(h[t])[0], atol=1e-6)
    np.testing.assert_allclose(stepper.state, cache.state, atol=1e-6)
    for net in (
        nn.Stack(nn.GRU(3, 3), nn.GRU(3, 3), residual=True),
        nn.Stack(nn.Bidirectional(nn.RNN(3, 1), nn.RNN(3, 1))),
    ):
        with pytest.raises(ValueError, match="step by step"):
            net.engine_weights()


def test_layers_that_do_not_match_are_rejected():
    one = nn.RNN(3, 4)
    with pytest.raises(ValueError, match="at least one"):
        nn.Stack()
    with pytest.raises(ValueError, match="input size of 4 for layer 1, got 3"):
        nn.Stack(one, nn.RNN(3, 4))
    with pytest.raises(ValueError, match="twice"):
        square = nn.RNN(3, 3)
        nn.Stack(square, square)
    with pytest.raises(ValueError, match="residual"):
        nn.Stack(nn.RNN(3, 3), nn.RNN(3, 4), residual=True)
    with pytest.raises(ValueError, match="dropout: expected 0 with one layer"):
        nn.Stack(one, dropout=0.1)
    with pytest.raises(ValueError, match="merge"):
        nn.Bidirectional(one, nn.RNN(3, 4), merge="max")
    with pytest.raises(ValueError, match="expected a second layer"):
        nn.Bidirectional(one, one)
    with pytest.raises(ValueError, match="input size of 3, got 2"):
        nn.Bidirectional(one, nn.RNN(2, 4))
    with pytest.raises(ValueError, match="hidden size of 4 for merge 'sum', got 5"):
        nn.Bidirectional(one, nn.RNN(3, 5), merge="sum")
    with pytest.raises(ValueError, match="dtype"):
        nn.Stack(one, nn.RNN(4, 4, dtype="float64"))
    stack, both = nn.Stack(nn.RNN(3, 4)), nn.Bidirectional(nn.RNN(3, 4), nn.RNN(3, 4))
    x = np.zeros((2, 1, 3))
    for net, S in ((stack, 4), (both, 8)):
        with pytest.raises(rnnrs.ShapeError, match=rf"state: expected \(B, S={S}\), got \(1, 3\)"):
            net.forward(x, np.zeros((1, 3)))
        _, cache = net.forward(x)
        with pytest.raises(rnnrs.ShapeError, match="dh: expected"):
            net.backward(cache, np.zeros((2, 1, 3)))


def test_every_layer_and_direction_has_its_own_masks():
    x = np.ones((1, 1, 500))
    both = nn.Bidirectional(*(nn.RNN(500, 500, activation="identity", input_dropout=0.5) for _ in range(2)))
    for part in (both.ahead, both.back):
        part.parameters["U"][...], part.parameters["b"][...] = np.eye(500), 0
    h, _ = both.forward(x, noise=1)
    ahead, back = h[0, 0, :500] == 0, h[0, 0, 500:] == 0
    assert 0.4 < np.mean(ahead == back) < 0.6
