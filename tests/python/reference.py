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


def layer_norm(a: Array, p: dict[str, Array], block: int) -> Array:
    """γ ⊙ (a − mean) / √(variance + 10⁻⁵), where there is a γ; block by block."""
    if "gain" not in p:
        return a
    H = p["W"].shape[1]
    gain = p["gain"][block * H :][: a.size].reshape(-1, H)
    rows = a.reshape(-1, H)
    deviation = np.sqrt(rows.var(axis=1, keepdims=True) + 1e-5)
    return (gain * (rows - rows.mean(axis=1, keepdims=True)) / deviation).ravel()


def cell_step(cell: str, p: dict[str, Array], x: Array, state: Array, mask: Any = 1.0) -> Array:
    """The state (S,) after one step of one sequence: h, and for an LSTM then c. `mask` is for h before W."""
    H = p["W"].shape[1]
    h = state[:H]
    u, w = p["U"] @ x, p["W"] @ (h * mask)
    if cell == "lstm":
        i, f, g, o = np.split(p["b"] + layer_norm(u + w, p, 0), 4)
        c = sigmoid(f) * state[H:] + sigmoid(i) * np.tanh(g)
        return np.concatenate([sigmoid(o) * np.tanh(c), c])
    if cell == "gru":
        b_r, b_z, b_n = np.split(p["b"], 3)
        r, z = np.split(np.concatenate([b_r, b_z]) + layer_norm((u + w)[: 2 * H], p, 0), 2)
        from_h, from_x = layer_norm(w[2 * H :], p, 2), layer_norm(u[2 * H :], p, 3)
        n = np.tanh(b_n + from_x + sigmoid(r) * (p["b_h"] + from_h))
        return (1 - sigmoid(z)) * n + sigmoid(z) * h
    return F[cell][0](p["b"] + layer_norm(u + w, p, 0))


def walk(
    cell: str,
    p: dict[str, Array],
    x: Array,
    first: Array,
    lengths: Array,
    resets: Array,
    initial: Array,
    reverse: bool,
    masks: Any = None,
) -> tuple[Array, Array]:
    """(h (T, B, H), the last states (B, S)), sequence by sequence and step by step.

    `masks` gives, for a sequence, the step where it began and the number of the step since: the mask of h before W, and
    which of the state is renewed.
    """
    (T, B, _), H = x.shape, p["W"].shape[1]
    h, last = np.zeros((T, B, H)), np.zeros_like(first)
    for b in range(B):
        state, steps, began, count = first[b], range(lengths[b]), 0, 0
        for t in reversed(steps) if reverse else steps:
            if resets[t, b]:
                state, began, count = initial, t, 0
            mask, renewed = (1.0, 1.0) if masks is None else masks(b, began, count)
            after = cell_step(cell, p, x[t, b], state, mask)
            state = renewed * after + (1 - renewed) * state
            h[t, b] = state[:H]
            count += 1
        last[b] = state
    return h, last


def philox(counter: list[int], seed: int, rounds: int = 7) -> list[int]:
    """Four words of 32 bits (Salmon, Moraes, Dror and Shaw 2011)."""
    x, key = list(counter), [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(rounds):
        p, q = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [q >> 32 ^ x[1] ^ key[0], q & 0xFFFFFFFF, p >> 32 ^ x[3] ^ key[1], p & 0xFFFFFFFF]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return x


def kept(rate: float, seed: int, key: int, step: int, n: int) -> Array:
    """1 where something is kept, 0 where it is dropped: unit 64 k + 16 w + i is word w of counter 16 k + i."""
    key &= (1 << 64) - 1
    words = []
    for block in range(-(-n // 64)):
        columns = [philox([16 * block + i, step, key & 0xFFFFFFFF, key >> 32], seed) for i in range(16)]
        words += [column[w] for w in range(4) for column in columns]
    return (np.array(words[:n]) >= round(rate * 2**32)).astype(float)


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
