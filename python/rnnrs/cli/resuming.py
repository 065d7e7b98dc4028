"""`--resume`: the options that a run began with, and what has changed since."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import modelfile
from ..errors import FormatError
from ..models.base.training import BOUNDS, reached
from ..train import Callback
from .common import CommandError, Done, rank_of
from .options import VOCABULARY, check_unchanged, given, vocabulary_defaults

if TYPE_CHECKING:
    from ..models.base.training import TrainedModel

#: The options that do not belong to a run: they may differ when it is resumed, or `fit` compares them.
_FREE = {"help", "output", "checkpoint", "checkpoint_every", "force", "quiet", "json", "resume", "from", "examples",
         "season", "micro_batches", *BOUNDS}  # fmt: skip


class OptionsOfRun(Callback):
    """The options with which a command began a run, and the sizes of its files, as part of the checkpoint."""

    def __init__(self, options: Mapping[str, Any], files: Mapping[str, int]) -> None:
        self._options, self._files = dict(options), dict(files)

    def state(self) -> dict[str, Any]:
        return {"options": self._options, "files": self._files}


def options_of_run(arguments: argparse.Namespace, model: TrainedModel) -> OptionsOfRun:
    """Returns the options to keep in the checkpoint: those that neither the model nor its settings hold."""
    held = {*model.sizes, *model.training_defaults(), "level"}
    options = {
        action.dest: getattr(arguments, action.dest)
        for action in _options(arguments)
        if action.dest not in held and hasattr(arguments, action.dest)
    }
    vocabulary = getattr(model, "target_vocabulary", getattr(model, "vocabulary", None))
    if vocabulary is not None and getattr(arguments, "from") is None:
        known = vocabulary_defaults(type(model))[vocabulary.level]
        options |= {name: known[name] for name in VOCABULARY if name in known and name not in options}
    return OptionsOfRun(options, _sizes(arguments))


def resumed(
    arguments: argparse.Namespace,
    checkpoint: str,
    cls: type[Any],
    contents: Callable[[Any], dict[str, Any]],
    parts: Mapping[str, Sequence[str]],
) -> tuple[Any, dict[str, Any]]:
    """Returns the model and the settings of the run to resume; see `training.started`.

    Raises:
        CommandError: if an option contradicts the checkpoint, or there is nothing left to train.
        Done: if there is nothing left to train, with `--resume=auto`.
    """
    file = modelfile.load(checkpoint, cls.KIND)
    if file.run is None:
        raise CommandError(
            f"{checkpoint}: expected a checkpoint, got a model without the state of its training; "
            "--from begins a new run with it"
        )
    model = cls.from_file(file, checkpoint)
    if model.settings is None:
        raise CommandError(f"{checkpoint}: expected a checkpoint, got a model that has not been trained")
    before = model.settings.to_config()
    fixed = model.sizes | contents(model) | {k: v for k, v in before.items() if k not in BOUNDS}
    for name, own in parts.items():
        fixed |= {part: (before[name] or {}).get(part) for part in own}
    fixed["seed"] = before["seed"]  # of the run, not of the model
    check_unchanged(arguments, f"{checkpoint}: was started with", fixed)
    _take_options(arguments, checkpoint, _record(file), fixed)
    _check_output(arguments, checkpoint, file)
    settings = before | given(arguments, cls.training_defaults())
    _check_left(arguments, checkpoint, model, file.run, cls.TRAINING.make("resume", settings))
    return model, settings


def changed_files(arguments: argparse.Namespace, checkpoint: str, message: str) -> str:
    """Returns the message about changed data, with what is known about the files with which the run began."""
    before = (_record(modelfile.load(checkpoint)) or {}).get("files", {})
    now = _sizes(arguments)
    changed = [
        f"{path} ({before[path]:,} bytes when the run began, {size:,} now)"
        for path, size in now.items()
        if before.get(path, size) != size
    ]
    others = [path for path in before if path not in now]
    known = f"{', '.join(changed or now) or 'standard input'}: {message}"
    return f"{known} (the run began with {', '.join(others)})" if others else known


def _sizes(arguments: argparse.Namespace) -> dict[str, int]:
    """Returns the sizes of the command's input files; of a corpus, that of its ids."""
    inputs = [
        (path, os.path.join(path, "ids.npy") if os.path.isdir(path) else path)
        for path in arguments.guard.inputs()
    ]
    return {path: os.path.getsize(file) for path, file in inputs if os.path.isfile(file)}


