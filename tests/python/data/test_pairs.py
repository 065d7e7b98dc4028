"""Pairs: each source stays with its target, from the sequences to the columns of the batches."""

import gzip
import json

import numpy as np
import pytest

import rnnrs
from rnnrs.data import (
    PairBatch,
    PairBatches,
    clean_pairs,
    clean_text,
    read_json_pairs,
    read_parallel_pairs,
    read_tsv_pairs,
)


def some(count, seed=0, longest=30):
    draw = np.random.default_rng(seed)
    sources = [draw.integers(2, 90, draw.integers(1, longest)) for _ in range(count)]
    targets = [draw.integers(2, 50, max(0, len(x) + draw.integers(-3, 4))) for x in sources]
    return sources, targets


def test_every_pair_occurs_once_per_epoch_and_whole():
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


def test_an_epoch_depends_only_on_seed_and_number():
    def keys(seed, number):
        sources, targets = some(200)
        return [b.keys.tolist() for b in PairBatches(sources, targets, 8, 1, seed=seed).epoch(number)]

    assert keys(0, 1) == keys(0, 1)
    assert keys(0, 1) != keys(0, 2) and keys(0, 1) != keys(1, 1)


def test_padding_is_low_and_counted():
    sources, targets = some(5000)
    data = PairBatches(sources, targets, 32, 1)
    epoch = data.epoch(0)
    cells = sum(b.source.size + b.targets.size for b in epoch)
    real = sum(int(b.source_lengths.sum() + b.lengths.sum()) for b in epoch)
    assert data.padding_waste == pytest.approx(1 - real / cells) and data.padding_waste < 0.05
    assert PairBatches([[2]], [[]], 4, 0).padding_waste == 0


def test_a_fingerprint_distinguishes_data_and_settings():
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
def test_invalid_pairs_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=f"PairBatches: {message}"):
        PairBatches(*arguments, **options)


def test_a_trainer_iterates_over_pairs():
    """A model whose only parameter moves to the mean target: batch losses are weighted by positions."""
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


# --- from files

GIVEN = [("Ja.", "Yes."), ("", "a"), ('so "hier"\u2028x', "here"), ("nein\x85\x0b", "no")]


def written(folder, kind, packed, lines):
    path = folder / f"{kind}{'.gz' if packed else ''}"
    data = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_pairs_from_three_file_formats(tmp_path, packed):
    tsv = written(tmp_path, "a.tsv", packed, [f"{i}\t{b}\t{a}" for i, (a, b) in enumerate(GIVEN)] + [""])
    assert read_tsv_pairs(tsv, (2, 1)) == GIVEN
    objects = [json.dumps({"de": a, "en": b, "more": 1}) for a, b in GIVEN]
    jsonl = written(tmp_path, "a.jsonl", packed, ["", *objects])
    assert read_json_pairs(jsonl, "de", "en") == GIVEN
    both = [written(tmp_path, f"a.{i}", packed, texts) for i, texts in enumerate(zip(*GIVEN, strict=True))]
    assert read_parallel_pairs(*both) == GIVEN


def test_line_ends_and_byte_order_marks_are_removed(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("\ufeffa\tb\r\nc\td".encode())
    assert read_tsv_pairs(path) == [("a", "b"), ("c", "d")]


def test_files_without_pairs_are_refused_by_line(tmp_path):
    one, other = (tmp_path / name for name in ("one", "other"))
    one.write_text("a\nb\nc\n")
    other.write_text("a\nb\n")
    with pytest.raises(rnnrs.FormatError, match=r"one, .*other: expected as many lines in both, got 3 and 2"):
        read_parallel_pairs(one, other)
    for text, read, message in (
        (b"a\tb\n\nc\n", read_tsv_pairs, "line 3: expected at least 2 columns, got 1"),
        (b"a\tb\nc\t\xff\n", read_tsv_pairs, "line 2: expected UTF-8 text, got byte 0xff"),
        (b'{"source": "a", "target": "b"}\n{"source": 3}\n', read_json_pairs, "line 2: .* a text 'source'"),
        (b'{"source": "a"}\n', read_json_pairs, "line 1: expected an object with a text 'target'"),
        (b"[]\n", read_json_pairs, "line 1: expected an object"),
        (b"{\n", read_json_pairs, "line 1: expected JSON, got '{'"),
        (b"\x1f\x8bno", read_tsv_pairs, "damaged gzip file"),
    ):
        one.write_bytes(text)
        with pytest.raises(rnnrs.FormatError, match=message):
            read(one)
    with pytest.raises(OSError):
        read_tsv_pairs(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="columns: expected a whole number from 0, got -1"):
        read_tsv_pairs(one, (0, -1))


# --- cleaning


def test_pairs_are_cleaned_and_changes_counted():
    kept, report = clean_pairs(GIVEN)
    assert kept == [("Ja.", "Yes."), ('so "hier" x', "here"), ("nein", "no")]
    assert (report.read, report.kept, report.repaired, report.empty) == (4, 3, 2, 1)
    sources = ["a b", "a  b ", "one two three", "x", "a b c d e f", "\x00"]
    pairs = list(zip(sources, ["c", " c", "drei", "y z", "g", "z"], strict=True))
    kept, report = clean_pairs(pairs, max_words=5, max_ratio=2, unique=True)
    assert kept == [("a b", "c"), ("x", "y z")]
    assert (report.empty, report.too_long, report.ratio, report.duplicate) == (1, 1, 1, 1)
    assert str(report) == "2 of 6 pairs kept (1 empty, 1 too long, 1 ratio, 1 duplicate)"
    kept, report = clean_pairs(pairs)
    assert kept[:2] == [("a b", "c")] * 2 and str(report) == "5 of 6 pairs kept (1 empty)"


@pytest.mark.parametrize(
    "pairs, options, error, message",
    [
        ([("a", "b"), ("a", None)], {}, TypeError, r"pairs\[1\]: expected two texts, got \('a', None\)"),
        (["ab"], {}, TypeError, r"pairs\[0\]: expected two texts, got 'ab'"),
        ([("a",)], {}, TypeError, r"pairs\[0\]: expected two texts"),
        ([("a", "b")], {"max_words": 0}, ValueError, "max_words: expected a whole number from 1"),
        ([("a", "b")], {"max_ratio": 0.5}, ValueError, "max_ratio: expected a number from 1, got 0.5"),
    ],
)
def test_invalid_cleaning_arguments_are_refused(pairs, options, error, message):
    with pytest.raises(error, match=f"clean_pairs: {message}"):
        clean_pairs(pairs, **options)


def test_a_text_on_one_line():
    assert clean_text(" a\x00b\r\n\u2028 c\ufeff\t") == "a b c"
    assert clean_text("\x07 \n") == ""
