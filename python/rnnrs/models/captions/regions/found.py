"""Regions that a model found or described."""

from __future__ import annotations

from typing import NamedTuple

from ....shown import short_repr


class FoundRegion(NamedTuple):
    """A box in a picture with a phrase, in pixels of the picture; see `data.Region`.

    Attributes:
        x, y: the top left corner.
        w, h: width and height.
        phrase: the phrase that describes the box.
        score: ln P(phrase | box); for a box that the model found, ln of P(box) · P(phrase | box).
    """

    x: float
    y: float
    w: float
    h: float
    phrase: str
    score: float

    def __repr__(self) -> str:
        return short_repr(self)


class RankedRegion(NamedTuple):
    """A picture, and the region in it that a sentence fits best.

    Attributes:
        place: the picture's index in the given pictures, from 0.
        log_prob: the region's score.
        region: the region.
    """

    place: int
    log_prob: float
    region: FoundRegion

    def __repr__(self) -> str:
        return short_repr(self)
