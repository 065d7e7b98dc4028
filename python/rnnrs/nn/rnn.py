"""The recurrence of Elman's network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .recurrent import Recurrent
from .recurrent_cell import RecurrentOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: The nonlinearities f: tanh a, max(0, a), 1 / (1 + e^−a), a, and a clamped to 0..1.
ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity", "saturated_linear")


class RNN(Recurrent):
    """h_t = f(a_t), a_t = b + W h_{t−1} + U x_t, with the same U, W and b at every step.

    Goodfellow, Bengio and Courville, *Deep Learning*, equations 10.8 and 10.9 (Elman 1990), without the
    output layer: with a `Linear` on top of h this is the network with hidden-to-hidden recurrence. Its state
    is h (B, H).

    Parameters: U (H, I), W (H, H), b (H). U and b are initialized uniformly on ±1/√H, W by
    `recurrent_initializer`.

    Args:
        input_size: I.
        hidden_size: H.
        activation: f, one of `ACTIVATIONS`.
        options: those of `Recurrent`; `recurrent_initializer="identity"` with "relu" is the IRNN of Le,
            Jaitly and Hinton (2015).

    Raises:
        ValueError, TypeError: if a size is not a positive whole number, or the activation or initializer is
            unknown.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        **options: Unpack[RecurrentOptions],
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"RNN: activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.activation = activation
        super().__init__(input_size, hidden_size, **options)

    @property
    def cell(self) -> str:
        """The engine's name for the cell: f."""
        return self.activation
