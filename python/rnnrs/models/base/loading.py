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

    The file names its kind, never code to run. The `load` of a class also checks the kind, and a type checker
    knows its result.

    Args:
        path: a file written by `save`, or a checkpoint of the model's training.

    Returns:
        The model, an instance of its class. A `JordanNetwork` gets its default loss, which files do not hold.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is damaged, of a newer version, of an unknown kind, or a checkpoint of a network
            that belongs to no application: only the code that builds such a network can load it.

    Example:
        >>> import rnnrs
        >>> rnnrs.models.LanguageModel.from_text("Dear reader", hidden_size=8).save("letters.rnn")
        >>> len(rnnrs.load("letters.rnn").generate("Dear ", length=10, seed=1))
        10
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
