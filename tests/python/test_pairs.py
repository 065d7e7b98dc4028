"""Pairs: each source stays with its target, from the batches' columns back to the sequences."""

import numpy as np
import pytest

import rnnrs
from rnnrs.data import PairBatch, PairBatches


def some(count, seed=0, longest=30):
    draw = np.random.default_rng(seed)
    sources = [draw.integers(2, 90, draw.integers(1, longest)) for _ in range(count)]
    targets = [draw.integers(2, 50, max(0, len(x) + draw.integers(-3, 4))) for x in sources]
    return sources, targets


def test_every_pair_is_in_an_epoch_once_and_whole():
    sources, targets = some(101)
    data = PairBatches(sources, targets, 8, end_id=1, copies=[x + 3 for x in sources])
    epoch = data.epoch(3)
    assert len(epoch) == len(data) == 13 and not data.carries_state
    seen = []
    for batch in epoch:
        assert isinstance(batch, PairBatch)
        assert batch.source.shape[0] == batch.source_lengths.max()
        assert batch.inputs.shape == batch.targets.shape and batch.inputs.shape[0] == batch.lengths.max()
        assert batch.positions == batch.lengths.sum()
        for b, n in enumerate(batch.keys):
            S, T = batch.source_lengths[b], batch.lengths[b]
            np.testing.assert_array_equal(batch.source[:S, b], sources[n])
            np.testing.assert_array_equal(batch.copies[:S, b], sources[n] + 3)
            np.testing.assert_array_equal(batch.targets[:T, b], [*targets[n], 1])
            np.testing.assert_array_equal(batch.inputs[:T, b], [1, *targets[n]])
            assert (batch.source[S:, b] == 0).all() and (batch.copies[S:, b] == -1).all()
            assert (batch.targets[T:, b] == -1).all() and (batch.inputs[T:, b] == 1).all()
        seen += batch.keys.tolist()
    assert sorted(seen) == list(range(101))


def test_an_epoch_depends_on_seed_and_number_alone():
    def keys(seed, number):
        sources, targets = some(200)
        return [b.keys.tolist() for b in PairBatches(sources, targets, 8, 1, seed=seed).epoch(number)]

    assert keys(0, 1) == keys(0, 1)
    assert keys(0, 1) != keys(0, 2) and keys(0, 1) != keys(1, 1)


def test_little_is_filled_up_and_what_is_is_counted():
    sources, targets = some(5000)
    data = PairBatches(sources, targets, 32, 1)
    epoch = data.epoch(0)
    cells = sum(b.source.size + b.targets.size for b in epoch)
    real = sum(int(b.source_lengths.sum() + b.lengths.sum()) for b in epoch)
    assert data.padding_waste == pytest.approx(1 - real / cells) and data.padding_waste < 0.05
    assert PairBatches([[2]], [[]], 4, 0).padding_waste == 0


def test_a_fingerprint_knows_data_and_settings():
    sources, targets = some(20)
    prints = {
        PairBatches(sources, targets, 8, 1).fingerprint(),
        PairBatches(sources, targets, 9, 1).fingerprint(),
        PairBatches(sources, targets, 8, 0).fingerprint(),
        PairBatches(sources, targets, 8, 1, seed=1).fingerprint(),
        PairBatches(sources, targets, 8, 1, copies=sources).fingerprint(),
        PairBatches(targets[:1] + sources[1:], targets, 8, 1).fingerprint(),
    }
    assert len(prints) == 6
    assert PairBatches(sources, targets, 8, 1).fingerprint() in prints


@pytest.mark.parametrize(
    "arguments, options, error, message",
    [
        (([], [], 4, 0), {}, ValueError, "sources: expected at least one, got none"),
        (([[1]], [], 4, 0), {}, rnnrs.ShapeError, "targets: expected as many as sources, 1, got 0"),
        (
            ([[1], []], [[1], [1]], 4, 0),
            {},
            ValueError,
            r"sources\[1\]: expected at least one token, got none",
        ),
        (([[1]], [[1]], 0, 0), {}, ValueError, "batch_size: expected a whole number from 1, got 0"),
        (([[1]], [[0.5]], 4, 0), {}, rnnrs.DTypeError, r"targets\[0\]: expected whole numbers"),
        (([[-1]], [[1]], 4, 0), {}, IndexError, r"sources\[0\]: expected ids from 0, got -1"),
        (
            ([[1]], [[1]], 4, 0),
            {"copies": []},
            rnnrs.ShapeError,
            "copies: expected as many as sources, 1, got 0",
        ),
        (([[1]], [[1]], 4, 0), {"copies": [[1, 2]]}, rnnrs.ShapeError, r"copies\[0\]: expected 1 ids, got 2"),
    ],
)
def test_pairs_that_make_no_batches(arguments, options, error, message):
    with pytest.raises(error, match=f"PairBatches: {message}"):
        PairBatches(*arguments, **options)


def test_a_trainer_goes_through_pairs():
    """A model whose only parameter is pulled towards the mean target: positions weigh the batches' losses."""
    from rnnrs.nn import Linear
    from rnnrs.optim import SGD

    class Mean:
        def __init__(self):
            layer = Linear(1, 1, dtype="float64")
            self.parameters, self.gradients = layer.parameters, layer.gradients

        def loss(self, batch, state=None, *, gradient=True):
            wanted = batch.targets[batch.targets >= 0]
            c = self.parameters["c"][0]
            if gradient:
                self.gradients["c"][...] += 2 * (c - wanted.mean())
            return float(((c - wanted) ** 2).mean()), None

    sources, targets = some(50)
    data, model = PairBatches(sources, targets, 8, 1), Mean()
    trainer = rnnrs.Trainer(model, SGD(0.1))
    history = trainer.fit(data, epochs=3)
    assert len(history) == 3 * len(data)
    everything = np.concatenate([[*y, 1] for y in targets])
    expected = ((model.parameters["c"][0] - everything) ** 2).mean()
    assert trainer.evaluate(data) == pytest.approx(expected)
