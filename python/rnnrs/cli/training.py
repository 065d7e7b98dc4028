"""The `train` verbs: options from the table of `fit`, checkpoints, signals, the final line."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from .common import (
    CommandError,
    add_force,
    add_json,
    checked,
    ending,
    only_joined,
    print_json,
    rank_of,
    reads,
    say,
    writes,
)
from .options import VOCABULARY, add_option, check_unchanged, given, names_of

if TYPE_CHECKING:
    from ..data.corpus import CorpusPart
    from ..models.base.training import TrainedModel
    from ..text import Vocabulary

#: The options for which "none" is not a value.
_BOUNDS = ("epochs", "time_limit")

#: Descriptions for the command line: for an option that affects more than `fit`, and for a flag.
_DOCS = {
    "seed": "seed of the initial weights, the held-out share and everything random in training",
    "by_sentence": "every line is a separate sequence, not part of one stream",
}
_DEFAULT_DOCS = {
    "by_sentence": "where lines look like sentences, but not for characters",
    "micro_batches": "8 in processes that MPI started, else 1",
}
_SPELLINGS = {"batch_size": "--batch", "clip_norm": "--clip"}
_METAVARS = {
    "time_limit": "SECONDS",
    "batch_size": "B",
    "micro_batches": "M",
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
    writes(
        verb.add_argument(
            "-o", "--output", metavar="MODEL", required=True, help="the model's file, to be written"
        )
    )
    add_force(verb)
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
            if type(None) in get_args(hints[name]) and default is not None and name not in _BOUNDS:
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

    in_range = checked(name, lambda value: check("", name, value))

    def parse(text: str) -> Any:
        return in_range(None if text == "none" and name not in _BOUNDS else kind(text))

    parse.__name__ = "whole number" if kind is int else "number"
    return parse


def add_checkpoints(verb: Any) -> None:
    """Adds the options of checkpoints, and of what a run begins from."""
    verb.set_defaults(trains=True)
    group = verb.add_argument_group("checkpoints")
    only_joined(
        group.add_argument(
            "--resume",
            nargs="?",
            const="yes",
            choices=("yes", "auto"),
            metavar="auto",
            help="continue from the checkpoint in MODEL; --resume=auto: or begin anew if there is none",
        )
    )
    reads(
        group.add_argument(
            "--from",
            metavar="MODEL",
            help="begin with the parameters and vocabulary of this model (fine-tuning)",
        )
    )
    writes(
        group.add_argument("--checkpoint", metavar="FILE", help="write checkpoints to another file (MODEL)")
    )
    group.add_argument(
        "--checkpoint-every",
        type=checked("checkpoint_every", _interval),
        metavar="N|TIME",
        default="5m",
        help="also every N steps, or after a time such as 30s, 5m, 2h (%(default)s)",
    )


def _interval(text: str) -> str:
    from ..train.checkpoint import Interval

    Interval.of("", text)
    return text


def check_files(arguments: argparse.Namespace) -> str:
    """Returns the checkpoint's file; with `--resume=auto`, decides whether there is one to resume from.

    Raises:
        CommandError: if the checkpoint of `--resume` is missing, or a model without one would be replaced.
    """
    checkpoint: str = arguments.checkpoint or arguments.output
    if arguments.resume and not os.path.exists(checkpoint):
        if arguments.resume != "auto":
            raise CommandError(f"{checkpoint}: no checkpoint to resume from")
        arguments.resume = None
        if os.path.exists(arguments.output) and not arguments.force:
            raise CommandError(f"{arguments.output}: exists, without its checkpoint; --force replaces it")
    return checkpoint


def started(
    arguments: argparse.Namespace,
    checkpoint: str,
    cls: type[Any],
    contents: Callable[[Any], dict[str, Any]] = lambda model: {},
    parts: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Returns the model to begin with, or None for a new one, and the settings of the run.

    Args:
        arguments: the command line. With `--resume`, options that it lacks become those of the run.
        checkpoint: its file.
        cls: the application.
        contents: the model's properties besides its sizes that options must not contradict.
        parts: the settings that have options for their parts, with the names of these.

    Raises:
        CommandError: if an option contradicts the checkpoint or the model, or the file is not one.
        Done: with `--resume=auto`, if the run has already ended.
    """
    now = given(arguments, cls.training_defaults())
    if arguments.resume:
        from .resuming import resumed

        return resumed(arguments, checkpoint, cls, contents, parts or {})
    path = getattr(arguments, "from")
    if path is None:
        return None, now
    model = cls.load(path)
    if names := [*given(arguments, VOCABULARY)]:
        raise CommandError(
            f"--{names[0].replace('_', '-')}: has no meaning with --from: the model has a vocabulary"
        )
    fixed = {name: value for name, value in (model.sizes | contents(model)).items() if name != "seed"}
    check_unchanged(arguments, f"{path}: has", fixed)
    return model, now


