"""The probabilities of texts that follow a text: P(text | the text before it)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..._rnnrs import WordJoiner, find_words
from ...data import Batch, frames
from ...data.sequence_batches import fill
from ...shown import short_repr
from ...text import Lexicon, Vocabulary
from ...types import Array, Ids
from ..base.groups import groups_of_similar_length
from ..base.sums import over_time
from .network import LanguageNetwork
from .scoring import POSITIONS, SIDE_BY_SIDE, SentenceScore, token_losses

#: The joining mark among the tokens of words, with which a text can be spelled in several ways.
_JOIN = "￭"


class RankedText(NamedTuple):
    """A text that may follow another one.

    Attributes:
        text: the text.
        log_prob: ln P(text | the text before it).
        share: its probability relative to all texts that were ranked, 0..1.
    """

    text: str
    log_prob: float
    share: float

    def __repr__(self) -> str:
        return short_repr(self)


def score(op: str, network: LanguageNetwork, text: str, after: str, end: bool) -> SentenceScore:
    """Returns ln P of every token of a text; see `LanguageModel.score`."""
    ids = _ids_after(op, network, [text], after, end)
    (log_probs,) = _log_probs(network, network.context(after), ids)
    vocabulary = network.vocabulary
    tokens = [vocabulary.surface(vocabulary.tokens[i]) for i in ids[0]]
    return SentenceScore(tokens, log_probs, _is_bound(vocabulary))


def rank(op: str, network: LanguageNetwork, texts: Sequence[str], after: str, end: bool) -> list[RankedText]:
    """Returns texts by their probability, the likeliest first; see `LanguageModel.rank`."""
    texts = frames.listed(op, "texts", texts)
    if not texts:
        return []
    ids = _ids_after(op, network, texts, after, end)
    totals = np.array(
        [over_time(log_probs) for log_probs in _log_probs(network, network.context(after), ids)]
    )
    best = totals.max()
    weights = np.exp(totals - best) if math.isfinite(best) else np.ones(len(totals))
    shares = weights / weights.sum()
    order = np.argsort(-totals, kind="stable")
    return [RankedText(texts[i], float(totals[i]), float(shares[i])) for i in order]


def _ids_after(op: str, network: LanguageNetwork, texts: Sequence[str], after: str, end: bool) -> list[Ids]:
    """Returns the ids of each text as it follows another one, and of its end.

    A line end at the end of a text is its end, if that is asked for; within a text it is a token like any
    other.

    Raises:
        TypeError: for a text that is not a string.
        ValueError: for a text without a token.
    """
    vocabulary, found = network.vocabulary, []
    for text in texts:
        for name, given in (("after", after), ("text", text)):
            if not isinstance(given, str):
                raise TypeError(f"{op}: {name}: expected a string, got {type(given).__name__}")
        whole = _gap(vocabulary, after, text) + (text.removesuffix("\n") if end else text)
        ids = vocabulary.encode(whole)
        ids = np.append(ids, vocabulary.end_id) if end else ids
        if not len(ids):
            raise ValueError(f"{op}: text: expected at least one token, got none")
        found.append(ids.astype(np.int64))
    return found


def _gap(vocabulary: Vocabulary, after: str, text: str) -> str:
    """Returns the white space that belongs between two texts: tokens of words imply it.

    A model of characters or subwords predicts it. Where a text ends in a space, a subword's space is that
    one.
    """
    if isinstance(vocabulary, Lexicon) or text[:1].isspace():
        return ""
    if vocabulary.level == "char" and vocabulary.id_of(" ") is None:
        return ""
    if after[-1:].isspace():
        return " " if vocabulary.level == "subword" and after[-1] == " " else ""
    before, first = find_words(after.rpartition("\n")[2]), find_words(text)
    if not before or not first:
        return ""
    joiner = WordJoiner()
    joiner.add(before[-1])
    return " " if joiner.add(first[0]).startswith(" ") else ""


def _is_bound(vocabulary: Vocabulary) -> bool:
    """Returns whether several sequences of tokens can spell the same text."""
    return vocabulary.level == "subword" or (
        vocabulary.level == "word" and vocabulary.id_of(_JOIN) is not None
    )


def _log_probs(network: LanguageNetwork, context: Ids, texts: list[Ids]) -> list[Array]:
    """Returns ln P of the tokens of each text (N,), float64. The context is read once."""
    state = None
    if len(context) > 1:
        before = context[:-1, None]
        _, cache = network.rnn.forward_tokens(network.embedding, before, None, gradient=False)
        state = cache.state
    lengths, found = [len(ids) for ids in texts], [np.zeros(0)] * len(texts)
    for group in groups_of_similar_length(lengths, SIDE_BY_SIDE, POSITIONS):
        inputs = fill([np.append(context[-1], texts[n][:-1]) for n in group], network.vocabulary.end_id)
        targets = fill([texts[n] for n in group], -1)
        batch = Batch(inputs, targets, lengths=np.array([lengths[n] for n in group]))
        start = None if state is None else np.repeat(state, len(group), axis=0)
        losses, _, _ = token_losses(network, batch, start)
        for b, n in enumerate(group):
            found[n] = -losses[: lengths[n], b].astype(np.float64)
    return found
