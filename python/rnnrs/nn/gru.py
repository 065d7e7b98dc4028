"""The gated recurrent unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from .recurrent import Recurrent
from .recurrent_cell import RecurrentOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack


class GRU(Recurrent):
    """The gated recurrent unit: a gate interpolates between the previous state and a candidate.

    With U, W and b in three blocks of H, and each gate's sum a = b + U x_t + W h_{t−1} from its own block:

    r_t = σ(a_r), z_t = σ(a_z); n_t = tanh(b_n + U_n x_t + r_t ⊙ (b_h + W_n h_{t−1}));
    h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}

    (Cho et al. 2014, with the reset gate applied after the product, as in cuDNN.) Its state is h (B, H).

    Parameters: U (3H, I), W (3H, H), b (3H), in the order r, z, n; b_h (H). U and the biases are initialized
    uniformly on ±1/√H, W by `recurrent_initializer`.

    Args:
        input_size: I.
        hidden_size: H.
        options: those of `Recurrent`.

    Raises:
        ValueError, TypeError: if a size is not a positive whole number, or the initializer is unknown.
        MemoryError: if the weights do not fit in memory.
    """

    blocks: ClassVar[tuple[int, int, int]] = (3, 3, 1)

    sums: ClassVar[int] = 4

    def __init__(self, input_size: int, hidden_size: int, **options: Unpack[RecurrentOptions]) -> None:
        super().__init__(input_size, hidden_size, **options)
        self.initialize("b_h", "uniform", self.hidden_size**-0.5, options.get("seed", 0))

    @classmethod
    def parameter_shapes(
        cls, input_size: int, hidden_size: int, *, learn_state: bool = False, layer_norm: bool = False
    ) -> dict[str, tuple[int, ...]]:
        """Returns the parameter shapes of a layer of these sizes, by name."""
        shapes = super().parameter_shapes(
            input_size, hidden_size, learn_state=learn_state, layer_norm=layer_norm
        )
        return {name: shapes.pop(name) for name in ("U", "W", "b")} | {"b_h": (hidden_size,)} | shapes

    @property
    def cell(self) -> str:
        """The engine's name for the cell."""
        return "gru"

    # The engine's sums have four blocks: r, z, n's part from W h, n's part from U x.

    def _bias(self) -> NDArray[np.floating]:
        b, H = self.parameters["b"], self.hidden_size
        return np.concatenate([b[: 2 * H], self.parameters["b_h"], b[2 * H :]])

    def _bias_gradient(self) -> NDArray[np.floating]:
        return np.zeros(4 * self.hidden_size, self.dtype)

    def _add_bias(self, db: NDArray[np.floating]) -> None:
        H = self.hidden_size
        self.gradients["b"][...] += np.concatenate([db[: 2 * H], db[3 * H :]])
        self.gradients["b_h"][...] += db[2 * H : 3 * H]

    def _input_sums(self, da: NDArray[np.floating]) -> NDArray[np.floating]:
        H = self.hidden_size
        return np.concatenate([da[..., : 2 * H], da[..., 3 * H :]], axis=-1)

    def _table(self, E: NDArray[np.floating]) -> NDArray[np.floating]:
        H, p = self.hidden_size, self.parameters
        table = np.empty((len(E), 4 * H), self.dtype)
        sums = super()._table(E)
        table[:, : 2 * H], table[:, 3 * H :] = sums[:, : 2 * H], sums[:, 2 * H :]
        table[:, 2 * H : 3 * H] = 0 if self.layer_norm else p["b_h"]
        return table
