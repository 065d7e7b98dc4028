"""Printing a model's answers to some held-out examples during training."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from ..terminal import Screen
from .callbacks import Callback
from .run import Run


class Examples(Callback):
    """Prints lines after every validation: the model's answers to some held-out examples.

    Args:
        lines: computes the lines, with the model's current parameters.
        file: the output; standard error by default.
    """

    first_rank_only = True

    def __init__(self, lines: Callable[[], list[str]], file: TextIO | None = None) -> None:
        self._lines, self._file = lines, file

    def on_validation(self, run: Run, loss: float) -> None:
        """Prints the lines."""
        out = Screen(sys.stderr if self._file is None else self._file)
        text = "\n".join([f"epoch {run.epoch + 1}, held out {loss:.3f}:", *self._lines()])
        print(("\n" if out.isatty() else "") + text, file=out, flush=True)
