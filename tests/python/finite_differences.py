"""Gradients of arrays by central differences, and how closely a gradient must agree with them."""

import numpy as np


def difference(f, array, eps=1e-4):
    """∂f/∂array by central differences, extrapolated from eps and 2 eps."""

    def slope(place, e):
        before = array[place]
        array[place] = before + e
        above = f()
        array[place] = before - e
        below = f()
        array[place] = before
        return (above - below) / (2 * e)

    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        gradient[place] = (4 * slope(place, eps) - slope(place, 2 * eps)) / 3
    return gradient


def assert_gradient(got, expected):
    scale = np.maximum(np.abs(got), np.abs(expected)).clip(1e-3 * np.abs(expected).max(initial=1e-3))
    assert got.shape == expected.shape
    assert (np.abs(got - expected) / scale).max(initial=0.0) <= 1e-6
