"""A model is one file: safetensors, with the parameters by name and everything else as JSON in its header.

{"format": "rnnrs", "version": 2, "kind": "language_model", "config": …, "training": …}. A training checkpoint
is a model file with more tensors (the optimizer's, the carried state) and with `training` filled in. Nothing
in a file is ever executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _rnnrs
from .errors import FormatError
from .files import write_atomically
from .types import Array

#: The version of the format that this library writes, and the newest that it reads.
VERSION = 2

#: What format 1 called the keys of its header, and of its tensors' names: old → new. The only place with old names.
_FORMAT_1 = {"optimiser": "optimizer", "recurrent_initialiser": "recurrent_initializer"}

_HEADER = ("format", "version", "kind", "config", "training")


class Kind(NamedTuple):
    """A kind of model.

    Attributes:
        description: for messages, with the command or the class that it belongs to.
        application: its class, as "module:Class"; None for a network that belongs to no application.
    """

    description: str
    application: str | None


#: The kinds of models, by the name that files hold. A new application is a new line.
KINDS = {
    "captioner": Kind("a captioner (rnnrs caption)", "rnnrs.models:Captioner"),
    "chatbot": Kind("a chatbot (rnnrs chat)", "rnnrs.models:Chatbot"),
    "forecaster": Kind("a forecaster (rnnrs forecast)", "rnnrs.models:Forecaster"),
    "jordan_network": Kind(
        "an output-to-hidden network (rnnrs.models.JordanNetwork)", "rnnrs.models:JordanNetwork"
    ),
    "language_model": Kind("a language model (rnnrs lm)", "rnnrs.models:LanguageModel"),
    "seq2seq": Kind("an encoder–decoder (rnnrs.models.Seq2Seq)", "rnnrs.models:Seq2Seq"),
    "sequence_classifier": Kind(
        "a classifier of sequences (rnnrs classify)", "rnnrs.models:SequenceClassifier"
    ),
    "sequence_tagger": Kind(
        "a tagger of sequences (rnnrs.models.SequenceTagger)", "rnnrs.models:SequenceTagger"
    ),
    "summarizer": Kind("a summarizer (rnnrs summarize)", "rnnrs.models:Summarizer"),
    "translator": Kind("a translator (rnnrs translate)", "rnnrs.models:Translator"),
    "network": Kind("a checkpoint of a network that belongs to no application", None),
}


def describe(kind: str) -> str:
    """The description of a kind; of an unknown one, its name."""
    return KINDS[kind].description if kind in KINDS else f"a model of the kind {kind!r}"


@dataclass(frozen=True)
class ModelFile:
    """What a file holds.

    Attributes:
        kind: a key of `KINDS`.
        config: all that it takes to build the model again, but for the numbers.
        tensors: the parameters by name.
        extra: further tensors, of a training checkpoint.
        training: a training checkpoint's place; None in a plain model.
        version: the format's version in the file that was read.
    """

    kind: str
    config: dict[str, Any]
    tensors: dict[str, Array]
    extra: dict[str, Array] = field(default_factory=dict)
    training: dict[str, Any] | None = None
    version: int = VERSION


#: What the names of tensors that are no parameters begin with.
_EXTRA = "training/"


def save(path: str | os.PathLike[str], model: ModelFile) -> None:
    """Writes a model file; an older one of that name stays until the new one is complete.

    Raises:
        OSError: if it cannot be written.
        ValueError, TypeError: if the configuration holds what JSON cannot (NaN, an array).
        DTypeError: for a tensor that does not hold real numbers.
    """
    header = {
        "format": "rnnrs",
        "version": VERSION,
        "kind": model.kind,
        "config": model.config,
        "training": model.training,
    }
    tensors = dict(model.tensors)
    tensors.update({_EXTRA + name: tensor for name, tensor in model.extra.items()})
    # In ASCII: not even half a surrogate pair in a vocabulary may keep a model from being saved.
    text = json.dumps(header, allow_nan=False, separators=(",", ":"))
    write_atomically(path, _rnnrs.serialize(tensors, text))


def load(path: str | os.PathLike[str], kind: str | None = None) -> ModelFile:
    """Reads a model file.

    Args:
        path: the file.
        kind: the kind that it must be of; any by default.

    Raises:
        OSError: if it cannot be read.
        FormatError: if it is no model file, damaged, of a newer version or of another kind.
    """
    data = Path(path).read_bytes()
    try:
        tensors, text = _rnnrs.deserialize(data)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    header = _header(path, text)
    if header["version"] == 1:
        header, tensors = _renamed(header), {_renamed_path(name): t for name, t in tensors.items()}
    found = header["kind"]
    if kind is not None and found != kind:
        raise FormatError(f"{path}: holds {describe(found)}, expected {describe(kind)}")
    parameters = {name: t for name, t in tensors.items() if not name.startswith(_EXTRA)}
    extra = {name[len(_EXTRA) :]: t for name, t in tensors.items() if name.startswith(_EXTRA)}
    return ModelFile(found, header["config"], parameters, extra, header["training"], header["version"])


def _header(path: str | os.PathLike[str], text: str | None) -> dict[str, Any]:
    if text is None:
        raise FormatError(f"{path}: expected a model of rnnrs, got a safetensors file of something else")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: damaged header: {error}") from None
    if not isinstance(header, dict) or header.get("format") != "rnnrs":
        raise FormatError(f"{path}: expected a model of rnnrs, got a safetensors file of something else")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise FormatError(f"{path}: version: expected a whole number from 1, got {version!r}")
    if version > VERSION:
        raise FormatError(
            f"{path}: written by a newer rnnrs (format {version}); this one reads formats up to {VERSION}"
        )
    unknown = [name for name in header if name not in _HEADER]
    if unknown:
        raise FormatError(f"{path}: header: expected {', '.join(_HEADER)}, got {unknown[0]!r}")
    training = header.get("training")
    fits = isinstance(header.get("kind"), str) and isinstance(header.get("config"), dict)
    if not fits or not (training is None or isinstance(training, dict)):
        raise FormatError(f"{path}: damaged header: kind, config and training are not what they should be")
    header.setdefault("training", None)
    return header


def _renamed(value: Any) -> Any:
    """A header of format 1 with today's keys."""
    if isinstance(value, dict):
        return {_FORMAT_1.get(key, key): _renamed(inner) for key, inner in value.items()}
    return value


