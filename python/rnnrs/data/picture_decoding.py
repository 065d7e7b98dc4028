"""Decoding one picture with Pillow in bounded memory, from any format to RGB of a given size."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, require
from .placement import Placement, padded_size, placement

Picture = NDArray[np.uint8]
Found = TypeVar("Found")

#: The maximum number of pixels to decode: 600 MB at peak in the worst case. JPEG files may have 64 times as
#: many, since they can be decoded at an eighth of their size.
MAX_PIXELS = 50_000_000

#: The formats that are read, by Pillow's names: none that starts another program, as EPS does.
_KINDS = (
    "PNG",
    "JPEG",
    "MPO",
    "GIF",
    "WEBP",
    "BMP",
    "DIB",
    "TIFF",
    "ICO",
    "PPM",
    "TGA",
    "AVIF",
    "JPEG2000",
    "QOI",
)

#: The ways to fit a picture of another shape to the required size.
FITS = ("pad", "crop")

_ORIENTATION = 0x0112  #: the EXIF tag
_WHITE = (255, 255, 255)
_SHORT = ("I;16", "I;16L", "I;16B", "I;16N", "I")


def check_fit(op: str, size: Any, fit: str) -> tuple[int, int]:
    """Checks `size` and `fit`, and returns the size (Y, X).

    Raises:
        ValueError: if one of them is invalid.
    """
    if fit not in FITS:
        raise ValueError(f"{op}: fit: expected one of {', '.join(FITS)}, got {fit!r}")
    values = tuple(size) if isinstance(size, (tuple, list)) else ()
    if len(values) != 2 or not all(type(v) is int and 0 < v <= 4096 for v in values):
        raise ValueError(f"{op}: size: expected (rows, columns) from 1 to 4096, got {size!r}")
    return values[0], values[1]


def decode(file: str | os.PathLike[str] | BinaryIO, size: tuple[int, int], fit: str) -> Picture:
    """Returns a picture (Y, X, 3): the first frame, upright by its EXIF orientation, transparency on white.

    Args:
        file: its path, or a seekable file open for reading.
        size: (Y, X).
        fit: for a picture of another shape, "pad" adds white on two sides, "crop" keeps its middle.

    Raises:
        MissingExtraError: if Pillow is missing.
        OSError: if the file cannot be read.
        FormatError: if it is not a picture, is damaged, or is too large; the message does not name the file.
    """

    def decoded(pillow: Any, image: Any) -> Picture:
        original = image.size  # a JPEG changes it
        return _fitted(pillow, _loaded(image, size), original, size, fit)

    return _from(file, decoded)


def place(file: str | os.PathLike[str] | BinaryIO, size: tuple[int, int], fit: str) -> Placement:
    """Returns where `decode` places a picture; only the file's header is read.

    Raises:
        MissingExtraError, OSError, FormatError: see `decode`.
    """

    def placed(pillow: Any, image: Any) -> Placement:
        turn = _turn(pillow, image)
        width, height = _upright(image.size, turn)
        return placement(width, height, size, fit, turn or 1)

    return _from(file, placed)


def measure(file: str | os.PathLike[str] | BinaryIO) -> tuple[int, int]:
    """Returns the width and the height of a picture, upright; only the file's header is read.

    Raises:
        MissingExtraError, OSError, FormatError: see `decode`.
    """
    return _from(file, lambda pillow, image: _upright(image.size, _turn(pillow, image)))


def fit_array(picture: Picture, size: tuple[int, int], fit: str) -> Picture:
    """Returns a picture (Y, X, 3) in another size, as `decode` fits it.

    Raises:
        MissingExtraError: if Pillow is missing, and the picture has another size.
    """
    if picture.shape[:2] == tuple(size):
        return picture
    pillow = require("PIL.Image", "pictures")
    image = pillow.fromarray(np.ascontiguousarray(picture))
    return _fitted(pillow, image, image.size, size, fit)


def _upright(size: tuple[int, int], turn: int | None) -> tuple[int, int]:
    """Returns width and height of a picture after it is turned upright."""
    return size if turn is None or turn < 5 else size[::-1]


def _from(file: str | os.PathLike[str] | BinaryIO, what: Callable[[Any, Any], Found]) -> Found:
    """Returns what a function computes from Pillow and the picture, of which only the header is read."""
    pillow = require("PIL.Image", "pictures")
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        if not path.is_file():
            path.stat()  # raises FileNotFoundError if it does not exist
            raise FormatError("not a file")
        with open(path, "rb") as opened:
            return _from(opened, what)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a problem of a file is reported once, by this package
        try:
            return what(pillow, _open(pillow, file))
        except FormatError:
            raise
        except pillow.UnidentifiedImageError:
            raise FormatError("not a picture, or of an unsupported format") from None
        except pillow.DecompressionBombError:
            raise FormatError(f"more than {MAX_PIXELS:,} pixels") from None
        except Exception as error:  # for a damaged file Pillow raises nearly any exception
            reason = " ".join(str(error).split()) or type(error).__name__
            raise FormatError(f"truncated or damaged: {reason}") from None


def _open(pillow: Any, file: BinaryIO) -> Any:
    """Returns the picture with its header read.

    JPEG files are opened by their own class, which does not bound the number of pixels.
    """
    start = file.read(3)
    file.seek(0)
    if start == b"\xff\xd8\xff":
        return require("PIL.JpegImagePlugin", "pictures").JpegImageFile(file)
    pillow.init()
    return pillow.open(file, formats=[kind for kind in _KINDS if kind in pillow.OPEN])


def _loaded(image: Any, size: tuple[int, int]) -> Any:
    """Returns the first frame with its pixels decoded, a JPEG at no more than the required size.

    Raises:
        FormatError: if there are too many pixels; nothing is decoded then.
    """
    width, height = image.size
    if image.format == "JPEG" and not image.info.get(
        "progressive"
    ):  # a progressive one is decoded at full size anyway
        longest = 4 * max(size)
        image.draft(None, (min(longest, width), min(longest, height)))
    if image.width * image.height > MAX_PIXELS:
        raise FormatError(f"{width:,} × {height:,} pixels, more than {MAX_PIXELS:,}")
    image.load()
    return image


def _fitted(pillow: Any, image: Any, original: tuple[int, int], size: tuple[int, int], fit: str) -> Picture:
    """Returns the picture in the required size.

    Args:
        pillow: Pillow.
        image: the picture, decoded, perhaps at less than its size.
        original: its width and height in the file.
        size, fit: see `decode`.
    """
    turn = _turn(pillow, image)
    image = _eight_bits(pillow, image)
    shape = np.array(_upright(size[::-1], turn))
    scale = (min if fit == "pad" else max)(shape / image.size)
    inner, box = padded_size(np.array(original), shape), None
    if fit == "crop":  # the middle part that fills the size
        cut = np.maximum((np.array(image.size) - shape / scale) / 2, 0)
        box, inner = (*cut, *(np.array(image.size) - cut)), shape
    # Area averages for a smaller size: every pixel counts, and there is no ringing.
    kernel = pillow.Resampling.BOX if scale < 1 else pillow.Resampling.BILINEAR
    if image.size != tuple(inner.tolist()) or box is not None:
        image = image.resize(tuple(inner.tolist()), kernel, box)
    canvas = pillow.new("RGB", tuple(shape.tolist()), _WHITE)
    corner = tuple(((shape - inner) // 2).tolist())
    canvas.paste(image, corner, image if image.mode == "RGBA" else None)
    if turn is not None:
        canvas = canvas.transpose(pillow.Transpose(_TURNS[turn]))
    return np.array(canvas, np.uint8)


#: EXIF orientations → Pillow's transpositions that undo them.
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def _turn(pillow: Any, image: Any) -> int | None:
    """Returns the EXIF orientation if the picture is not upright, otherwise None."""
    with contextlib.suppress(Exception):  # damaged EXIF data is ignored
        found = image.getexif().get(_ORIENTATION)
        return found if found in _TURNS else None
    return None


def _eight_bits(pillow: Any, image: Any) -> Any:
    """Returns the picture as RGB, or as RGBA if parts are transparent.

    Raises:
        FormatError: if its pixels are not colors.
    """
    if image.mode in _SHORT:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise FormatError("pixels of more than 16 bits")
        image = pillow.fromarray((values.astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "F":
        raise FormatError("floating-point pixels, not colors")
    transparent = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    mode = "RGBA" if transparent else "RGB"
    return image if image.mode == mode else image.convert(mode)