def _options(arguments: argparse.Namespace) -> list[argparse.Action]:
    """Returns the options of the command that belong to a run."""
    actions: list[argparse.Action] = arguments.parser._actions
    return [action for action in actions if action.option_strings and action.dest not in _FREE]


def _record(file: modelfile.ModelFile) -> dict[str, Any] | None:
    """Returns the state of `OptionsOfRun` in a checkpoint; None in one of another program."""
    callbacks = (file.run or {}).get("callbacks") or []
    states = [entry["state"] for entry in callbacks if entry.get("kind") == OptionsOfRun.__name__]
    return states[0] if states else None


def _take_options(
    arguments: argparse.Namespace, checkpoint: str, record: dict[str, Any] | None, fixed: Mapping[str, Any]
) -> None:
    """Checks the options that the command line gives, and takes the others from the run.

    Raises:
        CommandError: for an option that differs.
    """
    options = {} if record is None else record["options"]
    for action in _options(arguments):
        name, here = action.dest, _is_given(action, arguments.argv)
        if name in fixed:
            continue
        if name not in options:
            if here and (record is not None or name in VOCABULARY):
                raise CommandError(f"{checkpoint}: was not started with {action.option_strings[0]}")
        elif not here:
            setattr(arguments, name, options[name])
        elif not _is_same(action, getattr(arguments, name), options[name]):
            check_unchanged(arguments, f"{checkpoint}: was started with", {name: options[name]})


def _is_given(action: argparse.Action, words: Sequence[str]) -> bool:
    """Returns whether a command line gives an option."""
    words = words[: words.index("--")] if "--" in words else words
    return any(word.partition("=")[0] in action.option_strings for word in words)


def _is_same(action: argparse.Action, value: Any, before: Any) -> bool:
    """Returns whether an option has the value that it had; files are compared by their contents, later."""
    if action.dest == "validation":
        shares = [_share(action, one) for one in (value, before)]
        return shares[0] == shares[1]
    return hasattr(action, "reads") or bool(value == before)


def _share(action: Any, value: Any) -> float | None:
    """Returns the share that `--validation` holds out; None for files."""
    if value is None:
        return float(action.share)
    try:
        return float(value if isinstance(value, str) else " ".join(value))
    except ValueError:
        return None


def _check_output(arguments: argparse.Namespace, checkpoint: str, file: modelfile.ModelFile) -> None:
    """Checks that an output beside the checkpoint is a model of the run.

    Raises:
        CommandError: if it is another file, which would be lost.
    """
    path = arguments.output
    if path == checkpoint or arguments.force or not os.path.exists(path):
        return
    try:
        there = modelfile.load(path, file.kind)
    except FormatError:
        there = None
    drop = {"settings"}
    if there is None or any(
        there.config.get(name) != value for name, value in file.config.items() if name not in drop
    ):
        raise CommandError(f"{path}: exists, and is not the model of this run; --force replaces it")


def _check_left(
    arguments: argparse.Namespace, checkpoint: str, model: Any, run: Mapping[str, Any], settings: Any
) -> None:
    """Checks that the run has not ended.

    Raises:
        CommandError: if it has.
        Done: if it has, with `--resume=auto`.
    """
    reason = reached(int(run.get("epoch", 0)), float(run.get("seconds", 0.0)), settings)
    if arguments.resume != "auto":
        if reason:
            raise CommandError(f"{checkpoint}: {reason}")
        return
    if reason or (run.get("stopped") and run.get("finished") is not False):
        if checkpoint != arguments.output and not os.path.exists(arguments.output) and not rank_of(arguments):
            model.save(arguments.output)
        raise Done(f"{checkpoint}: the run has ended; a higher --epochs or --time-limit continues it")
