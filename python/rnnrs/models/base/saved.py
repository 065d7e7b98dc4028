"""Models that are one file each."""

from __future__ import annotations

import os
from typing import Any, ClassVar, TypeVar

from ... import modelfile
from ...errors import FormatError
from ...modelfile import ModelFile

S = TypeVar("S", bound="SavedModel")


class SavedModel:
    """`save` and `load` of a model that can tell what its file holds, and be built from it; see `rnnrs.modelfile`."""

    #: What the file is called, a key of `modelfile.KINDS`.
    KIND: ClassVar[str]

    def checkpoint_contents(self) -> ModelFile:
        """The model as a file holds it: kind, configuration (with vocabularies, where it has any), and parameters."""
        raise NotImplementedError

    @classmethod
    def _build(cls: type[S], file: ModelFile, path: str | os.PathLike[str], **given: Any) -> S:
        """The model of a file; `path` is for messages.

        Raises:
            FormatError, LookupError, TypeError, ValueError: if the file does not describe such a model.
        """
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to one file, which replaces an older one only once it is complete.

        Raises:
            OSError: if that fails; then an older file is as it was.
        """
        modelfile.save(path, self.checkpoint_contents())

    @classmethod
    def load(cls: type[S], path: str | os.PathLike[str]) -> S:
        """The model that `save` wrote; a checkpoint of its training will do too.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is damaged, of a newer version, or of another kind of model.
        """
        return cls._load(path)

    @classmethod
    def _load(cls: type[S], path: str | os.PathLike[str], **given: Any) -> S:
        """`load`, with what files do not hold."""
        file = modelfile.load(path, cls.KIND)
        try:
            return cls._build(file, path, **given)
        except FormatError as error:
            message = str(error)
            raise FormatError(message if message.startswith(f"{path}:") else f"{path}: {message}") from None
        except (LookupError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: damaged configuration: {error}") from error
