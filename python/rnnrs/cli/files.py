"""The files of a command: no file is replaced unasked, and none that the command reads at all.

Arguments say by `reads` and `writes` (in `common.py`) which files they name.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from ..files import check_writable, claimed
from ..reading import STANDARD_INPUT
from .common import CommandError, communicator_of, rank_of, say

#: Device and number, which identify a file whatever its name.
Identity = tuple[int, int]


class Files:
    """The files that a command reads and writes, for use as a context.

    Within the context, no other run of this package writes the outputs.

    Args:
        arguments: the command line.

    Raises:
        CommandError: on entry, for an output that exists, that is also an input, or that another run writes.
        OSError: on entry, for an output that cannot be written.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._actions: list[Any] = arguments.parser.filled()._actions if hasattr(arguments, "parser") else []
        self._claims = ExitStack()
        self._outputs: dict[Identity, str] = {}

    def __enter__(self) -> Files:
        communicator = communicator_of(self._arguments)
        if communicator is None:
            self._claim()
            return self
        from ..train.ranks import Ranks

        with Ranks("train", communicator).together():
            if STANDARD_INPUT in self.inputs() and not getattr(self._arguments, "spools", False):
                raise CommandError(f"{STANDARD_INPUT}: expected a file, which all processes can read, got -")
            if not rank_of(self._arguments):
                self._claim()
        return self

    def _claim(self) -> None:
        """Checks the files, and claims those that are written."""
        outputs = [path for kind in ("writes", "updates") for path in self._named(kind)]
        for path in outputs:
            if path == STANDARD_INPUT:
                raise CommandError("-: expected a file to write, got -")
            check_writable(path)
            self._outputs[_identity(path) or (0, len(self._outputs))] = path
        if self.inputs().count(STANDARD_INPUT) > 1:
            raise CommandError(f"{STANDARD_INPUT}: standard input can be read only once")
        for path in (*self.inputs(), STANDARD_INPUT):  # many commands read it where no file is named
            self.read(path)
        self._check_different(outputs)
        for path in self._named("writes"):
            self._check_new(path)
        try:
            with warnings.catch_warnings(record=True) as found:  # of a file system without locks
                warnings.simplefilter("always")
                for path in {os.path.realpath(path): path for path in outputs}.values():
                    self._claims.enter_context(claimed(path))
        except BaseException:
            self._claims.close()
            raise
        for warning in found:
            say(f"rnnrs: {warning.message}")

    def __exit__(self, *_: object) -> None:
        self._claims.close()

    def inputs(self) -> list[str]:
        """Returns the files that the arguments name as inputs."""
        return [path for action in self._actions if hasattr(action, "reads") for path in self._values(action)]

    def read(self, path: str) -> None:
        """Checks a file that is about to be read.

        Raises:
            CommandError: if the command would replace it.
        """
        identity = _identity(path)
        if identity in self._outputs:
            name = f"{path}: " if os.path.realpath(path) != os.path.realpath(self._outputs[identity]) else ""
            raise CommandError(f"{self._outputs[identity]}: {name}is an input, which is never replaced")

    def _named(self, kind: str) -> Iterator[str]:
        for action in self._actions:
            if getattr(action, "writes", None) == kind:
                yield from self._values(action)

    def _values(self, action: Any) -> list[str]:
        value = getattr(self._arguments, action.dest, None)
        return [value] if isinstance(value, str) else [word for word in value or () if isinstance(word, str)]

    def _check_different(self, outputs: list[str]) -> None:
        """Checks that no two outputs are one file, except a model that is its own checkpoint."""
        own = getattr(self._arguments, "checkpoint", None)
        places = [os.path.realpath(path) for path in outputs if path != own]
        if twice := next((path for path in places if places.count(path) > 1), None):
            raise CommandError(f"{twice}: expected a file for each output, got one for two")

    def _check_new(self, path: str) -> None:
        """Checks that an output may be written."""
        arguments = self._arguments
        if getattr(arguments, "force", False) or not os.path.exists(path):
            return
        if hasattr(arguments, "resume"):
            if not arguments.resume:
                raise CommandError(f"{path}: exists; --resume continues its training, --force replaces it")
        else:
            raise CommandError(f"{path}: exists; --force replaces it")


def _identity(path: str) -> Identity | None:
    """Returns the identity of a file, that of standard input for "-"; None if there is no such file."""
    try:
        if path == STANDARD_INPUT:
            status = os.fstat(sys.stdin.fileno())
            return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
        status = os.stat(path)
    except (AttributeError, OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
