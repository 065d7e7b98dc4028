"""Atomic writes: a file that was already saved is never lost."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .locks import FileLock, is_file, try_lock


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file completely, or not at all.

    The bytes go to a new file in the target's folder, which is synced to disk and renamed to the target; then
    the folder is synced. If anything fails on the way (a full disk, Ctrl-C, a crash), the old file is still
    there. Symbolic links are followed; an existing file keeps its permissions. The new file of a process that
    was killed is removed by the next `claimed` of the same target.

    Raises:
        OSError: if the folder is missing or not writable, the target is a folder or a device, the disk is
            full, …
    """
    with _named(path):
        check_writable(path)
        target = Path(os.path.realpath(path))
        with _open_folder(target.parent) as folder, _new_part(target) as part:
            _write(part, data, _mode(target))
            os.replace(part, target)
            if folder is not None:
                os.fsync(folder)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Checks whether `write_atomically` can succeed, for use before hours of work.

    Raises:
        FileNotFoundError, NotADirectoryError: if the folder is missing.
        IsADirectoryError: if the target is a folder.
        PermissionError: if the folder is not writable.
        OSError: if the target is a device, a pipe or anything else that is not a regular file.
    """
    target = Path(os.path.realpath(path))
    folder = target.parent
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, f"the folder {folder} does not exist", os.fspath(path))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder", os.fspath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", os.fspath(path))
    if os.path.lexists(target) and not target.is_file():  # otherwise /dev/null would be replaced
        raise OSError(errno.EINVAL, "is not an ordinary file", os.fspath(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"the folder {folder} may not be written to", os.fspath(path))


@contextlib.contextmanager
def claimed(path: str | os.PathLike[str]) -> Iterator[None]:
    """Returns a context in which no other run of this package writes a file.

    On entry, removes what killed runs left of the same file (`.rnnrs-….part`), never a file that another
    process is writing.

    Raises:
        BlockingIOError: if another run or thread writes the file.
        OSError: if the file cannot be written, see `check_writable`.
    """
    check_writable(path)
    target = Path(os.path.realpath(path))
    with _named(path):
        lock = FileLock(target.with_name(f"{_prefix(target)}.lock"), path)
        lock.__enter__()
    try:
        _sweep(target)
        yield
    finally:
        lock.__exit__()


def _prefix(target: Path) -> str:
    """Returns the beginning of the names of a target's temporary files.

    It has a fixed length: the target's name may already have the maximum length.
    """
    return f".rnnrs-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}"


@contextlib.contextmanager
def _new_part(target: Path) -> Iterator[Path]:
    """Creates a file beside the target, locked until the context ends; removes it if the context fails."""
    while True:
        part = target.with_name(f"{_prefix(target)}-{os.urandom(8).hex()}.part")
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if os.name != "posix" or (try_lock(handle) is not False and is_file(part, handle)):
            break
        os.close(handle)  # a run that swept the folder was faster
    if os.name != "posix":  # an open file cannot be renamed there, nor removed, so that it needs no lock
        os.close(handle)
    try:
        yield part
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
    finally:
        if os.name == "posix":
            os.close(handle)


def _sweep(target: Path) -> None:
    """Removes the temporary files that killed processes left of a target."""
    with contextlib.suppress(OSError):  # a folder that may be written to, but not listed
        for part in target.parent.glob(f"{_prefix(target)}-*.part"):
            with contextlib.suppress(OSError):
                if os.name != "posix":
                    os.unlink(part)
                    continue
                handle = os.open(part, os.O_RDWR)
                try:
                    if try_lock(handle):  # nobody writes it
                        os.unlink(part)
                finally:
                    os.close(handle)


def _write(part: Path, data: bytes, mode: int | None) -> None:
    """Fills a new file and syncs it to disk, with the given mode or the one that the umask implies."""
    with open(part, "wb") as file:
        if mode is not None:
            os.chmod(part, mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _mode(target: Path) -> int | None:
    """Returns the permissions of an existing file; None if there is no file."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _open_folder(folder: Path) -> Iterator[int | None]:
    """Opens a folder for syncing.

    It is opened before the write, since a failure must come before anything is replaced.
    """
    if os.name != "posix":  # other systems cannot open a folder
        yield None
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Makes errors name the requested file, instead of the temporary one or none at all."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
