"""Scenes composed of the bundled emoji: pictures with known regions, for demonstrations and tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import as_ids, check_size
from ..seeds import derive_seed
from .emoji import noto_emoji
from .regions import Region, RegionExample

#: The numbers of objects in a scene, the least and the most.
FEWEST, MOST = 2, 6

#: The greatest share of an object that others may cover.
MOST_COVERED = 0.3

#: The sides of an object, as shares of the scene's side: drawn between the first two; reduced to the third
#: if the object does not fit otherwise.
_SMALL, _LARGE, _LEAST = 0.23, 0.5, 0.2

#: The number of places that are tried for an object before it is left out.
_TRIES = 40

#: The least side of a scene: objects remain recognizable.
_LEAST_SIDE = 48

_SIDE = 32  #: of the bundled pictures

Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]


def compose_scenes(
    n: int,
    seed: int = 0,
    kinds: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    size: int = 96,
    language: str = "en",
) -> list[RegionExample]:
    """Returns pictures of 2 to 6 bundled emoji each, with their boxes and names.

    Emoji of several sizes overlap, on grounds that are plain or textured. At least 70 % of each is visible.
    A box surrounds the whole emoji, also where others cover it. No emoji occurs twice in a scene. The regions
    are in the order of painting: a later one covers an earlier one.

    Scene i is a function of the other arguments and i alone, so `compose_scenes(10)` begins as
    `compose_scenes(5)`.

    Args:
        n: the number of scenes.
        seed: another seed gives other scenes.
        kinds: the indices of the emoji to choose from, at least 2, in the order of `noto_emoji()`; None: all
            that are not `held_out`.
        size: the side of a scene in pixels, from 48.
        language: the language of the phrases: "en", "de" or "fr".

    Returns:
        n pictures (size, size, 3), 0..255 (uint8), with their regions.

    Raises:
        TypeError, ValueError: for numbers out of range, fewer than 2 kinds, a kind given twice, or an unknown
            language.
        IndexError: for a kind that does not exist.

    Example:
        >>> scene = compose_scenes(1, seed=3)[0]
        >>> scene.picture.shape, len(scene.regions)
        ((96, 96, 3), 2)
    """
    op = "compose_scenes"
    n, size = check_size(op, "n", n), check_size(op, "size", size, least=_LEAST_SIDE)
    seed = check_size(op, "seed", seed, least=0)
    emoji = noto_emoji()
    if language not in emoji.names:
        raise ValueError(f"{op}: language: expected one of {', '.join(emoji.names)}, got {language!r}")
    chosen = _check_kinds(op, kinds, emoji.held_out)
    own = _Kinds(emoji.pictures[chosen], [emoji.names[language][kind] for kind in chosen])
    return [_scene(np.random.default_rng(derive_seed(seed, i)), own, size) for i in range(n)]


def _check_kinds(op: str, kinds: Any, held_out: NDArray[np.bool_]) -> NDArray[np.int64]:
    if kinds is None:
        return np.flatnonzero(~held_out)
    chosen = as_ids(op, "kinds", kinds, len(held_out))
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
        raise TypeError(f"{op}: kinds: expected indices, got {chosen.dtype} {chosen.shape}")
    for kind in chosen:
        if not 0 <= kind < len(held_out):
            raise IndexError(f"{op}: kinds: expected indices from 0 to {len(held_out) - 1}, got {kind}")
    if len(chosen) < FEWEST or len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"{op}: kinds: expected at least {FEWEST} different ones, got {kinds!r:.80}")
    return chosen.astype(np.int64)


class _Kinds:
    """The emoji to choose from, cut out.

    Attributes:
        cut: (N, 4, 32, 32): red, green and blue times opacity, 0..255, and opacity, 0 or 1.
        names: N names.
        extents: x, y, w and h of each one's opaque part.
        areas: the number of each one's opaque pixels.
    """

    def __init__(self, pictures: NDArray[np.uint8], names: list[str]) -> None:
        self.cut = _cut_out(pictures)
        self.names = names
        opaque = np.asarray(self.cut[:, 3] > 0)
        columns, rows = np.asarray(opaque.any(axis=1)), np.asarray(opaque.any(axis=2))
        left, top = columns.argmax(axis=1), rows.argmax(axis=1)
        w = _SIDE - columns[:, ::-1].argmax(axis=1) - left
        h = _SIDE - rows[:, ::-1].argmax(axis=1) - top
        self.extents: list[list[int]] = np.stack([left, top, w, h], axis=1).tolist()
        self.areas: list[int] = opaque.sum(axis=(1, 2)).tolist()


def _cut_out(pictures: NDArray[np.uint8]) -> Floats:
    """Returns pictures on white without it, see `_Kinds`.

    The white that reaches the border is transparent; white within an emoji is not.
    """
    bits = np.left_shift(np.uint64(1), np.arange(_SIDE + 2, dtype=np.uint64))
    padded = np.pad((pictures == 255).all(axis=3), ((0, 0), (1, 1), (1, 1)), constant_values=True)
    white = padded @ bits  # a number for each line of pixels
    outside = np.zeros_like(white)
    outside[:, [0, -1]], outside[:, 1:-1] = white[:, [0, -1]], bits[0] | bits[-1]
    while True:
        grown = outside | outside << bits[0] | outside >> bits[0]
        grown[:, 1:] |= outside[:, :-1]
        grown[:, :-1] |= outside[:, 1:]
        grown &= white
        if (grown == outside).all():
            break
        outside = grown
    opaque = (outside[:, None, 1:-1, None] & bits[1:-1]) == 0
    planes = pictures.transpose(0, 3, 1, 2)
    return np.concatenate([planes * opaque, opaque], axis=1, dtype=np.float32)


def _scene(draw: np.random.Generator, kinds: _Kinds, size: int) -> RegionExample:
    """Returns one scene, drawn at random."""
    canvas = 255 * _ground(draw, size)
    while len(placed := _arrangement(draw, kinds, size)) < FEWEST:
        pass
    regions = []
    for kind, side, x, y in placed:
        matrix = _resizing(side)
        scaled = matrix @ kinds.cut[kind] @ matrix.T
        own = canvas[:, y : y + side, x : x + side]
        own *= 1 - scaled[3]
        own += scaled[:3]
        left, top, w, h = _extent(scaled[3] >= 0.5)
        regions.append(Region(float(x + left), float(y + top), float(w), float(h), kinds.names[kind]))
    picture = np.empty((size, size, 3), np.uint8)
    canvas += 0.5  # bytes are rounded down
    for channel in range(3):
        picture[..., channel] = canvas[channel]
    return RegionExample(picture, tuple(regions))


def _arrangement(draw: np.random.Generator, kinds: _Kinds, size: int) -> list[tuple[int, int, int, int]]:
    """Returns kind, side, x and y of each object, such that none covers too much of an earlier one."""
    count = min(int(draw.integers(FEWEST, MOST + 1)), len(kinds.names))
    chosen = draw.choice(len(kinds.names), count, replace=False).tolist()
    numbers = draw.random((count, 1 + 2 * _TRIES)).tolist()
    placed: list[tuple[int, int, int, int]] = []
    boxes: list[Box] = []
    free: list[float] = []  # the area of each object that may still be covered
    for kind, (first, *places) in zip(chosen, numbers, strict=True):
        side = size * (_SMALL + (_LARGE - _SMALL) * first)
        left, top, w, h = kinds.extents[kind]
        for across, down in zip(places[::2], places[1::2], strict=True):
            whole = round(side)
            x, y = int(across * (size - whole + 1)), int(down * (size - whole + 1))
            scale = whole / _SIDE
            box = (x + left * scale, y + top * scale, x + (left + w) * scale, y + (top + h) * scale)
            covered = _covered(box, boxes, free)
            if covered is not None:
                placed.append((kind, whole, x, y))
                boxes.append(box)
                free = [most - area for area, most in zip(covered, free, strict=True)]
                free.append(MOST_COVERED * kinds.areas[kind] * scale**2)
                break
            side = max(0.97 * side, _LEAST * size)
    return placed


def _covered(box: Box, others: list[Box], most: list[float]) -> list[float] | None:
    """Returns the area that a box shares with each of the others; None if one is larger than allowed."""
    left, top, right, bottom = box
    areas: list[float] = []
    for (x0, y0, x1, y1), limit in zip(others, most, strict=True):
        w = (right if right < x1 else x1) - (left if left > x0 else x0)
        h = (bottom if bottom < y1 else y1) - (top if top > y0 else y0)
        area = w * h if w > 0 and h > 0 else 0.0
        if area > limit:
            return None
        areas.append(area)
    return areas


def _extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Returns x, y, w and h of the smallest box around the True pixels."""
    columns, rows = (np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1))
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


