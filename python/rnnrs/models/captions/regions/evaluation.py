"""Evaluation of regions: phrases of known boxes, boxes found and described, and phrases found in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....metrics import CaptionScores, DensePrecision
from ....shown import short_repr
from ....types import Array
from ...writer.evaluation import PairEvaluation
from .boxes import overlaps
from .found import FoundRegion

#: The IoU with the known box from which a phrase is found at the right place.
RIGHT = 0.5


@dataclass(frozen=True)
class RegionEvaluation(PairEvaluation):
    """The quality of regions.

    Attributes:
        exact: the share of known boxes whose phrase equals the known one, ignoring case and white space.
        scores: BLEU, ROUGE-L and CIDEr of these phrases.
        dense: the average precision of the regions that the model finds itself, for exact phrases: up to 32
            in a picture, or as many as the known ones of the picture that has the most.
        dense_cider: that for phrases that agree by CIDEr.
        grounded: the share of known phrases that the model finds at a place with an IoU of at least 0.5.
        phrases: the phrases that the model wrote for the known boxes, picture by picture.
        found: the regions that it found in each picture.
    """

    exact: float
    scores: CaptionScores
    dense: DensePrecision
    dense_cider: DensePrecision
    grounded: float
    phrases: tuple[str, ...]
    found: tuple[tuple[FoundRegion, ...], ...]

    __repr__ = short_repr

    def __str__(self) -> str:
        return (
            f"known boxes: exact {100 * self.exact:.1f} %\n{self.scores}\n"
            f"found boxes, exact phrases: {self.dense}\n"
            f"found boxes, phrases by CIDEr: mAP {100 * self.dense_cider.mean:.1f}\n"
            f"phrases found at the right place (IoU {RIGHT:g}) {100 * self.grounded:.1f} %\n"
            f"perplexity {self.perplexity:.2f} ({self.tokens:,} tokens)"
        )


def right_places(found: Sequence[FoundRegion], boxes: Array, phrases: Sequence[str]) -> int:
    """Returns how many phrases of a picture were found where one of the boxes with that phrase is.

    Args:
        found: the region found for each phrase.
        boxes: the known box of each phrase (N, 4).
        phrases: the phrases.
    """
    iou = overlaps(np.array([region[:4] for region in found]), boxes)
    same = np.array([[phrase == other for other in phrases] for phrase in phrases])
    return int(((iou >= RIGHT) & same).any(axis=1).sum())
