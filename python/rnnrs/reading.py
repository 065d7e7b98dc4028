"""Bytes, texts and lines from files and from standard input, by one rule for all readers.

`-` is standard input. A file compressed by gzip or, with the extra "zstd", by zstd is decompressed, whatever
its name. A byte order mark is removed. A line ends with "\\n", "\\r\\n" or "\\r"; U+2028 and other separators
may occur within a text.
"""

from __future__ import annotations

import codecs
import errno
import gzip
import os
import re
import sys
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from .errors import FormatError, require

PathLike = str | os.PathLike[str]

#: The name of standard input as a file.
STANDARD_INPUT = "-"

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LINE_END = re.compile("\r\n|\r|\n")

#: The number of bytes by which the kind of a text is judged.
_SAMPLE = 1 << 16

#: The number of bytes of a text that are read at a time.
_PART = 1 << 20


def name_of(path: PathLike) -> str:
    """Returns the name of a file as messages show it."""
    return "standard input" if os.fspath(path) == STANDARD_INPUT else os.fspath(path)


def read_bytes(path: PathLike) -> bytes:
    """Returns the content of a file or of standard input, decompressed if it is compressed.

    Raises:
        OSError: if it cannot be read.
        FormatError: if it is damaged.
        MissingExtraError: for zstd, if the package zstandard is missing.
    """
    data = b"".join(_chunks(_stdin())) if os.fspath(path) == STANDARD_INPUT else Path(path).read_bytes()
    if data.startswith(_ZSTD):
        return b"".join(_decompressed(name_of(path), iter([data])))
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FormatError(f"{name_of(path)}: damaged gzip file: {error}") from None


def read_text(path: PathLike, encoding: str = "utf-8") -> str:
    """Returns the text of a file, without a byte order mark, its line ends as they are.

    Args:
        path: the file.
        encoding: a text encoding that Python knows.

    Raises:
        OSError: if it cannot be read.
        FormatError: for bytes that are not text in this encoding; names line and column.
        ValueError: for an unknown encoding.
    """
    check_encoding("read_text", encoding)
    data = read_bytes(path)
    _refuse_utf_16(name_of(path), data, encoding)
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(encoding, "ignore")
        *ended, last = _LINE_END.split(before.removeprefix("\ufeff"))
        raise _undecodable(name_of(path), encoding, error, len(ended), len(last), 0) from None


def read_lines(path: PathLike, encoding: str = "utf-8") -> list[str]:
    """Returns the lines of a file; see `read_text`."""
    return split_lines(read_text(path, encoding))


def split_lines(text: str) -> list[str]:
    """Returns the lines of a text, without their ends.

    Example:
        >>> split_lines("one\\r\\ntwo\\rthree\\u2028still three\\n")
        ['one', 'two', 'three\\u2028still three']
    """
    lines = _LINE_END.split(text) if "\r" in text else text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def text_parts(path: PathLike, encoding: str = "utf-8") -> Iterator[str]:
    """Yields the text of a file or of standard input part by part, so that memory does not grow with it.

    All line ends are "\\n". Together, the parts are the text that `read_text` returns; a part may be empty.

    Raises:
        OSError, FormatError, ValueError: see `read_text`.
    """
    check_encoding("text_parts", encoding)
    name = name_of(path)
    text = _Text(name, encoding)
    for chunk in _decompressed(name, _file_chunks(path)):
        yield text.take(chunk)
    yield text.take(b"", last=True)


