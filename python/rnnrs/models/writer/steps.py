"""A network's decoder, step by step: what greedy decoding, sampling and beam search go through."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..._rnnrs import Decoder
from ...text import Vocabulary
from ...types import Array
from .network import DecoderNetwork, Encoded


class DecoderSteps:
    """Hypotheses side by side, several to a source where a beam is searched.

    Before the first step there is one for each of the B sources, with nothing written: `step(end_id, arange(B))`
    gives the scores of the first words.

    Args:
        network: whose decoder it is.
        vocabulary: of what is written.
        decoder: the packed weights.
        encoded: what was read.

    Attributes:
        attention: (N, S), how much each hypothesis's last step looked at each step of its source; None without
            attention.
        sources: (N,), which source each hypothesis is of.
    """

    def __init__(
        self, network: DecoderNetwork, vocabulary: Vocabulary, decoder: Decoder, encoded: Encoded
    ) -> None:
        self._network, self._decoder = network, decoder
        self.vocabulary, self.end_id = vocabulary, vocabulary.end_id
        self.sources = np.arange(len(encoded.state))
        self.attention: Array | None = None
        self._gate: Array | None = None
        if network.attention is None or encoded.memory is None:
            decoder.begin(encoded.state)
            return
        keys, S = network.attention.keys(encoded.memory), len(encoded.memory)
        lengths = np.full(len(encoded.state), S) if encoded.lengths is None else encoded.lengths
        decoder.begin(encoded.state, keys, encoded.memory, lengths)

    def step(self, tokens: ArrayLike, rows: ArrayLike) -> Array:
        """One step: the i-th hypothesis is now the earlier one `rows[i]` and after it the word `tokens[i]`.

        Args:
            tokens: (N,) ids of the vocabulary.
            rows: (N,) places of earlier hypotheses; at first, of sources.

        Returns:
            Scores of what may come next (N, V), of which a softmax makes probabilities.

        Raises:
            IndexError, ValueError, ShapeError: for ids or places that there are not, or another number of them.
        """
        rows = np.asarray(rows)
        o, self.attention, self._gate = self._decoder.step(self._network.known(np.asarray(tokens)), rows)
        self.sources = self.sources[rows]
        return o
