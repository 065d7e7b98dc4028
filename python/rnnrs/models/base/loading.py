"""Loading a model of any kind."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from ... import modelfile
from ...errors import FormatError
from .saved import SavedModel


def load(path: str | os.PathLike[str]) -> Any:
    """Loads a model of any kind: `LanguageModel`, `Translator`, …; see `modelfile.KINDS`.

    The file says which kind it holds, never which code to run. The class's own `load` also checks the kind, and a type
    checker knows its result.

    Args:
        path: the file that `save` wrote; a checkpoint of its training will do, too.

    Returns:
        The model, an instance of its class. A `JordanNetwork` gets its default loss, since files do not hold it.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is damaged, of a newer version, of an unknown kind, or a checkpoint of a network of one's
            own, which only the code that builds the network can load.

    Example:
        >>> import rnnrs
        >>> rnnrs.load("letters.rnn").generate("Dear ")  # doctest: +SKIP
    """
    file = modelfile.load(path)
    if file.kind not in modelfile.KINDS:
        raise FormatError(f"{path}: kind: expected one of {', '.join(modelfile.KINDS)}, got {file.kind!r}")
    kind = modelfile.KINDS[file.kind]
    if kind.application is None:
        raise FormatError(
            f"{path}: expected the model of an application, got {kind.description}: build the network in Python "
            "and resume with `Trainer.resume`"
        )
    module, name = kind.application.split(":")
    application: type[SavedModel] = getattr(import_module(module), name)
    return application.from_file(file, path)
