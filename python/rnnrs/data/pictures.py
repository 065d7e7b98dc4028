"""Pictures from files, as arrays of one size."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, require
from ..shown import short_repr
from .picture_cache import PictureCache
from .picture_decoding import check_fit, decode

#: The file extensions of pictures in a folder.
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ico"),
    *(".ppm", ".pgm", ".pbm", ".tga", ".avif", ".jp2", ".qoi"),
)


@dataclass(frozen=True)
class Pictures:
    """N pictures that could be read, and the problems of the other files.

    Attributes:
        images: (N, Y, X, 3), 0..255 (uint8).
        files: the N files.
        problems: one message for each other file, which names it.
    """

    images: NDArray[np.uint8]
    files: tuple[str, ...]
    problems: tuple[str, ...]

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.files)

    def __str__(self) -> str:
        total = len(self.files) + len(self.problems)
        return f"{len(self.files):,} of {total:,} pictures read"


def read_picture(
    file: str | os.PathLike[str] | BinaryIO, size: tuple[int, int] = (32, 32), *, fit: str = "pad"
) -> NDArray[np.uint8]:
    """Reads a picture in nearly any format: PNG, JPEG, GIF, WebP, BMP, TIFF, …. Needs the extra "pictures".

    The result has 8-bit colors, is upright by its EXIF orientation, and has transparency on white; of an
    animation it is the first frame. A smaller size averages colors over areas. Memory is bounded: JPEG files
    are decoded at down to an eighth of their size, and a picture that still has more than 50,000,000 pixels
    is refused before decoding.

    Args:
        file: its path, or a seekable file open for reading bytes (io.BytesIO of its bytes).
        size: (Y, X), rows and columns.
        fit: for a picture of another shape, "pad" keeps all of it, with white on two sides; "crop" keeps its
            middle.

    Returns:
        (Y, X, 3), 0..255 (uint8).

    Raises:
        MissingExtraError: if Pillow is missing.
        OSError: if the file cannot be read.
        FormatError: if it is not a picture, is damaged, or is too large.
        ValueError: for an invalid size or fit.
    """
    try:
        return decode(file, check_fit("read_picture", size, fit), fit)
    except FormatError as error:
        name = file if isinstance(file, (str, os.PathLike)) else "the picture"
        raise FormatError(f"{os.fspath(name)}: {error}") from None


def read_pictures(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    size: tuple[int, int] = (32, 32),
    *,
    fit: str = "pad",
    cache: str | os.PathLike[str] | None = None,
) -> Pictures:
    """Reads pictures from several files or from a folder, each as by `read_picture`.

    A file that cannot be read is named in `problems`; the others are read.

    Args:
        files: their paths; or a folder, for the pictures in it (by file extension, sorted by name, without
            subfolders).
        size, fit: see `read_picture`.
        cache: a file (.npz) that stores the decoded pictures; created if it does not exist. A picture is
            decoded again if its file's size or modification time has changed; all are decoded again for
            another `size` or `fit`. A damaged cache is rebuilt.

    Raises:
        MissingExtraError: if Pillow is missing.
        FormatError: if no file can be read; if the cache file is not a cache (it is left unchanged).
        OSError: if the folder cannot be read, or the cache cannot be written.
        ValueError: without files, or for an invalid size or fit.
    """
    op = "read_pictures"
    shape = check_fit(op, size, fit)
    require("PIL.Image", "pictures")
    if isinstance(files, (str, os.PathLike)):
        files = [files] if Path(files).is_file() else find_pictures(files)
    paths = [os.fspath(file) for file in files]
    if not paths:
        raise ValueError(f"{op}: files: expected at least one picture, got none")
    kept = PictureCache(cache, shape, fit)
    rows: list[NDArray[np.uint8]] = []
    read: list[str] = []
    problems: list[str] = []
    for path in paths:
        row, problem = try_picture(path, shape, fit, kept)
        if row is None:
            problems.append(f"{path}: {problem}")
        else:
            rows.append(row)
            read.append(path)
    kept.write()
    if not rows:
        raise FormatError(f"{op}: none of {len(paths)} files could be read as a picture; {problems[0]}")
    return Pictures(np.stack(rows), tuple(read), tuple(problems))


def try_picture(
    path: str, size: tuple[int, int], fit: str, cache: PictureCache
) -> tuple[NDArray[np.uint8] | None, str]:
    """Returns a picture as `read_picture` reads it, or None and the problem of its file."""
    found = cache.get(path)
    if found is not None:
        return found
    row: NDArray[np.uint8] | None = None
    problem = ""
    try:
        row = decode(path, size, fit)
    except OSError as error:  # missing, no permission: not a property of the file's content
        return None, error.strerror or str(error)
    except FormatError as error:
        problem = str(error)
    cache.put(path, row, problem)
    return row, problem


def find_pictures(folder: str | os.PathLike[str]) -> list[str]:
    """Returns the pictures in a folder, by file extension, sorted by name.

    Raises:
        OSError: if it cannot be read.
        ValueError: if there are none.
    """
    found = sorted(
        str(path)
        for path in Path(folder).iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise ValueError(f"{os.fspath(folder)}: expected a folder with pictures, got one without")
    return found


def read_array(path: str | os.PathLike[str], name: str | None = None) -> NDArray[Any]:
    """Reads an array of pictures, or of another network's features, from a .npy or .npz file.

    Args:
        path: the file.
        name: the name of the array in a .npz file; optional if there is only one.

    Raises:
        OSError: if it cannot be read.
        FormatError: if it is not such a file, or does not hold rows of numbers.
        ValueError: if it has no array of that name, or has several and no name is given.
    """
    path = os.fspath(path)
    with open(path, "rb") as file, _named(path):
        found = np.load(file, allow_pickle=False)
        array = found if isinstance(found, np.ndarray) else found[_which(path, list(found.files), name)]
    if not array.ndim or not len(array) or array.dtype.kind not in "uif":
        raise FormatError(f"{path}: expected rows of numbers, got {array.dtype} of shape {array.shape}")
    return array


def _which(path: str, names: list[str], name: str | None) -> str:
    chosen = names[0] if name is None and len(names) == 1 else name
    if chosen not in names:
        got = "none" if name is None else repr(name)
        raise _NoSuchArray(
            f"read_array: name: expected one of {path}'s arrays ({', '.join(names) or 'none'}), got {got}"
        )
    return chosen


class _NoSuchArray(ValueError):
    """The requested array is not in the file, which is valid."""


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Turns exceptions into a FormatError: for a damaged file NumPy and zipfile raise nearly any type."""
    try:
        yield
    except (OSError, MemoryError, _NoSuchArray):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise FormatError(
            f"{path}: expected an array (.npy or .npz), got another format or a damaged file: {reason}"
        ) from None
