"""What the commands that train have in common: the model's file, checkpoints, Ctrl-C."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .common import CommandError, real, say, whole

#: The options that are probabilities of dropout within recurrent layers.
RATES = {
    "dropout": "of what goes into a layer",
    "recurrent-dropout": "of the state before W, the same for a sequence",
    "zoneout": "that a unit keeps its state",
    "weight-drop": "of the weights W",
}


class Saveable(Protocol):
    """A model that can be written to a file."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model."""
        ...


def add_output(verb: Any) -> None:
    """The model's file, and how much is said."""
    verb.add_argument(
        "-o", "--output", metavar="MODEL", required=True, help="the file that the model is written to"
    )
    verb.add_argument("--force", action="store_true", help="replace a model that is there already")
    verb.add_argument("--quiet", action="store_true", help="no progress bar, no advice")


def add_network(verb: Any, hidden: int, cell: str = "gru") -> Any:
    """The recurrent layers. Gives the group of options, for more of them."""
    model = verb.add_argument_group("the model")
    model.add_argument("--cell", choices=("rnn", "lstm", "gru"), help=f"of the recurrence ({cell})")
    model.add_argument("--hidden", type=whole(1), metavar="H", help=f"size of the hidden state ({hidden})")
    model.add_argument(
        "--layers", type=whole(1), metavar="N", help="recurrent layers on top of each other (1)"
    )
    for option, what in RATES.items():
        model.add_argument(f"--{option}", type=real(0), metavar="P", help=f"{what} (0)")
    model.add_argument(
        "--layer-norm", action="store_true", default=None, help="normalize the sums within the recurrence"
    )
    return model


def add_training(verb: Any, *, epochs: int = 10, batch: int = 32, rate: float = 2e-3) -> Any:
    """How long, how fast. Gives the group of options, for more of them."""
    training = verb.add_argument_group("the training")
    training.add_argument("--epochs", type=whole(1), metavar="N", help=f"times through the data ({epochs})")
    training.add_argument(
        "--time-limit", type=real(0, above=True), metavar="SECONDS", help="stop after this time"
    )
    training.add_argument("--batch", type=whole(1), metavar="B", help=f"sequences side by side ({batch})")
    training.add_argument(
        "--learning-rate", type=real(0, above=True), metavar="RATE", help=f"the highest ({rate:g})"
    )
    training.add_argument(
        "--clip", type=real(0, above=True), metavar="NORM", help="bound of the gradient's norm (1)"
    )
    training.add_argument("--seed", type=whole(0), metavar="N", help="of the first weights and the order (0)")
    return training


def add_checkpoints(verb: Any) -> None:
    """From where to go on, and how often that is written."""
    stops = verb.add_argument_group("checkpoints")
    stops.add_argument("--resume", action="store_true", help="go on from the checkpoint in MODEL")
    stops.add_argument("--checkpoint", metavar="FILE", help="write checkpoints here instead (MODEL)")
    stops.add_argument("--checkpoint-every", type=whole(1), metavar="N", help="and also every N steps")


def given(arguments: argparse.Namespace, names: dict[str, str]) -> dict[str, Any]:
    """The options of the command line that were set.

    Args:
        arguments: the command line.
        names: what the model calls them, and the option.
    """
    values = {name: getattr(arguments, option) for name, option in names.items()}
    return {name: value for name, value in values.items() if value is not None}


#: What a model calls the options of `add_network`, and `fit` those of `add_training`.
NETWORK = {
    "cell": "cell",
    "hidden_size": "hidden",
    "layers": "layers",
    **{option.replace("-", "_"): option.replace("-", "_") for option in RATES},
    "layer_norm": "layer_norm",
}
TRAINING = {
    "epochs": "epochs",
    "time_limit": "time_limit",
    "batch_size": "batch",
    "learning_rate": "learning_rate",
    "clip_norm": "clip",
    "seed": "seed",
}


def resumed(
    arguments: argparse.Namespace, checkpoint: str, model: Any, names: tuple[dict[str, str], dict[str, str]]
) -> dict[str, Any]:
    """The settings of a checkpoint's run; epochs and time limit may be new ones, the rest must stay.

    Args:
        arguments: the command line.
        checkpoint: the file, for messages.
        model: what it holds.
        names: the options, as `given` takes them, of the model and of the training.

    Raises:
        CommandError: if an option contradicts the checkpoint, or it is none.
    """
    if model.settings is None:
        raise CommandError(f"{checkpoint}: no checkpoint: the model has not been trained")
    settings: dict[str, Any] = model.settings.to_config()
    now = given(arguments, names[1])
    more = {name: now.pop(name) for name in ("epochs", "time_limit") if name in now}
    for wanted, there in ((given(arguments, names[0]), model.sizes), (now, settings)):
        for name, value in wanted.items():
            if value != there[name]:
                raise CommandError(
                    f"{checkpoint}: was begun with {name} {there[name]}, which cannot become {value}"
                )
    return settings | more


def check_files(arguments: argparse.Namespace, checkpoint: str) -> None:
    """Refuses, before any work is done, what could not be written or would be lost.

    Raises:
        CommandError: for a file that is there already, or one to resume from that is not.
        OSError: for one that cannot be written.
    """
    from ..files import check_writable

    for path in dict.fromkeys((arguments.output, checkpoint)):
        check_writable(path)
        if os.path.exists(path) and not (arguments.force or arguments.resume):
            raise CommandError(f"{path}: exists; --resume goes on from its checkpoint, --force replaces it")
    if arguments.resume and not os.path.exists(checkpoint):
        raise CommandError(f"{checkpoint}: no checkpoint to resume from")


def fit_or_stop(
    arguments: argparse.Namespace, model: Saveable, checkpoint: str, fit: Callable[..., Any]
) -> int:
    """Trains and saves the model; after Ctrl-C says how to go on.

    Args:
        arguments: the command line.
        model: what is trained.
        checkpoint: where to.
        fit: does it, told of checkpoints and progress.

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
            raise  # it came before the training began: there is nothing new to keep
        if checkpoint != arguments.output:
            model.save(arguments.output)
        words = [word for word in arguments.argv if word not in ("--resume", "--force")]
        say(
            f"rnnrs: interrupted; {arguments.output} can be used as it is; "
            f"to go on: {shlex.join(['rnnrs', *words, '--resume'])}"
        )
        return 130
    model.save(arguments.output)
    return 0


def _stamp(path: str) -> tuple[int, int] | None:
    """By which a file that was replaced is known."""
    if not os.path.exists(path):
        return None
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns


def share_held_out(validation: Sequence[str], what: str) -> float | None:
    """The share of the data to hold out that --validation tells; None where it names files.

    Args:
        validation: the option's arguments.
        what: it may name, for messages.

    Raises:
        CommandError: for a share outside 0..1.
    """
    try:
        share = float(validation[0]) if len(validation) == 1 else None
    except ValueError:
        return None
    if share is not None and not 0 <= share < 1:
        raise CommandError(f"--validation: expected {what} or a share from 0, below 1, got {share:g}")
    return share


def divided(count: int, share: float) -> tuple[list[int], list[int]]:
    """Which of so many examples to train on and which to hold out, drawn, each in their order."""
    import numpy as np

    held_out = int(count * share)
    order = np.random.default_rng(0).permutation(count).tolist()
    return sorted(order[held_out:]), sorted(order[:held_out])
