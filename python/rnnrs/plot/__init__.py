"""Pictures of what `rnnrs.inspection` finds, and of forecasts; the extra "plot" (matplotlib) is needed to draw one."""

from .curves import gradients_through_time, jacobians
from .series import forecast
from .text import coloured_text, states
from .training import monitor

__all__ = ["coloured_text", "forecast", "gradients_through_time", "jacobians", "monitor", "states"]
