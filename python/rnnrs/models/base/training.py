"""How an application's model is trained: settings, and a learning rate that fits the time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ...optim import SGD, Adagrad, Adam, Optimizer, RMSProp

if TYPE_CHECKING:
    from ...train import Callback, Trainer

OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "adam": Adam,
    "rmsprop": RMSProp,
    "adagrad": Adagrad,
    "sgd": SGD,
}
_SCHEDULES = ("cosine", "constant")

#: Epochs where neither epochs nor a time limit is given.
DEFAULT_EPOCHS = 10

S = TypeVar("S", bound="TrainingSettings")


@dataclass(frozen=True)
class TrainingSettings:
    """What decides the course of a training run; kept in the model's file.

    Attributes:
        epochs: how often to go through the data; 10 by default, or without bound under a time limit.
        time_limit: seconds after which to stop.
        batch_size: B, sequences side by side.
        learning_rate: at its highest.
        clip_norm: the gradient's norm is brought down to this; None leaves it.
        schedule: "cosine", from the full learning rate to 0 at the end of the epochs or of the time, whichever is
            nearer (Loshchilov and Hutter 2017, without restarts); or "constant".
        optimizer: "adam", "rmsprop", "adagrad" or "sgd".
        seed: of whatever is drawn.

    Raises:
        ValueError: for a setting outside its range.
    """

    epochs: int | None = None
    time_limit: float | None = None
    batch_size: int = 50
    learning_rate: float = 2e-3
    clip_norm: float | None = 1.0
    schedule: str = "cosine"
    optimizer: str = "adam"
    seed: int = 0

    #: The settings that are numbers above 0, and those that are one of several words.
    _POSITIVE: ClassVar[tuple[str, ...]] = (
        "epochs",
        "time_limit",
        "batch_size",
        "learning_rate",
        "clip_norm",
    )
    _CHOICES: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        ("schedule", _SCHEDULES),
        ("optimizer", tuple(OPTIMIZERS)),
    )

    def __post_init__(self) -> None:
        for name in self._POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"fit: {name}: expected a finite number above 0, got {value}")
        for name, known in self._CHOICES:
            if getattr(self, name) not in known:
                raise ValueError(
                    f"fit: {name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}"
                )
        if self.seed < 0:
            raise ValueError(f"fit: seed: expected a whole number from 0, got {self.seed}")
        if self.epochs is None and self.time_limit is None:
            object.__setattr__(self, "epochs", DEFAULT_EPOCHS)

    def to_config(self) -> dict[str, Any]:
        """As JSON's types."""
        return asdict(self)

    @classmethod
    def from_config(cls: type[S], config: dict[str, Any]) -> S:
        """From what `to_config` gave.

        Raises:
            TypeError, ValueError: if it is none.
        """
        return cls(**config)

    @property
    def bounds(self) -> dict[str, Any]:
        """When `Trainer.fit` is to stop."""
        return {"epochs": self.epochs, "time_limit": self.time_limit}


def cosine(done: float) -> float:
    """The learning rate's factor, half a cosine from 1 to 0, where the share `done` (0..1) of the training is
    done.

    `Trainer.progress` measures that share in epochs or in time, whichever bound is nearer. So the rate
    reaches 0 just when the training ends, and how many steps will fit into a time limit need not be known
    beforehand.
    """
    return 0.5 * (1.0 + math.cos(math.pi * done))


def make_trainer(
    model: Any,
    settings: TrainingSettings,
    *,
    callbacks: Iterable[Callback] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> Trainer:
    """A trainer as the settings say, at the place where `resume` was written.

    Raises:
        OSError, FormatError: if there is no such checkpoint of this model.
    """
    from ...train import Trainer

    trainer = Trainer(
        model,
        OPTIMIZERS[settings.optimizer](settings.learning_rate),
        clip_norm=settings.clip_norm,
        callbacks=callbacks,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        seed=settings.seed,
    )
    if settings.schedule == "cosine":
        trainer.schedule = lambda step: cosine(trainer.progress)
    if resume is not None:
        trainer.resume(resume)
    return trainer
