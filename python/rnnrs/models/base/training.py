"""Training of all applications: one table of options and one training call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypedDict, TypeVar

from ...data import Data
from ...errors import FormatError
from ...optim import OPTIMIZERS, SCHEDULES
from ...train import (
    BestParameters,
    Callback,
    Communicator,
    EarlyStopping,
    Examples,
    History,
    ProgressBar,
    Trainer,
)
from ...train import checkpoint as checkpoints
from ...train.ranks import PRECISIONS
from .options import checked, choice, defaults, documented, metadata, option, positive, whole
from .saved import SavedModel
from .undone import whole_or_not

S = TypeVar("S", bound="TrainingSettings")

#: The settings that may change when a run is resumed.
BOUNDS = ("epochs", "time_limit", "patience")

#: Returns lines that show the model's answers to some held-out examples.
Lines = Callable[[], list[str]]


class TrainingOptions(TypedDict, total=False):
    """The options of `fit` in every application, see `TrainingSettings`."""

    epochs: int | None
    time_limit: float | None
    batch_size: int
    learning_rate: float
    clip_norm: float | None
    schedule: str
    optimizer: str
    patience: int | None
    examples: int
    seed: int
    micro_batches: int | None
    gradient_precision: str


@dataclass(frozen=True)
class TrainingSettings:
    """The options that determine a training run, with their defaults. The model's file holds them.

    An application's own table extends this one: `LanguageTraining`, `PairTraining`, ….
    """

    epochs: int | None = option(
        10, "passes over the data; unlimited if only a time limit is given", whole(1, none=True)
    )
    time_limit: float | None = option(None, "seconds after which training stops", positive(none=True))
    batch_size: int = option(32, "B, sequences per batch", whole(1))
    learning_rate: float = option(2e-3, "the highest learning rate", positive())
    clip_norm: float | None = option(
        1.0,
        "the highest gradient norm, ‖g‖₂; a gradient with a higher norm is scaled down; None: no limit",
        positive(none=True),
    )
    schedule: str = option(
        "cosine",
        "how the learning rate changes in the course of the run, measured in epochs or time, whichever is "
        'nearer to its bound: "cosine" and "linear" fall to 0 (Loshchilov and Hutter 2017), "step" falls to a '
        'tenth after each third, "exponential" falls to a hundredth, "constant" stays',
        choice(SCHEDULES),
    )
    optimizer: str = option("adam", f"one of {', '.join(OPTIMIZERS)}; see `rnnrs.optim`", choice(OPTIMIZERS))
    patience: int | None = option(
        None,
        "consecutive validations without a lower loss after which training stops; None: any number",
        whole(1, none=True),
    )
    examples: int = option(
        0, "held-out examples for which the model's answer is printed after every epoch", whole(0)
    )
    seed: int = option(0, "seed of shuffling, dropout and all other randomness in training", whole(0))
    micro_batches: int | None = option(
        None,
        "M, runs of a batch's sequences whose gradients are computed one by one and added, so that any number "
        "of processes that divides M gives the same result; None: 8 with a communicator, else 1, and in a "
        "resumed run as many as when it began",
        whole(1, none=True),
    )
    gradient_precision: str = option(
        "float32",
        "the numbers in which several processes send each other gradients: bfloat16 halves the bytes, and the "
        "result then depends on the number of processes",
        choice(PRECISIONS),
    )

    #: Options that the file does not hold: they do not determine the run, or the checkpoint itself has them.
    _NOT_KEPT: ClassVar[tuple[str, ...]] = ("examples", "micro_batches")

    @classmethod
    def make(cls: type[S], op: str, options: Mapping[str, Any]) -> S:
        """Returns the settings of a call.

        Args:
            op: the caller's name, for error messages.
            options: the options given.

        Raises:
            TypeError, ValueError: for an unknown option, or a value outside its range.
        """
        given = {name: value for name, value in options.items() if name != "epochs" or value is not None}
        if given.get("time_limit") is not None:
            given.setdefault("epochs", None)
        return checked(op, cls, given)

    def to_config(self) -> dict[str, Any]:
        """Returns the settings as JSON types."""
        return {name: value for name, value in asdict(self).items() if name not in self._NOT_KEPT}

    @classmethod
    def from_config(cls: type[S], config: Mapping[str, Any]) -> S:
        """Returns the settings that `to_config` described.

        Raises:
            FormatError: for an unknown setting; names it.
            TypeError, ValueError: for a value outside its range.
        """
        known = {f.name for f in fields(cls)}
        for name in config:
            if name not in known:
                raise FormatError(f"settings: unknown key {name!r}; expected {', '.join(sorted(known))}")
        return cls.make("settings", config)

    @property
    def bounds(self) -> dict[str, Any]:
        """The bounds, as arguments of `Trainer.fit`."""
        return {"epochs": self.epochs, "time_limit": self.time_limit}


class TrainedModel(SavedModel):
    """A model with a method `fit`, which has its options in one table.

    Attributes:
        settings: the settings of the last `fit`, which the model's file holds; None before the first.
    """

    #: The table of `fit`'s options and their defaults.
    TRAINING: ClassVar[type[TrainingSettings]] = TrainingSettings

    #: The attributes, besides the model's own, that hold what a `fit` learns from its data.
    LEARNED: ClassVar[tuple[str, ...]] = ()

    settings: TrainingSettings | None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "fit" in cls.__dict__:
            fit = whole_or_not(cls.__dict__["fit"])
            documented(fit, cls.TRAINING)
            cls.fit = fit  # type: ignore[attr-defined]

    @classmethod
    def training_defaults(cls) -> dict[str, Any]:
        """Returns the options of `fit` and their defaults in this application."""
        return defaults(cls.TRAINING)

    @classmethod
    def training_doc(cls, name: str) -> str:
        """Returns the description of an option of `fit`."""
        return str(metadata(cls.TRAINING, name, "doc"))

    def settings_of(self, options: Mapping[str, Any]) -> Any:
        """Returns the settings of a `fit` with these options, checked.

        Raises:
            TypeError, ValueError: for an unknown option, or a value outside its range.
        """
        return self.TRAINING.make(f"{type(self).__name__}.fit", options)


def train(
    model: TrainedModel,
    data: Data,
    validation: Data | None,
    settings: TrainingSettings,
    *,
    callbacks: Iterable[Callback],
    checkpoint: str | os.PathLike[str] | None,
    checkpoint_every: int | str | None,
    resume: str | os.PathLike[str] | None,
    progress: bool,
    communicator: Communicator | None = None,
    unit: str = "tokens",
    perplexity: bool = False,
    examples: Lines | None = None,
    loss_name: str | None = None,
) -> History:
    """Trains a model of any application; `fit` of every application ends here.

    With validation data, the model ends with the parameters of the lowest validation loss.

    Args:
        model: the model.
        data, validation: batches.
        settings: the settings of the run.
        callbacks: see `rnnrs.train`.
        checkpoint: a file to resume from, written after every epoch, at the end, and at Ctrl-C, SIGTERM and
            SIGHUP. It can be used as a model, too: at the end, that of the best parameters.
        checkpoint_every: when it is also written: after a number of steps, or a time such as "5m".
        resume: a checkpoint to continue from, of a run with the same data and settings; `epochs`,
            `time_limit` and `patience` may change, and count from that run's start.
        progress: whether to show progress on standard error.
        communicator: the processes that train together, see `Trainer`; None: this one alone.
        unit: the name of the scored positions, for the progress.
        perplexity: whether the loss is in nats per token, so that a perplexity can be shown.
        examples: returns the lines to print after a validation, if `settings.examples` is above 0.
        loss_name: the name of the minimized loss, if it is not the loss that validation measures.

    Raises:
        ValueError: for patience or examples without validation data; if the run to resume had other data or
            settings, or has reached its bounds.
        OSError, FormatError: if the checkpoint cannot be read or written, or belongs to another model.
        NonFiniteError, KeyboardInterrupt, RankError: see `Trainer.fit`.
    """
    op = f"{type(model).__name__}.fit"
    if validation is None:
        _check_without_validation(op, settings)
    checkpoints.Interval.of(op, checkpoint_every)
    best = None if validation is None else BestParameters()
    watching: list[Callback | None] = [
        ProgressBar(perplexity=perplexity, unit=unit) if progress else None,
        EarlyStopping(settings.patience) if settings.patience is not None else None,
        best,
        *callbacks,
        Examples(examples) if settings.examples and examples is not None else None,
    ]
    trainer = Trainer(
        model,  # type: ignore[arg-type]
        OPTIMIZERS[settings.optimizer](settings.learning_rate),
        clip_norm=settings.clip_norm,
        callbacks=[callback for callback in watching if callback is not None],
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        seed=settings.seed,
        micro_batches=settings.micro_batches,
        gradient_precision=settings.gradient_precision,
        communicator=communicator,
    )
    factor = SCHEDULES[settings.schedule]
    trainer.schedule = lambda step: factor(trainer.progress)
    if resume is not None:
        _resume(op, trainer, resume, data, validation, settings)
    model.settings = settings
    if loss_name is not None:
        trainer.history.loss_name = loss_name
    try:
        history = trainer.fit(data, validation=validation, **settings.bounds)
    finally:
        # The schedule refers to the trainer: the two would keep each other, and the model, alive.
        trainer.schedule = None
    if best is not None:
        best.restore(model)
    return history


def _check_without_validation(op: str, settings: TrainingSettings) -> None:
    """Checks that the settings need no validation data."""
    for name, value, expected in (
        ("patience", settings.patience, None),
        ("examples", settings.examples, 0),
    ):
        if value != expected:
            raise ValueError(f"{op}: {name}: expected {expected} without validation data, got {value}")


def _resume(
    op: str,
    trainer: Trainer,
    path: str | os.PathLike[str],
    data: Data,
    validation: Data | None,
    settings: TrainingSettings,
) -> None:
    """Restores the state of a run, which must have had the same data and settings; checks that first."""
    file = checkpoints.read(path, trainer.model.KIND)  # type: ignore[attr-defined]
    before, now = file.config.get("settings") or {}, settings.to_config()
    for name in sorted(before.keys() & now.keys() - set(BOUNDS)):
        if before[name] != now[name]:
            raise ValueError(
                f"{op}: {name}: expected {before[name]!r}, as when the run began, got {now[name]!r}"
            )
    run = checkpoints.load(path, file, trainer.model.parameters, trainer.optimizer)
    checkpoints.check_micro_batches(op, run, settings.micro_batches)
    if run.step and run.data not in (None, data.fingerprint()):
        changed = checkpoints.difference(run.contents, data)
        raise checkpoints.ChangedData(f"{op}: resume: expected the data with which the run began{changed}")
    if validation is not None and run.validation not in (None, validation.fingerprint()):
        raise checkpoints.ChangedData(
            f"{op}: resume: expected the validation data with which the run began, got others"
        )
    if reason := reached(run.epoch, run.seconds, settings):
        raise ValueError(f"{op}: {reason}")
    trainer.restore(file, run)


def reached(epoch: int, seconds: float, settings: TrainingSettings) -> str | None:
    """Returns which bound of a run is reached, as an error says it; None if there is training left."""
    if settings.epochs is not None and epoch >= settings.epochs:
        return f"epochs: expected more than the {epoch} that the run has taken, got {settings.epochs}"
    if settings.time_limit is not None and seconds >= settings.time_limit:
        return (
            f"time_limit: expected more than the {seconds:.1f} seconds that the run has taken, "
            f"got {settings.time_limit:g}"
        )
    return None
