"""Pictures changed a little at every epoch, so that a network learns what does not matter."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...checks import check_size
from ...seeds import derive_seed
from ...types import Array

#: What the words begin with that are no longer true, or not surely, of a picture in a mirror: sides, points of the
#: compass, turning, writing, clocks and flags, in English, German and French.
SIDED = re.compile(
    r"\b(?:left|right|north|south|east|west|clockwise|anticlockwise|counterclockwise|letter|digit|number|keycap|text"
    r"|writ|sign|symbol|word|button|clock|o.clock|flag"
    r"|links|link[es]|linke[nrsm]|rechts|recht[e]|nord|süd|ost|uhr|gegen\w*uhr|im\w*uhr|buchstabe|ziffer|zahl|taste"
    r"|schrift|wort|schild|flagge"
    r"|gauche|droit|ouest|sud|horaire|antihoraire|lettre|chiffre|nombre|touche|écrit|texte|mot|signe|panneau|bouton"
    r"|heure|horloge|drapeau)",
    re.IGNORECASE,
)


def may_be_mirrored(text: str) -> bool:
    """Whether a description, in English, German or French, says nothing that a mirror would make wrong."""
    return SIDED.search(text) is None


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are changed; what is drawn is a function of (seed, epoch, picture).

    Attributes:
        flip: whether half of the pictures are mirrored, where `may_be_mirrored` allows it of the description; or a
            function that says so of a description.
        shift: by how many pixels a picture is moved at most, up or down and to the sides; its border is repeated.
        noise: the standard deviation of what is added to every number (of 0 to 1), drawn evenly about 0.

    Raises:
        ValueError, TypeError: for numbers out of their range.
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
        """As JSON's types; of a function it is known that there was one."""
        return {"flip": bool(self.flip), "shift": self.shift, "noise": self.noise}

    def may_flip(self, text: str) -> bool:
        """Whether the picture of a description may be mirrored."""
        if callable(self.flip):
            return bool(self.flip(text))
        return self.flip and may_be_mirrored(text)

    def apply(self, pictures: Array, numbers: Array, may_flip: Array, seed: int, epoch: int) -> Array:
        """Changed pictures (B, Y, X, 3).

        Args:
            pictures: (B, Y, X, 3), numbers from 0 to 1. What is added is not cut off at these.
            numbers: of each picture, (B,).
            may_flip: (B,).
            seed, epoch: of the run.
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
