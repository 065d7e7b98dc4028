"""Models that are saved as one file each."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from ... import modelfile
from ...checks import real_dtype
from ...errors import FormatError
from ...modelfile import ModelFile
from ...nn import Parameters
from ...shown import shown

S = TypeVar("S", bound="SavedModel")
C = TypeVar("C")


class SavedModel:
    """A model with `save` and `load`; see `rnnrs.modelfile`.

    A file holds the constructor's arguments, the further configuration that `_contents` returns, the settings
    of the training, and the parameters. A subclass whose arguments are not JSON types converts them in
    `_contents` and `_restored`.

    Attributes:
        sizes: the constructor's arguments that are JSON types, see `sizes_of`.
        parameters: θ.
        settings: the settings of the last `fit`, which the file holds; None before the first.
    """

    #: The kind of the model's files, a key of `modelfile.KINDS`.
    KIND: ClassVar[str]
    #: The table of `fit`'s options; None for a model without `fit`.
    TRAINING: ClassVar[Any] = None

    sizes: dict[str, Any]
    parameters: Parameters
    settings: Any = None

    def __repr__(self) -> str:
        size = [("parameters", self.parameters.size), ("trained", self.parameters.have_changed)]
        return shown(type(self).__name__, [*getattr(self, "sizes", {}).items(), *size])

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles; its items stay the same while another thread trains."""
        return self.__dict__.copy()

    def _contents(self) -> dict[str, Any]:
        """Returns the configuration besides `sizes` and the settings: vocabularies, labels, …."""
        return {}

    @classmethod
    def _restored(cls: type[S], config: dict[str, Any], file: ModelFile, **given: Any) -> S:
        """Returns the model of a configuration, with initial parameters; may change `config`.

        Calls `modelfile.check_size` before memory is allocated.

        Raises:
            FormatError, LookupError, TypeError, ValueError: if the configuration does not describe a model.
        """
        raise NotImplementedError

    def checkpoint_contents(self) -> ModelFile:
        """Returns the contents of the model's file: kind, configuration and parameters."""
        config = {**getattr(self, "sizes", {}), **self._contents()}
        if self.TRAINING is not None:
            config["settings"] = None if self.settings is None else self.settings.to_config()
        return ModelFile(self.KIND, config, dict(self.parameters))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to one file. An existing file is replaced only once the new one is complete.

        Raises:
            OSError: if the file cannot be written; an existing file is left unchanged.
        """
        with self.parameters.reading:
            modelfile.save(path, self.checkpoint_contents())

    @classmethod
    def load(cls: type[S], path: str | os.PathLike[str]) -> S:
        """Loads a model that `save` wrote, or the model of a training checkpoint.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is damaged, of a newer version, or of another kind of model.
        """
        return cls.from_file(modelfile.load(path, cls.KIND), path)

    @classmethod
    def from_file(cls: type[S], file: ModelFile, path: str | os.PathLike[str], **given: Any) -> S:
        """Returns the model of a file of this kind that has been read.

        Args:
            file: the contents.
            path: the file's name, for error messages.
            given: arguments that files do not hold.

        Raises:
            FormatError: see `load`.
        """
        config = dict(file.config)
        settings = config.pop("settings", None)
        try:
            model = cls._restored(config, file, **given)
            if settings is not None:
                if cls.TRAINING is None:
                    raise FormatError("unknown key 'settings'")
                model.settings = cls.TRAINING.from_config(settings)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from None
        except (LookupError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: damaged configuration: {error}") from error
        modelfile.check_tensors(path, file.tensors, model.parameters.shapes, model.parameters.dtype)
        model.parameters.copy_from(file.tensors)
        return model


def constructed(cls: type[C], config: Mapping[str, Any], *arguments: Any) -> C:
    """Returns `cls(*arguments, **config)`, for a configuration from a file.

    Raises:
        FormatError: for a key that is not an argument of the constructor; names it.
        TypeError, ValueError: for invalid values.
    """
    known = [p.name for p in inspect.signature(cls).parameters.values() if p.kind is not p.VAR_KEYWORD]
    for name in config:
        if name not in known:
            raise FormatError(f"unknown key {name!r}; expected {', '.join(known)}")
    return cls(*arguments, **config)


def sizes_of(arguments: Mapping[str, Any], *left_out: str) -> dict[str, Any]:
    """Returns the arguments of a constructor as JSON types, for the model's file.

    Args:
        arguments: the constructor's `locals()`, at its first line.
        left_out: arguments that the file does not hold as they are.

    Raises:
        DTypeError: if the argument `dtype` is neither float32 nor float64.
    """
    hidden = {"self", "__class__", *left_out}
    sizes = {name: _plain(value) for name, value in arguments.items() if name not in hidden}
    if "dtype" in sizes:
        sizes["dtype"] = str(real_dtype(type(arguments["self"]).__name__, arguments["dtype"]))
    return sizes


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    return value
