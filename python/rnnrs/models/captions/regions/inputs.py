"""The inputs of a captioner of regions, checked: regions of pictures, and boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ....checks import check_number
from ....data.placement import check_boxes, clip_boxes
from ....errors import ShapeError
from ....types import Array
from ..inputs import check_description

#: Pictures' regions: x, y, w, h and phrase of each.
Regions = Sequence[Sequence[Any]]


def check_regions(op: str, regions: Any, count: int, size: tuple[int, int]) -> tuple[Array, Array, list[str]]:
    """Returns the N regions of `count` pictures: boxes (N, 4), the index of each one's picture, and phrases.

    Args:
        op: the caller's name, for error messages.
        regions: for each picture, its regions: x, y, w, h and phrase of each, as `data.Region`; a picture may
            have none. Boxes are clipped to the picture.
        count: the number of pictures.
        size: Y and X of the pictures.

    Raises:
        ShapeError: if there are not as many sequences of regions as pictures.
        TypeError: for a region that is not four numbers and a phrase.
        ValueError: for a box that is not even half within the picture, or a phrase without text; without any
            region.
    """
    if isinstance(regions, (str, bytes)) or not isinstance(regions, Sequence):
        raise TypeError(f"{op}: regions: expected a list of regions for each picture, got {regions!r:.80}")
    if len(regions) != count:
        expected = f"a list for each of {count} pictures"
        raise ShapeError(f"{op}: regions: expected {expected}, got {len(regions)}")
    boxes: list[list[float]] = []
    owners: list[int] = []
    phrases: list[str] = []
    places: list[str] = []
    for i, own in enumerate(regions):
        if isinstance(own, (str, bytes, Iterator)) or not isinstance(own, Iterable):
            raise TypeError(f"{op}: regions[{i}]: expected a list of regions, got {own!r:.80}")
        for j, region in enumerate(own):
            place = f"regions[{i}][{j}]"
            box, phrase = _region(op, place, region)
            boxes.append(box)
            owners.append(i)
            phrases.append(phrase)
            places.append(place)
    if not boxes:
        raise ValueError(f"{op}: regions: expected at least one, got none")
    return _within(op, places, np.array(boxes, np.float64), size), np.array(owners, np.int64), phrases


def _region(op: str, place: str, region: Any) -> tuple[list[float], str]:
    parts = tuple(region) if isinstance(region, (tuple, list)) else ()
    if len(parts) != 5:
        raise TypeError(f"{op}: {place}: expected (x, y, w, h, phrase), got {region!r:.80}")
    box = [check_number(op, f"{place}: {name}", part) for name, part in zip("xywh", parts, strict=False)]
    return box, check_description(f"{op}: {place}: phrase", parts[4])


def check_own_boxes(op: str, boxes: Any, size: tuple[int, int], name: str = "boxes") -> Array:
    """Returns the boxes (N, 4) of one picture of Y × X pixels, clipped to it.

    Raises:
        ShapeError, DTypeError: for anything but such an array.
        ValueError: for a box that is not finite, has no size, or is not even half within the picture.
    """
    checked = check_boxes(op, name, boxes)
    return _within(op, [f"{name}[{i}]" for i in range(len(checked))], checked, size)


def _within(op: str, places: Sequence[str], boxes: Array, size: tuple[int, int]) -> Array:
    """Returns boxes clipped to a picture.

    Raises:
        ValueError: for a box that is not finite, has no size, or is not even half within the picture.
    """
    for fine, expected in (
        (np.isfinite(boxes).all(axis=1), "finite numbers"),
        ((boxes[:, 2:] > 0).all(axis=1), "a width and height above 0"),
    ):
        if not fine.all():
            i = int(np.flatnonzero(~fine)[0])
            raise ValueError(f"{op}: {places[i]}: expected {expected}, got {boxes[i].tolist()}")
    clipped, within = clip_boxes(boxes, size)
    if not within.all():
        i = int(np.flatnonzero(~within)[0])
        expected = f"a box at least half of which is within the picture, {size[1]} × {size[0]} pixels"
        raise ValueError(f"{op}: {places[i]}: expected {expected}, got x, y, w, h {boxes[i].tolist()}")
    return clipped
