"""Pooling of pictures: against NumPy and finite differences."""

import numpy as np
import pytest
from convolution_cases import drawn, windows
from finite_differences import assert_gradient, difference

from rnnrs import nn

rng = np.random.default_rng(3)


def pools(kernel, stride, padding):
    yield nn.MaxPool2d(kernel, stride=stride, padding=padding)
    yield nn.MeanPool2d(kernel, stride=stride, padding=padding)


@pytest.mark.parametrize("case", drawn(20, 2), ids=str)
def test_poolings(case):
    kernel, stride, padding, size = case
    padding = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))
    if any(n + 2 * p < k for n, p, k in zip(size, padding, kernel, strict=True)):
        padding, kernel = (0, 0), size
    x = rng.standard_normal((3, *size, 5))
    at = windows(x, kernel, stride, padding, np.nan)
    for layer, reference in zip(pools(kernel, stride, padding), (np.nanmax, np.nanmean), strict=True):
        y, cache = layer.forward(x)
        assert np.allclose(y, reference(at, (-2, -1)))
        dy = rng.standard_normal(y.shape)
        dx = layer.backward(cache, dy)
        assert_gradient(dx, difference(lambda: float((layer.forward(x)[0] * dy).sum()), x))  # noqa: B023


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_global_pooling(dtype):
    x = rng.standard_normal((3, 4, 5, 6)).astype(dtype)
    for kind, reference in (("mean", np.mean), ("max", np.max)):
        layer = nn.GlobalPool2d(kind)
        y, cache = layer.forward(x)
        assert y.dtype == dtype
        assert np.allclose(y, reference(x, (1, 2)), atol=1e-6)
        dy = rng.standard_normal(y.shape).astype(dtype)
        dx = layer.backward(cache, dy)
        assert np.allclose(dx.sum((1, 2)), dy, atol=1e-5)
        if kind == "max":
            assert np.array_equal(dx != 0, x == y[:, None, None])


def test_the_first_of_equal_maxima_gets_the_gradient_and_a_nan_is_the_maximum():
    layer = nn.MaxPool2d(2)
    x = np.zeros((1, 2, 4, 1))
    x[0, 1, 2, 0] = np.nan
    x[0, 1, 3, 0] = 7
    y, cache = layer.forward(x)
    assert y[0, 0, 0, 0] == 0 and np.isnan(y[0, 0, 1, 0])
    dx = layer.backward(cache, np.ones_like(y))
    assert dx[0, :, :, 0].tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]
