"""How a language model is trained: batches of the text, and a learning rate that fits the time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ..data import Data, SentenceBatches, StreamBatches
from ..nn import Linear
from ..optim import SGD, Adagrad, Adam, Optimizer, RMSProp
from .objective import OBJECTIVES, Sampling, sampled_criterion

if TYPE_CHECKING:
    from ..text import Vocabulary
    from ..train import Callback, History
    from .language_model import LanguageModel

_OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "adam": Adam,
    "rmsprop": RMSProp,
    "adagrad": Adagrad,
    "sgd": SGD,
}
_SCHEDULES = ("cosine", "constant")

#: Epochs where neither epochs nor a time limit is given.
DEFAULT_EPOCHS = 10


@dataclass(frozen=True)
class FitSettings:
    """What decides the course of a training run, see `LanguageModel.fit`; kept in the model's file.

    Raises:
        ValueError: for a setting outside its range.
    """

    epochs: int | None = None
    time_limit: float | None = None
    batch_size: int = 50
    steps: int = 50
    learning_rate: float = 2e-3
    clip_norm: float | None = 1.0
    schedule: str = "cosine"
    optimizer: str = "adam"
    by_sentence: bool | None = None
    seed: int = 0
    loss: str = "full"
    samples: int = 1024

    def __post_init__(self) -> None:
        positive = ("epochs", "time_limit", "batch_size", "steps", "learning_rate", "clip_norm", "samples")
        for name in positive:
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"fit: {name}: expected a finite number above 0, got {value}")
        choices = (("schedule", _SCHEDULES), ("optimizer", tuple(_OPTIMIZERS)), ("loss", OBJECTIVES))
        for name, known in choices:
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
    def from_config(cls, config: dict[str, Any]) -> FitSettings:
        """From what `to_config` gave.

        Raises:
            TypeError, ValueError: if it is none.
        """
        return cls(**config)


def cosine(done: float) -> float:
    """The learning rate's factor, half a cosine from 1 to 0, where the share `done` (0..1) of the training is
    done.

    `Trainer.progress` measures that share in epochs or in time, whichever bound is nearer. So the rate
    reaches 0 just when the training ends, and how many steps will fit into a time limit need not be known
    beforehand.
    """
    return 0.5 * (1.0 + math.cos(math.pi * done))


def lines_are_sentences(text: str) -> bool:
    """Whether nearly every line (at least 4 of 5) is short (at most 60 words) and ends as a sentence does."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    ends = sum(line.rstrip("\"'”’»)")[-1:] in tuple(".!?…。！？") and line.count(" ") < 60 for line in lines)
    return ends >= 0.8 * len(lines)


def make_batches(vocabulary: Vocabulary, text: str, settings: FitSettings) -> Data:
    """A text as batches of sentences or of a stream, as `settings.by_sentence` says.

    Raises:
        ValueError: for a text without tokens, or a stream of fewer than two.
    """
    if settings.by_sentence:
        sentences = [vocabulary.encode(line) for line in text.split("\n") if line.strip()]
        return SentenceBatches(sentences, settings.batch_size, vocabulary.end_id, settings.seed)
    ids = vocabulary.encode(text)
    if len(ids) < 2:
        raise ValueError(f"fit: text: expected at least 2 tokens, got {len(ids)}")
    fits = max(1, (len(ids) - 1) // (2 * settings.steps))  # at least two windows for each reader
    return StreamBatches(ids, min(settings.batch_size, fits), settings.steps)


def fit_language_model(
    model: LanguageModel,
    text: str,
    validation: str | None,
    settings: FitSettings,
    *,
    callbacks: Iterable[Callback],
    checkpoint: str | os.PathLike[str] | None,
    checkpoint_every: int | None,
    resume: str | os.PathLike[str] | None,
    progress: bool,
) -> History:
    """See `LanguageModel.fit`."""
    from ..train import ProgressBar, Trainer

    if settings.by_sentence is None:
        by_sentence = model.vocabulary.level != "char" and lines_are_sentences(text)
        settings = replace(settings, by_sentence=by_sentence)
    model.by_sentence, model.settings = bool(settings.by_sentence), settings
    data = make_batches(model.vocabulary, text, settings)
    held_out = make_batches(model.vocabulary, validation, settings) if validation else None
    watching = [*([ProgressBar(perplexity=True)] if progress else []), *callbacks]
    criterion = None
    if settings.loss != "full":
        if not isinstance(model.output, Linear):
            raise ValueError(f"fit: loss: expected 'full' for an adaptive softmax, got {settings.loss!r}")
        criterion = sampled_criterion(
            settings.loss, settings.samples, data, len(model.vocabulary), settings.seed
        )
        watching.append(Sampling(criterion))
    trainer = Trainer(
        model,
        _OPTIMIZERS[settings.optimizer](settings.learning_rate),
        clip_norm=settings.clip_norm,
        callbacks=watching,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        seed=settings.seed,
    )
    if settings.schedule == "cosine":
        trainer.schedule = lambda step: cosine(trainer.progress)
    if resume is not None:
        trainer.resume(resume)
    bounds: dict[str, Any] = {"epochs": settings.epochs, "time_limit": settings.time_limit}
    if criterion is None:
        return trainer.fit(data, validation=held_out, **bounds)
    trainer.history.loss_name = criterion.name
    model.training_loss = criterion
    try:
        return trainer.fit(data, validation=held_out, **bounds)
    finally:
        model.training_loss = model.cross_entropy
