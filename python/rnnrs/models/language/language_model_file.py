"""A language model as one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ... import modelfile
from ...nn.adaptive import adaptive_shapes
from ...nn.build import recurrent_shapes
from ...text import vocabulary_from_config
from .fitting import FitSettings

if TYPE_CHECKING:
    from .language_model import LanguageModel


def contents(model: LanguageModel, sizes: dict[str, Any]) -> modelfile.ModelFile:
    """What a file holds: the sizes, the vocabulary, how the model was trained, its parameters."""
    config = {
        **sizes,
        "by_sentence": model.by_sentence,
        "settings": None if model.settings is None else model.settings.to_config(),
        "vocabulary": model.vocabulary.to_config(),
    }
    return modelfile.ModelFile(model.KIND, config, dict(model.parameters))


def build(cls: type[LanguageModel], file: modelfile.ModelFile, path: str | os.PathLike[str]) -> LanguageModel:
    """The model of a file, once its tensors are known to have the right shapes.

    Raises:
        FormatError, KeyError, TypeError, ValueError: if the file does not describe a language model.
    """
    sizes = dict(file.config)
    settings, by_sentence = sizes.pop("settings"), bool(sizes.pop("by_sentence"))
    vocabulary = vocabulary_from_config(sizes.pop("vocabulary"))
    V, I, H = len(vocabulary), sizes["embedding_size"], sizes["hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.E": (V, I),
        "output.V": (V, H),
        "output.c": (V,),
    }
    # Files of older versions do not say what is beyond one plain layer.
    cell, layers = sizes.get("cell", "rnn"), sizes.get("layers", 1)
    recurrent = recurrent_shapes(cell, I, H, layers=layers, layer_norm=sizes.get("layer_norm", False))
    shapes |= {f"rnn.{name}": shape for name, shape in recurrent.items()}
    if sizes.get("tied", False):
        del shapes["output.V"]
    if sizes.get("cutoffs") is not None:
        del shapes["output.V"], shapes["output.c"]
        adaptive = adaptive_shapes(H, V, sizes["cutoffs"])
        shapes |= {f"output.{name}": shape for name, shape in adaptive.items()}
    modelfile.check_tensors(path, file.tensors, shapes, sizes["dtype"])
    model = cls(vocabulary, **sizes)
    model.settings = None if settings is None else FitSettings.from_config(settings)
    model.by_sentence = by_sentence
    model.parameters.copy_from(file.tensors)
    return model