def input_lines(encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of standard input, each as soon as it is complete.

    Raises:
        OSError, FormatError, ValueError: see `read_text`.
    """
    check_encoding("input_lines", encoding)
    name = name_of(STANDARD_INPUT)
    lines = _Lines(name, encoding)
    for chunk in _decompressed(name, _chunks(_stdin())):
        yield from lines.take(chunk)
    yield from lines.finish()


def check_encoding(op: str, encoding: Any) -> None:
    """Checks an encoding.

    Raises:
        ValueError: for one that is unknown, or not of text.
        TypeError: if it is not a string.
    """
    if not isinstance(encoding, str):
        raise TypeError(f"{op}: encoding: expected a name such as utf-8, got {encoding!r}")
    try:
        known = isinstance(
            codecs.getincrementaldecoder(encoding)().decode(b""), str
        )  # others decode to bytes
    except (LookupError, TypeError, ValueError):
        known = False
    if not known:
        raise ValueError(f"{op}: encoding: expected one that Python knows, such as utf-8, got {encoding!r}")


class _Text:
    """A text that arrives in pieces of bytes."""

    def __init__(self, name: str, encoding: str) -> None:
        self._name, self._encoding = name, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._lines = self._column = 0  # complete lines; characters of the line after them
        self._offset = 0  # bytes
        self._begun = self._after_return = False

    def take(self, chunk: bytes, last: bool = False) -> str:
        """Returns the text that the next bytes complete, with "\\n" as its line ends."""
        if not self._offset:
            _refuse_utf_16(self._name, chunk, self._encoding)
        waiting = len(self._decoder.getstate()[0])  # bytes of a character that is not complete
        try:
            decoded = self._decoder.decode(chunk, last)
        except UnicodeDecodeError as error:
            self._place(self._normalized(error.object[: error.start].decode(self._encoding, "ignore")))
            place = (self._lines, self._column, self._offset - waiting)
            raise _undecodable(self._name, self._encoding, error, *place) from None
        text = self._normalized(decoded)
        self._place(text)
        self._offset += len(chunk)
        if decoded:
            self._begun, self._after_return = True, decoded.endswith("\r")
        return text

    def _place(self, text: str) -> None:
        """Moves the place to the end of more text."""
        ended = text.count("\n")
        self._lines += ended
        self._column = len(text) - text.rfind("\n") - 1 if ended else self._column + len(text)

    def _normalized(self, text: str) -> str:
        if not self._begun:
            text = text.removeprefix("\ufeff")
        if self._after_return:  # the line ended with the "\r" of "\r\n"
            text = text.removeprefix("\n")
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class _Lines:
    """Lines of a text that arrives in pieces of bytes."""

    def __init__(self, name: str, encoding: str) -> None:
        self._text = _Text(name, encoding)
        self._rest = ""

    def take(self, chunk: bytes, last: bool = False) -> list[str]:
        """Returns the lines that the next bytes complete."""
        *lines, self._rest = (self._rest + self._text.take(chunk, last)).split("\n")
        return lines

    def finish(self) -> list[str]:
        """Returns the last lines, at the end of the bytes."""
        lines = self.take(b"", last=True)
        return [*lines, self._rest] if self._rest else lines


def _stdin() -> Any:
    """Returns standard input.

    Raises:
        OSError: if it is closed.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise OSError(errno.EBADF, "is closed", name_of(STANDARD_INPUT))
    return sys.stdin


def _chunks(stream: Any) -> Iterator[bytes]:
    """Yields the bytes of a stream as they come."""
    if not hasattr(stream, "buffer"):  # a text in place of a file
        yield stream.read().encode("utf-8", "surrogatepass")
        return
    read = stream.buffer.read1 if hasattr(stream.buffer, "read1") else stream.buffer.read
    while chunk := read(_SAMPLE):
        yield chunk


def _file_chunks(path: PathLike) -> Iterator[bytes]:
    """Yields the bytes of a file, or of standard input as they come."""
    if os.fspath(path) == STANDARD_INPUT:
        yield from _chunks(_stdin())
        return
    with open(path, "rb") as file:
        while chunk := file.read(_PART):
            yield chunk


def _decompressed(name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields bytes, decompressed if they are compressed."""
    data = b""
    while len(data) < len(_ZSTD) and (chunk := next(chunks, b"")):
        data += chunk
        if not any(data.startswith(magic) or magic.startswith(data) for magic in (_GZIP, _ZSTD)):
            break
    if data.startswith(_GZIP):
        yield from _gunzipped(name, data, chunks)
    elif data.startswith(_ZSTD):
        yield from _unzstd(name, data, chunks)
    else:
        yield data
        yield from chunks


def _gunzipped(name: str, data: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the bytes of a gzip file, of one member or several, at most `_PART` at a time."""
    member = zlib.decompressobj(wbits=31)
    while data:
        try:
            found = member.decompress(data, _PART)
            while found:
                yield found
                found = b"" if member.eof else member.decompress(member.unconsumed_tail, _PART)
        except zlib.error as error:
            raise FormatError(f"{name}: damaged gzip file: {error}") from None
        data = member.unused_data.lstrip(b"\0")
        if member.eof and data:
            member = zlib.decompressobj(wbits=31)
        else:
            data = next(chunks, b"")
    if not member.eof:
        raise FormatError(f"{name}: damaged gzip file: it ends too early")


def _unzstd(name: str, data: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the bytes of a zstd file, of one frame or several."""
    zstandard = require("zstandard", "zstd")
    # Little at a time, since it may become much.
    pieces = (part[i : i + _SAMPLE] for part in chain([data], chunks) for i in range(0, len(part), _SAMPLE))
    data = next(pieces)
    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            try:
                yield frame.decompress(data)
            except zstandard.ZstdError as error:
                raise FormatError(f"{name}: damaged zstd file: {error}") from None
            if not frame.eof and not (data := next(pieces, b"")):
                raise FormatError(f"{name}: damaged zstd file: it ends too early")
        data = frame.unused_data or next(pieces, b"")


def _is_utf_8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def _refuse_utf_16(name: str, data: bytes, encoding: str) -> None:
    """Checks that bytes to be read as UTF-8 are not UTF-16: most of these would pass as text with zeros.

    Raises:
        FormatError: if they look like UTF-16.
    """
    sample = data[:_SAMPLE]
    halves = (sample[0::2], sample[1::2])
    zeros = [half.count(0) > 0.4 * len(half) for half in halves]
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if _is_utf_8(encoding) and (marked or (zeros[0] != zeros[1] and len(sample) > 1)):
        kind = "utf-16" if marked else "utf-16-be" if zeros[0] else "utf-16-le"
        raise FormatError(
            f"{name}: expected UTF-8 text, got a binary file; it looks like UTF-16, name the encoding: {kind}"
        )


def _undecodable(
    name: str, encoding: str, error: UnicodeDecodeError, lines: int, column: int, offset: int
) -> FormatError:
    """Returns the error about a byte, by the complete lines, the column and the bytes before it."""
    expected = "UTF-8" if _is_utf_8(encoding) else encoding
    place = f"offset {offset + error.start}, column {column + 1}"
    advice = ""
    if _is_utf_8(encoding) and _looks_like_latin_1(error.object):
        advice = "; if it is Latin-1 or Windows-1252, name the encoding: cp1252"
    byte = error.object[error.start]
    return FormatError(
        f"{name}: line {lines + 1}: expected {expected} text, got byte 0x{byte:02x} at {place}{advice}"
    )


def _looks_like_latin_1(data: bytes) -> bool:
    """Returns whether bytes that are not UTF-8 are mostly ASCII, as a text in Windows-1252 is."""
    sample = data[:_SAMPLE]
    high = sum(byte >= 0x80 for byte in sample)
    return 0 < high < 0.3 * len(sample) and 0 not in sample
