"""Regions of pictures: boxes with phrases that describe what is in them."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..shown import short_repr


class Region(NamedTuple):
    """A box in a picture, with the phrase that describes it.

    Lengths are in pixels of the picture; its top left corner is (0, 0). The box covers x ≤ column < x + w and
    y ≤ row < y + h.

    Attributes:
        x, y: the top left corner.
        w, h: width and height, above 0.
        phrase: the description.

    Example:
        >>> Region(10, 20, 32, 24.5, "a red kite").phrase
        'a red kite'
    """

    x: float
    y: float
    w: float
    h: float
    phrase: str

    def __repr__(self) -> str:
        return short_repr(self)


def region_of(box: NDArray[Any], phrase: str) -> Region:
    """Returns a region with the box x, y, w, h (4,)."""
    x, y, w, h = box.tolist()
    return Region(x, y, w, h, phrase)


class RegionExample(NamedTuple):
    """A picture with its regions.

    Attributes:
        picture: the path of a file, or an array (Y, X, 3): 0..255 (uint8), or numbers from 0 to 1.
        regions: the regions; none in a picture without anything described.
    """

    picture: str | NDArray[Any]
    regions: tuple[Region, ...]

    def __repr__(self) -> str:
        return short_repr(self)
