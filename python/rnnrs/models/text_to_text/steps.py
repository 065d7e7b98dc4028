"""An encoder–decoder's decoder, step by step: what greedy decoding, sampling and beam search go through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..._rnnrs import Decoder, log_softmax
from ...checks import IGNORE
from ...data.sequence_batches import fill
from ...types import Array
from ..writer.steps import DecoderSteps
from .network import EncoderDecoder
from .pairs import PairEncoding, sources_batch

#: As in `losses.CopyCrossEntropy`.
LEAST = 1e-30


class Seq2SeqSteps(DecoderSteps):
    """Hypotheses side by side, see `DecoderSteps`; of texts, whose words may be copied.

    Args:
        network: the encoder–decoder.
        encoding: how its texts become ids.
        sources: texts.
        decoder: the packed weights.
        op: the caller's name, for error messages.

    Attributes:
        attention, sources: see `DecoderSteps`.
        vocabulary: the target's.
        lacking: for each source, its words that the target's vocabulary lacks, whose ids are V, V + 1, …; where words
            are copied.
        tokens: (S, B), the sources' ids, 0 after their ends; `lengths` (B,).

    Raises:
        ValueError: without sources.
        TypeError: for what is no text.
    """

    def __init__(
        self,
        network: EncoderDecoder,
        encoding: PairEncoding,
        sources: Sequence[str],
        decoder: Decoder,
        op: str = "Seq2SeqSteps",
    ) -> None:
        if isinstance(sources, str) or not all(isinstance(text, str) for text in sources):
            raise TypeError(f"{op}: sources: expected several strings, got {sources!r}")
        if not len(sources):
            raise ValueError(f"{op}: sources: expected at least one, got none")
        encoded = [encoding.source(text) for text in sources]
        self.tokens, self.lengths = sources_batch([ids for ids, _, _ in encoded])
        self.lacking = [lacking for _, _, lacking in encoded]
        self._beyond = np.array([len(lacking) for lacking in self.lacking])
        copies = [copied for _, copied, _ in encoded if copied is not None]
        self._copies = fill(copies, IGNORE).T if copies else None
        read = network.encode(self.tokens, self.lengths)
        super().__init__(network, encoding.target_vocabulary, decoder, read)

    def step(self, tokens: ArrayLike, rows: ArrayLike) -> Array:
        """See `DecoderSteps.step`.

        Where words are copied, tokens may be words that only the source has, and scores are ln P of V words and of as
        many more as a source has that the vocabulary lacks: (N, V + X), −∞ for what only another source has.
        """
        o, gate = super().step(tokens, rows), self._gate
        if gate is None or self._copies is None or self.attention is None:
            return o
        V, more = o.shape[1], int(self._beyond.max())
        P = np.zeros((len(o), V + more), o.dtype)
        P[:, :V] = np.exp(log_softmax(o)) * gate[:, None]
        copies = self._copies[self.sources]
        hypothesis, place = np.nonzero(copies >= 0)
        share = (self.attention * (1 - gate[:, None]))[hypothesis, place]
        np.add.at(P, (hypothesis, copies[hypothesis, place]), share)
        scores = np.asarray(np.log(P + o.dtype.type(LEAST)))
        # Words that only other sources have: they share this table with them, and nothing else.
        scores[:, V:][np.arange(more) >= self._beyond[self.sources][:, None]] = -np.inf
        return scores

    def text(self, ids: Iterable[int], source: int) -> str:
        """The text of what was written for a source, words that were copied from it among it.

        Raises:
            IndexError: for an id that is none.
        """
        V, lacking = len(self.vocabulary), self.lacking[source]
        known = list(ids)
        for place, id in enumerate(known):
            if not 0 <= id < V + len(lacking):
                raise IndexError(
                    f"Seq2SeqSteps.text: ids: expected 0 to {V + len(lacking) - 1}, got {id} at position {place}"
                )
        pieces = [self.vocabulary.tokens[id] if id < V else lacking[id - V] for id in known]
        return self.vocabulary.join(pieces) if lacking else self.vocabulary.decode(known)
