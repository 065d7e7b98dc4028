"""Probabilities of given texts under a language model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...data import Batch, CorpusStream, SentenceBatches
from ...shown import short_repr
from ...types import Array
from ..base.groups import groups_of_similar_length
from ..base.sums import over_time, perplexity
from .cache import Cache, Mixture
from .corpora import AnyText, batches_of, part_of, sentences_of, windows_of
from .network import LanguageNetwork

#: The number of tokens of a stream evaluated at a time. It bounds memory; the state is carried over.
WINDOW = 1024

#: The number of sentences that are scored side by side.
SIDE_BY_SIDE = 64

#: The most positions (steps × sentences) that are computed side by side: a bound of the memory.
POSITIONS = 1 << 16


@dataclass(frozen=True)
class TextEvaluation:
    """The quality of a model's predictions of a text.

    Attributes:
        nats: −ln P of the text.
        tokens: the number of predicted tokens, including ends of sentences.
        characters: the number of characters of the text, including line ends.
        unknown: the number of tokens that are not in the vocabulary; they were scored as the unknown token.
        unknown_nats: −ln P of the unknown tokens.
    """

    nats: float
    tokens: int
    characters: int
    unknown: int
    unknown_nats: float = 0.0

    @property
    def nats_per_token(self) -> float:
        """The mean loss, which training minimizes."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(nats per token)."""
        return perplexity(self.nats_per_token)

    @property
    def known_perplexity(self) -> float:
        """The perplexity over the tokens of the vocabulary only; NaN if there are none.

        The unknown token is easy to predict, but its probability says nothing about the word.
        """
        known = self.tokens - self.unknown
        return perplexity((self.nats - self.unknown_nats) / known) if known else math.nan

    @property
    def nats_per_character(self) -> float:
        """The loss per character: comparable between vocabularies, if no token is unknown."""
        return self.nats / self.characters

    @property
    def bits_per_character(self) -> float:
        """The loss per character in bits."""
        return self.nats_per_character / math.log(2.0)


@dataclass(frozen=True)
class SentenceScore:
    """The probability of a text, Σ ln P(token | tokens before it).

    Attributes:
        tokens: the n tokens of the text in the vocabulary, and the end-of-sentence token, if that is scored.
        log_probs: ln P of each of these tokens (n,) or (n + 1,), float64.
        is_bound: whether `total` is a lower bound of ln P of the text, because other tokens can spell it,
            too: with subwords, and with words and signs that are joined. Σ P over all its spellings is at
            least e^total.
        marginal: ln Σ P over all spellings, if that was asked for; see `LanguageModel.score`.
    """

    tokens: list[str]
    log_probs: Array
    is_bound: bool = False
    marginal: float | None = None

    __repr__ = short_repr

    @property
    def total(self) -> float:
        """ln P of the text: over all spellings if that was asked for, else of these tokens."""
        return float(over_time(self.log_probs)) if self.marginal is None else self.marginal

    @property
    def perplexity(self) -> float:
        """exp(−total / tokens)."""
        return perplexity(-self.total / len(self.log_probs))


def evaluate(
    op: str, network: LanguageNetwork, text: AnyText, cache: Cache | Sequence[Cache] | None = None
) -> TextEvaluation:
    """Predicts every token of a text from the tokens before it, by sentence or as one stream, as in training.

    By sentence, empty lines are left out. A cache remembers across lines.

    Args:
        op: the caller's name, for error messages.
        network: the model's network.
        text: the text, or a corpus on disk.
        cache: see `LanguageModel.evaluate`.

    Raises:
        ValueError: if the text has no tokens, or is a corpus with another vocabulary; for caches whose
            weights sum to 1 or more.
        TypeError: for an object that is not a cache.
    """
    mixture = None if cache is None else Mixture(op, cache, len(network.vocabulary))
    batches, characters = _batches(op, network, text, in_order=mixture is not None)
    if characters == 0:
        raise ValueError(f"{op}: text: expected at least one token, got none")
    nats, tokens, unknown, unknown_nats, state = 0.0, 0, 0, 0.0, None
    for batch in batches:
        losses, h, last = token_losses(network, batch, state)
        state = None if network.by_sentence else last
        if mixture is not None:
            losses = -mixture.read(h[:, 0], batch.targets[:, 0], -losses[:, 0].astype(np.float64))[:, None]
        nats += float(losses.sum(dtype=np.float64))
        tokens += batch.positions
        if network.vocabulary.unknown_id is not None:
            there = batch.targets == network.vocabulary.unknown_id
            unknown += int(np.count_nonzero(there))
            unknown_nats += float(losses[there].sum(dtype=np.float64))
    if tokens == 0:
        raise ValueError(f"{op}: text: expected at least one token, got none")
    return TextEvaluation(nats, tokens, characters, unknown, unknown_nats)


