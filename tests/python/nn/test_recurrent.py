"""Every cell, with lengths, resets, both directions, given and learned states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
from numpy.typing import NDArray

import rnnrs
from rnnrs import nn
from rnnrs.nn import noise

Array = NDArray[Any]
CELLS = ["tanh", "relu", "lstm", "gru"]


def layer(cell: str, I: int, H: int, **options: Any) -> nn.Recurrent:
    if cell == "lstm":
        return nn.LSTM(I, H, **options)
    if cell == "gru":
        return nn.GRU(I, H, **options)
    return nn.RNN(I, H, activation=cell, **options)


class Case:
    """A layer and a batch with random options, and a loss Σ R ⊙ h + Σ Q ⊙ state."""

    def __init__(self, seed: int, *, noisy: bool = False) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.cell = str(rng.choice([*nn.ACTIVATIONS, "lstm", "gru"]))
        T, B, I, H = (int(n) for n in rng.integers([0, 1, 1, 2], [8, 6, 5, 20]))
        options: dict[str, Any] = {"learn_state": bool(rng.random() < 0.4), "seed": seed, "dtype": "float64"}
        self.noise, self.keys = None, None
        if noisy:
            for name in ("input_dropout", "recurrent_dropout", "zoneout", "weight_drop"):
                options[name] = float(rng.choice([0.0, 0.2, 0.5]))
            if self.cell == "lstm" and rng.random() < 0.5:
                options["zoneout"] = (0.3, 0.1)
            options["layer_norm"] = bool(rng.random() < 0.5)
            self.noise = int(rng.integers(1 << 63))
            self.keys = rng.integers(-1000, 1000, B) if rng.random() < 0.5 else None
        self.layer = layer(self.cell, I, H, **options)
        for value in self.layer.parameters.values():
            value[...] = rng.normal(0, 0.6, value.shape)
        self.x = rng.standard_normal((T, B, I))
        self.reverse = bool(rng.random() < 0.3)
        self.lengths = rng.integers(0, T + 1, B) if rng.random() < 0.6 else None
        self.resets = rng.random((T, B)) < 0.25 if not self.reverse and rng.random() < 0.5 else None
        S = self.layer.state_size
        self.state = rng.standard_normal((B, S)) if rng.random() < 0.6 else None
        self.R, self.Q = rng.standard_normal((T, B, H)), rng.standard_normal((B, S))

    @property
    def options(self) -> dict[str, Any]:
        shape = {"lengths": self.lengths, "resets": self.resets, "reverse": self.reverse}
        return shape | {"noise": self.noise, "keys": self.keys}

    def expected(self) -> tuple[Array, Array]:
        (T, B, _), p = self.x.shape, dict(self.layer.parameters)
        initial = p.get("state", np.zeros(self.layer.state_size))
        first = np.tile(initial, (B, 1)) if self.state is None else self.state
        lengths = np.full(B, T) if self.lengths is None else self.lengths
        resets = np.zeros((T, B), bool) if self.resets is None else self.resets
        given = (first, lengths, resets, initial, self.reverse)
        if self.noise is None:
            return reference.walk(self.cell, p, self.x, *given)
        x, W, masks = self.masked()
        return reference.walk(self.cell, p | {"W": W}, x, *given, masks)

    def masked(self) -> tuple[Array, Array, Any]:
        """Returns x and W after dropout, and the masks of the states."""
        net, (T, B, I), H = self.layer, self.x.shape, self.layer.hidden_size
        keys = np.arange(B) if self.keys is None else self.keys
        seed = lambda place: nn.layer.derive_seed(self.noise, place)  # noqa: E731

        def mask(rate: float, place: int, key: int, step: int, n: int) -> Array:
            return reference.kept(rate, seed(place), key, step, n) / (1 - rate)

        of_x = [[mask(net.input_dropout, noise.INPUT, int(k), t, I) for k in keys] for t in range(T)]
        of_W = [mask(net.weight_drop, noise.WEIGHTS, i, 0, H) for i in range(len(net.parameters["W"]))]

        def of_states(b: int, began: int, count: int) -> tuple[Array, Array]:
            key = int(keys[b]) + began * 0x1E3779B97F4A7C15
            renewed = [
                reference.kept(net.zoneout[kind], seed(noise.ZONEOUT), key, 2 * count + kind, H)
                for kind in range(net.state_size // H)
            ]
            return mask(net.recurrent_dropout, noise.RECURRENT, key, 0, H), np.concatenate(renewed)

        return self.x * np.reshape(of_x, self.x.shape), net.parameters["W"] * np.array(of_W), of_states

    def loss(self) -> float:
        h, cache = self.layer.forward(self.x, self.state, **self.options)
        return float((self.R * h).sum() + (self.Q * cache.state).sum())

    def variables(self) -> list[Array]:
        given = [] if self.state is None else [self.state]
        return [self.layer.parameters.flat, self.x, *given]

    def gradients(self) -> list[Array]:
        self.layer.zero_gradients()
        _, cache = self.layer.forward(self.x, self.state, **self.options)
        dx, dstate = self.layer.backward(cache, self.R, self.Q)
        given = [] if self.state is None else [dstate]
        return [self.layer.gradients.flat, dx, *given]

    def without_kinks(self) -> None:
        """Keeps sums on one side of f's kinks, across which a difference is not a derivative."""
        if self.cell in ("relu", "saturated_linear"):
            self.layer.parameters["b"][...] = self.rng.choice([-9.0, 0.4, 9.0], self.layer.hidden_size)
            for name in ("U", "W", "gain"):
                if name in self.layer.parameters:
                    self.layer.parameters[name][...] *= 0.02
            self.x *= 0.3
            if self.state is not None:
                self.state *= 0.3


