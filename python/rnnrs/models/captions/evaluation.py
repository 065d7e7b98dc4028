"""How good descriptions are: their likelihood, their words, and whether they find their picture again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics import CaptionScores, caption_scores
from ...text import Vocabulary
from ...types import Array, Floats, Ids
from ..base.sums import over_time
from ..writer.evaluation import PairEvaluation
from ..writer.network import Encoded
from .batches import as_numbers, caption_batch
from .network import CaptionNetwork

#: The most pictures that are looked at side by side, and the most pixels that they have: what bounds the memory.
SIDE_BY_SIDE, PIXELS = 64, 1 << 18

#: Among how many pictures the right one is to be found, and the seed of those that stand beside it.
AMONG, SEED = 10, 0


@dataclass(frozen=True)
class CaptionEvaluation(PairEvaluation):
    """How good descriptions are.

    Attributes:
        exact: the share of pictures whose description is one of theirs, word for word and sign for sign, regardless of
            case and white space.
        scores: BLEU, ROUGE-L and CIDEr of the descriptions.
        right_among_10: how often a description's own picture, of ten, is the one that it is likeliest of; the nine
            others are drawn (all there are, where there are fewer).
        descriptions: what the model wrote, in the pictures' order.
    """

    exact: float
    scores: CaptionScores
    right_among_10: float
    descriptions: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"exact {100 * self.exact:.1f} %, right picture first among {AMONG} {100 * self.right_among_10:.1f} %\n"
            f"{self.scores}\nperplexity {self.perplexity:.2f} ({self.tokens:,} tokens)"
        )


def evaluate(
    network: CaptionNetwork,
    vocabulary: Vocabulary,
    pictures: Array,
    texts: Sequence[str],
    owners: Ids,
    written: Sequence[str],
) -> CaptionEvaluation:
    """Compares what was written with known descriptions.

    Args:
        network: the network.
        vocabulary: of the descriptions.
        pictures: (M, …), as `check_pictures` or `check_features` gives them.
        texts: the N known descriptions.
        owners: (N,), the picture of each, in rising order.
        written: the M descriptions that the network wrote.
    """
    ids = vocabulary.encode_all(texts)
    tokens = sum(len(own) + 1 for own in ids)
    nats = -float(likelihoods(network, vocabulary.end_id, pictures, ids, owners).sum())
    likelihood = PairEvaluation.likelihood(nats, tokens)
    wanted: list[list[str]] = [[] for _ in pictures]
    for owner, text in zip(owners, texts, strict=True):
        wanted[owner].append(text)
    exact = [_bare(own) in map(_bare, known) for own, known in zip(written, wanted, strict=True)]
    return CaptionEvaluation(
        likelihood.loss,
        likelihood.perplexity,
        tokens,
        float(np.mean(exact)),
        caption_scores(written, wanted),
        _right_among(network, vocabulary.end_id, pictures, ids, owners),
        tuple(written),
    )


def side_by_side(network: CaptionNetwork, pictures: Array) -> int:
    """How many pictures are read side by side. The result for each does not depend on it."""
    if not network.sees_pictures:
        return SIDE_BY_SIDE
    Y, X = pictures.shape[1:3]
    return int(np.clip(PIXELS // (Y * X), 1, SIDE_BY_SIDE))


def likelihoods(
    network: CaptionNetwork,
    end_id: int,
    pictures: Array,
    descriptions: Sequence[Ids],
    owners: Ids | None = None,
) -> Floats:
    """ln P of descriptions (N,), by their ids, each of the picture that `owners` gives; of its own index by default."""
    owners = np.arange(len(descriptions)) if owners is None else owners
    found, count = np.zeros(len(descriptions)), side_by_side(network, pictures)
    order = np.argsort([len(ids) for ids in descriptions], kind="stable")
    for start in range(0, len(order), count):
        members = order[start : start + count]
        encoded = network.look(as_numbers(pictures[owners[members]], network.parameters.dtype))
        found[members] = _of(network, end_id, encoded, [descriptions[n] for n in members])
    return found


def _of(network: CaptionNetwork, end_id: int, encoded: Encoded, descriptions: Sequence[Ids]) -> Array:
    """ln P of descriptions (B,), one of each picture that was read."""
    B = len(descriptions)
    batch = caption_batch(np.zeros(B), descriptions, end_id, np.arange(B), np.float64)
    return -over_time(network.losses_of(encoded, batch))


def _right_among(
    network: CaptionNetwork, end_id: int, pictures: Array, descriptions: Sequence[Ids], owners: Ids
) -> float:
    """The share of descriptions that are likelier of their own picture than of nine others.

    Pictures are drawn into groups of ten, the last one filled up from the others. Within a group every description is
    compared with every picture, so that each picture is read once.
    """
    M = len(pictures)
    order = np.random.default_rng(SEED).permutation(M)
    right = 0
    for start in range(0, M, AMONG):
        group = order[start : start + AMONG]
        fresh = len(group)
        group = np.append(group, order[: max(0, min(AMONG, M) - fresh)])
        encoded = network.look(as_numbers(pictures[group], network.parameters.dtype))
        texts = [n for g in group[:fresh] for n in range(*np.searchsorted(owners, [g, g + 1]))]
        for n in texts:
            log_probs = _of(network, end_id, encoded, [descriptions[n]] * len(group))
            own = int(np.flatnonzero(group == owners[n])[0])
            right += bool(log_probs[own] > np.delete(log_probs, own).max(initial=-np.inf))
    return right / len(descriptions)


def _bare(text: str) -> str:
    """A text without what does not count."""
    return "".join(text.lower().split())
