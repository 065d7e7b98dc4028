"""The `train` verbs: options from the table of `fit`, checkpoints, Ctrl-C, the final line."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from .common import CommandError, add_json, print_json, say, whole
from .options import add_option, given, names_of

if TYPE_CHECKING:
    from ..models.base.training import TrainedModel

#: The options that may change when a run is resumed.
BOUNDS = ("epochs", "time_limit")

#: Descriptions for the command line: for an option that affects more than `fit`, and for a flag.
_DOCS = {
    "seed": "seed of the initial weights, the held-out share and everything random in training",
    "by_sentence": "every line is a separate sequence, not part of one stream",
}
_DEFAULT_DOCS = {"by_sentence": "where lines look like sentences, but not for characters"}
_SPELLINGS = {"batch_size": "--batch", "clip_norm": "--clip"}
_METAVARS = {
    "time_limit": "SECONDS",
    "batch_size": "B",
    "learning_rate": "RATE",
    "clip_norm": "NORM",
    "steps": "T",
    "noise": "P",
    "forget": "P",
}

#: A longer description is shortened to its first clause.
_LINE = 72


def add_output(verb: Any) -> None:
    """Adds the model's file, and what is shown."""
    verb.add_argument(
        "-o", "--output", metavar="MODEL", required=True, help="the model's file, to be written"
    )
    verb.add_argument("--force", action="store_true", help="replace an existing file")
    verb.add_argument("--quiet", action="store_true", help="no progress bar, no advice")
    add_json(verb, "the final result as JSON")


def add_training(
    verb: Any,
    cls: type[TrainedModel],
    *,
    spellings: Mapping[str, str] | None = None,
    examples: int | None = None,
) -> Any:
    """Adds the options of the application's `fit`.

    Args:
        verb: the parser.
        cls: the application.
        spellings: second spellings besides those that all applications share.
        examples: the command's own default of `--examples`; the application's by default.

    Returns:
        The group, for further options.
    """
    group = verb.add_argument_group("training")
    hints = get_type_hints(cls.TRAINING)
    for name, default in cls.training_defaults().items():
        kind = _kind(hints[name])
        if kind is None:  # an object: the command has options for its parts
            continue
        reading: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        if kind is str:
            reading = names_of(name)
        elif kind is not bool:
            metavar = _METAVARS.get(name, "N" if kind is int else "X")
            if type(None) in get_args(hints[name]) and default is not None and name not in BOUNDS:
                metavar += "|none"
            reading = {"type": _checked(cls, name, kind), "metavar": metavar}
        spelling = (_SPELLINGS | dict(spellings or {})).get(name)
        add_option(
            group,
            name,
            _DOCS.get(name) or brief(cls.training_doc(name)),
            examples if name == "examples" and examples is not None else default,
            *([spelling] if spelling else []),
            default_doc=_DEFAULT_DOCS.get(name, ""),
            **reading,
        )
    return group


def _kind(hint: Any) -> type[Any] | None:
    """Returns the type of an option's value, None aside; None for an object."""
    (kind, *_) = [t for t in get_args(hint) or (hint,) if t is not type(None)]
    return kind if kind in (bool, int, float, str) else None


def brief(doc: str) -> str:
    """Shortens a description to its first clause if it is longer than a line."""
    doc = doc.replace("`", "").replace("None:", "none:")
    if len(doc) <= _LINE:
        return doc
    return min((doc.partition(end)[0] for end in ("; ", ": ", ". ")), key=len)


def _checked(cls: type[TrainedModel], name: str, kind: type[Any]) -> Callable[[str], Any]:
    """Returns an argument type with the range of the table of `fit`; "none" is None."""
    from ..models.base.options import metadata

    check = metadata(cls.TRAINING, name, "check")

    def parse(text: str) -> Any:
        value = None if text == "none" and name not in BOUNDS else kind(text)
        try:
            return check("", name, value)
        except (TypeError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error).partition(f"{name}: ")[2]) from None

    parse.__name__ = "whole number" if kind is int else "number"
    return parse


def add_checkpoints(verb: Any) -> None:
    """Adds the options of checkpoints."""
    group = verb.add_argument_group("checkpoints")
    group.add_argument("--resume", action="store_true", help="continue from the checkpoint in MODEL")
    group.add_argument("--checkpoint", metavar="FILE", help="write checkpoints to another file (MODEL)")
    group.add_argument("--checkpoint-every", type=whole(1), metavar="N", help="also every N steps (none)")