@pytest.mark.parametrize("seed", range(120))
def test_states_follow_the_equations(seed):
    case = Case(seed, noisy=seed % 2 == 1)
    h, cache = case.layer.forward(case.x, case.state, **case.options)
    expected_h, expected_state = case.expected()
    np.testing.assert_allclose(h, expected_h, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(cache.state, expected_state, rtol=1e-10, atol=1e-11)
    without, cache = case.layer.forward(case.x, case.state, **case.options, gradient=False)
    assert np.array_equal(without, h) and cache.kept is None


@pytest.mark.parametrize("seed", range(300))
def test_gradients_match_finite_differences(seed):
    """Checks the derivative along a random direction, which any wrong gradient changes."""
    case = Case(1000 + seed, noisy=seed % 3 > 0)
    case.without_kinks()
    gradients = [g.copy() for g in case.gradients()]
    directions = [case.rng.standard_normal(v.shape) for v in case.variables()]
    exact = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True))

    def slope(e: float) -> float:
        def moved(by: float) -> float:
            for v, d in zip(case.variables(), directions, strict=True):
                v += by * d
            return case.loss()

        up, down = moved(e), moved(-2 * e)
        moved(e)
        return (up - down) / (2 * e)

    numeric = (4 * slope(1e-5) - slope(2e-5)) / 3
    assert abs(exact - numeric) <= 2e-6 * max(1.0, abs(exact))


