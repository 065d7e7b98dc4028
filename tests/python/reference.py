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


def jordan_draws(seed: int, step: int, key: int, t: int) -> tuple[float, float]:
    """Two numbers on [0, 1) for what step t of a sequence is fed: NumPy's own Philox at that place."""
    mask = 2**64 - 1
    words = np.random.Philox(key=[seed, 0], counter=[(t - 1) & mask, step, key & mask, 0]).random_raw(2)
    return tuple(float(w >> 11) / 2**53 for w in map(int, words))  # type: ignore[return-value]


def jordan_choose(o: Array, temperature: float, u: float) -> int:
    """The token at u of softmax(o / temperature), in the tokens' order; the likeliest at temperature 0."""
    if temperature == 0:
        return int(o.argmax())
    return int((np.cumsum(softmax(o / temperature)) <= u).sum())


def jordan_forward(
    x: Array, z: list[Array], own: Array, parameters: dict[str, Array], activation: str, make: Any
) -> tuple[Array, Array, Array]:
    """(h, o, z (T + 1, B, F)), one step after the other.

    z holds z_0, then what is fed of the targets; where `own` (T + 1, B), it is `make(o_t)` that goes to step t + 1.
    """
    p, (f, _) = parameters, F[activation]
    h_all, o_all, z_all = [], [], [z[0]]
    for t, x_t in enumerate(x):
        h = f(p["b"] + x_t @ p["U"].T + z_all[t] @ p["W"].T)
        o = p["c"] + h @ p["V"].T
        h_all.append(h)
        o_all.append(o)
        z_all.append(np.where(own[t + 1][:, None], make(o), z[t + 1]))
    return np.array(h_all), np.array(o_all), np.array(z_all)


def jordan_bptt(
    do: Array,
    h: Array,
    z: Array,
    own: Array,
    parameters: dict[str, Array],
    activation: str,
    feedback: str,
) -> tuple[Array, Array]:
    """(da, all that L says of o): through the softmax's Jacobian matrix, written out, where ŷ was fed back."""
    p, (_, derivative) = parameters, F[activation]
    da, total = np.zeros_like(h), do.copy()
    for t in reversed(range(len(h))):
        for b in range(h.shape[1]):
            if t + 1 < len(h) and own[t + 1, b]:
                g = p["W"].T @ da[t + 1, b]
                y_hat = z[t + 1, b]
                J = np.diag(y_hat) - np.outer(y_hat, y_hat) if feedback == "softmax" else np.eye(len(g))
                total[t, b] += J.T @ g
            da[t, b] = (p["V"].T @ total[t, b]) * derivative(h[t, b])
    return da, total
