"""The decoder step by step, as greedy decoding, sampling and beam search require it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..._rnnrs import Decoder
from ...shown import short_repr
from ...text import Vocabulary
from ...types import Array
from .network import DecoderNetwork, Encoded


class DecoderSteps:
    """A `decoding.StepModel`: advances N hypotheses by one token per call; several may belong to one source.

    Before the first step, there is one empty hypothesis for each of the B sources. The first step,
    `step([end_id] * B, range(B))`, returns the scores of the first words.

    Args:
        network: the network that the decoder belongs to.
        vocabulary: the vocabulary of the texts that are written.
        decoder: the packed weights.
        encoded: the encoded sources.

    Attributes:
        attention: the attention of each hypothesis's last step to the positions of its source (N, S); None
            without attention.
        sources: the source of each hypothesis (N,).
    """

    __repr__ = short_repr

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
        """Advances the hypotheses: the new i-th one is the earlier hypothesis `rows[i]` plus `tokens[i]`.

        Args:
            tokens: ids of the vocabulary (N,).
            rows: indices of earlier hypotheses (N,); in the first step, of sources.

        Returns:
            The scores of the next word (N, V); their softmax is its distribution.

        Raises:
            IndexError, ValueError, ShapeError: for ids or indices out of range, or of different numbers.
        """
        rows = np.asarray(rows)
        o, self.attention, self._gate = self._decoder.step(self._network.known(np.asarray(tokens)), rows)
        self.sources = self.sources[rows]
        return o