@pytest.mark.parametrize("cell", CELLS)
class TestEveryCell:
    def test_padding_changes_nothing(self, cell):
        rng, rnn = np.random.default_rng(0), layer(cell, 3, 7)
        x, dh = rng.standard_normal((6, 4, 3)), rng.standard_normal((6, 4, 7))
        lengths = np.array([2, 6, 0, 3])
        results = []
        for padding in (0.0, np.nan):
            for t, b in np.argwhere(np.arange(6)[:, None] >= lengths):
                x[t, b] = dh[t, b] = padding
            rnn.zero_gradients()
            h, cache = rnn.forward(x, lengths=lengths)
            dx, dstate = rnn.backward(cache, dh)
            results.append([a.tobytes() for a in (h, cache.state, dx, dstate, rnn.gradients.flat)])
        assert results[0] == results[1]

    def test_a_sequence_does_not_depend_on_its_batch(self, cell):
        rng, rnn = np.random.default_rng(1), layer(cell, 3, 33)
        x, lengths = rng.standard_normal((9, 5, 3)).astype("f"), np.array([4, 9, 1, 9, 6])
        h, cache = rnn.forward(x, lengths=lengths)
        for b, length in enumerate(lengths):
            alone, own = rnn.forward(x[:length, b : b + 1])
            assert np.array_equal(alone[:, 0], h[:length, b]) and np.array_equal(own.state[0], cache.state[b])

    def test_tokens_are_equivalent_to_their_embeddings(self, cell):
        rng = np.random.default_rng(2)
        embedding, rnn = nn.Embedding(5, 3, dtype="float64"), layer(cell, 3, 6, dtype="float64")
        for T, B in ((7, 4), (1, 2)):  # more positions than tokens, and fewer
            ids, dh = rng.integers(0, 5, (T, B)), rng.standard_normal((T, B, 6))
            lengths = rng.integers(0, T + 1, B)
            for options in ({}, {"lengths": lengths}, {"reverse": True, "lengths": lengths}):
                rnn.zero_gradients()
                embedding.zero_gradients()
                x, e = embedding.forward(ids)
                h, cache = rnn.forward(x, **options)
                dx, dstate = rnn.backward(cache, dh)
                embedding.backward(e, dx)
                expected = [rnn.gradients.flat.copy(), embedding.gradients.flat.copy()]
                rnn.zero_gradients()
                embedding.zero_gradients()
                got, cache = rnn.forward_tokens(embedding, ids, **options)
                assert np.array_equal(got, h)
                np.testing.assert_allclose(rnn.backward_tokens(embedding, cache, dh), dstate, atol=1e-12)
                np.testing.assert_allclose(rnn.gradients.flat, expected[0], atol=1e-12)
                np.testing.assert_allclose(embedding.gradients.flat, expected[1], atol=1e-12)

    def test_the_stepper_computes_the_same_states(self, cell):
        rng = np.random.default_rng(3)
        embedding, rnn, output = nn.Embedding(11, 5), layer(cell, 5, 33), nn.Linear(33, 11)
        ids = rng.integers(0, 11, (7, 3))
        h, cache = rnn.forward_tokens(embedding, ids)
        o = output.forward(h)[0]
        stepper = rnnrs._rnnrs.Stepper(
            embedding.parameters["E"], rnn.engine_weights(), *output.parameters.values(), batch=3
        )
        for t in range(7):
            np.testing.assert_allclose(stepper.step(ids[t]), o[t], atol=1e-6)
        np.testing.assert_allclose(stepper.state, cache.state, atol=1e-6)

    def test_a_stepper_has_the_same_bits_for_few_and_many_tokens(self, cell):
        """For few tokens, b + U E is computed in advance."""
        rng, rnn = np.random.default_rng(6), layer(cell, 9, 20)
        E, V, c = (rng.standard_normal(shape).astype("f") for shape in ((600, 9), (11, 20), 11))
        many, few = (rnnrs._rnnrs.Stepper(e, rnn.engine_weights(), V, c, 3) for e in (E, E[:50]))
        for ids in rng.integers(0, 50, (5, 3)):
            assert np.array_equal(many.step(ids), few.step(ids))
        assert np.array_equal(many.state, few.state)
        for stepper, last in ((many, 599), (few, 49)):
            with pytest.raises(
                IndexError, match=f"expected ids from 0 to {last}, got {last + 1} at position 1"
            ):
                stepper.step(np.array([0, last + 1, 0]))

    def test_few_sequences_with_a_large_state(self, cell):
        """The threads share each step then: the same bits as sequence by sequence."""
        rng, rnn = np.random.default_rng(4), layer(cell, 5, 280)
        x, dh = rng.standard_normal((6, 3, 5)).astype("f"), rng.standard_normal((6, 3, 280)).astype("f")
        state = rng.standard_normal((3, rnn.state_size)).astype("f")
        results = []
        for threads in (1, 2):
            rnnrs.set_num_threads(threads)
            rnn.zero_gradients()
            h, cache = rnn.forward(x, state)
            dx, dstate = rnn.backward(cache, dh, state)
            results.append([a.tobytes() for a in (h, cache.state, dx, dstate, rnn.gradients.flat)])
        assert results[0] == results[1]

    @pytest.mark.parametrize("sizes", [(6, 3, 5, 280), (40, 33, 17, 100), (5, 4, 3, 8)])
    def test_reverse_is_the_forward_pass_from_the_end(self, cell, sizes):
        """The bits are the same whether the engine reads rows in place or in another order."""
        T, B, I, H = sizes
        rng, rnn = np.random.default_rng(5), layer(cell, I, H)
        x, dh = rng.standard_normal((T, B, I)).astype("f"), rng.standard_normal((T, B, H)).astype("f")
        results = []
        for way, options in ((slice(None, None, -1), {}), (slice(None), {"reverse": True})):
            rnn.zero_gradients()
            h, cache = rnn.forward(x[way].copy(), **options)
            dx, dstate = rnn.backward(cache, dh[way].copy())
            results.append([h[way], dx[way], cache.state, dstate, rnn.gradients.flat.copy()])
        for ours, same in zip(*results, strict=True):
            assert np.array_equal(ours, same)

    def test_bad_inputs_are_rejected(self, cell):
        rnn = layer(cell, 3, 4)
        x = np.zeros((5, 2, 3), "f")
        name = type(rnn).__name__
        with pytest.raises(rnnrs.ShapeError, match=rf"{name}: lengths: expected \(B=2,\), got \(3,\)"):
            rnn.forward(x, lengths=[1, 2, 3])
        with pytest.raises(ValueError, match="lengths: expected from 0 to T=5, got 6 for sequence 1"):
            rnn.forward(x, lengths=[1, 6])
        with pytest.raises(ValueError, match="got -1 for sequence 0"):
            rnn.forward(x, lengths=[-1, 5])
        with pytest.raises(rnnrs.DTypeError, match="lengths: expected whole numbers"):
            rnn.forward(x, lengths=[1.0, 2.0])
        with pytest.raises(rnnrs.DTypeError, match="resets: expected booleans"):
            rnn.forward(x, resets=np.zeros((5, 2)))
        with pytest.raises(rnnrs.ShapeError, match=r"resets: expected \(T=5, B=2\)"):
            rnn.forward(x, resets=np.zeros((2, 5), bool))
        with pytest.raises(ValueError, match="resets: expected None"):
            rnn.forward(x, resets=np.zeros((5, 2), bool), reverse=True)
        with pytest.raises(rnnrs.ShapeError, match="x: expected"):
            rnn.forward(x[0], lengths=[1, 1])
        S = rnn.state_size
        for options in ({}, {"lengths": [5, 1]}):
            with pytest.raises(rnnrs.ShapeError, match=rf"state: expected \(B=2, S={S}\), got \(3, {S}\)"):
                rnn.forward(x, np.zeros((3, S)), **options)
            _, cache = rnn.forward(x, **options)
            with pytest.raises(rnnrs.ShapeError, match="dh: expected"):
                rnn.backward(cache, np.zeros((5, 3, 4)))
            with pytest.raises(rnnrs.ShapeError, match="dstate: expected"):
                rnn.backward(cache, None, np.zeros((3, S)))
        assert not rnn.gradients.flat.any()

    def test_a_cache_of_the_other_forward_pass_is_rejected(self, cell):
        rnn, embedding = layer(cell, 3, 4), nn.Embedding(3, 3)
        _, cache = rnn.forward(np.zeros((2, 1, 3)))
        with pytest.raises(ValueError, match="expected one from forward_tokens, got one from forward"):
            rnn.backward_tokens(embedding, cache, None)
        _, cache = rnn.forward_tokens(embedding, np.zeros((5, 1), int))
        with pytest.raises(ValueError, match="expected one from forward, got one from forward_tokens"):
            rnn.backward(cache, None)
        _, cache = rnn.forward(np.zeros((2, 1, 3)), gradient=False)
        if cell in ("lstm", "gru"):
            with pytest.raises(ValueError, match="gradient=True"):
                rnn.backward(cache, None)