@lru_cache(maxsize=1024)
def _resizing(side: int) -> Floats:
    """Returns the matrix (side, 32) that resizes lines: linear, over a wider window where it reduces."""
    wide = max(1.0, _SIDE / side)
    centers = (np.arange(side) + 0.5) * (_SIDE / side) - 0.5
    weights = np.maximum(0, 1 - np.abs(centers[:, None] - np.arange(_SIDE)) / wide)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _ground(draw: np.random.Generator, size: int) -> Floats:
    """Returns a ground (3, size, size), 0..1: plain, a gradient, stripes, squares, clouds or grains."""
    kind = int(draw.integers(8))
    share: Floats
    one, other = draw.random((2, 3, 1, 1), np.float32)
    other = one + np.float32(0.5) * (other - one)  # less contrast than the objects have
    turned = bool(draw.integers(2))
    if kind < 3:  # plain, more often than each other one
        share = np.zeros((size, size), np.float32)
    elif kind == 3:
        share = np.broadcast_to(np.linspace(0, 1, size).astype(np.float32), (size, size))
    elif kind in (4, 5):
        lines = np.arange(size) // int(draw.integers(3, 13)) % 2
        share = np.asarray(lines ^ (lines if kind == 5 else 0 * lines)[:, None], np.float32)
    elif kind == 6:
        matrix = _clouds(size)
        share = np.asarray(matrix @ draw.random((8, 8), np.float32) @ matrix.T)
    else:
        share = draw.random((size, size), np.float32)
    return np.asarray(one + (share.T if turned else share) * (other - one), np.float32)


@lru_cache(maxsize=16)
def _clouds(size: int) -> Floats:
    """Returns the matrix (size, 8) that interpolates between 8 values."""
    centers = np.linspace(0, 7, size)
    return np.asarray(np.maximum(0, 1 - np.abs(centers[:, None] - np.arange(8))), np.float32)
