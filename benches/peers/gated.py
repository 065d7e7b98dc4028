"""An LSTM and a GRU in NumPy, with BPTT: a loop over the steps, with all other work in one product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Arrays = dict[str, Array]


def _sigmoid(a: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def _project(x: Array, U: Array, b: Array) -> Array:
    """Returns b + U x for all steps."""
    T, B, I = x.shape
    return (x.reshape(T * B, I) @ U.T + b).reshape(T, B, -1)


def _rows(a: Array) -> Array:
    return a.reshape(-1, a.shape[-1])


def lstm(x: Array, h0: Array, dh: Array, U: Array, W: Array, b: Array, *, backward: bool) -> Arrays:
    """Returns h (T, B, H), or dU, dW, db for a given dh."""
    a = _project(x, U, b)
    T, (B, H) = len(x), h0.shape
    h, c = np.empty((T + 1, B, H), x.dtype), np.zeros((T + 1, B, H), x.dtype)
    h[0] = h0
    for t in range(T):
        a[t] += h[t] @ W.T
        i, f, g, o = (a[t, :, k * H : (k + 1) * H] for k in range(4))
        i[...], f[...], g[...], o[...] = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
    if not backward:
        return {"h": h[1:]}
    da, later_h, later_c = np.empty_like(a), np.zeros_like(h0), np.zeros_like(h0)
    for t in reversed(range(T)):
        i, f, g, o = (a[t, :, k * H : (k + 1) * H] for k in range(4))
        d, tanh_c = dh[t] + later_h, np.tanh(c[t + 1])
        dc = d * o * (1 - tanh_c * tanh_c) + later_c
        parts = (
            dc * g * i * (1 - i),
            dc * c[t] * f * (1 - f),
            dc * i * (1 - g * g),
            d * tanh_c * o * (1 - o),
        )
        da[t] = np.concatenate(parts, axis=1)
        later_h, later_c = da[t] @ W, dc * f
    rows = _rows(da)
    return {"dU": rows.T @ _rows(x), "dW": rows.T @ _rows(h[:-1]), "db": rows.sum(axis=0)}


def gru(
    x: Array, h0: Array, dh: Array, U: Array, W: Array, b: Array, b_h: Array, *, backward: bool
) -> Arrays:
    """Returns h (T, B, H), or dU, dW, db, db_h for a given dh."""
    a = _project(x, U, b)
    T, (B, H) = len(x), h0.shape
    h, w = np.empty((T + 1, B, H), x.dtype), np.empty((T, B, H), x.dtype)
    h[0] = h0
    for t in range(T):
        Wh = h[t] @ W.T
        r, z, n = (a[t, :, k * H : (k + 1) * H] for k in range(3))
        r[...], z[...] = _sigmoid(r + Wh[:, :H]), _sigmoid(z + Wh[:, H : 2 * H])
        w[t] = Wh[:, 2 * H :] + b_h
        n[...] = np.tanh(n + r * w[t])
        h[t + 1] = (1 - z) * n + z * h[t]
    if not backward:
        return {"h": h[1:]}
    # Gradients of the sums b + U x and W h: they differ in n's block, where the reset gate is in between.
    da, dw, later = np.empty_like(a), np.empty_like(a), np.zeros_like(h0)
    for t in reversed(range(T)):
        r, z, n = (a[t, :, k * H : (k + 1) * H] for k in range(3))
        d = dh[t] + later
        dn = d * (1 - z) * (1 - n * n)
        dr, dz = dn * w[t] * r * (1 - r), d * (h[t] - n) * z * (1 - z)
        da[t], dw[t] = np.concatenate((dr, dz, dn), axis=1), np.concatenate((dr, dz, dn * r), axis=1)
        later = dw[t] @ W + d * z
    rows, through = _rows(da), _rows(dw)
    gradients = {"dU": rows.T @ _rows(x), "dW": through.T @ _rows(h[:-1]), "db": rows.sum(axis=0)}
    return gradients | {"db_h": through[:, 2 * H :].sum(axis=0)}


GATED: dict[str, Callable[..., Arrays]] = {"lstm": lstm, "gru": gru}
