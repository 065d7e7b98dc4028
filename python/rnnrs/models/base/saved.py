"""Models that are saved as one file each."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from ... import modelfile
from ...errors import FormatError
from ...modelfile import ModelFile
from ...nn import Parameters

S = TypeVar("S", bound="SavedModel")
C = TypeVar("C")


class SavedModel:
    """`save` and `load` of a model; see `rnnrs.modelfile`.

    A file holds the arguments of the constructor, whatever else `_contents` says, the settings of the training, and
    the parameters. A subclass with arguments that are not JSON types converts them in `_contents` and `_restored`.

    Attributes:
        sizes: the constructor's arguments that are JSON types, see `sizes_of`.
        parameters: θ.
        settings: the settings of the last `fit`, kept in the file; None before the first.
    """

    #: What kind of file it is, a key of `modelfile.KINDS`.
    KIND: ClassVar[str]
    #: The table of `fit`'s options; None for a model without one.
    TRAINING: ClassVar[Any] = None

    sizes: dict[str, Any]
    parameters: Parameters
    settings: Any = None

    def _contents(self) -> dict[str, Any]:
        """What the file's configuration holds besides `sizes` and the settings: vocabularies, labels, …."""
        return {}

    @classmethod
    def _restored(cls: type[S], config: dict[str, Any], file: ModelFile, **given: Any) -> S:
        """The model of a configuration, which may be changed, before it has its parameters.

        Calls `modelfile.check_size` before memory is taken.

        Raises:
            FormatError, LookupError, TypeError, ValueError: if the configuration does not describe such a model.
        """
        raise NotImplementedError

    def checkpoint_contents(self) -> ModelFile:
        """The model as a file holds it: kind, configuration with vocabularies, and parameters."""
        config = {**getattr(self, "sizes", {}), **self._contents()}
        if self.TRAINING is not None:
            config["settings"] = None if self.settings is None else self.settings.to_config()
        return ModelFile(self.KIND, config, dict(self.parameters))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to one file, which replaces an older one only once it is complete.

        Raises:
            OSError: if that fails; an older file is then left unchanged.
        """
        modelfile.save(path, self.checkpoint_contents())

    @classmethod
    def load(cls: type[S], path: str | os.PathLike[str]) -> S:
        """Loads the model that `save` wrote; a checkpoint of its training will do, too.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is damaged, of a newer version, or of another kind of model.
        """
        return cls._load(path)

    @classmethod
    def _load(cls: type[S], path: str | os.PathLike[str], **given: Any) -> S:
        """`load`, with what files do not hold."""
        return cls.from_file(modelfile.load(path, cls.KIND), path, **given)

    @classmethod
    def from_file(cls: type[S], file: ModelFile, path: str | os.PathLike[str], **given: Any) -> S:
        """The model of a file of this kind that has been read; see `load`.

        Args:
            file: the contents.
            path: the file's name, for error messages.
            given: what files do not hold.
        """
        try:
            return cls._build(file, path, **given)
        except FormatError as error:
            message = str(error)
            raise FormatError(message if message.startswith(f"{path}:") else f"{path}: {message}") from None
        except (LookupError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: damaged configuration: {error}") from error

    @classmethod
    def _build(cls: type[S], file: ModelFile, path: str | os.PathLike[str], **given: Any) -> S:
        config = dict(file.config)
        settings = config.pop("settings", None)
        model = cls._restored(config, file, **given)
        shapes = {name: array.shape for name, array in model.parameters.items()}
        modelfile.check_tensors(path, file.tensors, shapes, model.parameters.dtype)
        if settings is not None:
            if cls.TRAINING is None:
                raise FormatError("unknown key 'settings'")
            model.settings = cls.TRAINING.from_config(settings)
        model.parameters.copy_from(file.tensors)
        return model


def constructed(cls: type[C], config: Mapping[str, Any], *arguments: Any) -> C:
    """`cls(*arguments, **config)`, for a configuration from a file.

    Raises:
        FormatError: for a key that is not an argument of the constructor; names it.
        TypeError, ValueError: for values that make no such model.
    """
    known = [p.name for p in inspect.signature(cls).parameters.values() if p.kind is not p.VAR_KEYWORD]
    for name in config:
        if name not in known:
            raise FormatError(f"unknown key {name!r}; expected {', '.join(known)}")
    return cls(*arguments, **config)


def sizes_of(arguments: Mapping[str, Any], *left_out: str) -> dict[str, Any]:
    """The arguments of a constructor as JSON types, for its model's file.

    Args:
        arguments: the constructor's `locals()`, at its first line.
        left_out: arguments that the file does not hold as they are.
    """
    hidden = {"self", "__class__", *left_out}
    return {name: _plain(name, value) for name, value in arguments.items() if name not in hidden}


def _plain(name: str, value: Any) -> Any:
    if name == "dtype":
        return str(np.dtype(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (tuple, list)):
        return [_plain("", part) for part in value]
    return value
