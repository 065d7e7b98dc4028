"""What a language model says of a given text: its probability, token by token."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...data import Batch, SentenceBatches
from ...types import Array, Floats
from ..base.sums import over_time
from .cache import Cache, Mixture
from .network import LanguageNetwork

#: Tokens of a stream that are evaluated at a time: bounds the memory, the state is carried over.
WINDOW = 1024

#: Sentences that are scored side by side.
SIDE_BY_SIDE = 64


@dataclass(frozen=True)
class TextEvaluation:
    """How well a model predicts a text.

    Attributes:
        nats: −ln P of the text.
        tokens: how many tokens were predicted, ends of sentences included.
        characters: of the text, line ends included.
        unknown: how many of the tokens are not in the vocabulary; they were scored as the unknown token.
        unknown_nats: −ln P of these.
    """

    nats: float
    tokens: int
    characters: int
    unknown: int
    unknown_nats: float = 0.0

    @property
    def nats_per_token(self) -> float:
        """The mean loss, what training brings down."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """exp of the nats per token."""
        return _exp(self.nats_per_token)

    @property
    def known_perplexity(self) -> float:
        """The same over the tokens of the vocabulary alone: an unknown one is easily predicted, but says nothing.

        NaN if there are none.
        """
        known = self.tokens - self.unknown
        return _exp((self.nats - self.unknown_nats) / known) if known else math.nan

    @property
    def nats_per_character(self) -> float:
        """Comparable between models of characters, words and subwords, if nothing is unknown."""
        return self.nats / self.characters

    @property
    def bits_per_character(self) -> float:
        """The nats per character in units of ln 2."""
        return self.nats_per_character / math.log(2.0)


@dataclass(frozen=True)
class SentenceScore:
    """The probability of a sentence, Σ ln P(token | what stands before it).

    Attributes:
        tokens: the n tokens as the vocabulary has them, and the end of the sentence.
        log_probs: ln P of each of them (n + 1,), float64.
    """

    tokens: list[str]
    log_probs: Array

    @property
    def total(self) -> float:
        """ln P of the whole sentence, its end included."""
        return float(over_time(self.log_probs))

    @property
    def perplexity(self) -> float:
        """exp(−total / tokens)."""
        return float(np.exp(-self.log_probs.mean()))


def evaluate(
    network: LanguageNetwork, text: str, cache: Cache | Sequence[Cache] | None = None
) -> TextEvaluation:
    """Predicts every token of a text from those before it: line by line, or as one stream, as the model was
    trained.

    Lines without tokens are left out where every line is a sequence of its own. A cache remembers across lines.

    Raises:
        ValueError: if nothing is left to predict.
    """
    mixture = None if cache is None else Mixture(cache, len(network.vocabulary))
    if network.by_sentence:
        lines = [line for line in text.split("\n") if line.strip()]
        batches, characters = _lines(network, lines), sum(len(line) + 1 for line in lines)
        if mixture is not None:
            batches = (_sentence(network, line) for line in lines)  # in the order of the text
    else:
        batches, characters = _windows(network, text), len(text)
    if characters == 0:
        raise ValueError("evaluate: text: expected at least one token, got none")
    nats, tokens, unknown, unknown_nats, state = 0.0, 0, 0, 0.0, None
    for batch in batches:
        losses, h, last = _token_losses(network, batch, state)
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
        raise ValueError("evaluate: text: expected at least one token, got none")
    return TextEvaluation(nats, tokens, characters, unknown, unknown_nats)


def score(network: LanguageNetwork, sentence: str) -> SentenceScore:
    """ln P of every token of a sentence that stands at the beginning: h_0 = 0, first input an end of
    sentence.

    A line end at the sentence's end is taken for the end of the sentence; one within it is a token like
    others.
    """
    batch = _sentence(network, sentence.removesuffix("\n"))
    losses, _, _ = _token_losses(network, batch, None)
    tokens = [network.vocabulary.tokens[i] for i in batch.targets[:, 0]]
    return SentenceScore(tokens, -losses[:, 0].astype(np.float64))


def log_probs(network: LanguageNetwork, sentences: Sequence[str]) -> Floats:
    """ln P of each of several sentences (N,), those of similar length together; see `score`."""
    found = np.zeros(len(sentences))
    ids = [network.vocabulary.encode(sentence.removesuffix("\n")) for sentence in sentences]
    if ids:
        for batch in SentenceBatches(ids, SIDE_BY_SIDE, network.vocabulary.end_id, seed=0).epoch(0):
            losses, _, _ = _token_losses(network, batch, None)
            found[batch.keys] = -over_time(losses)
    return found


def next_distribution(
    network: LanguageNetwork, text: str, cache: Cache | Sequence[Cache] | None = None
) -> Array:
    """P(token | text) (V,); see `LanguageModel.next_distribution`."""
    p = probabilities(network.stepper().read(network.context(text)))
    if cache is None:
        return p
    mixture = Mixture(cache, len(network.vocabulary))
    before = text.rpartition("\n")[0].split("\n") if network.by_sentence else []
    for line in (line for line in before if line.strip()):
        batch = _sentence(network, line)
        losses, h, _ = _token_losses(network, batch, None)
        mixture.read(h[:, 0], batch.targets[:, 0], -losses[:, 0].astype(np.float64))
    ids = network.context(text)
    h, _ = network.rnn.forward_tokens(network.embedding, ids[:, None], None, gradient=False)
    mixture.read(h[:-1, 0], ids[1:], np.zeros(len(ids) - 1))
    return mixture.distribution(h[-1, 0], p)


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf


def probabilities(o: Array) -> Array:
    """softmax(o) of scores (V,), in float64."""
    o = o.astype(np.float64)
    exp = np.exp(o - o.max())
    return np.asarray(exp / exp.sum())


def _token_losses(network: LanguageNetwork, batch: Batch, state: Array | None) -> tuple[Array, Array, Array]:
    """−ln P of every target (T, B), 0 where none is scored; the states h (T, B, H), and the last one to go on from."""
    h, cache = network.rnn.forward_tokens(
        network.embedding, batch.inputs, state, gradient=False, **batch.options
    )
    _, losses, _ = network.cross_entropy.through(network.output, h, batch.targets, gradient=False)
    return losses, h, cache.state


def _sentence(network: LanguageNetwork, line: str) -> Batch:
    """One line as a sequence of its own (T, 1): first input and last target are an end of sentence."""
    end = network.vocabulary.end_id
    ids = network.vocabulary.encode(line)
    inputs = np.concatenate([[end], ids]).astype(np.int64)
    targets = np.concatenate([ids, [end]]).astype(np.int64)
    return Batch(inputs[:, None], targets[:, None])


def _windows(network: LanguageNetwork, text: str) -> Iterator[Batch]:
    """A text as one stream (T, 1), cut into windows."""
    targets = network.vocabulary.encode(text)
    inputs = np.concatenate([[network.vocabulary.end_id], targets[:-1]]).astype(np.int64)
    for start in range(0, len(targets), WINDOW):
        part = slice(start, start + WINDOW)
        yield Batch(inputs[part, None], targets[part, None])


def _lines(network: LanguageNetwork, lines: list[str]) -> Iterator[Batch]:
    """Lines as sequences of their own (T, B), those of like length together."""
    if lines:
        sentences = [network.vocabulary.encode(line) for line in lines]
        yield from SentenceBatches(sentences, SIDE_BY_SIDE, network.vocabulary.end_id, seed=0).epoch(0)
