"""Pictures of what `rnnrs.inspection` finds, of attention and forecasts; they need the extra "plot" (matplotlib)."""

from .attention import attention
from .curves import gradients_through_time, jacobians
from .series import forecast
from .text import coloured_text, states
from .training import monitor

__all__ = [
    "attention",
    "coloured_text",
    "forecast",
    "gradients_through_time",
    "jacobians",
    "monitor",
    "states",
]
