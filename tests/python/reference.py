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


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def cell_step(cell: str, p: dict[str, Array], x: Array, state: Array) -> Array:
    """The state (S,) after one step of one sequence: h, and for an LSTM then c."""
    H = p["W"].shape[1]
    h = state[:H]
    u, w = p["U"] @ x, p["W"] @ h
    if cell == "lstm":
        i, f, g, o = np.split(p["b"] + u + w, 4)
        c = sigmoid(f) * state[H:] + sigmoid(i) * np.tanh(g)
        return np.concatenate([sigmoid(o) * np.tanh(c), c])
    if cell == "gru":
        (u_r, u_z, u_n), (w_r, w_z, w_n), (b_r, b_z, b_n) = (np.split(a, 3) for a in (u, w, p["b"]))
        r, z = sigmoid(b_r + u_r + w_r), sigmoid(b_z + u_z + w_z)
        n = np.tanh(b_n + u_n + r * (p["b_h"] + w_n))
        return (1 - z) * n + z * h
    return F[cell][0](p["b"] + u + w)


def walk(
    cell: str,
    p: dict[str, Array],
    x: Array,
    first: Array,
    lengths: Array,
    resets: Array,
    initial: Array,
    reverse: bool,
) -> tuple[Array, Array]:
    """(h (T, B, H), the last states (B, S)), sequence by sequence and step by step."""
    (T, B, _), H = x.shape, p["W"].shape[1]
    h, last = np.zeros((T, B, H)), np.zeros_like(first)
    for b in range(B):
        state, steps = first[b], range(lengths[b])
        for t in reversed(steps) if reverse else steps:
            state = cell_step(cell, p, x[t, b], initial if resets[t, b] else state)
            h[t, b] = state[:H]
        last[b] = state
    return h, last
