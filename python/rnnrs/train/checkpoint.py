"""Checkpoints: everything that a run needs to go on bit for bit, in a model file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import modelfile
from ..errors import FormatError
from ..modelfile import ModelFile
from ..types import Array
from .history import History

if TYPE_CHECKING:
    from .trainer import Trainer


_OPTIMIZER = "optimizer/"
_STATE = "state"


def save(path: str | os.PathLike[str], trainer: Trainer) -> None:
    """Writes a checkpoint; it can also be loaded as the model that it holds.

    Raises:
        OSError: if it cannot be written; what was there stays.
    """
    contents = getattr(trainer.model, "checkpoint_contents", None)
    file = contents() if contents else ModelFile("network", {}, dict(trainer.model.parameters))
    training = {
        "step": trainer.step,
        "epoch": trainer.epoch,
        "position": trainer.position,
        "seconds": trainer.seconds,
        "data": trainer.data_fingerprint,
        "optimizer": {"config": trainer.optimizer.to_config(), "steps": trainer.optimizer.steps},
        "history": trainer.history.to_config(),
        "callbacks": [{"kind": type(c).__name__, "state": c.state()} for c in trainer.callbacks],
        "carried": _form(trainer.state),
    }
    extra = {_OPTIMIZER + name: vector for name, vector in trainer.optimizer.state().items()}
    extra.update({f"{_STATE}/{i}": array for i, array in enumerate(_arrays(trainer.state))})
    modelfile.save(path, ModelFile(file.kind, file.config, file.tensors, extra, training))


def load(path: str | os.PathLike[str], trainer: Trainer) -> None:
    """Sets a trainer, its model and its optimizer to where a checkpoint was written.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is no checkpoint of this model, optimizer and callbacks; then nothing has changed.
    """
    contents = getattr(trainer.model, "checkpoint_contents", None)
    file = modelfile.load(path, contents().kind if contents else "network")
    if file.training is None:
        raise FormatError(f"{path}: expected a training checkpoint, got a finished model")
    parameters = trainer.model.parameters
    modelfile.check_tensors(path, file.tensors, parameters.shapes, parameters.dtype)
    try:
        apply = _prepare(path, file, file.training, trainer)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: damaged checkpoint: {error!r}") from error
    apply()


def _prepare(
    path: str | os.PathLike[str], file: ModelFile, training: dict[str, Any], trainer: Trainer
) -> Any:
    """Reads and checks everything; gives the function that then changes the trainer."""
    optimizer = training["optimizer"]
    if optimizer["config"] != trainer.optimizer.to_config():
        raise FormatError(
            f"{path}: optimizer: expected {trainer.optimizer.to_config()}, got {optimizer['config']}"
        )
    kinds = [type(callback).__name__ for callback in trainer.callbacks]
    saved = {entry["kind"]: entry["state"] for entry in training["callbacks"]}
    numbers = {name: int(training[name]) for name in ("step", "epoch", "position")}
    if min(numbers.values()) < 0 or numbers["step"] != int(optimizer["steps"]):
        raise FormatError(
            f"{path}: damaged checkpoint: {numbers}, {optimizer['steps']} steps of the optimizer"
        )
    seconds, history = float(training["seconds"]), History.from_config(training["history"])
    fingerprint, state = training["data"], _state(training["carried"], file.extra)
    vectors = {n[len(_OPTIMIZER) :]: v for n, v in file.extra.items() if n.startswith(_OPTIMIZER)}
    size, dtype = trainer.model.parameters.flat.size, trainer.model.parameters.dtype
    for name, vector in vectors.items():
        if vector.shape != (size,) or vector.dtype != dtype:
            raise FormatError(f"{path}: optimizer: {name}: expected {size} of {dtype}, got {vector.shape}")
    trainer.optimizer.check_state(vectors, numbers["step"])

    def apply() -> None:
        trainer.model.parameters.copy_from(file.tensors)
        trainer.optimizer.load_state(vectors, numbers["step"])
        trainer.step, trainer.epoch, trainer.position = numbers["step"], numbers["epoch"], numbers["position"]
        trainer.seconds, trainer.history, trainer.state = seconds, history, state
        trainer.data_fingerprint = fingerprint
        for kind, callback in zip(kinds, trainer.callbacks, strict=True):
            if kind in saved:
                callback.load_state(saved[kind])

    return apply


def _form(state: Any) -> int | None:
    """How the carried state is kept: None, one array (−1), or so many of them."""
    if state is None:
        return None
    return -1 if isinstance(state, np.ndarray) else len(state)


def _arrays(state: Any) -> list[Array]:
    if state is None:
        return []
    return [state] if isinstance(state, np.ndarray) else [np.asarray(part) for part in state]


def _state(form: Any, extra: dict[str, Array]) -> Any:
    if form is None:
        return None
    if form == -1:
        return extra[f"{_STATE}/0"]
    return tuple(extra[f"{_STATE}/{i}"] for i in range(int(form)))
