"""How a language model is trained: batches of the text, as a stream or by sentences."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ...data import Data, SentenceBatches, StreamBatches
from ...nn import Linear
from ..base.training import TrainingSettings, make_trainer
from .objective import OBJECTIVES, Sampling, sampled_criterion

if TYPE_CHECKING:
    from ...text import Vocabulary
    from ...train import Callback, History
    from .language_model import LanguageModel


@dataclass(frozen=True)
class FitSettings(TrainingSettings):
    """What decides the course of a language model's training, see `LanguageModel.fit`; kept in the model's file.

    Raises:
        ValueError: for a setting outside its range.
    """

    steps: int = 50
    by_sentence: bool | None = None
    loss: str = "full"
    samples: int = 1024

    _POSITIVE: ClassVar[tuple[str, ...]] = (*TrainingSettings._POSITIVE, "steps", "samples")
    _CHOICES: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        *TrainingSettings._CHOICES,
        ("loss", OBJECTIVES),
    )


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
    from ...train import ProgressBar

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
    trainer = make_trainer(
        model,
        settings,
        callbacks=watching,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        resume=resume,
    )
    if criterion is None:
        return trainer.fit(data, validation=held_out, **settings.bounds)
    trainer.history.loss_name = criterion.name
    model.training_loss = criterion
    try:
        return trainer.fit(data, validation=held_out, **settings.bounds)
    finally:
        model.training_loss = model.cross_entropy
