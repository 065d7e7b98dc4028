"""Batches: every token is in its place, and an epoch depends only on data, seed and number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnnrs
from rnnrs.data import ArrayBatches, Batch, SentenceBatches, StreamBatches

IDS = np.arange(101)


def flat(batches):
    """Returns all inputs and all targets of an epoch as two arrays, concatenated along time."""
    inputs, targets = [b.inputs for b in batches], [b.targets for b in batches]
    return np.concatenate(inputs), np.concatenate(targets)


def same(first, second):
    return len(first) == len(second) and all(
        np.array_equal(a.inputs, b.inputs) and np.array_equal(a.targets, b.targets)
        for a, b in zip(first, second, strict=True)
    )


@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 60))
def test_streams_hold_consecutive_tokens(B, T, more):
    ids = np.random.default_rng(more).integers(0, 50, B + 1 + more)
    data = StreamBatches(ids, B, T)
    epoch = data.epoch(0)
    assert len(data) == len(epoch)
    length = (len(ids) - 1) // B
    inputs, targets = flat(epoch)
    assert inputs.shape == targets.shape == (length, B)
    for b in range(B):
        np.testing.assert_array_equal(inputs[:, b], ids[b * length : (b + 1) * length])
        np.testing.assert_array_equal(targets[:, b], ids[b * length + 1 : (b + 1) * length + 1])
    assert [len(batch.inputs) for batch in epoch][:-1] == [T] * (len(data) - 1)
    assert sum(batch.positions for batch in epoch) == length * B
    for array in (array for batch in epoch for array in batch[:2]):
        assert array.dtype == np.int64 and array.flags.c_contiguous and not array.flags.writeable


def test_the_windows_of_a_stream_are_views_and_every_epoch_is_the_same():
    data = StreamBatches(IDS, 4, 10)
    assert data.carries_state
    assert np.shares_memory(data.epoch(0)[0].inputs, data.epoch(1)[0].targets)
    assert same(data.epoch(0), data.epoch(7))


def test_a_stream_does_not_change_with_the_array_it_was_made_from():
    ids = IDS.copy()
    data = StreamBatches(ids, 1, 10)
    ids[:] = 0
    assert data.epoch(0)[0].inputs[5, 0] == 5


def test_an_epoch_is_a_sequence():
    epoch = StreamBatches(IDS, 4, 10).epoch(0)
    assert len(epoch) == 3
    np.testing.assert_array_equal(epoch[-1].inputs, epoch[2].inputs)
    np.testing.assert_array_equal(epoch[np.int64(1)].inputs, epoch[1].inputs)
    assert same(epoch[1:], [epoch[1], epoch[2]]) and same(epoch[::-1], list(reversed(epoch)))
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"expected an index from -3 to 2, got {index}"):
            epoch[index]
    with pytest.raises(TypeError):
        epoch[1.5]


ODD = [
    IDS.tolist(),
    IDS.astype(np.uint8),
    IDS.astype(">i4"),
    IDS.astype(np.uint64),
    IDS.repeat(2)[::2],
    IDS[::-1].copy()[::-1],
    np.lib.stride_tricks.as_strided(IDS, writeable=False),
]


@pytest.mark.parametrize(
    "ids", ODD, ids=["list", "u8", "big-endian", "u64", "strided", "negative", "read-only"]
)
def test_ids_in_any_layout_give_the_same_batches(ids):
    assert same(StreamBatches(ids, 4, 10).epoch(0), StreamBatches(IDS, 4, 10).epoch(0))
    assert StreamBatches(ids, 4, 10).fingerprint() == StreamBatches(IDS, 4, 10).fingerprint()
    one, other = SentenceBatches([ids, [5]], 2, 0), SentenceBatches([IDS, [5]], 2, 0)
    assert same(one.epoch(0), other.epoch(0)) and one.fingerprint() == other.fingerprint()


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([0.0, 1.0], rnnrs.DTypeError, "expected whole numbers, got float64"),
        (["a", "b"], rnnrs.DTypeError, "expected whole numbers"),
        ([True, False], rnnrs.DTypeError, "got bool"),
        (np.array([1, None]), rnnrs.DTypeError, "got object"),
        ([[0, 1], [2, 3]], rnnrs.ShapeError, r"expected a vector \(N,\), got shape \(2, 2\)"),
        (3, rnnrs.ShapeError, r"got shape \(\)"),
        ([0, 1, -2], IndexError, "expected ids from 0, got -2 at position 2"),
        (np.array([0, 2**63 + 5], np.uint64), IndexError, f"got {2**63 + 5} at position 1"),
    ],
)
def test_invalid_ids_are_refused_by_name(ids, error, message):
    with pytest.raises(error, match=f"^StreamBatches: ids: .*{message}"):
        StreamBatches(ids, 1, 1)
    with pytest.raises(error, match=rf"^SentenceBatches: sentences\[1\]: .*{message}"):
        SentenceBatches([[0], ids], 1, 0)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_tokens_for_the_batch_size_are_refused(count):
    with pytest.raises(ValueError, match=f"expected at least 5 tokens for batch_size 4, got {count}"):
        StreamBatches(IDS[:count], 4, 10)


def test_invalid_sizes_are_refused():
    x = np.zeros((2, 3))
    for make in (
        lambda **sizes: StreamBatches(IDS, **{"batch_size": 1, "steps": 1, **sizes}),
        lambda **sizes: SentenceBatches([IDS], **{"batch_size": 1, "end_id": 0, **sizes}),
        lambda **sizes: ArrayBatches(x, x, **{"batch_size": 1, **sizes}),
    ):
        for size in (0, -1):
            with pytest.raises(ValueError, match=f"batch_size: expected a whole number from 1, got {size}"):
                make(batch_size=size)
        for size in (1.0, "3", None, True):
            with pytest.raises(TypeError, match="batch_size: expected a whole number"):
                make(batch_size=size)
    with pytest.raises(ValueError, match="steps: expected a whole number from 1, got 0"):
        StreamBatches(IDS, 1, 0)
    with pytest.raises(ValueError, match="end_id: expected a whole number from 0, got -1"):
        SentenceBatches([IDS], 1, -1)
    with pytest.raises(ValueError, match="seed: expected a whole number from 0, got -1"):
        SentenceBatches([IDS], 1, 0, seed=-1)
    for nothing in ([], np.zeros((0, 3), int)):
        with pytest.raises(ValueError, match="sentences: expected at least one, got none"):
            SentenceBatches(nothing, 1, 0)


SENTENCES = st.lists(st.lists(st.integers(1, 9), max_size=8), min_size=1, max_size=30)


@given(SENTENCES, st.integers(1, 7), st.integers(0, 3))
def test_every_sentence_occurs_once_per_epoch(sentences, B, number):
    data = SentenceBatches(sentences, B, 0, seed=5)
    epoch = data.epoch(number)
    met, cells = [], 0
    for batch in epoch:
        assert batch.inputs.shape == batch.targets.shape and batch.inputs.shape[1] <= B
        cells += batch.inputs.size
        for x, y in zip(batch.inputs.T, batch.targets.T, strict=True):
            n = np.count_nonzero(y != -1)
            assert x[0] == 0 and y[n - 1] == 0 and (x[n:] == 0).all() and (y[n:] == -1).all()
            np.testing.assert_array_equal(x[1:n], y[: n - 1])
            met.append(y[: n - 1].tolist())
        assert all(a.dtype == np.int64 and a.flags.c_contiguous for a in batch[:2])
    assert sorted(met) == sorted(sentences)
    scored = sum(map(len, sentences)) + len(sentences)
    assert sum(batch.positions for batch in epoch) == scored
    assert data.padding_share == pytest.approx(1 - scored / cells)
    assert len(epoch) == len(data) == -(-len(sentences) // B)
    assert same(epoch, SentenceBatches(sentences, B, 0, seed=5).epoch(number))


def short_sentences(count):
    draw = np.random.default_rng(0)
    return [draw.integers(1, 1000, n) for n in 1 + draw.poisson(6, count)]


def test_sentences_are_shuffled_every_epoch_with_little_padding():
    data = SentenceBatches(short_sentences(5000), 64, 0, seed=1)
    assert not data.carries_state
    assert data.padding_share < 0.02
    assert not same(data.epoch(0), data.epoch(1))
    assert not same(data.epoch(0), SentenceBatches(short_sentences(5000), 64, 0, seed=2).epoch(0))
    steps = [len(batch.inputs) for batch in data.epoch(0)]
    assert steps != sorted(steps)
    # Any batch of any epoch is available by itself, repeatedly.
    np.testing.assert_array_equal(data.epoch(3)[40].inputs, list(data.epoch(3))[40].inputs)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 10), st.booleans())
def test_arrays_are_split_by_sequence(T, N, B, shuffle):
    x = np.arange(T * N * 2, dtype=np.float32).reshape(T, N, 2)
    y = np.arange(N) + np.zeros((T, 1), int)
    data = ArrayBatches(x, y, B, seed=3, shuffle=shuffle)
    met = []
    for batch in data.epoch(2):
        members = batch.targets[0]
        np.testing.assert_array_equal(batch.inputs, x[:, members])
        np.testing.assert_array_equal(batch.targets, y[:, members])
        assert batch.inputs.flags.c_contiguous and batch.targets.flags.c_contiguous
        assert batch.positions == T * len(members)
        met += members.tolist()
    assert (sorted(met) if shuffle else met) == list(range(N))
    assert len(data) == -(-N // B) and not data.carries_state


def test_arrays_are_shuffled_every_epoch():
    x = np.arange(50.0)[None]
    data = ArrayBatches(x, x, 10)
    assert not same(data.epoch(0), data.epoch(1))
    assert same(data.epoch(1), ArrayBatches(x, x, 10).epoch(1))
    assert same(
        ArrayBatches(x, x, 10, shuffle=False).epoch(0), ArrayBatches(x, x, 10, shuffle=False).epoch(1)
    )
    assert same(data.epoch(1), ArrayBatches(x.astype(">f8"), x[:, ::-1][:, ::-1], 10).epoch(1))


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.zeros(3), np.zeros(3), rnnrs.ShapeError, r"got \(3,\) and \(3,\)"),
        (np.zeros((4, 3, 2)), np.zeros((4, 2)), rnnrs.ShapeError, r"got \(4, 3, 2\) and \(4, 2\)"),
        (np.zeros((4, 0)), np.zeros((4, 0)), rnnrs.ShapeError, "≥ 1"),
        (np.zeros((0, 3)), np.zeros((0, 3)), rnnrs.ShapeError, "≥ 1"),
        (
            np.zeros((4, 3), object),
            np.zeros((4, 3)),
            rnnrs.DTypeError,
            "x: expected real numbers, got object",
        ),
        (np.zeros((4, 3)), [["a"] * 3] * 4, rnnrs.DTypeError, "y: expected real numbers, got <U1"),
        (np.zeros((4, 3)), np.zeros((4, 3), complex), rnnrs.DTypeError, "y: expected real numbers"),
    ],
)
def test_arrays_that_do_not_match_are_refused(x, y, error, message):
    with pytest.raises(error, match=f"^ArrayBatches: .*{message}"):
        ArrayBatches(x, y, 1)


def test_positions_are_the_targets_that_are_scored():
    ids = np.array([[1, -1], [-1, 0]])
    assert Batch(ids, ids).positions == 2
    assert Batch(ids, ids.tolist()).positions == 2
    assert Batch(ids, np.zeros((2, 2, 5))).positions == 4
    assert Batch(ids, np.zeros((2, 2))).positions == 4


def test_a_fingerprint_distinguishes_data_and_settings():
    x = np.zeros((4, 12), np.float32)
    y = x.copy()
    y[2, 1] = 1
    prints = [
        StreamBatches(IDS, 4, 10).fingerprint(),
        StreamBatches(IDS, 4, 11).fingerprint(),
        StreamBatches(IDS, 5, 10).fingerprint(),
        StreamBatches(IDS[::-1], 4, 10).fingerprint(),
        SentenceBatches([IDS], 1, 0).fingerprint(),
        SentenceBatches([IDS], 1, 1).fingerprint(),
        SentenceBatches([IDS], 1, 0, seed=1).fingerprint(),
        SentenceBatches([IDS], 12, 3, seed=4).fingerprint(),
        SentenceBatches([IDS], 1, 23, seed=4).fingerprint(),
        SentenceBatches([IDS[:50], IDS[50:]], 1, 0).fingerprint(),
        SentenceBatches([IDS[:51], IDS[51:]], 1, 0).fingerprint(),
        ArrayBatches(x, x, 4).fingerprint(),
        ArrayBatches(x, y, 4).fingerprint(),
        ArrayBatches(x, x, 5).fingerprint(),
        ArrayBatches(x, x, 4, seed=1).fingerprint(),
        ArrayBatches(x, x, 4, shuffle=False).fingerprint(),
        ArrayBatches(x.reshape(12, 4), x.reshape(12, 4), 4).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert all(isinstance(p, str) and len(p) <= 32 for p in prints)
    data = StreamBatches(IDS, 4, 10)
    assert data.fingerprint() is data.fingerprint()  # computed once
    assert data.fingerprint() == prints[0]
