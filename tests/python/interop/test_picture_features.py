"""Picture features from an ONNX file, against the same computation in NumPy."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import rnnrs
from rnnrs.interop.onnx import MEAN, STD, PictureFeatures

pytest.importorskip("onnxruntime")
K = 5
WEIGHTS = np.random.default_rng(0).standard_normal((3, K)).astype(np.float32)


def network(path, *, first=True, size=(4, 6), batch="N", kind=TensorProto.FLOAT, extra=False):
    """Writes a network: relu(x · W) at each place, and its mean over places; channels first or last."""
    dims = [batch, 3, *size] if first else [batch, *size, 3]
    nodes = []
    if first:
        nodes += [helper.make_node("Transpose", ["x"], ["last"], perm=[0, 2, 3, 1])]
    nodes += [
        helper.make_node("MatMul", ["last" if first else "x", "W"], ["a"]),
        helper.make_node("Relu", ["a"], ["h"]),
        helper.make_node("ReduceMean", ["h"], ["vector"], axes=[1, 2], keepdims=0),
        helper.make_node("Transpose", ["h"], ["grid"], perm=[0, 3, 1, 2] if first else [0, 1, 2, 3]),
        helper.make_node("ReduceMean", ["grid"], ["pooled"], axes=[2, 3] if first else [1, 2], keepdims=1),
        helper.make_node("ReduceMean", ["h"], ["one"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("x", kind, dims)]
    if extra:
        inputs.append(helper.make_tensor_value_info("more", kind, [1]))
    outputs = [
        helper.make_tensor_value_info(name, kind, None) for name in ("vector", "grid", "pooled", "one")
    ]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    graph = helper.make_graph(
        nodes, "features", inputs, outputs, [numpy_helper.from_array(WEIGHTS.astype(dtype), "W")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (7, 4, 6, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(pictures):
    """Returns the grid."""
    x = (pictures / 255 - np.array(MEAN)) / np.array(STD)
    return np.maximum(x @ WEIGHTS, 0)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [(4, 6), ("Y", "X")])
@pytest.mark.parametrize("batch", ["N", 3, 1])
def test_vectors_and_grids(tmp_path, pictures, expected, first, size, batch):
    path = network(tmp_path / "a.onnx", first=first, size=size, batch=batch)
    vectors = PictureFeatures(path)
    assert vectors.size == (size if size == (4, 6) else None) and vectors.output == "vector"
    found = vectors(pictures, batch_size=2)
    assert found.dtype == np.float32 and found.shape == (7, K)
    np.testing.assert_allclose(found, expected.mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(vectors(pictures / 255), found, atol=1e-5)
    grid = PictureFeatures(path, output="grid")(pictures)
    assert grid.shape == (7, 4, 6, K) and grid.flags.c_contiguous
    np.testing.assert_allclose(grid, expected, atol=1e-5)
    pooled = PictureFeatures(path, output="pooled")(pictures)
    np.testing.assert_allclose(pooled, expected.mean((1, 2)), atol=1e-5)


def test_other_means_and_half_precision(tmp_path, pictures):
    path = network(tmp_path / "a.onnx", kind=TensorProto.FLOAT16)
    found = PictureFeatures(path, output="grid", mean=(0, 0, 0), std=(1, 0.5, 1))(pictures)
    wanted = np.maximum(pictures / 255 / (1, 0.5, 1) @ WEIGHTS, 0)
    np.testing.assert_allclose(found, wanted, atol=2e-2)


def test_other_networks_and_pictures_are_rejected(tmp_path, pictures):
    path = network(tmp_path / "a.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(rnnrs.FormatError, match=r"text\.onnx: expected an ONNX file, got: "):
        PictureFeatures(tmp_path / "text.onnx")
    with pytest.raises(FileNotFoundError):
        PictureFeatures(tmp_path / "missing.onnx")
    with pytest.raises(ValueError, match="output: expected one of vector, grid, pooled, one, got 'x'"):
        PictureFeatures(path, output="x")
    with pytest.raises(ValueError, match="mean: expected three numbers, got"):
        PictureFeatures(path, mean=(1, 2))
    with pytest.raises(ValueError, match="std: expected positive numbers, got"):
        PictureFeatures(path, std=(1, 0, 1))
    for name, options in (("more", {"extra": True}), ("ints", {"kind": TensorProto.DOUBLE})):
        other = network(tmp_path / f"{name}.onnx", **options)
        with pytest.raises(rnnrs.FormatError, match=r"expected one input \(N, 3, Y, X\) or"):
            PictureFeatures(other)
    features = PictureFeatures(path)
    for given in (pictures[0], pictures[:, :3], pictures[..., :2]):
        with pytest.raises(rnnrs.ShapeError, match=r"pictures: expected \(N, 4, 6, 3\), got"):
            features(given)
    with pytest.raises(rnnrs.ShapeError, match="expected at least one, got none"):
        features(pictures[:0])
    with pytest.raises(rnnrs.DTypeError, match="expected uint8 or real numbers, got int64"):
        features(pictures.astype(np.int64))
    with pytest.raises(
        rnnrs.FormatError, match=r"output one: expected features for each of 7 pictures, got \(\)"
    ):
        PictureFeatures(path, output="one")(pictures)


def test_without_onnxruntime_its_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        rnnrs.MissingExtraError, match=r'onnxruntime is not installed: pip install "rnnrs\[onnx\]"'
    ):
        PictureFeatures(tmp_path / "a.onnx")
