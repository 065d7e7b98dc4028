"""Printing what a model makes of some held-out examples while it is trained."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from .callbacks import Callback
from .run import Run


class Examples(Callback):
    """Prints some lines after every validation: what the model answers to held-out examples.

    Args:
        lines: gives them, from the model as it is then.
        file: where to print; standard error by default.
    """

    def __init__(self, lines: Callable[[], list[str]], file: TextIO | None = None) -> None:
        self._lines, self._file = lines, file

    def on_validation(self, run: Run, loss: float) -> None:
        """Prints the lines."""
        out = self._file or sys.stderr
        text = "\n".join([f"epoch {run.epoch + 1}, held out {loss:.3f}:", *self._lines()])
        print(("\n" if out.isatty() else "") + text, file=out, flush=True)
