"""The interface of models that can be decoded."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from ..types import Array


class StepModel(Protocol):
    """A model that continues several hypotheses at once, token by token, and keeps their states.

    Before the first step it holds one hypothesis for each of B sources, in their order.
    """

    @property
    def attention(self) -> Array | None:
        """α (N, S) of the last step, the attention of each hypothesis; 0 after the end of a source.

        None without attention.
        """
        ...

    def step(self, tokens: NDArray[Any], rows: NDArray[Any]) -> Array:
        """Computes one step of N hypotheses.

        Args:
            tokens: ids (N,), the token that each hypothesis reads.
            rows: the previous step's hypothesis that each one continues (N,). A hypothesis may be continued
                several times, or not at all: it is then dropped. Hypotheses of one source stay adjacent, and
                the sources in order.

        Returns:
            Scores o (N, V) of the next token, float32 or float64, with ln P = log softmax(o); ln P itself is
                also valid. The decoder does not modify them. V is the same at every step.
        """
        ...
