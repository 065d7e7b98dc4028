"""Evaluation of descriptions: their likelihood, their words, and how well they identify their picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics import CaptionScores, caption_scores
from ...metrics.words import Tokenize, bare
from ...shown import short_repr
from ...text import Vocabulary
from ...types import Array, Floats, Ids
from ..base.groups import groups_of_similar_length
from ..base.sums import over_time
from ..writer.evaluation import PairEvaluation
from ..writer.network import Encoded
from .batches import as_numbers, caption_batch
from .network import CaptionNetwork
from .regions.network import RegionNetwork

#: The maximum numbers of pictures and of pixels that are encoded together: the bounds of the memory.
SIDE_BY_SIDE, PIXELS = 64, 1 << 18

#: The most positions (words × descriptions) that are computed side by side.
POSITIONS = 1 << 14

#: The number of pictures among which the right one is to be found, and the seed of the selection.
AMONG, SEED = 10, 0


@dataclass(frozen=True)
class CaptionEvaluation(PairEvaluation):
    """The quality of descriptions.

    Attributes:
        exact: the share of pictures whose description equals one of theirs, ignoring case and white space.
        scores: BLEU, ROUGE-L and CIDEr of the descriptions.
        right_among_10: the share of known descriptions whose own picture, among ten, makes them likeliest.
            The nine others are sampled; with fewer than ten pictures, they are all others.
        descriptions: the descriptions that the model wrote, in the order of the pictures.
    """

    exact: float
    scores: CaptionScores
    right_among_10: float
    descriptions: tuple[str, ...]

    __repr__ = short_repr

    def __str__(self) -> str:
        return (
            f"exact {100 * self.exact:.1f} %, "
            f"right picture first among {AMONG} {100 * self.right_among_10:.1f} %\n"
            f"{self.scores}\nperplexity {self.perplexity:.2f} ({self.tokens:,} tokens)"
        )


def evaluate(
    network: CaptionNetwork | RegionNetwork,
    vocabulary: Vocabulary,
    pictures: Array,
    texts: Sequence[str],
    owners: Ids,
    written: Sequence[str],
    tokenize: Tokenize | None = None,
) -> CaptionEvaluation:
    """Compares the written descriptions with known ones.

    Args:
        network: the network.
        vocabulary: the vocabulary of the descriptions.
        pictures: (M, …), as `check_pictures` or `check_features` returns them.
        texts: the N known descriptions.
        owners: the index of each known description's picture (N,), in rising order.
        written: the M descriptions that the network wrote.
        tokenize: see `metrics.caption_scores`.
    """
    ids = vocabulary.encode_all(texts)
    tokens = sum(len(own) + 1 for own in ids)
    nats = -float(likelihoods(network, vocabulary.end_id, pictures, ids, owners).sum())
    likelihood = PairEvaluation.likelihood(nats, tokens)
    wanted: list[list[str]] = [[] for _ in pictures]
    for owner, text in zip(owners, texts, strict=True):
        wanted[owner].append(text)
    exact = [bare(own) in map(bare, known) for own, known in zip(written, wanted, strict=True)]
    return CaptionEvaluation(
        likelihood.loss,
        likelihood.perplexity,
        tokens,
        float(np.mean(exact)),
        caption_scores(written, wanted, tokenize=tokenize),
        _right_among(network, vocabulary.end_id, pictures, ids, owners),
        tuple(written),
    )


def side_by_side(network: CaptionNetwork | RegionNetwork, pictures: Array) -> int:
    """Returns the number of pictures to encode together; the results do not depend on it."""
    if not network.sees_pictures:
        return SIDE_BY_SIDE
    Y, X = pictures.shape[1:3]
    return int(np.clip(PIXELS // (Y * X), 1, SIDE_BY_SIDE))


def likelihoods(
    network: CaptionNetwork | RegionNetwork,
    end_id: int,
    pictures: Array,
    descriptions: Sequence[Ids],
    owners: Ids | None = None,
) -> Floats:
    """Returns ln P of descriptions, given by their ids, of their pictures (N,).

    Args:
        network: the network.
        end_id: the token that ends a description.
        pictures: (M, …), as `check_pictures` or `check_features` returns them.
        descriptions: the ids of N descriptions, without the end token.
        owners: the index of each description's picture (N,); by default the description's own index.
    """
    owners = np.arange(len(descriptions)) if owners is None else owners
    found, count = np.zeros(len(descriptions)), side_by_side(network, pictures)
    lengths = [len(ids) + 1 for ids in descriptions]
    for group in groups_of_similar_length(lengths, count, POSITIONS):
        members = np.array(group)
        encoded = network.look(as_numbers(pictures[owners[members]], network.parameters.dtype))
        found[members] = _of(network, end_id, encoded, [descriptions[n] for n in members])
    return found


def _of(
    network: CaptionNetwork | RegionNetwork, end_id: int, encoded: Encoded, descriptions: Sequence[Ids]
) -> Array:
    """Returns ln P of descriptions (B,), one for each encoded picture."""
    B = len(descriptions)
    batch = caption_batch(np.zeros(B), descriptions, end_id, np.arange(B), np.float64)
    return -over_time(network.losses_of(encoded, batch))


def _right_among(
    network: CaptionNetwork | RegionNetwork,
    end_id: int,
    pictures: Array,
    descriptions: Sequence[Ids],
    owners: Ids,
) -> float:
    """Returns the share of descriptions that are likelier for their own picture than for nine others.

    Pictures are divided at random into groups of ten; the last group is filled up from the others. Within a
    group, every description is compared with every picture, so each picture is encoded only once.
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