def check_files(arguments: argparse.Namespace) -> str:
    """Returns the checkpoint's file.

    Refuses, before any work is done, files that could not be written, and models that would be lost.

    Raises:
        CommandError: for a file that exists, or a checkpoint to resume from that does not.
        OSError: for a file that cannot be written.
    """
    from ..files import check_writable

    checkpoint: str = arguments.checkpoint or arguments.output
    for path in dict.fromkeys((arguments.output, checkpoint)):
        check_writable(path)
        if os.path.exists(path) and not (arguments.force or arguments.resume):
            raise CommandError(f"{path}: exists; --resume continues its training, --force replaces it")
    if arguments.resume and not os.path.exists(checkpoint):
        raise CommandError(f"{checkpoint}: no checkpoint to resume from")
    return checkpoint


def started(
    arguments: argparse.Namespace,
    checkpoint: str,
    cls: type[Any],
    contents: Callable[[Any], dict[str, Any]] = lambda model: {},
) -> tuple[Any, dict[str, Any]]:
    """Returns the model to resume and the settings of its run; or None and the settings that were given.

    Args:
        arguments: the command line.
        checkpoint: its file.
        cls: the application.
        contents: the model's properties besides its sizes that options must not contradict.

    Raises:
        CommandError: if an option contradicts the checkpoint, or the file is not one.
    """
    now = given(arguments, cls.training_defaults())
    if not arguments.resume:
        return None, now
    model = cls.load(checkpoint)
    if model.settings is None:
        raise CommandError(f"{checkpoint}: expected a checkpoint, got a model that has not been trained")
    before = model.settings.to_config()
    fixed = model.sizes | contents(model) | {k: v for k, v in before.items() if k not in BOUNDS}
    del fixed["seed"]  # of the model; that of the run comes from its settings
    check_unchanged(arguments, checkpoint, fixed | {"seed": before["seed"]})
    return model, before | now


def check_unchanged(arguments: argparse.Namespace, checkpoint: str, there: Mapping[str, Any]) -> None:
    """Checks that no option contradicts a checkpoint.

    Raises:
        CommandError: if one does.
    """
    for name, value in given(arguments, there).items():
        if value != there[name]:
            raise CommandError(
                f"{checkpoint}: was started with {name} {_word(there[name])}, "
                f"which cannot become {_word(value)}"
            )


def _word(value: Any) -> Any:
    return "none" if value is None else value


def fit_or_stop(
    arguments: argparse.Namespace, model: TrainedModel, checkpoint: str, fit: Callable[..., Any]
) -> int:
    """Trains and saves the model; after Ctrl-C says how to continue.

    Args:
        arguments: the command line.
        model: the model.
        checkpoint: its checkpoint's file.
        fit: trains; takes `fit`'s arguments for checkpoints and progress.

    Returns:
        0, or 130 after Ctrl-C.
    """
    before = _stamp(checkpoint)
    try:
        fit(
            checkpoint=checkpoint,
            checkpoint_every=arguments.checkpoint_every,
            resume=checkpoint if arguments.resume else None,
            progress=not arguments.quiet,
        )
    except KeyboardInterrupt:
        if _stamp(checkpoint) == before:
            raise  # before the training began: there is nothing new to keep
        if checkpoint != arguments.output:
            model.save(arguments.output)
        words = [word for word in arguments.argv if word not in ("--resume", "--force")]
        say(
            f"rnnrs: interrupted; {arguments.output} can be used as it is; "
            f"to continue: {shlex.join(['rnnrs', *words, '--resume'])}"
        )
        return 130
    model.save(arguments.output)
    return 0


def _stamp(path: str) -> tuple[int, int] | None:
    """Identifies a file's contents; None if there is no file."""
    if not os.path.exists(path):
        return None
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns


def report(
    arguments: argparse.Namespace,
    model: TrainedModel,
    line: str | None,
    facts: Mapping[str, Any] | None,
    advice: Sequence[str],
) -> int:
    """Prints the final line of a training, or its JSON, and what to type next. Returns 0.

    Args:
        arguments: the command line.
        model: the trained model.
        line: the result on held-out data; None without such data.
        facts: the same for JSON.
        advice: commands, with {model} for the file.
    """
    if arguments.json:
        size = model.parameters.size
        print_json({"model": arguments.output, "parameters": size, "validation": facts})
    else:
        print(f"{arguments.output}: {line or 'trained'}")
    commands = [command.format(model=shlex.quote(arguments.output)) for command in advice]
    say("next: " + "\n      ".join(commands), arguments.quiet)
    return 0
