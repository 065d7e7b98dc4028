"""The probabilities of texts that follow a text: P(text | the text before it)."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..._rnnrs import find_words
from ...checks import check_text
from ...data import Batch, frames
from ...data.sequence_batches import fill
from ...shown import short_repr
from ...text import Lexicon, Vocabulary
from ...text.vocabulary import without_surrogates
from ...text.words import space_between
from ...types import Array, Floats, Ids
from ..base.groups import groups_of_similar_length
from ..base.sums import over_time
from . import scoring
from .network import LanguageNetwork
from .scoring import SentenceScore, token_losses
from .spellings import marginal


class RankedText(NamedTuple):
    """A text that may follow another one.

    Attributes:
        text: the text.
        score: the probabilities of its tokens after the text before it.
        share: its probability relative to all texts that were ranked, 0..1.
    """

    text: str
    score: SentenceScore
    share: float

    @property
    def log_prob(self) -> float:
        """ln P(text | the text before it)."""
        return self.score.total

    def __repr__(self) -> str:
        return short_repr(self)


def scores(
    op: str,
    network: LanguageNetwork,
    texts: Sequence[str],
    after: str,
    end: bool,
    all_spellings: bool = False,
) -> list[SentenceScore]:
    """Returns ln P of every token of each text; see `LanguageModel.score`."""
    vocabulary = network.vocabulary
    ids = _ids_after(op, vocabulary, texts, after, end)
    tokens = [[vocabulary.surface(vocabulary.tokens[i]) for i in own] for own in ids]
    found = [
        SentenceScore(own, log_probs, not vocabulary.spells_one_way)
        for own, log_probs in zip(tokens, _log_probs(network, network.context(after), ids), strict=True)
    ]
    if not all_spellings or vocabulary.level != "subword":
        return found
    spelled = [own[: len(own) - end] for own in ids]
    with np.errstate(invalid="ignore"):  # the sums of a model that has diverged are NaN
        sums = [
            marginal(network, after, own, end, one.log_probs) for own, one in zip(spelled, found, strict=True)
        ]
    # Spaces at the end of the text before are spelled with this: P(text | x ␣) = P(␣ text | x) / P(␣ | x).
    spaces = vocabulary.encode(_spaces(after))
    given, is_rough = marginal(network, after, spaces, False) if len(spaces) else (0.0, False)
    return [
        replace(one, marginal=total - given, is_bound=is_bound or is_rough)
        for one, (total, is_bound) in zip(found, sums, strict=True)
    ]


def scores_of_all(
    op: str,
    network: LanguageNetwork,
    texts: Sequence[str],
    after: str | Sequence[str],
    end: bool,
    all_spellings: bool,
) -> list[SentenceScore]:
    """Returns the scores of texts, of which those after the same text are read side by side."""
    texts = frames.listed(op, "texts", texts)
    before = [after] * len(texts) if isinstance(after, str) else frames.listed(op, "after", after)
    if len(before) != len(texts):
        raise ValueError(f"{op}: after: expected one for each of {len(texts)} texts, got {len(before)}")
    for one in before:
        check_text(op, "after", one)
    found: dict[int, SentenceScore] = {}
    for own in dict.fromkeys(before):
        members = [i for i, one in enumerate(before) if one == own]
        chosen = scores(op, network, [texts[i] for i in members], own, end, all_spellings)
        found |= dict(zip(members, chosen, strict=True))
    return [found[i] for i in range(len(texts))]


def log_probs(op: str, network: LanguageNetwork, sentences: Sequence[str]) -> Floats:
    """Returns ln P of several sentences (N,), including their ends."""
    sentences = frames.listed(op, "sentences", sentences)
    ids = _ids_after(op, network.vocabulary, sentences, "", True)
    return np.array([over_time(own) for own in _log_probs(network, network.context(""), ids)], np.float64)


def rank(
    op: str,
    network: LanguageNetwork,
    texts: Sequence[str],
    after: str,
    end: bool,
    all_spellings: bool = False,
) -> list[RankedText]:
    """Returns texts by their probability, the likeliest first; see `LanguageModel.rank`."""
    texts = frames.listed(op, "texts", texts)
    if not texts:
        return []
    found = scores(op, network, texts, after, end, all_spellings)
    totals = np.array([one.total for one in found])
    best = totals.max()
    weights = np.exp(totals - best) if math.isfinite(best) else np.ones(len(totals))
    shares = weights / weights.sum()
    order = np.argsort(-totals, kind="stable")
    return [RankedText(texts[i], found[i], float(shares[i])) for i in order]


def _ids_after(op: str, vocabulary: Vocabulary, texts: Sequence[str], after: str, end: bool) -> list[Ids]:
    """Returns the ids of each text as it follows another one, and of its end.

    A line end at the end of a text is its end, if that is asked for; within a text it is a token like any
    other.

    Raises:
        TypeError: for a text that is not a string.
        ValueError: for a text without a token.
    """
    check_text(op, "after", after)
    found = []
    for text in texts:
        check_text(op, "text", text)
        whole = _gap(vocabulary, after, text) + (text.removesuffix("\n") if end else text)
        ids = vocabulary.encode(whole)
        ids = np.append(ids, vocabulary.end_id) if end else ids
        if not len(ids) or not (text or end):
            raise ValueError(f"{op}: text: expected at least one token, got none")
        found.append(ids.astype(np.int64))
    return found


def _gap(vocabulary: Vocabulary, after: str, text: str) -> str:
    """Returns the white space that belongs between two texts: tokens of words imply it.

    A model of characters or subwords predicts it. The spaces in which a text ends are spelled with what
    follows in a model of subwords.
    """
    if isinstance(vocabulary, Lexicon):
        return ""
    if vocabulary.level == "subword" and _spaces(after):
        return _spaces(after)
    if text[:1].isspace() or _is_joined(after, text):
        return ""
    if vocabulary.level == "char" and vocabulary.id_of(" ") is None:
        return ""
    if after[-1:].isspace():
        return ""
    before, first = (find_words(without_surrogates(part)) for part in (after.rpartition("\n")[2], text))
    if not before or not first:
        return ""
    return space_between(before[-1], first[0])


def _spaces(text: str) -> str:
    """Returns the spaces in which a text ends."""
    return text[len(text.rstrip(" ")) :]


def _is_joined(before: str, text: str) -> bool:
    """Returns whether a text begins with a part of the sign before it: a mark, a joiner, a color of skin."""
    first = text[:1]
    return before.endswith("\u200d") or (
        first != "" and (unicodedata.category(first) in ("Mn", "Mc", "Me", "Cf") or "🏻" <= first <= "🏿")
    )


def _log_probs(network: LanguageNetwork, context: Ids, texts: list[Ids]) -> list[Array]:
    """Returns ln P of the tokens of each text (N,), float64. The context is read once."""
    state = None
    if len(context) > 1:
        before = context[:-1, None]
        _, cache = network.rnn.forward_tokens(network.embedding, before, None, gradient=False)
        state = cache.state
    lengths, found = [len(ids) for ids in texts], [np.zeros(0)] * len(texts)
    for group in groups_of_similar_length(lengths, scoring.SIDE_BY_SIDE, scoring.POSITIONS):
        inputs = fill([np.append(context[-1], texts[n][:-1]) for n in group], network.vocabulary.end_id)
        targets = fill([texts[n] for n in group], -1)
        batch = Batch(inputs, targets, lengths=np.array([lengths[n] for n in group]))
        start = None if state is None else np.repeat(state, len(group), axis=0)
        losses, _, _ = token_losses(network, batch, start)
        for b, n in enumerate(group):
            found[n] = -losses[: lengths[n], b].astype(np.float64)
    return found
