"""A captioner as one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from ... import modelfile
from ...text import vocabulary_from_config
from .fitting import CaptionSettings

if TYPE_CHECKING:
    from .captioner import Captioner

M = TypeVar("M", bound="Captioner")


def contents(model: Captioner) -> modelfile.ModelFile:
    """What a file holds: the sizes, the vocabulary, how the model was trained, its parameters."""
    config = {
        **model.sizes,
        "settings": None if model.settings is None else model.settings.to_config(),
        "vocabulary": model.vocabulary.to_config(),
    }
    return modelfile.ModelFile(model.KIND, config, dict(model.parameters))


def build(cls: type[M], file: modelfile.ModelFile, path: str | os.PathLike[str]) -> M:
    """The model of a file.

    Raises:
        FormatError, KeyError, TypeError, ValueError: if the file does not describe such a model.
    """
    sizes = dict(file.config)
    settings, vocabulary = sizes.pop("settings"), vocabulary_from_config(sizes.pop("vocabulary"))
    I, H, channels = sizes["embedding_size"], sizes["hidden_size"], sizes["channels"]
    K = channels[-1] if sizes["features"] is None else sizes["features"][-1]
    read = 0
    if sizes["features"] is None:
        read = 9 * sum(a * b for a, b in zip([3, *channels], channels, strict=False))
    modelfile.check_size(
        len(vocabulary) * I + H * (H + I) + (sizes["layers"] - 1) * H * H + K * H + read, file
    )
    model = cls(vocabulary, **sizes)
    shapes = {name: array.shape for name, array in model.parameters.items()}
    modelfile.check_tensors(path, file.tensors, shapes, sizes["dtype"])
    model.settings = None if settings is None else CaptionSettings.from_config(settings)
    model.parameters.copy_from(file.tensors)
    return model