def test_the_forget_gate_is_initially_open():
    H = 4
    assert (nn.LSTM(3, H).parameters["b"][H : 2 * H] == 1).all()
    assert (nn.LSTM(3, H, forget_bias=2.5).parameters["b"][H : 2 * H] == 2.5).all()
    assert (np.abs(nn.LSTM(3, H, forget_bias=None).parameters["b"]) <= H**-0.5).all()
    with pytest.raises(ValueError, match="forget_bias"):
        nn.LSTM(3, H, forget_bias=float("nan"))


def test_every_gate_is_initially_orthogonal():
    W = nn.GRU(3, 5, recurrent_initializer="orthogonal", dtype="float64").parameters["W"]
    for gate in np.split(W, 3):
        np.testing.assert_allclose(gate @ gate.T, np.eye(5), atol=1e-12)


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("batch, steps", [(0, 4), (3, 0)])
def test_no_sequences_and_no_steps(cell, batch, steps):
    """Also with a W that the threads share."""
    for hidden in (8, 1024):
        layer = cell(2, hidden)
        h, cache = layer.forward(np.zeros((steps, batch, 2), np.float32))
        dx, _ = layer.backward(cache, np.zeros_like(h))
        assert h.shape == (steps, batch, hidden) and dx.shape == (steps, batch, 2)
        assert all((g == 0.0).all() for g in layer.gradients.values())
