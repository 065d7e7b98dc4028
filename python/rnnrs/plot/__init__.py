"""Pictures of what `rnnrs.inspection` finds. Needs the extra "plot" (matplotlib) once something is drawn."""

from .curves import gradients_through_time, jacobians
from .text import coloured_text, states
from .training import monitor

__all__ = ["coloured_text", "gradients_through_time", "jacobians", "monitor", "states"]