def _renamed_path(name: str) -> str:
    return "/".join(_FORMAT_1.get(part, part) for part in name.split("/"))


def check_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Array],
    shapes: Mapping[str, tuple[int, ...]],
    dtype: Any,
) -> None:
    """Checks that a file holds just the tensors of a model.

    Raises:
        FormatError: naming the tensor that is missing, unknown, or of another shape or dtype.
    """
    for name, shape in shapes.items():
        if name not in tensors:
            raise FormatError(f"{path}: tensor {name}: expected {dtype} of shape {shape}, got none")
        got = tensors[name]
        if got.shape != tuple(shape) or got.dtype != np.dtype(dtype):
            raise FormatError(
                f"{path}: tensor {name}: expected {dtype} of shape {shape}, "
                f"got {got.dtype} of shape {got.shape}"
            )
    unknown = [name for name in tensors if name not in shapes]
    if unknown:
        raise FormatError(f"{path}: tensor {unknown[0]}: unknown; expected {', '.join(shapes)}")


def check_size(least: int, file: ModelFile) -> None:
    """Refuses a configuration whose model has at least so many numbers, more than the file: before memory is taken.

    Raises:
        ValueError: if so.
    """
    held = sum(tensor.size for tensor in file.tensors.values())
    if not 0 < least <= held:
        raise ValueError(f"sizes: expected a model of at most {held} numbers, got one of at least {least}")


def numbers(name: str, values: Any, size: int) -> Array:
    """Numbers of a configuration, as a vector of that size.

    Raises:
        ValueError: if they are not that.
    """
    array = np.asarray(values, np.float64)
    if array.shape != (size,) or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected {size} finite numbers")
    return array
