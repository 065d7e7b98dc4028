"""Augmentation: small random changes of the training pictures, different in every epoch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...checks import check_size
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

    Raises:
        ValueError, TypeError: for values out of range.

    Example:
        >>> Augmentation(flip=True, shift=1).may_flip("an arrow to the right")
        False
    """

    flip: bool | Callable[[str], bool] = False
    shift: int = 2
    noise: float = 0.02

    def __post_init__(self) -> None:
        check_size("Augmentation", "shift", self.shift, least=0)
        if isinstance(self.noise, bool) or not isinstance(self.noise, (int, float)):
            raise TypeError(f"Augmentation: noise: expected a number, got {self.noise!r}")
        if not 0 <= self.noise < np.inf:
            raise ValueError(f"Augmentation: noise: expected a finite number from 0, got {self.noise}")
        if not (isinstance(self.flip, bool) or callable(self.flip)):
            raise TypeError(f"Augmentation: flip: expected True, False or a function, got {self.flip!r}")

    def to_config(self) -> dict[str, Any]:
        """Returns the settings as JSON types; a function as `flip` becomes True."""
        return {"flip": bool(self.flip), "shift": self.shift, "noise": self.noise}

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
        run = derive_seed(derive_seed(seed, epoch), 0)
        draws = [derive_seed(run, int(n)) for n in numbers]
        B, Y, X, _ = pictures.shape
        span = 2 * self.shift + 1
        dy, dx, mirror = np.array(
            [
                ((d >> 8) % span - self.shift, (d >> 24) % span - self.shift, d & 1 and may)
                for d, may in zip(draws, may_flip, strict=True)
            ]
        ).T
        rows = np.clip(np.arange(Y) + dy[:, None], 0, Y - 1)
        columns = np.where(mirror[:, None], np.arange(X)[::-1], np.arange(X))
        columns = np.clip(columns + dx[:, None], 0, X - 1)
        changed: Array = pictures[np.arange(B)[:, None, None], rows[:, :, None], columns[:, None, :]]
        if self.noise:
            added = np.empty_like(changed)
            for own, draw in zip(added, draws, strict=True):
                np.random.default_rng(draw).random(out=own, dtype=own.dtype)
            changed += (added - 0.5) * changed.dtype.type(self.noise * 12**0.5)
        return changed
