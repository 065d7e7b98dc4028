"""An encoder–decoder as one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from ... import modelfile
from ...text import vocabulary_from_config
from ..writer.fitting import PairSettings

if TYPE_CHECKING:
    from .seq2seq import Seq2Seq

M = TypeVar("M", bound="Seq2Seq")


def contents(model: Seq2Seq) -> modelfile.ModelFile:
    """What a file holds: the sizes, the vocabularies, how the model was trained, its parameters."""
    target = None if model.shared else model.target_vocabulary.to_config()
    config = {
        **model.sizes,
        "settings": None if model.settings is None else model.settings.to_config(),
        "source_vocabulary": model.source_vocabulary.to_config(),
        "target_vocabulary": target,
    }
    return modelfile.ModelFile(model.KIND, config, dict(model.parameters))


def build(cls: type[M], file: modelfile.ModelFile, path: str | os.PathLike[str]) -> M:
    """The model of a file.

    Raises:
        FormatError, KeyError, TypeError, ValueError: if the file does not describe such a model.
    """
    sizes = dict(file.config)
    settings, target = sizes.pop("settings"), sizes.pop("target_vocabulary")
    source = vocabulary_from_config(sizes.pop("source_vocabulary"))
    written = None if target is None else vocabulary_from_config(target)
    I, H, E, layers = (sizes[name] for name in ("embedding_size", "hidden_size", "encoder_size", "layers"))
    modelfile.check_size(len(source) * I + layers * (H * (H + I) + 2 * E * (E + I)) // 2, file)
    model = cls(source, written, **sizes)
    shapes = {name: array.shape for name, array in model.parameters.items()}
    modelfile.check_tensors(path, file.tensors, shapes, sizes["dtype"])
    model.settings = None if settings is None else PairSettings.from_config(settings)
    model.parameters.copy_from(file.tensors)
    return model
