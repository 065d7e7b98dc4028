"""Long short-term memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .recurrent import Recurrent, RecurrentOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack


class LSTM(Recurrent):
    """Long short-term memory: a cell c that is added to, not multiplied over and over, and three gates.

    With a_t = b + W h_{t−1} + U x_t in four blocks of H:

    i_t = σ(a_i), f_t = σ(a_f), g_t = tanh(a_g), o_t = σ(a_o); c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t; h_t = o_t ⊙ tanh(c_t)

    (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000; Goodfellow et al., equations 10.40–10.44.) Its
    state is h, then c: (B, 2H).

    Parameters: U (4H, I), W (4H, H), b (4H), in the order i, f, g, o. U, W and b begin uniform on ±1/√H, W as
    `recurrent` says, b's block of f at `forget_bias`.

    Args:
        input_size: I.
        hidden_size: H.
        forget_bias: where the forget gate's bias begins: at 1 the cell remembers at first (Jozefowicz, Zaremba and
            Sutskever 2015). None: like the others.
        options: those of `Recurrent`.

    Raises:
        ValueError, TypeError: for sizes that are no positive whole numbers, an unknown initializer, a forget bias that
            is not finite.
        MemoryError: if the weights do not fit.
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
        """The engine's name of the cell."""
        return "lstm"
