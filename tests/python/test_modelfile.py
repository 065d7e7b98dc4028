"""Model files: saving and loading, refusing other files, keeping the old file when writing fails."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rnnrs
from rnnrs import FormatError, _rnnrs, modelfile
from rnnrs.modelfile import ModelFile, check_tensors, load, save

CONFIG = {
    "hidden_size": 3,
    "vocabulary": {"level": "char", "tokens": ["\n", "é", "\ud800", "\U0001f600", "\0"]},
}
TENSORS = {"rnn.W": np.arange(9, dtype=np.float32).reshape(3, 3), "rnn.b": np.full(3, np.nan, np.float32)}
EXTRA = {"adam/mean": np.arange(12.0), "state": np.ones((2, 3), np.float32), "rnn.W": np.zeros(1, np.uint8)}
PLACE = {"step": 7, "epoch": 2**40, "history": [1.5, None]}


def refused(path, match, kind=None):
    """Checks that loading fails with a one-line message that begins with the file's name."""
    with pytest.raises(FormatError, match=match) as caught:
        load(path, kind)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.rnn"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "model.rnn"
    save(path, ModelFile("language_model", CONFIG, TENSORS, EXTRA, PLACE))
    return path.read_bytes()


def write(path, header, tensors=TENSORS):
    text = header if isinstance(header, str) else json.dumps(header)
    path.write_bytes(_rnnrs.serialize(tensors, text))


def test_a_checkpoint_is_loaded_unchanged(path):
    save(path, ModelFile("language_model", CONFIG, TENSORS, EXTRA, PLACE))
    file = load(path, "language_model")
    assert (file.kind, file.config, file.run) == ("language_model", CONFIG, PLACE)
    for expected, got in ((TENSORS, file.tensors), (EXTRA, file.extra)):
        assert list(got) == sorted(expected)
        for name, tensor in expected.items():
            assert got[name].dtype == tensor.dtype and got[name].flags.writeable
            np.testing.assert_array_equal(got[name], tensor)
    save(path, ModelFile("network", {}, {}))
    assert load(path) == ModelFile("network", {}, {}, {}, None)


DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.int32, np.uint8, np.bool_, ">f4", ">i8"])


@given(
    array=hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)), data=st.data()
)
@settings(max_examples=50, deadline=None)
def test_tensors_of_any_layout_are_loaded_unchanged(tmp_path_factory, array, data):
    path = tmp_path_factory.mktemp("tensors") / "f"
    step = data.draw(st.sampled_from([1, -1, 2]))
    array = array.T[::step] if array.ndim else array
    array.flags.writeable = False
    save(path, ModelFile("network", {}, {"a": array}))
    got = load(path).tensors["a"]
    assert got.dtype == array.dtype.newbyteorder("=") and got.flags.c_contiguous
    np.testing.assert_array_equal(got, array)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s, max_size=3)))
@settings(max_examples=50, deadline=None)
def test_any_configuration_is_loaded_unchanged(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("config") / "f"
    save(path, ModelFile("network", {"value": value}, {}))
    assert load(path).config == {"value": value}


@pytest.mark.parametrize(
    ("model", "error"),
    [
        (ModelFile("network", {"rate": float("nan")}, {}), ValueError),
        (ModelFile("network", {"array": np.zeros(2)}, {}), TypeError),
        (ModelFile("network", {}, {"a": np.zeros(2, object)}), rnnrs.DTypeError),
        (ModelFile("network", {}, {"a": np.zeros(2, complex)}), rnnrs.DTypeError),
    ],
)
def test_a_failed_save_leaves_the_old_file(path, whole, model, error):
    path.write_bytes(whole)
    with pytest.raises(error):
        save(path, model)
    assert path.read_bytes() == whole
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.rnn"):
        load(tmp_path / "nothing.rnn")
    with pytest.raises(OSError, match=tmp_path.name):  # IsADirectoryError, on Windows PermissionError
        load(tmp_path)


def test_a_truncated_file_is_refused(path, whole):
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    lengths = {
        *range(0, header, 7),
        *range(header - 20, header + 20),
        *range(header, len(whole), 5),
        len(whole) - 1,
    }
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        refused(path, "not a safetensors file")


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, whole, data):
    path = tmp_path_factory.mktemp("damaged") / "f"
    bytes_ = bytearray(whole)
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, header - 1) | st.integers(0, len(whole) - 1))
        bytes_[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes_)
    try:
        assert isinstance(load(path), ModelFile)
    except FormatError as error:
        assert "\n" not in str(error)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_other_bytes_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("binary") / "f"
    path.write_bytes(data)
    refused(path, "not a safetensors file|something else")


def test_safetensors_of_something_else(path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    refused(path, "expected a model of rnnrs, got a safetensors file of something else")
    half = header.replace(b"F32", b"F16").replace(b"4]", b"2]")
    path.write_bytes(struct.pack("<Q", len(half)) + half + bytes(2))
    refused(path, "F16")
    for foreign in ({}, {"format": "pt"}, [], "rnnrs", None, 3):
        write(path, json.dumps(foreign))
        refused(path, "something else")


GOOD = {"format": "rnnrs", "version": 2, "kind": "network", "config": {}, "run": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, r"written by a newer rnnrs \(format 3\); this one reads formats up to 2"),
        ({"version": 3, "config": 3}, "newer"),
        ({"version": 0}, "version: expected a whole number from 1, got 0"),
        ({"version": "1"}, "version: expected a whole number"),
        ({"version": True}, "version: expected a whole number"),
        ({"version": None}, "version: expected a whole number"),
        ({"kind": None}, "damaged header"),
        ({"kind": []}, "damaged header"),
        ({"config": []}, "damaged header"),
        ({"run": 3}, "damaged header"),
    ],
)
def test_invalid_headers(path, change, message):
    write(path, {**GOOD, **change})
    refused(path, message)


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[" * 100_000, '{"version": ' + "9" * 5000 + "}"])
def test_headers_that_are_not_json(path, text):
    write(path, text)
    refused(path, "damaged header")


def test_a_file_of_another_kind_is_described(path, monkeypatch):
    write(path, {**GOOD, "kind": "interpreter"})
    refused(
        path,
        r"holds a model of the kind 'interpreter', expected a language model \(rnnrs lm\)",
        "language_model",
    )
    assert load(path).kind == "interpreter"
    monkeypatch.setitem(
        modelfile.KINDS, "interpreter", modelfile.Kind("an interpreter (rnnrs translate)", None)
    )
    refused(path, r"holds an interpreter \(rnnrs translate\), expected a language model", "language_model")


SHAPES = {"rnn.W": (3, 3), "rnn.b": (3,)}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"rnn.W": TENSORS["rnn.W"]}, r"tensor rnn\.b: expected float32 of shape \(3,\), got none"),
        ({**TENSORS, "rnn.b": np.zeros(4, np.float32)}, r"tensor rnn\.b: .* got float32 of shape \(4,\)"),
        ({**TENSORS, "rnn.b": np.zeros(3)}, r"tensor rnn\.b: .* got float64 of shape \(3,\)"),
        ({**TENSORS, "rnn.V": np.zeros(3)}, r"tensor rnn\.V: unknown; expected rnn\.W, rnn\.b"),
    ],
)
def test_invalid_tensors_are_named(tensors, message):
    check_tensors("f", TENSORS, SHAPES, "float32")
    with pytest.raises(FormatError, match=message):
        check_tensors("f", tensors, SHAPES, "float32")
