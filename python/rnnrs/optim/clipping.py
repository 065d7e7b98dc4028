"""Gradient clipping, against exploding gradients."""

from __future__ import annotations

from .. import _rnnrs
from ..checks import check_number
from ..nn.parameters import Parameters

__all__ = ["clip_factor", "clip_norm", "clip_value"]


def clip_norm(gradients: Parameters, max_norm: float) -> float:
    """Scales the gradients so that ‖g‖₂ ≤ `max_norm` (Pascanu, Mikolov and Bengio 2013).

    Gradients with a norm that is not finite are left unchanged. Frozen parameters (`Parameters.freeze`) do
    not count.

    Args:
        gradients: a model's gradients, changed in place.
        max_norm: above 0; infinity only measures.

    Returns:
        ‖g‖₂ before clipping.

    Raises:
        ValueError: if `max_norm` is not above 0.
    """
    most = _limit("clip_norm", "max_norm", max_norm)
    return _rnnrs.clip_norm(gradients._flat, most, gradients.trained_spans())


def clip_factor(gradients: Parameters, max_norm: float) -> tuple[float, float]:
    """Returns the factor that scales the gradients to ‖g‖₂ ≤ `max_norm`, without changing them.

    It is the `scale` of an optimizer's `step`, which then clips and updates in one pass.

    Args:
        gradients: a model's gradients.
        max_norm: above 0; infinity only measures.

    Returns:
        (factor, ‖g‖₂); the factor is 1 if the norm is not finite.

    Raises:
        ValueError: if `max_norm` is not above 0.
    """
    most = _limit("clip_factor", "max_norm", max_norm)
    return _rnnrs.clipping(gradients._flat, most, gradients.trained_spans())


def clip_value(gradients: Parameters, limit: float) -> None:
    """Clamps every gradient to ±limit, in place; NaN stays NaN.

    Raises:
        ValueError: if `limit` is not above 0.
    """
    _rnnrs.clip_value(gradients._flat, _limit("clip_value", "limit", limit))


def _limit(op: str, name: str, value: float) -> float:
    return check_number(op, name, value, "a number above 0", lambda x: x > 0.0)
