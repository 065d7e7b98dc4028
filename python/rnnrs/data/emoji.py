"""The pictures bundled with the package."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..shown import short_repr

_SIZE = 32
_LEVELS = 31  #: largest color level in the file: 5 bits, to keep it small


class Emoji(NamedTuple):
    """N pictures with their names.

    Attributes:
        pictures: (N, 32, 32, 3), 0..255 (uint8), on white.
        characters: the emoji as text.
        names: N names each in English ("en"), German ("de") and French ("fr").
        held_out: (N,), True for 76 held-out pictures: skin tones of emoji whose other tones are among the
            rest.
    """

    pictures: NDArray[np.uint8]
    characters: tuple[str, ...]
    names: dict[str, tuple[str, ...]]
    held_out: NDArray[np.bool_]

    def __repr__(self) -> str:
        return short_repr(self)


def noto_emoji() -> Emoji:
    """Returns 3,110 emoji, bundled: pictures of Noto Emoji, names from CLDR (see NOTICE).

    The pictures have 32 levels per color channel. All names differ.
    """
    import lzma  # some builds of Python lack it

    packed = resources.files(__package__).joinpath("bundled", "noto_emoji.xz").read_bytes()
    text, _, colors = lzma.decompress(packed).partition(b"\0")
    rows = [line.split("\t") for line in text.decode("utf-8").split("\n")]
    characters, english, german, french, held_out = zip(*rows, strict=True)
    shades = np.round(np.arange(_LEVELS + 1) * (255 / _LEVELS)).astype(np.uint8)
    pictures = shades[np.frombuffer(colors, np.uint8)].reshape(-1, _SIZE, _SIZE, 3)
    names = {"en": english, "de": german, "fr": french}
    return Emoji(pictures, characters, names, np.array(held_out) == "1")
