"""Model files: one safetensors file per model, with the parameters as tensors and the rest as a JSON header.

{"format": "rnnrs", "version": 2, "kind": "language_model", "config": …, "run": …}. A training checkpoint
is a model file with more tensors (the optimizer's, the carried state) and with the state of the run in `run`.
Nothing in a file is ever executed.
"""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _rnnrs
from .errors import FormatError
from .files import write_atomically
from .shown import short_repr
from .types import Array

#: The version of the format that this library writes, and the newest that it reads.
VERSION = 2

#: Keys that format 1 spelled differently, in headers and tensor names: old → new.
_FORMAT_1 = {
    "training": "run",
    "optimiser": "optimizer",
    "recurrent_initialiser": "recurrent_initializer",
}

_HEADER = ("format", "version", "kind", "config", "run")


class Kind(NamedTuple):
    """A kind of model.

    Attributes:
        description: for messages, with the command or the class of the model.
        application: the class, as "module:Class"; None for a network that belongs to no application.
    """

    description: str
    application: str | None


#: The kinds of models, by their names in files. A new application adds a line.
KINDS = {
    "assistant": Kind("an assistant over a table (rnnrs chat)", "rnnrs.models:Assistant"),
    "captioner": Kind("a captioner (rnnrs caption)", "rnnrs.models:Captioner"),
    "chatbot": Kind("a chatbot (rnnrs chat)", "rnnrs.models:Chatbot"),
    "extractive_summarizer": Kind(
        "a summarizer that chooses sentences (rnnrs summarize)", "rnnrs.models:ExtractiveSummarizer"
    ),
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
    """Returns the description of a kind; for an unknown kind, its name."""
    return KINDS[kind].description if kind in KINDS else f"a model of the kind {kind!r}"


@dataclass(frozen=True)
class ModelFile:
    """The contents of a model file.

    Attributes:
        kind: a key of `KINDS`.
        config: everything that the model is built from, except the parameters.
        tensors: the parameters by name.
        extra: further tensors, of a training checkpoint.
        run: the state of the run, of a training checkpoint; None in a finished model.
        version: the format's version in the file that was read.
    """

    kind: str
    config: dict[str, Any]
    tensors: dict[str, Array]
    extra: dict[str, Array] = field(default_factory=dict)
    run: dict[str, Any] | None = None
    version: int = VERSION

    __repr__ = short_repr


#: The prefix of the names of tensors that are not parameters.
_EXTRA = "run/"


def save(path: str | os.PathLike[str], model: ModelFile) -> None:
    """Writes a model file. An existing file is replaced only once the new one is complete.

    Raises:
        OSError: if the file cannot be written.
        TypeError: for a value that JSON does not have, such as an array; names its place.
        ValueError: for a number of the configuration that is not finite.
        DTypeError: for a tensor that does not hold real numbers.
    """
    header = {
        "format": "rnnrs",
        "version": VERSION,
        "kind": model.kind,
        "config": plain("config", model.config, finite=True),
        "run": plain("run", model.run),
    }
    tensors = dict(model.tensors)
    tensors.update({_EXTRA + name: tensor for name, tensor in model.extra.items()})
    # ASCII, so that a vocabulary with half a surrogate pair can be saved as well.
    text = json.dumps(header, allow_nan=False, separators=(",", ":"))
    write_atomically(path, _rnnrs.serialize(tensors, text))


def load(path: str | os.PathLike[str], kind: str | None = None) -> ModelFile:
    """Reads a model file.

    Args:
        path: the file.
        kind: the expected kind; any by default.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is not a model file, is damaged, or has a newer version or another kind.
    """
    data = Path(path).read_bytes()
    try:
        tensors, text = _rnnrs.deserialize(data)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    header = _header(path, text)
    if header["version"] == 1:
        tensors = {_renamed_path(name): tensor for name, tensor in tensors.items()}
    found = header["kind"]
    if kind is not None and found != kind:
        raise FormatError(f"{path}: holds {describe(found)}, expected {describe(kind)}")
    parameters = {name: t for name, t in tensors.items() if not name.startswith(_EXTRA)}
    extra = {name[len(_EXTRA) :]: t for name, t in tensors.items() if name.startswith(_EXTRA)}
    return ModelFile(found, header["config"], parameters, extra, header["run"], header["version"])


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
    if version == 1:
        header = {_FORMAT_1.get(key, key): _renamed(value) for key, value in header.items()}
    unknown = [name for name in header if name not in _HEADER]
    if unknown:
        raise FormatError(f"{path}: header: expected {', '.join(_HEADER)}, got {unknown[0]!r}")
    run = header.get("run")
    fits = isinstance(header.get("kind"), str) and isinstance(header.get("config"), dict)
    if not fits or not (run is None or isinstance(run, dict)):
        raise FormatError(
            f"{path}: damaged header: expected a string as kind, an object as config, "
            "an object or null as run"
        )
    header.setdefault("run", None)
    return header | {"run": _with_infinities(header["run"])}


#: The key of an object that stands for a number that JSON does not have: "nan", "inf" or "-inf".
_NUMBER = "number"


def plain(place: str, value: Any, *, arrays: bool = False, finite: bool = False) -> Any:
    """Returns a value as JSON types: numbers of NumPy become Python's, tuples lists.

    Args:
        place: its place in the file, for error messages.
        value: the value.
        arrays: whether dictionaries of arrays are taken, too, as they are: in the state of a callback.
        finite: whether NaN and infinities are refused.

    Raises:
        TypeError: for a value that is of no such type; names its place.
        ValueError: for a number that is not finite, with `finite`.

    Example:
        >>> plain("config", {"rates": (np.float32(0.5), None), "best": float("inf")})
        {'rates': [0.5, None], 'best': {'number': 'inf'}}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        if finite:
            raise ValueError(f"{place}: expected a finite number, got {value}")
        return {_NUMBER: str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(f"{place}[{i}]", part, arrays=arrays, finite=finite) for i, part in enumerate(value)]
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        kind = (
            "a dictionary with other keys than strings" if isinstance(value, dict) else type(value).__name__
        )
        raise TypeError(
            f"{place}: expected numbers, strings, None, lists or dictionaries of them, got {kind}"
        )
    if arrays and value and all(isinstance(part, np.ndarray) for part in value.values()):
        return value
    return {
        name: plain(f"{place}[{name!r}]", part, arrays=arrays, finite=finite) for name, part in value.items()
    }


def _with_infinities(value: Any) -> Any:
    """Returns a value of a file with the numbers that JSON does not have."""
    if isinstance(value, list):
        return [_with_infinities(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_NUMBER} and value[_NUMBER] in ("nan", "inf", "-inf"):
        return float(value[_NUMBER])
    return {name: _with_infinities(part) for name, part in value.items()}


def _renamed(value: Any) -> Any:
    """Returns a header of format 1 with the current keys."""
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
    """Checks that a file holds exactly the tensors of a model.

    Raises:
        FormatError: for a tensor that is missing or unknown, or has another shape or dtype; names it.
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
    """Checks, before memory is allocated, that a model of this size can be the one in the file.

    Args:
        least: a lower bound of the model's number of parameters, from its configuration.
        file: the file's contents.

    Raises:
        ValueError: if `least` is above the number of parameters in the file, or not positive.
    """
    held = sum(tensor.size for tensor in file.tensors.values())
    if not 0 < least <= held:
        raise ValueError(f"sizes: expected a model of at most {held} numbers, got one of at least {least}")


def numbers(name: str, values: Any, size: int) -> Array:
    """Returns numbers of a configuration as a vector.

    Raises:
        ValueError: if they are not `size` finite numbers.
    """
    array = np.asarray(values, np.float64)
    if array.shape != (size,) or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected {size} finite numbers, got {reprlib.repr(values)}")
    return array
