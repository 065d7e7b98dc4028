"""Keeping exploding gradients in bounds."""

from __future__ import annotations

from .. import _rnnrs
from ..nn.parameters import Parameters


def clip_norm(gradients: Parameters, max_norm: float) -> float:
    """Scales the gradients down so that ‖g‖₂ ≤ `max_norm` (Pascanu, Mikolov and Bengio 2013).

    Gradients whose norm is not finite are left as they are.

    Args:
        gradients: of a model; changed in place.
        max_norm: above 0; infinity only measures.

    Returns:
        ‖g‖₂ before.

    Raises:
        ValueError: if `max_norm` is not above 0.
    """
    return _rnnrs.clip_norm(gradients.flat, max_norm)


def clip_value(gradients: Parameters, limit: float) -> None:
    """Clamps every gradient to ±limit, in place; NaN stays NaN.

    Raises:
        ValueError: if `limit` is not above 0.
    """
    _rnnrs.clip_value(gradients.flat, limit)
