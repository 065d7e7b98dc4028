"""Writing files so that nothing already saved is ever lost."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file whole, or not at all.

    The bytes go to a new file beside the target, are synced to the disk, and take the target's name; then the
    folder is synced. Whatever happens on the way — a full disk, Ctrl-C, a crash —, the old file is still there. A
    target that is a symbolic link is followed; the permissions of an existing file stay.

    Raises:
        OSError: if the folder is missing or may not be written to, the target is a folder, the disk is full, …
    """
    target = Path(os.path.realpath(path))
    check_writable(target)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            os.chmod(name, _mode(target))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    _sync_folder(target.parent)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Whether `write_atomically` has a chance: worth asking before hours of work.

    Raises:
        FileNotFoundError, NotADirectoryError: if the folder is missing.
        IsADirectoryError: if the target is a folder.
        PermissionError: if the folder may not be written to.
    """
    target = Path(os.path.realpath(path))
    folder = target.parent
    if not folder.exists():
        raise FileNotFoundError(f"{path}: the folder {folder} does not exist")
    if not folder.is_dir():
        raise NotADirectoryError(f"{path}: {folder} is not a folder")
    if target.is_dir():
        raise IsADirectoryError(f"{path}: is a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path}: the folder {folder} may not be written to")


def _mode(target: Path) -> int:
    """The permissions of the existing file, or those that a new one gets."""
    try:
        return target.stat().st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
