"""How good descriptions are: their likelihood, their words, and whether they find their picture again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...metrics import CaptionScores, caption_scores
from ...types import Array, Ids
from ..text_to_text.seq2seq import PairEvaluation
from ..writer.network import Encoded
from ..writer.search import Search
from .batches import as_numbers, caption_batch

if TYPE_CHECKING:
    from .captioner import Captioner


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
    model: Captioner, pictures: Array, texts: Sequence[str], owners: Ids, search: Search
) -> CaptionEvaluation:
    """See `Captioner.evaluate`; `owners` (N,) are the pictures of the descriptions, in rising order."""
    ids = model.vocabulary.encode_all(texts)
    tokens = sum(len(own) + 1 for own in ids)
    loss = -float(likelihoods(model, pictures, ids, owners).sum()) / tokens
    found = [best.text for best, *_ in model.write(pictures, search)]
    wanted: list[list[str]] = [[] for _ in pictures]
    for owner, text in zip(owners, texts, strict=True):
        wanted[owner].append(text)
    exact = [_bare(own) in map(_bare, known) for own, known in zip(found, wanted, strict=True)]
    return CaptionEvaluation(
        loss,
        float(np.exp(loss)),
        tokens,
        float(np.mean(exact)),
        caption_scores(found, wanted),
        _right_among(model, pictures, ids, owners),
        tuple(found),
    )


def side_by_side(model: Captioner) -> int:
    """How many pictures are looked at side by side. What comes of each does not depend on it."""
    if model.features is not None:
        return SIDE_BY_SIDE
    Y, X = model.picture_size
    return int(np.clip(PIXELS // (Y * X), 1, SIDE_BY_SIDE))


def likelihoods(
    model: Captioner, pictures: Array, descriptions: Sequence[Ids], owners: Ids | None = None
) -> NDArray[np.float64]:
    """ln P of descriptions, by their ids (N,), each of the picture that `owners` says; else of that of its number."""
    owners = np.arange(len(descriptions)) if owners is None else owners
    found, count = np.zeros(len(descriptions)), side_by_side(model)
    order = np.argsort([len(ids) for ids in descriptions], kind="stable")
    for start in range(0, len(order), count):
        members = order[start : start + count]
        encoded = model.network.look(as_numbers(pictures[owners[members]], model.parameters.dtype))
        found[members] = _of(model, encoded, [descriptions[n] for n in members])
    return found


def _of(model: Captioner, encoded: Encoded, descriptions: Sequence[Ids]) -> Array:
    """ln P of descriptions of what was looked at, one of each (B,)."""
    B = len(descriptions)
    batch = caption_batch(np.zeros(B), descriptions, model.vocabulary.end_id, np.arange(B), np.float64)
    return -np.asarray(model.network.losses_of(encoded, batch).sum(axis=0, dtype=np.float64))


def _right_among(model: Captioner, pictures: Array, descriptions: Sequence[Ids], owners: Ids) -> float:
    """The share of descriptions that are likelier of their own picture than of nine others.

    Pictures are drawn into groups of ten, the last one filled up from the others: within a group every description
    stands beside every picture, so that each is looked at once.
    """
    M = len(pictures)
    order = np.random.default_rng(SEED).permutation(M)
    right = 0
    for start in range(0, M, AMONG):
        group = order[start : start + AMONG]
        fresh = len(group)
        group = np.append(group, order[: max(0, min(AMONG, M) - fresh)])
        encoded = model.network.look(as_numbers(pictures[group], model.parameters.dtype))
        texts = [n for g in group[:fresh] for n in range(*np.searchsorted(owners, [g, g + 1]))]
        for n in texts:
            log_probs = _of(model, encoded, [descriptions[n]] * len(group))
            own = int(np.flatnonzero(group == owners[n])[0])
            right += bool(log_probs[own] > np.delete(log_probs, own).max(initial=-np.inf))
    return right / len(descriptions)


def _bare(text: str) -> str:
    """A text without what does not count."""
    return "".join(text.lower().split())
