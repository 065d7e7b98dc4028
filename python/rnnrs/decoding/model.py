"""What decoding needs of a model."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from ..types import Array


class StepModel(Protocol):
    """A model that goes on with many hypotheses at once, a token at a time; it keeps their states.

    Before its first step it holds one hypothesis for each of B sources, in their order.
    """

    @property
    def attention(self) -> Array | None:
        """α (N, S) of the last step, what each hypothesis looked at; 0 after a source's end. None without attention."""
        ...

    def step(self, tokens: NDArray[Any], rows: NDArray[Any]) -> Array:
        """One step of N hypotheses.

        Args:
            tokens: ids (N,), what each of them reads.
            rows: (N,), which of the hypotheses before this step each one goes on from. One may be named often, or
                not at all: then it is forgotten. Those of a source stay side by side, the sources in order.

        Returns:
            Scores o (N, V) of what may come next, float32 or float64, with ln P = log softmax(o); so ln P itself will
            do. The decoder does not write into them. V is the same at every step.
        """
        ...
