"""Dropout, zoneout and their masks in every cell."""

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


class TestNoise:
    def test_dropout_of_the_input_and_between_layers(self):
        rng = np.random.default_rng(0)
        x, dy = rng.standard_normal((2, 50, 4, 33))
        keys, drop = np.array([7, -1, 0, 3]), nn.Dropout(0.3)
        y, cache = drop.forward(x, 5, keys)
        seed = nn.layer.derive_seed(5, noise.BETWEEN)
        mask = [[reference.kept(0.3, seed, int(k), t, 33) / 0.7 for k in keys] for t in range(50)]
        np.testing.assert_allclose(y, x * mask, rtol=1e-15)
        np.testing.assert_allclose(drop.backward(cache, dy), dy * mask, rtol=1e-15)
        same, cache = drop.forward(x)
        assert same is x and drop.backward(cache, dy) is dy
        every, _ = nn.Dropout(0.3, per_sequence=True).forward(x, 5, keys)
        np.testing.assert_allclose(every, x * mask[0], rtol=1e-15)

    @pytest.mark.parametrize("cell", CELLS)
    def test_masks_follow_a_sequence_to_any_place_in_the_batch(self, cell):
        rng = np.random.default_rng(1)
        net = layer(cell, 3, 70, input_dropout=0.2, recurrent_dropout=0.2, zoneout=0.2, layer_norm=True)
        x, lengths = rng.standard_normal((9, 6, 3)).astype("f"), np.array([4, 9, 1, 9, 6, 9])
        keys, new = np.arange(10, 16), rng.permutation(6)
        h, _ = net.forward(x, lengths=lengths, noise=3, keys=keys)
        moved, _ = net.forward(x[:, new], lengths=lengths[new], noise=3, keys=keys[new])
        assert np.array_equal(moved, h[:, new])
        other, _ = net.forward(x, lengths=lengths, noise=4, keys=keys)
        assert not np.array_equal(other, h)

    @pytest.mark.parametrize("cell", CELLS)
    def test_bits_do_not_depend_on_threads(self, cell):
        rng = np.random.default_rng(2)
        net = layer(cell, 16, 64, input_dropout=0.2, recurrent_dropout=0.2, zoneout=0.2, layer_norm=True)
        x, lengths = rng.standard_normal((30, 20, 16)).astype("f"), rng.integers(0, 31, 20)
        dh = rng.standard_normal((30, 20, 64)).astype("f")
        results = []
        for threads in (1, 2, 3):
            rnnrs.set_num_threads(threads)
            net.zero_gradients()
            h, cache = net.forward(x, lengths=lengths, noise=3)
            dx, dstate = net.backward(cache, dh)
            results.append([a.tobytes() for a in (h, dx, dstate, net.gradients.flat)])
        rnnrs.set_num_threads(2)
        assert results[0] == results[1] == results[2]

    @pytest.mark.parametrize("cell", CELLS)
    def test_without_noise_zoneout_is_an_average(self, cell):
        """The stepper averages in the same way, also with normalization."""
        rng = np.random.default_rng(3)
        net = layer(cell, 3, 5, zoneout=0.25, layer_norm=True, dtype="float64")
        net.parameters["gain"][...] = rng.uniform(0.5, 2, net.parameters["gain"].shape)
        x = rng.standard_normal((6, 2, 3))
        h, cache = net.forward(x, gradient=False)
        zeros = np.zeros((2, net.state_size))
        given = (np.full(2, 6), np.zeros((6, 2), bool), zeros[0], False, lambda *_: (1.0, 0.75))
        expected, last = reference.walk(cell, dict(net.parameters), x, zeros, *given)
        np.testing.assert_allclose(h, expected, atol=1e-12)
        np.testing.assert_allclose(cache.state, last, atol=1e-12)
        E, V = rng.standard_normal((12, 3)), np.eye(5)
        stepper = rnnrs._rnnrs.Stepper(E, net.engine_weights(), V, np.zeros(5), batch=2)
        tokens = rng.integers(0, 12, (6, 2))
        h, cache = net.forward(E[tokens], gradient=False)
        for t in range(6):
            np.testing.assert_allclose(stepper.step(tokens[t]), h[t], atol=1e-12)
        np.testing.assert_allclose(stepper.state, cache.state, atol=1e-12)
        with pytest.raises(ValueError, match="zoneout, got None"):
            net.forward(x)

    def test_rows_of_an_embedding_are_dropped_at_all_their_positions(self):
        rng = np.random.default_rng(4)
        embedding = nn.Embedding(40, 3, row_dropout=0.4, dtype="float64")
        ids, dx = rng.integers(0, 40, (9, 5)), rng.standard_normal((9, 5, 3))
        seed = nn.layer.derive_seed(8, noise.ROWS)
        rows = np.array([reference.kept(0.4, seed, token, 0, 1)[0] for token in range(40)]) / 0.6
        assert 0 < (rows == 0).sum() < 40
        x, cache = embedding.forward(ids, 8)
        np.testing.assert_allclose(x, (embedding.parameters["E"] * rows[:, None])[ids], rtol=1e-15)
        embedding.backward(cache, dx)
        expected = np.zeros((40, 3))
        np.add.at(expected, ids, dx * rows[ids][..., None])
        np.testing.assert_allclose(embedding.gradients["E"], expected, rtol=1e-13)
        with pytest.raises(rnnrs.ShapeError, match=r"dx: expected \(9, 5, 3\)"):
            embedding.backward(cache, dx[:, 0])
        with pytest.raises(ValueError, match="row_dropout"):
            nn.Embedding(4, 3, row_dropout=1.0)
        # Through `forward_tokens`, with fewer and with more positions than tokens.
        for count in (3, 9):
            layer_e, rnn = nn.Embedding(8, 3, row_dropout=0.4, dtype="float64"), nn.GRU(3, 4, dtype="float64")
            tokens, dh = ids[:count] % 8, rng.standard_normal((count, 5, 4))
            x, cache = layer_e.forward(tokens, 8)
            h, through = rnn.forward(x, noise=8)
            dx, _ = rnn.backward(through, dh)
            layer_e.backward(cache, dx)
            expected = layer_e.gradients["E"].copy()
            layer_e.zero_gradients()
            got, through = rnn.forward_tokens(layer_e, tokens, noise=8)
            rnn.backward_tokens(layer_e, through, dh)
            assert np.array_equal(got, h) and np.array_equal(layer_e.gradients["E"], expected)

    def test_wrong_rates_and_keys_are_rejected(self):
        for name in ("input_dropout", "recurrent_dropout", "zoneout", "weight_drop"):
            for wrong in (-0.1, 1.0, float("nan")):
                with pytest.raises(ValueError, match=f"GRU: {name}: expected a number from 0 to below 1"):
                    nn.GRU(3, 4, **{name: wrong})
            with pytest.raises(TypeError, match=f"{name}: expected a number, got 'much'"):
                nn.GRU(3, 4, **{name: "much"})
        with pytest.raises(ValueError, match="expected one rate, got"):
            nn.GRU(3, 4, zoneout=(0.1, 0.1))
        with pytest.raises(ValueError, match="expected one rate or two, got"):
            nn.LSTM(3, 4, zoneout=(0.1, 0.1, 0.1))
        net, x = nn.LSTM(3, 4, recurrent_dropout=0.1), np.zeros((5, 2, 3))
        with pytest.raises(rnnrs.ShapeError, match=r"keys: expected \(B=2,\), got \(3,\)"):
            net.forward(x, noise=1, keys=[1, 2, 3])
        with pytest.raises(rnnrs.DTypeError, match="keys: expected whole numbers"):
            net.forward(x, noise=1, keys=[1.5, 2.0])
        for wrong in (-1, 1 << 64):
            with pytest.raises(ValueError, match="from 0 to"):
                net.forward(x, noise=wrong)
        with pytest.raises(rnnrs.ShapeError, match=r"x: expected \(T, B, I\) or \(B, I\), got \(3,\)"):
            nn.Dropout(0.1).forward(x[0, 0], noise=1)
