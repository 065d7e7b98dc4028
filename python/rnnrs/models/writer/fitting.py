"""How what writes texts is trained."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...data import Data
from ..base.training import TrainingSettings, make_trainer
from ..text_to_text.pairs import Pairs, pair_batches

if TYPE_CHECKING:
    from ...train import Callback, History
    from ..text_to_text.seq2seq import Seq2Seq


@dataclass(frozen=True)
class PairSettings(TrainingSettings):
    """What decides the course of the training, see `Seq2Seq.fit`; kept in the model's file.

    Raises:
        ValueError: for a setting outside its range.
    """

    batch_size: int = 64
    learning_rate: float = 1e-3
    patience: int | None = None

    _POSITIVE: ClassVar[tuple[str, ...]] = (*TrainingSettings._POSITIVE, "patience")


def fit_pairs(
    model: Seq2Seq, pairs: Pairs, validation: Pairs | None, settings: PairSettings, **run: Any
) -> History:
    """See `Seq2Seq.fit`; `run` is what `fit_batches` takes besides."""
    data = pair_batches(model, pairs, settings.batch_size, settings.seed)
    held_out = (
        None if validation is None else pair_batches(model, validation, settings.batch_size, settings.seed)
    )
    return fit_batches(model, data, held_out, settings, **run)


def fit_batches(
    model: Any,
    data: Data,
    validation: Data | None,
    settings: PairSettings,
    *,
    callbacks: Iterable[Callback],
    checkpoint: str | os.PathLike[str] | None,
    checkpoint_every: int | None,
    resume: str | os.PathLike[str] | None,
    progress: bool,
) -> History:
    """Trains a model that writes texts on batches of them.

    Raises:
        See `Seq2Seq.fit`.
    """
    from ...train import EarlyStopping, ProgressBar

    if settings.patience is not None and validation is None:
        raise ValueError("fit: patience: expected None without validation data, got a number")
    watching: list[Callback] = [ProgressBar(perplexity=True)] if progress else []
    if settings.patience is not None:
        watching.append(EarlyStopping(settings.patience))
    model.settings = settings
    trainer = make_trainer(
        model,
        settings,
        callbacks=[*watching, *callbacks],
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        resume=resume,
    )
    return trainer.fit(data, validation=validation, **settings.bounds)
