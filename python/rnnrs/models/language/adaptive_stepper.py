"""Steps through an adaptive softmax, one token at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..._rnnrs import Stepper
from ...decoding import check_stopped
from ...nn import AdaptiveSoftmax
from ...nn.adaptive import Tail, log_probabilities
from ...types import Array, Ids


class PackedAdaptive:
    """An adaptive softmax with one matrix for its head and all projections; the tails' softmaxes follow.

    So the engine computes a step of the recurrence and all products with h in one call.

    Args:
        output: the output layer; its weights are copied.

    Attributes:
        V, c: the matrix (rows, H) and its bias (rows), in the place of an output layer's.
    """

    def __init__(self, output: AdaptiveSoftmax) -> None:
        p = output.parameters
        live = [output.tail(k) for k in range(1, output.clusters + 1)]
        self._tails = [Tail(*(array.copy() for array in tail)) for tail in live]
        self._bounds = list(output.bounds)
        self.V: Array = np.concatenate([p["head.V"], *(tail.P for tail in live)])
        self.c: Array = np.zeros(len(self.V), self.V.dtype)
        self.c[: len(p["head.c"])] = p["head.c"]
        self._parts = np.cumsum([len(p["head.c"]), *(len(tail.P) for tail in live)])[:-1]

    def log_p(self, products: Array) -> Array:
        """Returns ln P (…, V) from c + V h (…, rows)."""
        scores, *z = np.split(products, self._parts, axis=-1)
        return log_probabilities(scores, z, self._tails, self._bounds)[1]


class AdaptiveStepper:
    """A counterpart of `_rnnrs.Stepper` for an adaptive softmax with the same methods; its scores are ln P.

    Args:
        output: the output layer; its weights are copied.
        make: returns a `Stepper` with the output layer (V, c).
    """

    def __init__(self, output: AdaptiveSoftmax, make: Callable[[Array, Array], Stepper]) -> None:
        self._packed = PackedAdaptive(output)
        self._stepper = make(self._packed.V, self._packed.c)

    @property
    def batch(self) -> int:
        """The number of sequences side by side."""
        return self._stepper.batch

    @property
    def state(self) -> Array:
        """The state of the recurrence, a copy."""
        return self._stepper.state

    @state.setter
    def state(self, state: Array) -> None:
        self._stepper.state = state

    def reset(self) -> None:
        """Sets the state to zero."""
        self._stepper.reset()

    def step(self, ids: Array | int) -> Array:
        """Reads one token per sequence, and returns ln P of the next tokens (batch, V); (V,) for one id."""
        return self._packed.log_p(self._stepper.step(ids))

    def read(self, ids: Array) -> Array:
        """Reads a text of one sequence, and returns ln P of the next token (V,)."""
        return self._packed.log_p(self._stepper.read(ids))


#: The result of `LanguageModel.stepper`.
AnyStepper = Stepper | AdaptiveStepper

#: The tokens that a stepper reads at a time: other threads wait as long.
_PART = 256


def read_in_parts(stepper: AnyStepper, ids: Ids) -> Array:
    """Reads a text of one sequence, and returns the scores of the next token (V,).

    Between its parts, other threads go on, and the computation can be stopped.
    """
    for begin in range(0, len(ids) - _PART, _PART):
        check_stopped()
        stepper.read(ids[begin : begin + _PART])
    check_stopped()
    return stepper.read(ids[max(len(ids) - 1, 0) // _PART * _PART :])
