"""The decoder of an encoder–decoder step by step, with words that may be copied from the source."""

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
from .pairs import PairEncoding, check_texts, sources_batch

#: The lower bound of a probability before its logarithm, as in `losses.CopyCrossEntropy`.
LEAST = 1e-30


class Seq2SeqSteps(DecoderSteps):
    """`DecoderSteps` over texts, whose words may be copied.

    Args:
        network: the encoder–decoder.
        encoding: encodes the sources as token ids.
        sources: the texts.
        decoder: the packed weights.
        op: the caller's name, for error messages.

    Attributes:
        attention, sources: see `DecoderSteps`.
        vocabulary: the target vocabulary.
        lacking: with copying, the words of each source that the target vocabulary lacks. Their ids are V, V +
            1 and so on.
        tokens: the sources' ids, padded with 0 (S, B).
        lengths: the number of tokens of each source, with its end token (B,).

    Raises:
        ValueError: without sources.
        TypeError: for a source that is not a string.
    """

    def __init__(
        self,
        network: EncoderDecoder,
        encoding: PairEncoding,
        sources: Sequence[str],
        decoder: Decoder,
        op: str = "Seq2SeqSteps",
    ) -> None:
        encoded = [encoding.source(text) for text in check_texts(op, "sources", sources)]
        if not encoded:
            raise ValueError(f"{op}: sources: expected at least one, got none")
        self.tokens, self.lengths = sources_batch([ids for ids, _, _ in encoded])
        self.lacking = [lacking for _, _, lacking in encoded]
        self._beyond = np.array([len(lacking) for lacking in self.lacking])
        copies = [copied for _, copied, _ in encoded if copied is not None]
        self._copies = fill(copies, IGNORE).T if copies else None
        read = network.encode(self.tokens, self.lengths)
        super().__init__(network, encoding.target_vocabulary, decoder, read)

    def step(self, tokens: ArrayLike, rows: ArrayLike) -> Array:
        """Advances the hypotheses, see `DecoderSteps.step`.

        With copying, tokens may be words that the vocabulary lacks, and the scores are ln P (N, V + X) of its
        V words and of each source's own lacking words. X is the largest number of lacking words of a source;
        the surplus columns of other sources are −∞.
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
        # Columns that exist only because another source lacks more words.
        scores[:, V:][np.arange(more) >= self._beyond[self.sources][:, None]] = -np.inf
        return scores

    def text(self, ids: Iterable[int], source: int) -> str:
        """Returns the text of ids that were written for a source, given by index, with its copied words.

        Raises:
            IndexError: for an id out of range.
        """
        V, lacking = len(self.vocabulary), self.lacking[source]
        known = list(ids)
        for place, id in enumerate(known):
            if not 0 <= id < V + len(lacking):
                expected = f"expected 0 to {V + len(lacking) - 1}"
                raise IndexError(f"Seq2SeqSteps.text: ids: {expected}, got {id} at position {place}")
        return self.vocabulary.join(self.pieces(known, source)) if lacking else self.vocabulary.decode(known)

    def pieces(self, ids: Iterable[int], source: int) -> list[str]:
        """Returns the tokens of ids that were written for a source, or its copied words."""
        tokens, lacking = self.vocabulary.tokens, self.lacking[source]
        return [tokens[id] if id < len(tokens) else lacking[id - len(tokens)] for id in ids]

    def surfaces(self, ids: Iterable[int], source: int) -> list[str]:
        """Returns the tokens of `pieces` as they are shown by themselves."""
        return [self.vocabulary.surface(piece) for piece in self.pieces(ids, source)]
