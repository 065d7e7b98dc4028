"""A file cache of decoded pictures, so that they are decoded only once."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..files import write_atomically

#: The name of the first array: it distinguishes even a damaged cache from other .npz files.
_INDEX = "rnnrs_pictures"
_VERSION = 1

#: A picture and an empty text, or None and the problem of the file.
Entry = tuple[NDArray[np.uint8] | None, str]


class PictureCache:
    """The decoded pictures of files, identified by path, size in bytes and modification time.

    It is a .npz file; without a path, nothing is kept.

    Args:
        path: the file; None: nothing is kept.
        size: (Y, X) of the pictures.
        fit: how they were fitted to that size.

    Raises:
        FormatError: if the file exists and is not a cache.
        OSError: if it cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str] | None, size: tuple[int, int], fit: str) -> None:
        self._path = path
        self._settings = {"version": _VERSION, "size": list(size), "fit": fit}
        self._shape = (*size, 3)
        self._old: dict[str, tuple[list[int], Entry]] = {}
        self._now: dict[str, tuple[list[int], Entry]] = {}
        self._changed = False
        if path is not None and Path(path).exists():
            self._old = self._read(path)

    def get(self, path: str) -> Entry | None:
        """Returns the entry of a file in its current state, or None."""
        if self._path is None:
            return None
        key, stamp = os.path.abspath(path), _stamp(path)
        if stamp is None or key not in self._old or self._old[key][0] != stamp:
            return None
        self._now[key] = self._old[key]
        return self._old[key][1]

    def put(self, path: str, picture: NDArray[np.uint8] | None, problem: str) -> None:
        """Stores the result of decoding a file."""
        stamp = None if self._path is None else _stamp(path)
        if stamp is not None:
            self._now[os.path.abspath(path)] = stamp, (picture, problem)
            self._changed = True

    def write(self) -> None:
        """Writes the cache file if anything is new; entries of other files stay if they are still valid.

        Raises:
            OSError: if it cannot be written.
        """
        if self._path is None or not self._changed:
            return
        entries = self._now | {
            key: entry for key, entry in self._old.items() if key not in self._now and entry[0] == _stamp(key)
        }
        pictures = [picture for _, (picture, _) in entries.values() if picture is not None]
        index = {
            **self._settings,
            "files": [[key, *stamp, problem] for key, (stamp, (_, problem)) in entries.items()],
        }
        text = np.frombuffer(json.dumps(index).encode("ascii"), np.uint8)
        images = np.stack(pictures) if pictures else np.zeros((0, *self._shape), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, rnnrs_pictures=text, images=images)
        write_atomically(self._path, buffer.getvalue())

    def _read(self, path: str | os.PathLike[str]) -> dict[str, tuple[list[int], Entry]]:
        """Returns the entries of a cache; none if it is damaged or has other settings."""
        data = Path(path).read_bytes()
        if data and not (data.startswith(b"PK") and _INDEX.encode() in data[:80]):
            raise FormatError(f"{os.fspath(path)}: expected a cache of pictures, got another file")
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                index: dict[str, Any] = json.loads(arrays[_INDEX].tobytes())
                images = arrays["images"]
            files = index.pop("files")
            if index != self._settings:
                return {}
            rows = iter(images)
            entries = {
                key: ([length, time], (None if problem else next(rows), problem))
                for key, length, time, problem in files
            }
            fits = images.dtype == np.uint8 and images.shape[1:] == self._shape
            return entries if fits and next(rows, None) is None else {}
        except Exception:  # a cache damaged in any way is rebuilt
            return {}


def _stamp(path: str) -> list[int] | None:
    """Returns size and modification time, which identify the state of a file; None if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
