"""The article's equations in plain NumPy, step by step: a second opinion on everything the engine computes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

F = {
    "tanh": (np.tanh, lambda h: 1 - h**2),
    "relu": (lambda a: np.maximum(a, 0), lambda h: (h > 0).astype(h.dtype)),
    "sigmoid": (lambda a: 1 / (1 + np.exp(-a)), lambda h: h * (1 - h)),
    "identity": (lambda a: a, np.ones_like),
    "saturated_linear": (lambda a: np.clip(a, 0, 1), lambda h: ((h > 0) & (h < 1)).astype(h.dtype)),
}


def forward(x: Array, h0: Array, U: Array, W: Array, b: Array, activation: str) -> tuple[Array, Array]:
    """(a, h), each (T, B, H)."""
    f, _ = F[activation]
    a_all, h_all, h = [], [], h0
    for x_t in x:
        a = b + h @ W.T + x_t @ U.T
        h = f(a)
        a_all.append(a)
        h_all.append(h)
    shape = (len(x), *h0.shape)
    return np.array(a_all).reshape(shape), np.array(h_all).reshape(shape)


def bptt(dh: Array, h: Array, W: Array, activation: str) -> tuple[Array, Array]:
    """(da (T, B, H), dh0 (B, H)) from what the layers above say of h."""
    _, derivative = F[activation]
    through_time = np.zeros(h.shape[1:], h.dtype)
    da = np.zeros_like(h)
    for t in reversed(range(len(h))):
        da[t] = (dh[t] + through_time) * derivative(h[t])
        through_time = da[t] @ W
    return da, through_time


def gradients(da: Array, x: Array, h0: Array, h: Array, U: Array) -> dict[str, Array]:
    """dU, dW, db and dx of da."""
    before = np.concatenate([h0[None], h[:-1]])[: len(h)]
    return {
        "U": np.einsum("tbh,tbi->hi", da, x),
        "W": np.einsum("tbh,tbk->hk", da, before),
        "b": da.sum((0, 1)),
        "x": da @ U,
    }


def softmax(o: Array) -> Array:
    e = np.exp(o - o.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def cross_entropy(o: Array, y: Array) -> tuple[Array, Array]:
    """(L_t for every position, ŷ − y)."""
    y_hat = softmax(o)
    losses = -np.log(np.take_along_axis(y_hat, y[..., None], -1))[..., 0]
    return losses, y_hat - np.eye(o.shape[-1], dtype=o.dtype)[y]
