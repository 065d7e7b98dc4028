"""Checkpoints: model files with the state that a run needs to continue bit for bit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import modelfile
from ..errors import FormatError
from ..modelfile import ModelFile
from ..nn import Parameters
from ..optim import Optimizer
from ..types import Array
from .callbacks import Callback
from .history import History

_OPTIMIZER = "optimizer/"
_STATE = "state"


@dataclass(frozen=True)
class RunState:
    """The state that a run needs to continue, besides the model.

    Attributes:
        step: the number of steps taken.
        epoch: the epoch, counted from 0.
        position: the index of the epoch's next batch.
        seconds: the seconds of training.
        data: the data's fingerprint; None before the first `fit`.
        optimizer: kind and settings of the optimizer.
        optimizer_steps: the number of steps that the optimizer has taken.
        vectors: the optimizer's state vectors by name, each as long as θ.
        history: the course of the run.
        callbacks: (class name, state) of each callback.
        carried: the state carried from batch to batch: None, an array, or a tuple of arrays.
    """

    step: int
    epoch: int
    position: int
    seconds: float
    data: str | None
    optimizer: dict[str, Any]
    optimizer_steps: int
    vectors: dict[str, Array]
    history: History
    callbacks: Sequence[tuple[str, dict[str, Any]]]
    carried: Any


def save(path: str | os.PathLike[str], model: ModelFile, run: RunState) -> None:
    """Writes a checkpoint, which can also be loaded as a model.

    Raises:
        OSError: if it cannot be written; an existing file is left unchanged.
    """
    saved = {
        "step": run.step,
        "epoch": run.epoch,
        "position": run.position,
        "seconds": run.seconds,
        "data": run.data,
        "optimizer": {"config": run.optimizer, "steps": run.optimizer_steps},
        "history": run.history.to_config(),
        "callbacks": [{"kind": kind, "state": state} for kind, state in run.callbacks],
        "carried": _form(run.carried),
    }
    extra = {_OPTIMIZER + name: vector for name, vector in run.vectors.items()}
    extra.update({f"{_STATE}/{i}": array for i, array in enumerate(_arrays(run.carried))})
    modelfile.save(path, ModelFile(model.kind, model.config, model.tensors, extra, saved))


def load(
    path: str | os.PathLike[str], kind: str, parameters: Parameters, optimizer: Optimizer
) -> tuple[dict[str, Array], RunState]:
    """Reads a checkpoint of a model and an optimizer; changes neither.

    Args:
        path: the file.
        kind: the model's kind, see `modelfile.KINDS`.
        parameters: the model's parameters; the file's tensors must have the same layout.
        optimizer: the optimizer; the run's must have had the same kind and settings.

    Returns:
        (the parameters by name, the run's state).

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is not a checkpoint of such a model and optimizer.
    """
    file = modelfile.load(path, kind)
    if file.run is None:
        raise FormatError(f"{path}: expected a training checkpoint, got a finished model")
    modelfile.check_tensors(path, file.tensors, parameters.shapes, parameters.dtype)
    try:
        return file.tensors, _read(file.run, file.extra, parameters, optimizer)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: damaged checkpoint: {error!r}") from error


def restore_callbacks(run: RunState, callbacks: Sequence[Callback]) -> None:
    """Restores the callbacks' states: the first of a class gets the first state of that class, and so on.

    A callback whose class has no further state starts anew.
    """
    saved = list(run.callbacks)
    for callback in callbacks:
        kind = type(callback).__name__
        place = next((i for i, (name, _) in enumerate(saved) if name == kind), None)
        if place is not None:
            callback.load_state(saved.pop(place)[1])


def _read(
    saved: dict[str, Any], extra: dict[str, Array], parameters: Parameters, optimizer: Optimizer
) -> RunState:
    """Returns the state of a run from a file's header and further tensors."""
    own = saved["optimizer"]
    if own["config"] != optimizer.to_config():
        raise FormatError(f"optimizer: expected {optimizer.to_config()}, got {own['config']}")
    step, epoch, position = (int(saved[name]) for name in ("step", "epoch", "position"))
    steps = int(own["steps"])
    if min(step, epoch, position, steps) < 0:
        raise FormatError(
            "damaged checkpoint: step, epoch, position, optimizer steps: expected whole numbers from 0, "
            f"got {step}, {epoch}, {position}, {steps}"
        )
    vectors = {n[len(_OPTIMIZER) :]: v for n, v in extra.items() if n.startswith(_OPTIMIZER)}
    for name, vector in vectors.items():
        if vector.shape != (parameters.size,) or vector.dtype != parameters.dtype:
            raise FormatError(
                f"optimizer: {name}: expected {parameters.dtype} of shape ({parameters.size},), "
                f"got {vector.dtype} of shape {vector.shape}"
            )
    optimizer.check_state(vectors, steps)
    return RunState(
        step=step,
        epoch=epoch,
        position=position,
        seconds=float(saved["seconds"]),
        data=saved["data"],
        optimizer=own["config"],
        optimizer_steps=steps,
        vectors=vectors,
        history=History.from_config(saved["history"]),
        callbacks=[(entry["kind"], entry["state"]) for entry in saved["callbacks"]],
        carried=_carried(saved["carried"], extra),
    )


def _form(state: Any) -> int | None:
    """Returns the form of a carried state: None, −1 for one array, or the number of arrays."""
    if state is None:
        return None
    return -1 if isinstance(state, np.ndarray) else len(state)


def _arrays(state: Any) -> list[Array]:
    if state is None:
        return []
    return [state] if isinstance(state, np.ndarray) else [np.asarray(part) for part in state]


def _carried(form: Any, extra: dict[str, Array]) -> Any:
    if form is None:
        return None
    if form == -1:
        return extra[f"{_STATE}/0"]
    return tuple(extra[f"{_STATE}/{i}"] for i in range(int(form)))
