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
from .picture_cache import PictureCache
from .picture_decoding import check_fit, decode

#: What the files' names end in that count as pictures in a folder.
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ico"),
    *(".ppm", ".pgm", ".pbm", ".tga", ".avif", ".jp2", ".qoi"),
)


@dataclass(frozen=True)
class Pictures:
    """N pictures that could be read, and what is wrong with the other files.

    Attributes:
        images: (N, Y, X, 3), 0..255 (uint8).
        files: the N files.
        problems: a line for each other file, which names it.
    """

    images: NDArray[np.uint8]
    files: tuple[str, ...]
    problems: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __str__(self) -> str:
        total = len(self.files) + len(self.problems)
        return f"{len(self.files):,} of {total:,} pictures read"


def read_picture(
    file: str | os.PathLike[str] | BinaryIO, size: tuple[int, int] = (32, 32), *, fit: str = "pad"
) -> NDArray[np.uint8]:
    """A picture from a file of nearly any kind: PNG, JPEG, GIF, WebP, BMP, TIFF, …. Needs the extra "pictures".

    It comes in colors of 8 bits, upright as EXIF says, on white where it is transparent; of an animation the first
    frame. Colors are averaged over areas where it becomes smaller. Memory is bounded: JPEG files are decoded at up
    to an eighth of their size, and what then has more than 50,000,000 pixels is refused before it is decoded.

    Args:
        file: its path, or a file open for reading bytes that can be wound back (io.BytesIO of its bytes).
        size: (Y, X), rows and columns.
        fit: what becomes of a picture of another shape: "pad" keeps all of it, with white on two sides; "crop" keeps
            its middle.

    Returns:
        (Y, X, 3), 0..255 (uint8).

    Raises:
        MissingExtraError: if Pillow is missing.
        OSError: if the file cannot be read.
        FormatError: if it is no picture, a damaged one, or too large.
        ValueError: for a size or fit that is none.
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
    """Pictures from many files, or from all of a folder, each as `read_picture` reads it.

    A file that cannot be read is named in `problems`, and the others are read.

    Args:
        files: their paths; or a folder, for the pictures in it (by the names' endings, in their order; not those in
            folders within it).
        size, fit: see `read_picture`.
        cache: a file (.npz) that keeps the decoded pictures for the next time; made if it is not there. A picture is
            decoded again when its file's size or time has changed, and all are with another `size` or `fit`; a
            damaged cache is made anew.

    Raises:
        MissingExtraError: if Pillow is missing.
        FormatError: if none can be read; if the cache is a file of another kind, which stays as it is.
        OSError: if the folder cannot be read, or the cache not be written.
        ValueError: without files, or for a size or fit that is none.
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
    """A picture as `read_picture` reads it, or None and what is wrong with its file."""
    found = cache.get(path)
    if found is not None:
        return found
    row: NDArray[np.uint8] | None = None
    problem = ""
    try:
        row = decode(path, size, fit)
    except OSError as error:  # missing, no permission: nothing that a cache could know
        return None, error.strerror or str(error)
    except FormatError as error:
        problem = str(error)
    cache.put(path, row, problem)
    return row, problem


def find_pictures(folder: str | os.PathLike[str]) -> list[str]:
    """The pictures in a folder, by the endings of their names, in the order of these.

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
        raise ValueError(f"{os.fspath(folder)}: expected a folder with pictures, got none in it")
    return found


def read_array(path: str | os.PathLike[str], name: str | None = None) -> NDArray[Any]:
    """An array from a .npy file, or one of a .npz file: pictures, or what another network made of them.

    Args:
        path: the file.
        name: which array of a .npz; may be left out if there is only one.

    Raises:
        OSError: if it cannot be read.
        FormatError: if it is no such file, or does not hold rows of numbers.
        ValueError: if it has no array of that name, or several and none is named.
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
    """The file is as it should be; what is asked for is not in it."""


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """A damaged file makes NumPy and zipfile raise nearly anything."""
    try:
        yield
    except (OSError, MemoryError, _NoSuchArray):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise FormatError(
            f"{path}: expected an array (.npy or .npz), got another or a damaged file: {reason}"
        ) from None
