"""Measures of vanishing and exploding gradients, and of saturated units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array
from ..errors import DTypeError, ShapeError
from ..nn import RNN, Recurrent
from ..nn.recurrent_cache import RecurrentCache
from ..types import Array
from .unfolded import UnfoldedGRU, UnfoldedLayer, UnfoldedLSTM

#: The ranges of tanh and of a gate.
TANH, GATE = (-1.0, 1.0), (0.0, 1.0)
#: The ends of a range at which to count saturated values.
SIDES = ("both", "low", "high")


def gradient_norms(unfolded: UnfoldedLayer, of: str = "h") -> Array:
    """Returns ‖∂L/∂h_t‖₂ at every step of every sequence (T, B), float64.

    With a loss only at the last step (targets −1 elsewhere), its decay toward the first step is the vanishing
    gradient.

    Args:
        unfolded: a layer of `rnnrs.unfold(…).layers`.
        of: the quantity: "h"; "state", in an LSTM (h_t, c_t), each with the other held fixed, in other cells
            h; "a"; "c", "i", … of the cell.

    Raises:
        ValueError: if the cell has no gradient of that name.
    """
    if of == "state":
        h = gradient_norms(unfolded)
        memory = gradient_norms(unfolded, "c_through_time") if isinstance(unfolded, UnfoldedLSTM) else 0.0
        return np.asarray(np.hypot(h, memory))
    d = getattr(unfolded, f"d{of}", None)
    if not isinstance(d, np.ndarray) or d.ndim != 3:
        raise ValueError(f"gradient_norms: of: expected a quantity of {type(unfolded).__name__}, got {of!r}")
    return np.asarray(np.linalg.norm(d.astype(np.float64), axis=-1))


def share_norms(unfolded: UnfoldedLayer) -> dict[str, Array]:
    """Returns, by parameter, the Frobenius norm of each step's share of its gradient (T,), float64.

    If early steps have small shares, the network learns little from them.
    """
    u, h_before = unfolded, unfolded.h_before
    pairs = {"U": (u.da_input, u.x), "W": (u.da_recurrent, h_before)}
    norms = {name: _product_norms(da, read) for name, (da, read) in pairs.items()}
    sums = {"b": u.da_input} | ({"b_h": u.da_h} if isinstance(u, UnfoldedGRU) else {})
    norms |= {name: np.linalg.norm(da.sum(axis=1, dtype=np.float64), axis=-1) for name, da in sums.items()}
    return norms


def _product_norms(da: Array, read: Array) -> Array:
    """Returns ‖Σ over the batch of da_t readᵀ‖ for every t, step by step, since all shares are large."""
    return np.array([np.linalg.norm(d.astype(np.float64).T @ r) for d, r in zip(da, read, strict=True)])


def spectral_radius(W: ArrayLike) -> float:
    """Returns ρ(W): the largest absolute value of an eigenvalue.

    With an f of slope 1, the content of the state fades if ρ < 1 and grows if ρ > 1. With slopes below 1,
    consider the mean Jacobian instead (`linearize(…).mean()`).

    Args:
        W: a square matrix.

    Raises:
        ShapeError: if it is not one.
        DTypeError: if it does not hold real numbers.
        ValueError: if a number is not finite.
    """
    matrix = _numbers("spectral_radius", "W", W)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ShapeError(f"spectral_radius: W: expected a square matrix (H, H), got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("spectral_radius: W: expected finite numbers, got NaN or an infinite one")
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def saturated_share(
    values: ArrayLike,
    threshold: float = 0.95,
    *,
    bounds: tuple[float, float] = TANH,
    side: str = "both",
    axis: int | tuple[int, ...] | None = None,
) -> Any:
    """Returns the share of saturated values: those near the ends of their range.

    There the slope, and so the gradient, is close to 0. A value is saturated if its distance from the middle
    of the range is at least `threshold` times the half-width: |h| ≥ 0.95; for a gate, with bounds (0, 1),
    above 0.975 or below 0.025 (where its slope is below 1/10 of its maximum, as tanh's is at 0.95). Karpathy,
    Johnson and Fei-Fei (2015) count gates above 0.9 and below 0.1: a threshold of 0.8.

    Args:
        values: values of tanh or gates, of any shape.
        threshold: above 0, at most 1.
        bounds: the range: `TANH` or `GATE`.
        side: "both", or only "low" or "high".
        axis: the axes over which to take the share; all by default, for a single number.

    Raises:
        ValueError: if the threshold, bounds or side are invalid, or there are no values.
        DTypeError: if the values are not real numbers.
    """
    low, high = bounds
    if not 0.0 < threshold <= 1.0 or not low < high:
        raise ValueError(
            "saturated_share: expected 0 < threshold ≤ 1 and bounds (low, high) with low < high, "
            f"got {threshold} and {bounds}"
        )
    if side not in SIDES:
        raise ValueError(f"saturated_share: side: expected one of {', '.join(SIDES)}, got {side!r}")
    v = _numbers("saturated_share", "values", values)
    if not v.size:
        raise ValueError("saturated_share: values: expected at least one, got none")
    v = (2.0 * v - (low + high)) / (high - low)
    near = {"both": np.abs(v), "low": -v, "high": v}[side] >= threshold
    share = near.mean(axis=axis)
    return float(share) if axis is None else np.asarray(share)


def saturation(
    layer: Recurrent, seen: RecurrentCache | UnfoldedLayer, threshold: float = 0.95
) -> dict[str, float]:
    """Returns the saturated shares of the quantities that a cell computes in a pass, by name.

    RNN: h; LSTM: i, f, g, o and tanh_c; GRU: r, z and n. A relu is saturated at 0, where its slope is 0; the
    identity never.

    Args:
        layer: an RNN, LSTM or GRU.
        seen: the cache of its forward pass, or the unfolded layer.
        threshold: see `saturated_share`.

    Raises:
        ValueError: if the pass kept no gates.
    """
    cache = seen.cache if isinstance(seen, UnfoldedLayer) else seen
    if isinstance(layer, RNN):
        if layer.activation in ("relu", "identity"):
            return {"h": float((cache.h == 0).mean()) if layer.activation == "relu" else 0.0}
        bounds = TANH if layer.activation == "tanh" else GATE
        return {"h": saturated_share(cache.h, threshold, bounds=bounds)}
    if cache.kept is None:
        raise ValueError(
            "saturation: cache: expected one from forward(…, gradient=True), got one without gates"
        )
    names = ("i", "f", "g", "o") if cache.c is not None else ("r", "z", "", "n")
    shares = {
        name: saturated_share(part, threshold, bounds=TANH if name in "gn" else GATE)
        for name, part in zip(names, np.split(cache.kept, 4, axis=-1), strict=True)
        if name
    }
    if cache.c is not None:
        shares["tanh_c"] = saturated_share(np.tanh(cache.c), threshold)
    return shares


def _numbers(op: str, argument: str, values: ArrayLike) -> Array:
    array = as_array(op, argument, values)
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"{op}: {argument}: expected real numbers, got {array.dtype}")
    return array.astype(np.float64)
