"""Arrays in .npy files that are written and read part by part, with checksums."""

from __future__ import annotations

import errno
import os
import threading
import weakref
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError

#: The number of bytes that share a checksum.
BLOCK = 1 << 24

_HEADER = 128


class ArrayFile:
    """An array in a .npy file whose rows are read when they are asked for.

    The rows are read, not mapped into memory: a mapped file that shrinks ends the process, and every page
    that was read would count as the process's memory. The system keeps what is read often, for all processes.

    Args:
        path: the file.

    Attributes:
        shape, dtype: of the array.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is not such a file, or has another length than its header says.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/squares.npy"
        >>> np.save(path, np.arange(5) ** 2)
        >>> ArrayFile(path).read(2, 4)
        array([4, 9])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._handle)
        self._lock = threading.Lock()
        self.shape, self.dtype, self._begin = self._header()
        self._row = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        expected, got = self._begin + self._row * self.shape[0], os.fstat(self._handle).st_size
        if got != expected:
            raise FormatError(f"{self.path}: expected {expected:,} bytes, got {got:,}")

    def __repr__(self) -> str:
        return f"ArrayFile({self.path!r}, {self.dtype} {self.shape})"

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Returns the rows from `start` to `stop`.

        Raises:
            IndexError: if there are no such rows.
            OSError: if they cannot be read.
            FormatError: if the file has become shorter.
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"{self.path}: expected rows from 0 to {len(self)}, got {start} to {stop}")
        data = self._bytes(self._begin + start * self._row, (stop - start) * self._row)
        return np.frombuffer(data, self.dtype).reshape(stop - start, *self.shape[1:])

    def checksums(self) -> list[int]:
        """Returns the CRC-32 of each `BLOCK` bytes of the rows."""
        size = len(self) * self._row
        return [
            zlib.crc32(self._bytes(self._begin + first, min(BLOCK, size - first)))
            for first in range(0, size, BLOCK)
        ]

    def _header(self) -> tuple[tuple[int, ...], np.dtype[Any], int]:
        form = np.lib.format
        try:
            with open(self._handle, "rb", closefd=False) as file:
                major, _ = form.read_magic(file)
                read = form.read_array_header_1_0 if major == 1 else form.read_array_header_2_0
                shape, fortran, dtype = read(file)
                begin = file.tell()
        except ValueError as error:
            raise FormatError(f"{self.path}: expected a .npy file: {error}") from None
        if fortran or dtype.hasobject or not shape:
            raise FormatError(f"{self.path}: expected rows of numbers, got {dtype} of shape {shape}")
        return shape, dtype, begin

    def _bytes(self, place: int, count: int) -> bytes:
        parts = list[bytes]()
        while count and (part := self._part(place, count)):
            parts.append(part)
            place, count = place + len(part), count - len(part)
        if count:
            raise FormatError(f"{self.path}: expected {count:,} more bytes at offset {place:,}, got none")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _part(self, place: int, count: int) -> bytes:
        """Returns at most `count` bytes; safe for threads and forked processes, which share the file."""
        if hasattr(os, "pread"):
            return os.pread(self._handle, count, place)
        with self._lock:
            os.lseek(self._handle, place, os.SEEK_SET)
            return os.read(self._handle, count)


class ArrayWriter:
    """Writes the rows of an array to a .npy file, one after the other.

    Args:
        path: the file.
        dtype: of the array; a row has one number, or `width` of them.
        width: the numbers of a row; None for a vector.
        state: where a writer that was stopped goes on, from `state`; None for a new file.

    Raises:
        OSError: if the file cannot be written, or is shorter than it was.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        dtype: str,
        width: int | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.path, self.dtype, self._tail = (
            os.fspath(path),
            np.dtype(dtype),
            () if width is None else (width,),
        )
        self._row = self.dtype.itemsize * (width or 1)
        self.rows, self._sums = (0, []) if state is None else (int(state["rows"]), [*state["sums"]])
        end = _HEADER + self.rows * self._row
        if state is not None and os.path.getsize(self.path) < end:
            raise OSError(errno.EIO, f"expected at least {end:,} bytes of the work begun", self.path)
        self._file = open(self.path, "wb" if state is None else "r+b")  # noqa: SIM115
        if state is None:
            self._write_header()
            return
        self._file.truncate(end)
        self._file.seek(end)

    def append(self, rows: NDArray[Any]) -> None:
        """Appends rows."""
        data = memoryview(np.ascontiguousarray(rows, self.dtype).tobytes())
        self._file.write(data)
        self.rows += len(rows)
        place = (self.rows * self._row - len(data)) % BLOCK
        while data:
            part, data = data[: BLOCK - place], data[BLOCK - place :]
            if place:
                self._sums[-1] = zlib.crc32(part, self._sums[-1])
            else:
                self._sums.append(zlib.crc32(part))
            place = (place + len(part)) % BLOCK

    def state(self) -> dict[str, Any]:
        """Returns number and checksums of the rows so far, after they have been synced to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return {"rows": self.rows, "sums": [*self._sums]}

    def finish(self) -> dict[str, Any]:
        """Writes the header, closes the file, and returns the last state."""
        self._file.seek(0)
        self._write_header()
        state = self.state()
        self._file.close()
        return state

    def close(self) -> None:
        """Closes the file as it is."""
        self._file.close()

    def _write_header(self) -> None:
        """Writes a header of fixed length, so that the number of rows may be filled in at the end."""
        shape = f"({self.rows},)" if not self._tail else f"({self.rows}, {self._tail[0]})"
        text = f"{{'descr': {self.dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}"
        magic = np.lib.format.magic(1, 0)
        length = _HEADER - len(magic) - 2
        self._file.write(magic + length.to_bytes(2, "little") + text.ljust(length - 1).encode() + b"\n")
