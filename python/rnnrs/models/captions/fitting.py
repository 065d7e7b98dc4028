"""How a captioner is trained."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...checks import check_size
from ...train import BestParameters, Callback
from ..writer.examples import Examples
from ..writer.fitting import PairSettings, fit_batches
from .augmentation import Augmentation
from .batches import CaptionBatches
from .inputs import Descriptions, check_descriptions

if TYPE_CHECKING:
    from ...train import History
    from .captioner import Captioner

#: Pictures, and one description of each or several.
Described = tuple[Any, Descriptions]


@dataclass(frozen=True)
class CaptionSettings(PairSettings):
    """What decides the course of the training, see `Captioner.fit`; kept in the model's file.

    Raises:
        ValueError: for a setting outside its range.
    """

    augmentation: dict[str, Any] | None = None


def fit_captions(
    model: Captioner,
    data: Described,
    validation: Described | None,
    settings: CaptionSettings,
    augmentation: Augmentation | None,
    *,
    examples: int,
    callbacks: Iterable[Callback],
    checkpoint: str | os.PathLike[str] | None,
    **run: Any,
) -> History:
    """See `Captioner.fit`; `run` is what `fit_batches` takes besides."""
    training = batches(model, data, settings, augmentation)
    held_out = None if validation is None else batches(model, validation, settings, None)
    best = BestParameters(None if checkpoint is None else f"{os.fspath(checkpoint)}.best")
    watching: list[Callback] = [best, *callbacks]
    if check_size("Captioner.fit", "examples", examples, least=0) and validation is not None:
        pictures, descriptions = validation
        firsts = [text if isinstance(text, str) else text[0] for text in descriptions]
        watching.append(Examples(model, list(zip(pictures, firsts, strict=True)), examples))
    history = fit_batches(
        model, training, held_out, settings, callbacks=watching, checkpoint=checkpoint, **run
    )
    best.restore(model)
    return history


def batches(
    model: Captioner, data: Described, settings: CaptionSettings, augmentation: Augmentation | None = None
) -> CaptionBatches:
    """Pictures with their descriptions in batches, for training and validation.

    Raises:
        ShapeError, DTypeError, TypeError, ValueError: for what are none, or do not belong together.
    """
    op = f"{type(model).__name__}.fit"
    pictures = model.check_pictures(op, data[0])
    texts, owners = check_descriptions(op, data[1], len(pictures))
    return CaptionBatches(
        pictures,
        owners,
        model.vocabulary.encode_all(texts),
        settings.batch_size,
        model.vocabulary.end_id,
        dtype=model.parameters.dtype,
        augmentation=augmentation,
        may_flip=[augmentation is not None and augmentation.may_flip(text) for text in texts],
        seed=settings.seed,
    )