def fit_or_stop(
    arguments: argparse.Namespace, model: TrainedModel, checkpoint: str, fit: Callable[..., Any]
) -> int:
    """Trains and saves the model; after a signal says how to continue.

    Args:
        arguments: the command line.
        model: the model.
        checkpoint: its checkpoint's file.
        fit: trains; takes `fit`'s arguments for checkpoints and progress.

    Returns:
        0, or after a signal its exit code: 130, 143, 129.

    Raises:
        CommandError: if the run to resume had other data.
    """
    from ..train.checkpoint import ChangedData
    from .resuming import changed_files, options_of_run

    before = _stamp(checkpoint)
    try:
        fit(
            checkpoint=checkpoint,
            checkpoint_every=arguments.checkpoint_every,
            resume=checkpoint if arguments.resume else None,
            progress=not arguments.quiet,
            callbacks=[options_of_run(arguments, model)],
            communicator=arguments.communicator,
        )
    except ChangedData as error:
        raise CommandError(changed_files(arguments, checkpoint, str(error))) from None
    except KeyboardInterrupt as interrupt:
        if rank_of(arguments):
            return ending(interrupt)[1]
        if _stamp(checkpoint) == before:
            raise  # before the training began: there is nothing new to keep
        if checkpoint != arguments.output:
            model.save(arguments.output)
        word, code = ending(interrupt)
        say(f"rnnrs: {word}; {arguments.output} can be used as it is; to continue: {_continuing(arguments)}")
        return code
    if checkpoint != arguments.output and not rank_of(arguments):
        model.save(arguments.output)
    return 0


def _continuing(arguments: argparse.Namespace) -> str:
    """Returns the command that continues a run."""
    words = [word for word in arguments.argv if word not in ("--resume", "--resume=auto", "--force")]
    together = (
        [] if arguments.communicator is None else ["mpiexec", "-n", str(arguments.communicator.Get_size())]
    )
    return shlex.join([*together, "rnnrs", *words, "--resume"])


def _stamp(path: str) -> tuple[int, int] | None:
    """Identifies a file's contents; None if there is no file."""
    if not os.path.exists(path):
        return None
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns


def tell_unknown(
    arguments: argparse.Namespace, texts: Iterable[tuple[Vocabulary, Iterable[str] | CorpusPart]]
) -> None:
    """Says how many words of the training data the vocabulary of a `--from` model lacks.

    Args:
        arguments: the command line.
        texts: texts with the vocabulary that encodes them, or parts of a corpus.
    """
    from ..data.corpus import CorpusPart
    from ..models.language.corpora import blocks_of

    if getattr(arguments, "from") is None or arguments.resume:
        return
    unknown = total = 0
    for vocabulary, some in texts:
        encoded = blocks_of(some) if isinstance(some, CorpusPart) else map(vocabulary.encode, some)
        for ids in encoded:
            total += len(ids)
            unknown += int((ids == vocabulary.unknown_id).sum())
    share = unknown / max(total, 1)
    say(f"{unknown:,} of {total:,} tokens ({share:.1%}) are unknown to the model", arguments.quiet)


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
    if getattr(sys.stdout, "plain", sys.stdout) is None:
        return 0  # a closed output, as services have it: the result is the model's file
    if arguments.json:
        size = model.parameters.size
        print_json({"model": arguments.output, "parameters": size, "validation": facts})
    else:
        print(f"{arguments.output}: {line or 'trained'}")
    commands = [command.format(model=shlex.quote(arguments.output)) for command in advice]
    say("next: " + "\n      ".join(commands), arguments.quiet)
    return 0