def _batches(
    op: str, network: LanguageNetwork, text: AnyText, *, in_order: bool
) -> tuple[Iterator[Batch], int]:
    """Returns the batches of a text by sentence, perhaps in the order of the text, or as one stream.

    Returns:
        (the batches, the number of characters).
    """
    end = network.vocabulary.end_id
    if isinstance(text, str):
        if not network.by_sentence:
            return _windows(network, text), len(text)
        lines = [line for line in text.split("\n") if line.strip()]
        sentences = (_sentence(network, line) for line in lines)
        return sentences if in_order else _lines(network, lines), sum(len(line) + 1 for line in lines)
    part = part_of(op, "text", text, network.vocabulary, network.by_sentence)
    if isinstance(part, CorpusStream):
        return windows_of(part, end, WINDOW), part.characters()
    batches = sentences_of(part, end) if in_order else batches_of(part, end, SIDE_BY_SIDE, POSITIONS)
    return batches, part.characters()


def next_distribution(
    op: str, network: LanguageNetwork, text: str, cache: Cache | Sequence[Cache] | None = None
) -> Array:
    """Returns P(token | text) (V,); see `LanguageModel.next_distribution`."""
    p = probabilities(network.stepper().read(network.context(text)))
    if cache is None:
        return p
    mixture = Mixture(op, cache, len(network.vocabulary))
    before = text.rpartition("\n")[0].split("\n") if network.by_sentence else []
    for line in (line for line in before if line.strip()):
        batch = _sentence(network, line)
        losses, h, _ = token_losses(network, batch, None)
        mixture.read(h[:, 0], batch.targets[:, 0], -losses[:, 0].astype(np.float64))
    ids = network.context(text)
    h, _ = network.rnn.forward_tokens(network.embedding, ids[:, None], None, gradient=False)
    mixture.read(h[:-1, 0], ids[1:], np.zeros(len(ids) - 1))
    return mixture.distribution(h[-1, 0], p)


def probabilities(o: Array) -> Array:
    """Returns softmax(o) of scores (V,), in float64.

    Raises:
        ValueError: for scores that are NaN or +∞, or all −∞.
    """
    o = o.astype(np.float64)
    exp = np.exp(o - check_scores(o))
    return np.asarray(exp / exp.sum())


def check_scores(o: Array) -> float:
    """Returns the highest of scores (V,).

    Raises:
        ValueError: for scores that are NaN or +∞, or all −∞.
    """
    highest = float(o.max())
    if not np.isfinite(highest):
        raise ValueError(f"scores: expected finite scores, got a maximum of {highest}")
    return highest


def token_losses(network: LanguageNetwork, batch: Batch, state: Array | None) -> tuple[Array, Array, Array]:
    """Returns (−ln P of the targets (T, B), 0 where not scored; h (T, B, H); the last state (B, S))."""
    h, cache = network.rnn.forward_tokens(
        network.embedding, batch.inputs, state, gradient=False, **batch.options
    )
    _, losses, _ = network.cross_entropy.through(network.output, h, batch.targets, gradient=False)
    return losses, h, cache.state


def _sentence(network: LanguageNetwork, line: str) -> Batch:
    """Returns a line as a batch (T, 1); its first input and last target are the end-of-sentence token."""
    end = network.vocabulary.end_id
    ids = network.vocabulary.encode(line)
    inputs = np.concatenate([[end], ids]).astype(np.int64)
    targets = np.concatenate([ids, [end]]).astype(np.int64)
    return Batch(inputs[:, None], targets[:, None])


def _windows(network: LanguageNetwork, text: str) -> Iterator[Batch]:
    """Yields the windows (T, 1) of a text as one stream."""
    targets = network.vocabulary.encode(text)
    inputs = np.concatenate([[network.vocabulary.end_id], targets[:-1]]).astype(np.int64)
    for start in range(0, len(targets), WINDOW):
        part = slice(start, start + WINDOW)
        yield Batch(inputs[part, None], targets[part, None])


def _lines(network: LanguageNetwork, lines: list[str]) -> Iterator[Batch]:
    """Yields batches (T, B) with a sequence per line; few share a batch with a long one, to bound memory."""
    if not lines:
        return
    sentences = [network.vocabulary.encode(line) for line in lines]
    end, lengths = network.vocabulary.end_id, [len(ids) + 1 for ids in sentences]
    if SIDE_BY_SIDE * max(lengths) <= POSITIONS:
        yield from SentenceBatches(sentences, SIDE_BY_SIDE, end, seed=0).epoch(0)
        return
    for group in groups_of_similar_length(lengths, SIDE_BY_SIDE, POSITIONS):
        yield from SentenceBatches([sentences[n] for n in group], len(group), end).epoch(0)
