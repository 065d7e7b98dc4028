"""Augmentation: small random changes of the training pictures, different in every epoch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ...checks import check_number, check_size
from ...data.placement import clip_boxes
from ...seeds import derive_seed
from ...types import Array

#: The beginnings of words that may be wrong for a mirrored picture: sides, points of the compass, rotation,
#: writing, clocks and flags, in English, German and French.
SIDED = re.compile(
    r"\b(?:left|right|north|south|east|west|clockwise|anticlockwise|counterclockwise|letter|digit|number"
    r"|keycap|text|writ|sign|symbol|word|button|clock|o.clock|flag"
    r"|links|link[es]|linke[nrsm]|rechts|recht[e]|nord|süd|ost|uhr|gegen\w*uhr|im\w*uhr|buchstabe|ziffer|zahl"
    r"|taste|schrift|wort|schild|flagge"
    r"|gauche|droit|ouest|sud|horaire|antihoraire|lettre|chiffre|nombre|touche|écrit|texte|mot|signe|panneau"
    r"|bouton|heure|horloge|drapeau)",
    re.IGNORECASE,
)


def may_be_mirrored(text: str) -> bool:
    """Returns whether a description in English, German or French remains correct if the picture is mirrored.

    Example:
        >>> may_be_mirrored("a bright cat"), may_be_mirrored("an arrow to the right")
        (True, False)
    """
    return SIDED.search(text) is None


@dataclass(frozen=True)
class Augmentation:
    """Changes of the training pictures, a function of (seed, epoch, picture).

    Attributes:
        flip: whether half of the pictures are mirrored, if `may_be_mirrored` allows it for the description;
            or a function that decides this by the description.
        shift: the maximum shift in pixels, in each direction; the border is repeated.
        noise: the standard deviation of uniform noise with mean 0, added to every number (of 0 to 1).
        crop: the maximum share of height and width that is cropped away, at a random place; what remains is
            enlarged to the size of the picture.

    Raises:
        ValueError, TypeError: for values out of range.

    Example:
        >>> Augmentation(flip=True, shift=1).may_flip("an arrow to the right")
        False
    """

    flip: bool | Callable[[str], bool] = False
    shift: int = 2
    noise: float = 0.02
    crop: float = 0.0

    def __post_init__(self) -> None:
        check_size("Augmentation", "shift", self.shift, least=0)
        check_number("Augmentation", "noise", self.noise, "a finite number from 0", lambda v: 0 <= v < np.inf)
        check_number("Augmentation", "crop", self.crop, "a number from 0 to 0.9", lambda v: 0 <= v <= 0.9)
        if not (isinstance(self.flip, bool) or callable(self.flip)):
            raise TypeError(f"Augmentation: flip: expected True, False or a function, got {self.flip!r}")

    def to_config(self) -> dict[str, Any]:
        """Returns the settings as JSON types; a function as `flip` becomes True."""
        return {"flip": bool(self.flip), "shift": self.shift, "noise": self.noise, "crop": self.crop}

    def may_flip(self, text: str) -> bool:
        """Returns whether the picture of a description may be mirrored."""
        if callable(self.flip):
            return bool(self.flip(text))
        return self.flip and may_be_mirrored(text)

    def apply(self, pictures: Array, numbers: Array, may_flip: Array, seed: int, epoch: int) -> Array:
        """Returns changed pictures (B, Y, X, 3).

        Args:
            pictures: (B, Y, X, 3), numbers from 0 to 1. The noise may exceed this range.
            numbers: the number of each picture (B,), for its random changes.
            may_flip: whether each picture may be mirrored (B,).
            seed, epoch: those of the run.
        """
        moves = self._draw(numbers, may_flip, seed, epoch)
        B, Y, X, _ = pictures.shape
        rows = np.arange(Y) + moves.dy[:, None]
        columns = np.where(moves.mirror[:, None], np.arange(X)[::-1], np.arange(X)) + moves.dx[:, None]
        if self.crop:
            changed = _enlarged(pictures, rows, columns, moves)
        else:
            rows, columns = np.clip(rows, 0, Y - 1), np.clip(columns, 0, X - 1)
            changed = pictures[np.arange(B)[:, None, None], rows[:, :, None], columns[:, None, :]]
        if self.noise:
            added = np.empty_like(changed)
            for own, draw in zip(added, moves.draws, strict=True):
                np.random.default_rng(draw).random(out=own, dtype=own.dtype)
            changed += (added - 0.5) * changed.dtype.type(self.noise * 12**0.5)
        return changed

    def apply_boxes(
        self,
        boxes: Array,
        owners: Array,
        numbers: Array,
        may_flip: Array,
        size: tuple[int, int],
        seed: int,
        epoch: int,
    ) -> tuple[Array, Array]:
        """Returns boxes where `apply` moves what is in them, clipped, and whether enough of each is left.

        Args:
            boxes: x, y, w, h of all pictures' boxes (N, 4).
            owners: the index of each box's picture in the batch (N,).
            numbers, may_flip, seed, epoch: see `apply`; all phrases of a picture must allow that it is
                mirrored.
            size: (Y, X) of the pictures.

        Returns:
            (N, 4), and (N,): False for a box of which less than half remains within the picture.

        Example:
            >>> changes = Augmentation(flip=True, shift=0)
            >>> boxes = changes.apply_boxes(
            ...     np.array([[2, 3, 4, 5]]), np.array([0]), np.array([0]), np.array([True]), (16, 16), 1, 0
            ... )[0]
            >>> boxes.tolist() in ([[2, 3, 4, 5]], [[10, 3, 4, 5]])
            True
        """
        moves = self._draw(numbers, may_flip, seed, epoch)
        rest, (Y, X), dx = moves.rest[owners], size, moves.dx[owners]
        x, y, w, h = np.asarray(boxes, np.float64).reshape(-1, 4).T
        x = x / rest - (1 / rest - 1) * moves.left[owners] * X
        y = y / rest - (1 / rest - 1) * moves.top[owners] * Y - moves.dy[owners]
        w, h = w / rest, h / rest
        x = np.where(moves.mirror[owners], X - x - w + dx, x - dx)
        return clip_boxes(np.stack([x, y, w, h], axis=1), size)

    def _draw(self, numbers: Array, may_flip: Array, seed: int, epoch: int) -> _Moves:
        """Returns how each picture is moved."""
        run = derive_seed(derive_seed(seed, epoch), 0)
        draws = [derive_seed(run, int(n)) for n in numbers]
        span = 2 * self.shift + 1
        dy = [(d >> 8) % span - self.shift for d in draws]
        dx = [(d >> 24) % span - self.shift for d in draws]
        mirror = [bool(d & 1 and may) for d, may in zip(draws, may_flip, strict=True)]
        others = [derive_seed(d, 0) if self.crop else 0 for d in draws]
        shares = np.array([[(d >> bits & 0xFFFF) / 0x10000 for bits in (0, 16, 32)] for d in others])
        share, top, left = shares.reshape(-1, 3).T
        return _Moves(
            draws,
            np.array(dy, np.int64),
            np.array(dx, np.int64),
            np.array(mirror, bool),
            1 - self.crop * share,
            top,
            left,
        )


class _Moves(NamedTuple):
    """How pictures are moved.

    The share `rest` of height and width is enlarged to the size of the picture. Of what is cropped away, the
    share `top` is above it, and the share `left` on its left. Row i of the result is row i + dy of that, and
    column j is column j + dx, or X − 1 − j + dx if it is mirrored.

    Attributes:
        draws: the random number of each picture.
        dy, dx: the shift in rows and columns (B,).
        mirror: whether each picture is mirrored (B,).
        rest, top, left: shares (B,).
    """

    draws: list[int]
    dy: Array
    dx: Array
    mirror: Array
    rest: Array
    top: Array
    left: Array


def _enlarged(pictures: Array, rows: Array, columns: Array, moves: _Moves) -> Array:
    """Returns the lines of enlarged pictures (B, Y, X, 3), interpolated linearly; the border is repeated.

    Args:
        pictures: (B, Y, X, 3).
        rows, columns: the lines of the result as those of the enlarged pictures (B, Y), (B, X).
        moves: how they are enlarged.
    """
    B, Y, X, _ = pictures.shape
    own = np.arange(B)[:, None]
    low, high, share = _between(rows, moves.rest, moves.top, Y, pictures.dtype)
    mixed = pictures[own, low]
    mixed += share[..., None, None] * (pictures[own, high] - mixed)
    low, high, share = _between(columns, moves.rest, moves.left, X, pictures.dtype)
    own, every = own[..., None], np.arange(Y)[:, None]
    found: Array = mixed[own, every, low[:, None]]
    found += share[:, None, :, None] * (mixed[own, every, high[:, None]] - found)
    return found


def _between(
    lines: Array, rest: Array, before: Array, size: int, dtype: DTypeLike
) -> tuple[Array, Array, Array]:
    """Returns the two lines between which each one is, and the share of the second."""
    start = (1 - rest) * before * size
    places = np.clip(start[:, None] + (lines + 0.5) * rest[:, None] - 0.5, 0, size - 1)
    low = np.minimum(places.astype(np.int64), max(size - 2, 0))
    return low, np.minimum(low + 1, size - 1), (places - low).astype(dtype)
