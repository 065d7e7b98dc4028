"""Back-propagation through time in NumPy: x (T, B, I), h (T, B, H), o (T, B, O); y (T, B) holds class ids."""

import numpy as np


def forward(p, x, h0):
    """(h, o): a_t = b + W h_{t-1} + U x_t, h_t = tanh(a_t), o_t = c + V h_t, with h_0 = h0 (B, H)."""
    h, before = np.empty((len(x), *h0.shape)), h0
    for t in range(len(x)):
        before = h[t] = np.tanh(p["b"] + before @ p["W"].T + x[t] @ p["U"].T)
    return h, p["c"] + h @ p["V"].T


def loss(o, y):
    """(L, do): L = -Σ log ŷ_t[y_t] over all positions, with ŷ_t = softmax(o_t); do_t = ŷ_t - one-hot(y_t)."""
    y_hat = np.exp(o - o.max(axis=-1, keepdims=True))
    y_hat /= y_hat.sum(axis=-1, keepdims=True)
    one_hot = np.eye(o.shape[-1])[y]
    return -np.log((y_hat * one_hot).sum(axis=-1)).sum(), y_hat - one_hot


def backward(p, x, h0, h, do):
    """The gradients dU, dW, db, dV, dc and dh0, under the names U, W, b, V, c and h0."""
    d = {name: np.zeros_like(value) for name, value in p.items()}
    through_time = np.zeros_like(h0)  # Wᵀ da_{t+1}: zero at the last step
    for t in reversed(range(len(x))):
        dh = do[t] @ p["V"] + through_time  # h_t acts on L through o_t and through h_{t+1}
        da = dh * (1 - h[t] ** 2)  # tanh' = 1 - tanh²
        d["U"] += da.T @ x[t]  # all steps share the parameters: each adds its part to the same gradients
        d["W"] += da.T @ (h[t - 1] if t > 0 else h0)
        d["b"] += da.sum(axis=0)
        d["V"] += do[t].T @ h[t]
        d["c"] += do[t].sum(axis=0)
        through_time = da @ p["W"]
    return d | {"h0": through_time}


def check(p, x, h0, y, epsilon=1e-5):
    """The largest difference of the gradients from (L(θ + ε) - L(θ - ε)) / 2ε, over all parameters and h0."""
    h, o = forward(p, x, h0)
    d, theta, worst = backward(p, x, h0, h, loss(o, y)[1]), p | {"h0": h0}, 0.0
    for name, value in theta.items():
        for i in np.ndindex(value.shape):
            e = np.zeros_like(value)
            e[i] = epsilon
            ends = (theta | {name: value + e}, theta | {name: value - e})
            above, below = (loss(forward(q, x, q["h0"])[1], y)[0] for q in ends)
            worst = max(worst, abs((above - below) / (2 * epsilon) - d[name][i]))
    return worst


def main():
    """Learns to repeat the symbol of two steps before, by gradient descent."""
    rng, (T, B, I, H) = np.random.default_rng(0), (10, 32, 2, 16)
    shapes = {"U": (H, I), "W": (H, H), "b": (H,), "V": (I, H), "c": (I,)}
    p = {name: rng.uniform(-(H**-0.5), H**-0.5, shape) for name, shape in shapes.items()}
    for step in range(301):
        s, h0 = rng.integers(0, I, (T, B)), np.zeros((B, H))
        x, y = np.eye(I)[s], np.concatenate([np.zeros((2, B), int), s[:-2]])
        if step == 0:
            print(f"gradients against finite differences: {check(p, x, h0, y):.0e}")
        h, o = forward(p, x, h0)
        L, do = loss(o, y)
        d = backward(p, x, h0, h, do)
        p = {name: p[name] - 0.5 / (T * B) * d[name] for name in p}
        if step % 100 == 0:
            print(f"step {step}: loss {L / (T * B):.4f}, right {np.mean(o.argmax(axis=-1) == y):.1%}")


if __name__ == "__main__":
    main()
