"""Advisory locks of files: two runs that would write the same file are kept apart.

The kernel releases a lock when its process dies, however it dies. Locks are advisory: only this package asks
for them. Some network file systems have none; there the lock is not held, and says so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import warnings
from dataclasses import dataclass

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: The byte that is locked where locks are for bytes; behind the end of every file.
_FAR = 1 << 62

#: The errors by which a system says that another process holds the lock.
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


def try_lock(handle: int) -> bool | None:
    """Locks an open file, without waiting.

    Args:
        handle: its descriptor, open for writing.

    Returns:
        True if the lock is held until the file is closed; False if someone else holds it; None if the file
        system has no locks.
    """
    try:
        if sys.platform == "win32":
            os.lseek(handle, _FAR, os.SEEK_SET)  # nobody else can read or write locked bytes
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _TAKEN else None
    return True


def is_file(path: str | os.PathLike[str], handle: int) -> bool:
    """Returns whether a path still names an open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except OSError:
        return False


@dataclass
class _Held:
    """A lock of this process: its descriptor, the thread that holds it, and how many times."""

    handle: int
    thread: int
    count: int = 1


_held: dict[str, _Held] = {}
_guard = threading.Lock()


class FileLock:
    """A lock that is a file of its own, for use as a context. The same thread may take it several times.

    The file is removed at the end. The file of a killed process is taken over.

    Args:
        path: the file of the lock.
        target: the file that is protected, for messages.

    Raises:
        BlockingIOError: on entry, if another process or thread holds the lock.
        OSError: on entry, if the file of the lock cannot be created.
    """

    def __init__(self, path: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
        self._path, self._target = os.fspath(path), os.fspath(target)

    def __enter__(self) -> FileLock:
        me = threading.get_ident()
        with _guard:
            held = _held.get(self._path)
            if held is None:
                _held[self._path] = _Held(self._open(), me)
            elif held.thread == me:
                held.count += 1
            else:
                raise self._taken("another thread is writing it")
        return self

    def __exit__(self, *_: object) -> None:
        with _guard:
            held = _held.get(self._path)
            if held is None:  # a forked process, which does not hold what its parent held
                return
            held.count -= 1
            if held.count:
                return
            del _held[self._path]
            if os.name == "posix":  # other systems do not remove an open file
                self._remove(held.handle)
            os.close(held.handle)
            if os.name != "posix":
                with contextlib.suppress(OSError):
                    os.unlink(self._path)

    def _remove(self, handle: int) -> None:
        with contextlib.suppress(OSError):
            if is_file(self._path, handle):
                os.unlink(self._path)

    def _open(self) -> int:
        """Returns the descriptor of the locked file."""
        while True:
            handle = self._create()
            state = try_lock(handle)
            if state is False:
                holder = _holder(handle)
                os.close(handle)
                raise self._taken(f"another run is writing it{holder}")
            if state is None:
                warnings.warn(
                    f"{self._target}: this file system has no locks; a second run on the same file would not be "
                    "noticed",
                    stacklevel=4,
                )
                return handle
            if is_file(self._path, handle):
                with contextlib.suppress(OSError):  # for messages only
                    os.ftruncate(handle, 0)
                    os.write(handle, str(os.getpid()).encode())
                return handle
            os.close(handle)  # its holder removed it in between

    def _create(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # the file of another user's run
            return os.open(self._path, os.O_RDONLY)

    def _taken(self, reason: str) -> BlockingIOError:
        return BlockingIOError(errno.EWOULDBLOCK, reason, self._target)


def _holder(handle: int) -> str:
    """Returns the process that holds a lock, for messages."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        number = os.read(handle, 20).decode("ascii", "replace")
    except OSError:
        return ""
    return f" (process {number})" if number.isdecimal() else ""


def _forget() -> None:
    """Closes the locks that a forked process inherited, so that they end with its parent."""
    global _guard
    _guard = threading.Lock()
    for held in _held.values():
        with contextlib.suppress(OSError):
            os.close(held.handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
