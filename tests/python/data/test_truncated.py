"""Truncated BPTT: various windows and strides, compared with the gradient that they define."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnnrs
from rnnrs import losses, nn, optim
from rnnrs.data import Batch, StreamBatches, TruncatedBPTT
from rnnrs.models import RecurrentNetwork

Array = NDArray[Any]
N, B = 17, 3


def network(cell: Any = nn.LSTM, **options: Any) -> RecurrentNetwork:
    options |= {"dtype": "float64"}
    return RecurrentNetwork(
        nn.Stack(cell(4, 6, **options), nn.GRU(6, 5, seed=1, **options)),
        nn.Linear(5, 9, dtype="float64"),
        losses.SoftmaxCrossEntropy("sum"),
        embedding=nn.Embedding(9, 4, dtype="float64"),
    )


def data(rng: np.random.Generator, resets: bool = False) -> dict[str, Array]:
    ids = rng.integers(0, 9, (N + 1, B))
    arrays = {"inputs": ids[:-1], "targets": ids[1:]}
    return arrays | ({"resets": rng.random((N, B)) < 0.2} if resets else {})


def losses_of(net: RecurrentNetwork, batches: Any) -> list[float]:
    """Returns the losses of one pass without any update in between."""
    total, state = [], None
    for batch in batches:
        L, state = net.loss(batch, state, gradient=False)
        total.append(L)
    return total


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize(("window", "stride"), [(4, 4), (5, 2), (7, 3), (40, 4), (N, 1), (3, 3)])
def test_every_step_is_scored_once_and_sees_all_earlier_steps(window, stride, resets):
    net, arrays = network(), data(np.random.default_rng(0), resets)
    cut = TruncatedBPTT(**arrays, window=window, stride=stride).epoch(0)
    assert len(cut) == -(-N // stride)
    whole, _ = net.loss(
        Batch(arrays["inputs"], arrays["targets"], resets=arrays.get("resets")), gradient=False
    )
    assert sum(losses_of(net, cut)) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(("window", "stride"), [(6, 6), (6, 2), (7, 3), (2, 5), (1, 4), (N, N)])
def test_a_gradient_goes_back_as_far_as_the_window(window, stride):
    """Compares with BPTT by hand: a constant state before the window, and only the newest steps scored."""
    net, arrays = network(), data(np.random.default_rng(1))
    state = None
    for index, batch in enumerate(TruncatedBPTT(**arrays, window=window, stride=stride).epoch(0)):
        net.gradients.fill(0)
        _, state = net.loss(batch, state)
        got = net.gradients.flat.copy()
        end = min((index + 1) * stride, N)
        begin = max(end - window, 0 if window > stride else index * stride)
        scored = max(index * stride, end - window)
        before = None
        if begin:
            _, cache = net.forward(arrays["inputs"][:begin])
            before = cache.rnn.state
        targets = arrays["targets"][begin:end].copy()
        targets[: scored - begin] = -1
        net.gradients.fill(0)
        net.loss(Batch(arrays["inputs"][begin:end], targets), before)
        np.testing.assert_allclose(got, net.gradients.flat, atol=1e-11)


def test_without_carry_every_window_starts_from_the_initial_state():
    net, arrays = network(learn_state=True), data(np.random.default_rng(2))
    cut = TruncatedBPTT(**arrays, window=4, carry=False)
    assert not cut.carries_state
    trainer = rnnrs.Trainer(net, optim.SGD(1e-30))
    history = trainer.fit(cut, epochs=1)
    expected = [net.loss(batch, None, gradient=False)[0] for batch in cut.epoch(0)]
    np.testing.assert_allclose(history.losses, expected, rtol=1e-12)


def test_of_text_gives_a_stream_with_documents():
    ids = np.arange(40) % 7
    cut, stream = TruncatedBPTT.of_text(ids, 3, window=5), StreamBatches(ids, 3, 5)
    assert len(cut) == len(stream)
    for ours, theirs in zip(cut.epoch(0), stream.epoch(0), strict=True):
        assert np.array_equal(ours.inputs, theirs.inputs) and np.array_equal(ours.targets, theirs.targets)
    documents = TruncatedBPTT.of_text(ids, 3, window=5, reset_after=6)
    inputs = np.concatenate([batch.inputs for batch in documents.epoch(0)])
    resets = np.concatenate([batch.resets for batch in documents.epoch(0)])
    assert np.array_equal(resets[1:], inputs[:-1] == 6) and not resets[0].any()


@pytest.mark.parametrize("options", [{}, {"recurrent_dropout": 0.2, "zoneout": 0.1, "weight_drop": 0.1}])
def test_a_resumed_run_is_bit_identical(options, tmp_path):
    arrays = data(np.random.default_rng(3), resets=True)

    def run(steps: list[int]) -> Array:
        net = None
        for number, until in enumerate(steps):
            net = network(**options)
            trainer = rnnrs.Trainer(net, optim.Adam(1e-2), checkpoint=tmp_path / "run", seed=5)
            if number:
                trainer.resume(tmp_path / "run")
            trainer.fit(TruncatedBPTT(**arrays, window=5, stride=2), max_steps=until)
        return net.parameters.flat

    assert np.array_equal(run([20]), run([7, 13, 20]))


def test_noise_differs_at_every_step_and_only_in_training():
    arrays = data(np.random.default_rng(4))
    net = network(recurrent_dropout=0.5)
    batch = Batch(arrays["inputs"], arrays["targets"])
    trainer = rnnrs.Trainer(net, optim.SGD(1e-30))
    history = trainer.fit([batch], max_steps=3)
    assert len(set(history.losses)) == 3
    again = rnnrs.Trainer(net, optim.SGD(1e-30)).fit([batch], max_steps=3)
    assert list(again.losses) == list(history.losses)
    other = rnnrs.Trainer(net, optim.SGD(1e-30), seed=1).fit([batch], max_steps=3)
    assert not set(other.losses) & set(history.losses)
    assert trainer.evaluate([batch]) == pytest.approx(net.loss(batch, gradient=False)[0])


def test_invalid_arguments_are_refused():
    ids = np.zeros((5, 2), int)
    with pytest.raises(ValueError, match="window"):
        TruncatedBPTT(ids, ids, window=0)
    with pytest.raises(ValueError, match="stride"):
        TruncatedBPTT(ids, ids, window=2, stride=-1)
    with pytest.raises(ValueError, match="at least one step"):
        TruncatedBPTT(ids[:0], ids[:0], window=2)
    with pytest.raises(rnnrs.ShapeError, match=r"targets: expected \(N, B, …\) with \(5, 2\), got \(4, 2\)"):
        TruncatedBPTT(ids, ids[:4], window=2)
    with pytest.raises(rnnrs.DTypeError, match="overlapping windows, got float64"):
        TruncatedBPTT(ids, ids * 1.0, window=2, stride=1)
    with pytest.raises(rnnrs.ShapeError, match="resets: expected booleans"):
        TruncatedBPTT(ids, ids, window=2, resets=np.zeros((5, 3), bool))
    with pytest.raises(ValueError, match="lengths: expected None"):
        network().loss(Batch(ids, ids, lengths=np.array([5, 5]), warm=2))
