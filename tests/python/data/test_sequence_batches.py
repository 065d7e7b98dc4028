"""Batches of sequences of similar length: every sequence once, with its target; invalid input is refused."""

import numpy as np
import pytest

import rnnrs
from rnnrs.data import SequenceBatches


def test_batches_of_similar_length():
    draw = np.random.default_rng(0)
    sequences = [draw.integers(0, 9, n) for n in draw.integers(1, 30, 500)]
    data = SequenceBatches(sequences, [x + 1 for x in sequences], 16, seed=3)
    seen = []
    for batch in data.epoch(0):
        lengths = (
            np.full(batch.inputs.shape[1], len(batch.inputs)) if batch.lengths is None else batch.lengths
        )
        for b, n in enumerate(batch.keys):
            assert np.array_equal(batch.inputs[: lengths[b], b], sequences[n])
            assert np.array_equal(batch.targets[: lengths[b], b], sequences[n] + 1)
            assert (batch.targets[lengths[b] :, b] == -1).all()
        seen += batch.keys.tolist()
    assert sorted(seen) == list(range(500)) and len(data) == 32
    computed = sum(batch.inputs.size for batch in data.epoch(0))
    assert sum(map(len, sequences)) / computed >= 0.95
    again = SequenceBatches(sequences, [x + 1 for x in sequences], 16, seed=3)
    assert again.fingerprint() == data.fingerprint()
    assert all(np.array_equal(a.inputs, b.inputs) for a, b in zip(data.epoch(2), again.epoch(2), strict=True))
    assert any(
        a.inputs.shape != b.inputs.shape or (a.inputs != b.inputs).any()
        for a, b in zip(data.epoch(0), data.epoch(1), strict=True)
    )


@pytest.mark.parametrize(
    ("sequences", "targets", "error", "message"),
    [
        ([], np.zeros(0, int), ValueError, "at least one, got none"),
        ([[1], []], np.zeros(2, int), ValueError, r"sequences\[1\]: expected at least one step"),
        ([[1.5]], np.zeros(1, int), rnnrs.DTypeError, r"sequences\[0\]: expected whole numbers"),
        ([["x"]], np.zeros(1, int), rnnrs.DTypeError, r"sequences\[0\]: expected numbers"),
        ([np.zeros((2, 3, 4))], np.zeros(1, int), rnnrs.ShapeError, "expected 1 or 2 axes"),
        (
            [np.zeros((2, 3)), np.zeros((2, 4))],
            np.zeros(2, int),
            rnnrs.ShapeError,
            r"sequences\[1\]: expected the shape \(3,\) after the steps, as in sequences\[0\], got \(4,\)",
        ),
        ([[1, 2]], [[1]], rnnrs.ShapeError, r"targets\[0\]: expected 2 steps, got 1"),
        ([[1, 2]], [[1, 2], [3]], rnnrs.ShapeError, "as many as sequences, 1, got 2"),
        ([[1, 2]], np.zeros(2, int), rnnrs.ShapeError, "as many as sequences, 1, got 2"),
    ],
)
def test_invalid_batches_are_refused(sequences, targets, error, message):
    with pytest.raises(error, match=f"SequenceBatches: .*{message}"):
        SequenceBatches(sequences, targets, 2)
