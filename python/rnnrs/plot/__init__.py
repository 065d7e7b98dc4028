"""Figures of inspection results, attention, forecasts, pictures and regions (extra "plot": matplotlib)."""

from .attention import attention
from .curves import gradients_through_time, jacobians
from .pictures import description, pictures
from .regions import regions
from .series import forecast
from .text import colored_text, states
from .training import monitor

__all__ = [
    "attention",
    "colored_text",
    "description",
    "forecast",
    "gradients_through_time",
    "jacobians",
    "monitor",
    "pictures",
    "regions",
    "states",
]
