"""The interface of a library's module: `version()` and `variants(task, threads)`.

A module `NAME_.py` on Python's path makes NAME available to `run.py --libraries`. Each module is imported in
its own process, after the environment has set the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tasks import Arrays, Task


def _nothing() -> None:
    """Prepares nothing."""


@dataclass(frozen=True)
class Variant:
    """One way in which a library can do a task.

    Attributes:
        run: the timed function. It returns when the results are available as the library's own arrays.
        check: does the task and returns its results as NumPy arrays:
            "forward": h. "train": dU, dW, db. "sgemm": C. "next": scores after the last token.
            "step": losses (CHECKED_STEPS,), and for each weight w the norm of its change, `change.w`.
        prepare: called before each series of runs and before `check`. It applies the variant's settings and
            resets the state that runs change.
    """

    run: Callable[[], Any]
    check: Callable[[], Arrays]
    prepare: Callable[[], None] = _nothing


class Library(Protocol):
    """The functions of a library's module."""

    def version(self) -> str:
        """Returns name and version."""
        ...

    def variants(self, task: Task, threads: int) -> dict[str, Variant]:
        """Returns the variants of a task by name; empty if the library does not support the task."""
        ...
