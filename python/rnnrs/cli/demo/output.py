"""Files and lines that the demos share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...files import claimed
from ..common import CommandError, say

if TYPE_CHECKING:
    from ...train import History


@contextlib.contextmanager
def free_paths(folder: Path, model: str, picture: str) -> Iterator[tuple[Path, Path]]:
    """Returns a context with the files of model and picture; those of other runs are kept.

    Args:
        folder: where they are.
        model: the name of the model, without its ending.
        picture: the name of the picture, with its ending.

    Raises:
        CommandError, OSError: if the folder cannot be created.
    """
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"{folder}: is not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    with contextlib.ExitStack() as claims:
        name = Path(picture)
        while True:
            suffix = "" if number == 1 else f"-{number}"
            paths = folder / f"{model}{suffix}.rnn", folder / f"{name.stem}{suffix}{name.suffix}"
            number += 1
            if any(path.exists() for path in paths):
                continue
            with contextlib.suppress(BlockingIOError):
                claims.enter_context(claimed(paths[0]))
                break
        yield paths


def announce(seconds: float) -> None:
    """Prints the line before the training."""
    print(f"Training  for {seconds:g} seconds; Ctrl-C stops and keeps the trained model", flush=True)


def save_curve(history: History, path: Path) -> None:
    """Draws the loss over the steps, if matplotlib is installed."""
    from ...errors import MissingExtraError

    try:
        history.plot(path)
        print(f"          {path}")
    except MissingExtraError as error:
        say(f"No picture of the loss: {error}")
