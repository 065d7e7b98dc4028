"""Inspection of networks: vanishing and exploding gradients, saturated units, units that follow a text."""

from .color import to_ansi, to_html
from .jacobians import JacobianNorms, Linearized, jacobian_norms, linearize
from .monitor import GradientMonitor
from .norms import GATE, TANH, gradient_norms, saturated_share, saturation, share_norms, spectral_radius
from .signals import SIGNALS, capitals, inside_brackets, inside_quotes, position_in_line, position_in_word
from .units import Following, TextStates, text_states, units_following

__all__ = [
    "GATE",
    "SIGNALS",
    "TANH",
    "Following",
    "GradientMonitor",
    "JacobianNorms",
    "Linearized",
    "TextStates",
    "capitals",
    "gradient_norms",
    "inside_brackets",
    "inside_quotes",
    "jacobian_norms",
    "linearize",
    "position_in_line",
    "position_in_word",
    "saturated_share",
    "saturation",
    "share_norms",
    "spectral_radius",
    "text_states",
    "to_ansi",
    "to_html",
    "units_following",
]
