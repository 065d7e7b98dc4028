"""Sizes of convolutions sampled at random, and the windows of pictures in NumPy."""

import numpy as np


def windows(x, kernel, stride, padding, fill=0.0):
    """(B, Y′, X′, C, kernel height, kernel width): every window of the padded pictures."""
    (py, px), (sy, sx) = padding, stride
    padded = np.pad(x, ((0, 0), (py, py), (px, px), (0, 0)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(padded, kernel, (1, 2))[:, ::sy, ::sx]


def drawn(count, seed):
    """Sizes of kernel, stride, padding and picture, at random: only those of which a window fits."""
    draw = np.random.default_rng(seed)
    cases = []
    while len(cases) < count:
        kernel, stride = (tuple(map(int, draw.integers(1, 6, 2))) for _ in range(2))
        padding, size = tuple(map(int, draw.integers(0, 4, 2))), tuple(map(int, draw.integers(1, 10, 2)))
        if all(n + 2 * p >= k for n, p, k in zip(size, padding, kernel, strict=True)):
            cases.append((kernel, stride, padding, size))
    return cases
