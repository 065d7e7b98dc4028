"""Pictures with their regions, read and brought to one size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import as_array, check_number, positive
from ..errors import DTypeError, FormatError, ShapeError
from ..shown import short_repr
from .pairs import clean_text
from .picture_cache import PictureCache
from .picture_decoding import check_fit, fit_array, place
from .pictures import try_picture
from .placement import Placement, clip_boxes, placement
from .regions import Region, RegionExample, region_of


@dataclass(frozen=True)
class RegionPictures:
    """N pictures of one size with their regions.

    Attributes:
        pictures: (N, Y, X, 3), 0..255 (uint8).
        regions: the regions of each picture, in its pixels.
        files: the file of each picture; an empty text for one from an array.
        problems: one message for each picture or region that was left out.
    """

    pictures: NDArray[np.uint8]
    regions: list[tuple[Region, ...]]
    files: tuple[str, ...]
    problems: tuple[str, ...]

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.regions)

    def __getitem__(self, rows: Sequence[int]) -> RegionPictures:
        """Returns the pictures at these indices, without `problems`, which concern the whole set."""
        return RegionPictures(
            self.pictures[list(rows)],
            [self.regions[i] for i in rows],
            tuple(self.files[i] for i in rows),
            (),
        )

    def __str__(self) -> str:
        count = sum(map(len, self.regions))
        left_out = f", {len(self.problems):,} left out" if self.problems else ""
        return f"{len(self):,} pictures with {count:,} regions{left_out}"


def read_region_pictures(
    examples: Sequence[RegionExample],
    size: tuple[int, int] = (32, 32),
    *,
    fit: str = "pad",
    cache: str | os.PathLike[str] | None = None,
) -> RegionPictures:
    """Reads the pictures of examples, and moves their regions along.

    A box that does not end within the picture is clipped, both before and after its picture is brought to the
    size; one of which less than half is left is left out and named in `problems`, as is a file that cannot be
    read.

    Args:
        examples: files or arrays with their regions: those of `read_regions`, or your own.
        size, fit, cache: see `read_pictures`.

    Raises:
        MissingExtraError: if Pillow is missing, and a picture is a file or has another size.
        FormatError: if no file can be read; if the cache file is not a cache (it is left unchanged).
        OSError: if the cache cannot be written.
        ShapeError, DTypeError: for an array that is not a picture.
        TypeError: for a region that is not four numbers and a phrase.
        ValueError: without examples, or for an invalid size or fit; for an array with numbers out of range;
            for a box that is not finite, or has no width or height; for a phrase without text.

    Example:
        >>> picture = np.zeros((64, 64, 3), np.uint8)
        >>> example = RegionExample(picture, (Region(16, 8, 32, 16, "nothing"),))
        >>> read_region_pictures([example], (64, 64)).regions
        [(Region(x=16, y=8, w=32, h=16, phrase='nothing'),)]
    """
    op = "read_region_pictures"
    shape = check_fit(op, size, fit)
    if not len(examples):
        raise ValueError(f"{op}: examples: expected at least one, got none")
    kept = PictureCache(cache, shape, fit)
    pictures: list[NDArray[np.uint8]] = []
    regions: list[tuple[Region, ...]] = []
    files: list[str] = []
    problems: list[str] = []
    for i, (given, listed) in enumerate(examples):
        boxes = _checked(op, f"examples[{i}]: regions", listed)
        file = os.fspath(given) if isinstance(given, (str, os.PathLike)) else ""
        if file:
            picture, problem = try_picture(file, shape, fit, kept)
            if picture is None:
                problems.append(f"{file}: {problem}")
                continue
            where = place(file, shape, fit)
        else:
            picture, where = _from_array(f"{op}: examples[{i}]", given, shape, fit)
        own, left_out = move_regions(boxes, where, shape)
        problems += [f"{file or f'picture {i}'}: {text}" for text in left_out]
        pictures.append(picture)
        regions.append(own)
        files.append(file)
    kept.write()
    if not pictures:
        raise FormatError(f"{op}: none of {len(examples)} files could be read as a picture; {problems[0]}")
    return RegionPictures(np.stack(pictures), regions, tuple(files), tuple(problems))


def move_regions(
    regions: Sequence[Region], where: Placement, size: tuple[int, int]
) -> tuple[tuple[Region, ...], list[str]]:
    """Returns regions in pixels of the fitted picture, and a message for each one that is left out."""
    given = np.array([region[:4] for region in regions], np.float64).reshape(-1, 4)
    own, inside = clip_boxes(given, where.size[::-1])
    clipped, within = clip_boxes(where.to_fitted(own), size)
    within &= inside
    left_out = [
        f"{phrase!r:.60}: less than half of the box {x:g} {y:g} {w:g} {h:g} is within the picture"
        for (x, y, w, h, phrase), fine in zip(regions, within, strict=True)
        if not fine
    ]
    moved = [
        region_of(box, region[4]) for region, box, fine in zip(regions, clipped, within, strict=True) if fine
    ]
    return tuple(moved), left_out


def _checked(op: str, place: str, regions: Any) -> list[Region]:
    """Returns regions with cleaned phrases.

    Raises:
        TypeError: for a region that is not four numbers and a phrase.
        ValueError: for a box that is not finite, or has no width or height; for a phrase without text.
    """
    if isinstance(regions, (str, bytes)) or not isinstance(regions, Iterable):
        raise TypeError(f"{op}: {place}: expected a list of regions, got {regions!r:.80}")
    checked: list[Region] = []
    for j, region in enumerate(regions):
        parts = tuple(region) if isinstance(region, (tuple, list)) else ()
        if len(parts) != 5 or not isinstance(parts[4], str):
            raise TypeError(f"{op}: {place}[{j}]: expected (x, y, w, h, phrase), got {region!r:.80}")
        for name, value in zip("xywh", parts, strict=False):
            wanted = ("a finite number above 0", positive) if name in "wh" else ()
            check_number(op, f"{place}[{j}]: {name}", value, *wanted)
        phrase = clean_text(parts[4])
        if not phrase:
            raise ValueError(f"{op}: {place}[{j}]: phrase: expected some text, got {parts[4]!r}")
        checked.append(Region(*parts[:4], phrase))
    return checked


def _from_array(
    place: str, given: Any, size: tuple[int, int], fit: str
) -> tuple[NDArray[np.uint8], Placement]:
    """Returns a picture in the required size, and where the given one is in it.

    Raises:
        ShapeError, DTypeError: if it is not a picture.
        ValueError: for numbers that are not from 0 to 1.
    """
    array = as_array(place, "picture", given)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ShapeError(f"{place}: picture: expected (Y, X, 3), got {array.shape}")
    if array.dtype.kind == "f":
        fine = (array >= 0) & (array <= 1)
        if not fine.all():
            raise ValueError(f"{place}: picture: expected numbers from 0 to 1, got {array[~fine][0]}")
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise DTypeError(f"{place}: picture: expected uint8 or floating-point numbers, got {array.dtype}")
    where = placement(array.shape[1], array.shape[0], size, fit)
    return fit_array(array, size, fit), where
