"""What a library's module offers: `version()`, and `variants(task, threads)`.

A module `NAME_.py` on Python's path makes NAME a library of `run.py --libraries`. Modules are imported in a
process of their own, after the environment has set the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tasks import Arrays, Task


def _nothing() -> None:
    """Needs no preparation."""


@dataclass(frozen=True)
class Variant:
    """One way in which a library can do a task.

    Attributes:
        run: what is timed. It returns once the results are there, as the library's own arrays.
        check: does the task and gives its results as NumPy arrays:
            "forward": h. "train": dU, dW, db. "sgemm": C. "next": scores, those after the last token.
            "step": losses (CHECKED_STEPS,), and for each weight w the norm of its change, `change.w`.
        prepare: called before each series of runs, and before `check`: chooses the variant's settings, sets
            back what runs change.
    """

    run: Callable[[], Any]
    check: Callable[[], Arrays]
    prepare: Callable[[], None] = _nothing


class Library(Protocol):
    """The functions of a library's module."""

    def version(self) -> str:
        """Name and version."""
        ...

    def variants(self, task: Task, threads: int) -> dict[str, Variant]:
        """The ways to do the task, by name; none if the library does not do it."""
        ...
