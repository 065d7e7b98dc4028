"""The pictures that come with the package."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SIZE = 32
_LEVELS = 31  #: of a color in the file: 5 bits, so that it stays small


class Emoji(NamedTuple):
    """N pictures with their names.

    Attributes:
        pictures: (N, 32, 32, 3), 0..255 (uint8), on white.
        characters: the emoji as text.
        names: in English ("en"), German ("de") and French ("fr"), N each.
        held_out: (N,), true for 76 to judge on: skin tones of emoji that are among the others in other tones.
    """

    pictures: NDArray[np.uint8]
    characters: tuple[str, ...]
    names: dict[str, tuple[str, ...]]
    held_out: NDArray[np.bool_]


def noto_emoji() -> Emoji:
    """3,110 emoji, bundled: pictures of Noto Emoji, names of CLDR (see NOTICE).

    The pictures have 32 shades of each color. All names differ.
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
