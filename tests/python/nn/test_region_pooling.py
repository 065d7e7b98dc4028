"""Bilinear pooling of regions: against NumPy and finite differences."""

import numpy as np
import pytest
from finite_differences import assert_gradient, difference

from rnnrs import ShapeError, nn

rng = np.random.default_rng(5)


def interpolated(picture, y, x):
    """The map (Y, X, C) at a point between the middles of its pixels, by the definition of bilinear sampling."""
    Y, X, C = picture.shape
    y, x = min(max(y, 0.0), Y - 1), min(max(x, 0.0), X - 1)
    value = np.zeros(C)
    for v in range(Y):
        for u in range(X):
            value += max(0.0, 1 - abs(y - v)) * max(0.0, 1 - abs(x - u)) * picture[v, u]
    return value


def reference(x, boxes, owners, size, stride):
    y = np.zeros((len(boxes), *size, x.shape[3]))
    for n, ((left, top, w, h), owner) in enumerate(zip(boxes, owners, strict=True)):
        for i in range(size[0]):
            for j in range(size[1]):
                row, column = top + (i + 0.5) * h / size[0], left + (j + 0.5) * w / size[1]
                y[n, i, j] = interpolated(x[owner], row / stride - 0.5, column / stride - 0.5)
    return y


@pytest.mark.parametrize(
    "shape, size, stride",
    [
        ((2, 5, 4, 3), (2, 3), 2),
        ((3, 3, 6, 2), (4, 4), 1.5),
        ((1, 1, 1, 2), (2, 2), 4),
        ((2, 1, 4, 1), (1, 3), 1),
    ],
)
def test_values_and_gradient(shape, size, stride):
    x = rng.standard_normal(shape)
    extent = np.array([shape[2], shape[1]]) * stride
    corner = rng.uniform(-0.2, 0.7, (6, 2)) * extent
    boxes = np.concatenate([corner, rng.uniform(0.1, 1.2, (6, 2)) * extent], axis=1)
    owners = rng.integers(0, shape[0], 6)
    layer = nn.RegionPooling(size, stride=stride)
    y, cache = layer.forward(x, boxes, owners)
    assert np.allclose(y, reference(x, boxes, owners, size, stride), rtol=0, atol=1e-12)
    dy = rng.standard_normal(y.shape)
    dx = layer.backward(cache, dy)
    assert_gradient(dx, difference(lambda: float((layer.forward(x, boxes, owners)[0] * dy).sum()), x))


def test_a_box_of_whole_pixels_is_cut_out_and_the_dtype_is_kept():
    x = rng.standard_normal((2, 6, 7, 3)).astype(np.float32)
    y, cache = nn.RegionPooling((3, 2), stride=4).forward(x, [[8, 4, 8, 12]], [1])
    assert y.dtype == np.float32 and np.array_equal(y[0], x[1, 1:4, 2:4])
    dx = nn.RegionPooling((3, 2), stride=4).backward(cache, y)
    assert dx.dtype == np.float32 and np.array_equal(dx[1, 1:4, 2:4], y[0]) and not dx[0].any()


def test_no_boxes_and_results_by_themselves():
    layer, x = nn.RegionPooling(2), rng.standard_normal((2, 4, 4, 3))
    y, cache = layer.forward(x, np.zeros((0, 4)), np.zeros(0, int))
    assert y.shape == (0, 2, 2, 3) and not layer.backward(cache, y).any()
    boxes, owners = rng.uniform(0.5, 2, (5, 4)), [1, 0, 1, 1, 0]
    together = layer.forward(x, boxes, owners)[0]
    for n in range(5):
        alone = layer.forward(x[owners[n]][None], boxes[n : n + 1], [0])[0]
        assert np.array_equal(together[n], alone[0])


@pytest.mark.parametrize(
    "x, boxes, owners, error, words",
    [
        (np.zeros((4, 4, 3)), [[0, 0, 1, 1]], [0], ShapeError, r"x: expected \(B, Y, X, C\)"),
        (np.zeros((1, 4, 4, 3), int), [[0, 0, 1, 1]], [0], TypeError, "x: expected float32 or float64"),
        (
            np.zeros((1, 4, 4, 3)),
            [0, 0, 1, 1],
            [0],
            ShapeError,
            r"boxes: expected an \(N, 4\) array, got shape \(4,\)",
        ),
        (np.zeros((1, 4, 4, 3)), [[0, 0, 1, 0]], [0], ValueError, r"boxes\[0\]: expected .* above 0"),
        (np.zeros((1, 4, 4, 3)), [[0, 0, 1, np.nan]], [0], ValueError, r"boxes\[0\]: expected finite"),
        (np.zeros((1, 4, 4, 3)), [[0, 0, 1, 1]], [1], IndexError, "owners: expected from 0 to 0, got 1"),
        (np.zeros((1, 4, 4, 3)), [[0, 0, 1, 1]], [0, 0], ShapeError, r"owners: expected \(1,\), got \(2,\)"),
    ],
)
def test_bad_input(x, boxes, owners, error, words):
    with pytest.raises(error, match="RegionPooling.forward: " + words):
        nn.RegionPooling(2).forward(x, boxes, owners)


def test_bad_gradients_and_sizes():
    layer = nn.RegionPooling(2)
    y, cache = layer.forward(np.zeros((1, 4, 4, 3)), [[0, 0, 1, 1]], [0])
    with pytest.raises(
        ShapeError, match=r"RegionPooling.backward: dy: expected \(1, 2, 2, 3\), got \(1, 2, 2\)"
    ):
        layer.backward(cache, y[..., 0])
    with pytest.raises(TypeError, match="dy: expected float64, got float32"):
        layer.backward(cache, y.astype(np.float32))
    with pytest.raises(ValueError, match="RegionPooling: stride: expected a finite number above 0, got 0"):
        nn.RegionPooling(2, stride=0)
    with pytest.raises(ValueError, match="RegionPooling: size"):
        nn.RegionPooling(0)
