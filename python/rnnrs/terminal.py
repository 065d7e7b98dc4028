"""Output for people: it never stops the work, and no text can command a terminal."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

#: Characters that terminals obey: controls besides tab and line feed, and overrides of the writing direction.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """Returns a text without the characters that a terminal obeys: ESC becomes `\\u001b`, and so on.

    Tabs and line feeds stay.

    Example:
        >>> print(escaped("\\x1b[31mred"))
        \\u001b[31mred
    """
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def is_terminal(stream: Any) -> bool:
    """Returns whether a stream is a terminal; False for None, a closed stream, and one without `isatty`."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False


class Screen:
    """An output that a person may read, for progress and messages: what cannot be written is left out.

    Args:
        stream: the output. None, a closed stream, a full disk or a broken pipe take nothing; characters that
            its encoding lacks are written as escapes.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream: Any = stream

    @property
    def encoding(self) -> str:
        """The encoding of the output."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Writes a text, if it can be written; returns its length."""
        if self._stream is not None:
            try:
                self._write(text)
            except (OSError, ValueError):
                self._stream = None
        return len(text)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            known = text.encode(self.encoding, "backslashreplace")
            self._stream.write(known.decode(self.encoding))

    def flush(self) -> None:
        """Writes what is still in a buffer."""
        try:
            if hasattr(self._stream, "flush"):
                self._stream.flush()
        except (OSError, ValueError):
            self._stream = None

    def isatty(self) -> bool:
        """Returns whether a person sees the output at once."""
        return is_terminal(self._stream)

    def fileno(self) -> int:
        """Returns the descriptor of the output, by which its width can be asked for.

        Raises:
            OSError: if it has none.
        """
        if not hasattr(self._stream, "fileno"):
            raise OSError("no descriptor")
        return int(self._stream.fileno())


class Output:
    """Standard output or standard error, as a command writes to them.

    A terminal shows texts, names and messages but obeys none of them, see `escaped`; elsewhere they are
    written as they are. Errors name the output.

    Args:
        plain: the stream itself; None if it is closed. Its other attributes are those of the output.
        name: its name, for errors.
    """

    def __init__(self, plain: TextIO | None, name: str) -> None:
        self.plain, self._name = plain, name
        self._escapes = is_terminal(plain)

    def write(self, text: str) -> int:
        """Writes a text; returns its length.

        Raises:
            OSError: if it cannot be written.
        """
        self.command(escaped(text) if self._escapes else text)
        return len(text)

    def command(self, text: str) -> None:
        """Writes a text with characters that a terminal is to obey, such as colors; see `write`."""
        with self._named():
            if self.plain is None:
                raise OSError(errno.EBADF, "is closed")
            self.plain.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Writes what is still in a buffer.

        Raises:
            OSError: if it cannot be written.
        """
        with self._named():
            if self.plain is not None:
                self.plain.flush()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._name) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


def plain(stream: Any) -> Any:
    """Returns the stream behind an `Output`, for output that commands a terminal on purpose."""
    return stream.plain if isinstance(stream, Output) else stream


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Returns a context in which standard output and error are `Output`s, for a command.

    At its end, what a stream could not write is dropped: otherwise Python tries again when it exits,
    complains, and changes the exit code.
    """
    _fill_descriptors()
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # characters that the output's encoding lacks
    sys.stdout = cast("TextIO", Output(before[0], "standard output"))
    sys.stderr = cast("TextIO", Output(before[1], "standard error"))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in before:
            _drop_unwritten(stream)


def _fill_descriptors() -> None:
    """Opens descriptors 0 to 2 if they are closed: a file to be opened would get their messages."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(handle)


def _drop_unwritten(stream: Any) -> None:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
