"""Held-out data of the `train` verbs: the option `--validation`, and the split that it describes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .common import CommandError, reads, say
from .options import given

if TYPE_CHECKING:
    from ..models.base.training import TrainedModel

D = TypeVar("D")


def add_validation(
    training: Any, share: float, doc: str, *, files: str = "", nargs: str | None = None
) -> None:
    """Adds `--validation`.

    Args:
        training: the group.
        share: the command's default share.
        doc: describes the option.
        files: the metavar of files; empty if only a share is accepted.
        nargs: of argparse, for more than one file.
    """
    metavar = f"{files}|SHARE" if files else "SHARE"
    help_text = f"{doc}; 0: none ({share:g})"
    action = reads(training.add_argument("--validation", metavar=metavar, nargs=nargs, help=help_text))
    action.share = share  # type: ignore[attr-defined]


class Validation(NamedTuple):
    """Where held-out data come from.

    Attributes:
        files: the files; empty for a share.
        share: the share of the data to hold out; 0 for none.
        explicit: whether the command line says so.
    """

    files: tuple[str, ...]
    share: float
    explicit: bool


def validation_of(arguments: argparse.Namespace, share: float, expected: str) -> Validation:
    """Returns the value of `--validation`.

    Args:
        arguments: the command line.
        share: the command's default share.
        expected: names the files that may be given, for error messages; empty if only a share is accepted.

    Raises:
        CommandError: for a share that is not from 0, below 1.
    """
    if arguments.validation is None:
        return Validation((), share, False)
    words = [arguments.validation] if isinstance(arguments.validation, str) else arguments.validation
    try:
        value = float(words[0]) if len(words) == 1 else None
    except ValueError:
        value = None
    if value is None and expected:
        return Validation(tuple(words), 0.0, True)
    if value is None or not 0 <= value < 1:
        expected = f"{expected} or a share" if expected else "a share"
        raise CommandError(f"--validation: expected {expected} from 0, below 1, got {' '.join(words)}")
    return Validation((), value, True)


def held_out(
    arguments: argparse.Namespace, validation: Validation, data: D, divide: Callable[[float], tuple[D, D]]
) -> tuple[D, D | None]:
    """Divides data into a part to train on and a held-out part.

    A default share that cannot be held out is reported, and nothing is held out.

    Args:
        arguments: the command line.
        validation: which share.
        data: the data.
        divide: divides them by a share above 0.

    Raises:
        ValueError: for an explicit share that cannot be held out.
    """
    if not validation.share:
        return data, None
    try:
        return divide(validation.share)
    except ValueError as error:
        if validation.explicit:
            raise
        say(f"rnnrs: no held-out data: {error}", arguments.quiet)
        return data, None


def examples(arguments: argparse.Namespace, count: int, has_validation: bool) -> dict[str, int]:
    """Returns the number of held-out examples to show: the option, or the command's default if there are any.

    Args:
        arguments: the command line.
        count: the command's default.
        has_validation: whether there are held-out data.
    """
    usual = count if has_validation and not arguments.quiet else 0
    return {"examples": usual} | given(arguments, ["examples"])


def seed_of(settings: Mapping[str, Any], cls: type[TrainedModel]) -> int:
    """Returns the seed of a run, by which data are divided."""
    return int(settings.get("seed", cls.training_defaults()["seed"]))
