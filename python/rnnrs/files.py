"""Atomic writes: a file that was already saved is never lost."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file completely, or not at all.

    The bytes go to a new file in the target's folder, which is synced to disk and renamed to the target; then
    the folder is synced. If anything fails on the way (a full disk, Ctrl-C, a crash), the old file is still
    there. Symbolic links are followed; an existing file keeps its permissions.

    Raises:
        OSError: if the folder is missing or not writable, the target is a folder or a device, the disk is
            full, …
    """
    with _named(path):
        check_writable(path)
        target = Path(os.path.realpath(path))
        # A name of fixed length: the target's may already have the maximum length.
        part = target.with_name(f".rnnrs-{os.urandom(8).hex()}.part")
        with _open_folder(target.parent) as folder:
            try:
                _write(part, data, _mode(target))
                os.replace(part, target)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(part)
                raise
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


def _write(part: Path, data: bytes, mode: int | None) -> None:
    """Writes a new file and syncs it to disk, with the given mode or the one that the umask implies."""
    with open(part, "xb") as file:
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
