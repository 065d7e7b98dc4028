"""Decoding one picture with Pillow in bounded memory, from any format to RGB of a given size."""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, require

Picture = NDArray[np.uint8]

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
    pillow = require("PIL.Image", "pictures")
    if isinstance(file, (str, os.PathLike)):
        path = Path(file)
        if not path.is_file():
            path.stat()  # raises FileNotFoundError if it does not exist
            raise FormatError("not a file")
        with open(path, "rb") as opened:
            return decode(opened, size, fit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a problem of a file is reported once, by this package
        try:
            image = _open(pillow, file)
            return _fitted(pillow, _loaded(image, size), size, fit)
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


def _fitted(pillow: Any, image: Any, size: tuple[int, int], fit: str) -> Picture:
    turn = _turn(pillow, image)
    image = _eight_bits(pillow, image)
    rows, columns = size if turn is None or turn < 5 else size[::-1]
    shape = np.array([columns, rows])
    scale = (min if fit == "pad" else max)(shape / image.size)
    inner = np.clip(np.round(scale * np.array(image.size)), 1, None if fit == "crop" else shape)
    box = None
    if fit == "crop":  # the middle part that fills the size
        cut = np.maximum((np.array(image.size) - shape / scale) / 2, 0)
        box, inner = (*cut, *(np.array(image.size) - cut)), shape
    # Area averages for a smaller size: every pixel counts, and there is no ringing.
    kernel = pillow.Resampling.BOX if scale < 1 else pillow.Resampling.BILINEAR
    if image.size != tuple(inner.astype(int).tolist()) or box is not None:
        image = image.resize(tuple(inner.astype(int).tolist()), kernel, box)
    canvas = pillow.new("RGB", tuple(shape.tolist()), _WHITE)
    corner = tuple(((shape - inner) // 2).astype(int).tolist())
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
