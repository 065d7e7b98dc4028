"""Long short-term memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .recurrent import Recurrent
from .recurrent_cell import RecurrentOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack


class LSTM(Recurrent):
    """Long short-term memory: three gates, and a cell state c that is added to, not repeatedly multiplied.

    With a_t = b + W h_{t−1} + U x_t in four blocks of H:

    i_t = σ(a_i), f_t = σ(a_f), g_t = tanh(a_g), o_t = σ(a_o);
    c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t; h_t = o_t ⊙ tanh(c_t)

    (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000; Goodfellow et al., equations
    10.40–10.44.) Its state is h followed by c: (B, 2H).

    Parameters: U (4H, I), W (4H, H), b (4H), in the order i, f, g, o. U and b are initialized uniformly on
    ±1/√H, W by `recurrent_initializer`, and f's block of b to `forget_bias`.

    Args:
        input_size: I.
        hidden_size: H.
        forget_bias: initial value of the forget gate's bias; with 1 the cell remembers at first (Jozefowicz,
            Zaremba and Sutskever 2015). None: as the other biases.
        options: those of `Recurrent`.

    Raises:
        ValueError, TypeError: if a size is not a positive whole number, the initializer is unknown, or the
            forget bias is not finite.
        MemoryError: if the weights do not fit in memory.
    """

    blocks: ClassVar[tuple[int, int, int]] = (4, 4, 2)
    sums: ClassVar[int] = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float | None = 1.0,
        **options: Unpack[RecurrentOptions],
    ) -> None:
        if forget_bias is not None and not np.isfinite(forget_bias):
            raise ValueError(f"LSTM: forget_bias: expected a finite number or None, got {forget_bias}")
        super().__init__(input_size, hidden_size, **options)
        if forget_bias is not None:
            self.parameters["b"][self.hidden_size : 2 * self.hidden_size] = forget_bias

    @property
    def cell(self) -> str:
        """The engine's name for the cell."""
        return "lstm"
