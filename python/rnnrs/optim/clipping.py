"""Keeping exploding gradients in bounds."""

from __future__ import annotations

from .. import _rnnrs
from ..nn.parameters import Parameters

__all__ = ["clip_factor", "clip_norm", "clip_value"]


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
    return _rnnrs.clip_norm(gradients._flat, max_norm, gradients.spans())


def clip_factor(gradients: Parameters, max_norm: float) -> tuple[float, float]:
    """What the gradients are to be multiplied by so that ‖g‖₂ ≤ `max_norm`; they stay as they are.

    For an optimizer's `step(…, scale=factor)`, which then clips and updates in one pass.

    Args:
        gradients: of a model.
        max_norm: above 0; infinity only measures.

    Returns:
        (factor, ‖g‖₂); a factor of 1 where the norm is not finite.

    Raises:
        ValueError: if `max_norm` is not above 0.
    """
    return _rnnrs.clipping(gradients._flat, max_norm, gradients.spans())


def clip_value(gradients: Parameters, limit: float) -> None:
    """Clamps every gradient to ±limit, in place; NaN stays NaN.

    Raises:
        ValueError: if `limit` is not above 0.
    """
    _rnnrs.clip_value(gradients._flat, limit)
