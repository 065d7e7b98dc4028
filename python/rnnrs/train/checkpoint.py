"""Checkpoints: model files with the state that a run needs to continue bit for bit."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .. import modelfile
from ..checks import check_size
from ..errors import FormatError
from ..modelfile import ModelFile
from ..nn import Parameters
from ..optim import Optimizer
from ..shown import short_repr
from ..types import Array
from .callbacks import Callback
from .history import History

_OPTIMIZER = "optimizer/"
_STATE = "state"
_CALLBACK = "callback"
#: The key of a callback's state that holds parameters of the model.
_PARAMETERS = "parameters"

_INTERVAL = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class ChangedData(ValueError):
    """A run was to be resumed with other data than those with which it began."""


class Interval(NamedTuple):
    """How often a checkpoint is written: None for never.

    Attributes:
        steps: the number of steps after which one is due.
        seconds: the time after which one is due.
    """

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, op: str, every: int | str | None) -> Interval:
        """Returns the interval of an argument `checkpoint_every`: 500 or "500" steps; "30s", "5m", "2h".

        Raises:
            ValueError: if it is not above 0, or not a number of steps or a time.
            TypeError: if it is neither a whole number, a string nor None.
        """
        if every is None:
            return cls()
        if not isinstance(every, str):
            return cls(steps=check_size(op, "checkpoint_every", every))
        found = _INTERVAL.fullmatch(every)
        if found is None or not float(found[1]) or ("." in found[1] and not found[2]):
            raise ValueError(
                f"{op}: checkpoint_every: expected a number of steps, or a time such as 30s, 5m or 2h, got {every!r}"
            )
        if not found[2]:
            return cls(steps=int(found[1]))
        return cls(seconds=float(found[1]) * _SECONDS[found[2]])


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
        stopped: why the run ended before its bounds; None if it did not.
        contents: what the data consist of, see `data.contents`; None if they do not tell.
        validation: the held-out data's fingerprint; None without such data.
        carried: the state carried from batch to batch: None, an array, or a tuple of arrays.
        learning: what is frozen, and the factors of learning rates, see `Parameters.learning`; None in files
            that do not say it.
        micro_batches: M, the micro-batches of a batch.
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
    stopped: str | None = None
    contents: dict[str, Any] | None = None
    validation: str | None = None
    learning: dict[str, float] | None = None
    micro_batches: int = 1

    __repr__ = short_repr


def state_of(trainer: Any) -> RunState:
    """Returns the state of a `Trainer`'s run."""
    return RunState(
        step=trainer.step,
        epoch=trainer.epoch,
        position=trainer.position,
        seconds=trainer.seconds,
        data=trainer.data_fingerprint,
        optimizer=trainer.optimizer.to_config(),
        optimizer_steps=trainer.optimizer.steps,
        vectors=trainer.optimizer.state(),
        history=trainer.history,
        callbacks=[(type(callback).__name__, callback.state()) for callback in trainer.callbacks],
        carried=trainer.state,
        stopped=trainer.stopped,
        contents=trainer.data_contents,
        validation=trainer.validation_fingerprint,
        learning=trainer.model.parameters.learning,
        micro_batches=trainer.micro_batches,
    )


def save(path: str | os.PathLike[str], model: ModelFile, run: RunState, *, finished: bool = False) -> None:
    """Writes a checkpoint, which can also be loaded as a model.

    Args:
        path: the file.
        model: the model.
        run: the state of the run.
        finished: whether the run has ended. The model of the file then has the best parameters that a
            callback keeps, and the last ones take their place in the callback's state, until `load` changes
            them back.

    Raises:
        OSError: if it cannot be written; an existing file is left unchanged.
    """
    saved: dict[str, Any] = {
        "step": run.step,
        "epoch": run.epoch,
        "position": run.position,
        "seconds": run.seconds,
        "data": run.data,
        "optimizer": {"config": run.optimizer, "steps": run.optimizer_steps},
        "history": run.history.to_config(),
        "callbacks": [],
        "carried": _form(run.carried),
        "stopped": run.stopped,
        "contents": run.contents,
        "validation": run.validation,
        "finished": finished,
        "learning": run.learning,
        "micro_batches": run.micro_batches,
    }
    extra = {_OPTIMIZER + name: vector for name, vector in run.vectors.items()}
    extra.update({f"{_STATE}/{i}": array for i, array in enumerate(_arrays(run.carried))})
    tensors = model.tensors
    for i, (kind, state) in enumerate(run.callbacks):
        entry, arrays = _divided(kind, state)
        if finished and saved["finished"] is True and arrays.get(_PARAMETERS, {}).keys() == tensors.keys():
            saved["finished"] = i  # the callback whose parameters are the model's
            tensors, arrays[_PARAMETERS] = arrays[_PARAMETERS], dict(tensors)
        saved["callbacks"].append(entry)
        extra.update({f"{_CALLBACK}/{i}/{k}/{n}": a for k, part in arrays.items() for n, a in part.items()})
    modelfile.save(path, ModelFile(model.kind, model.config, tensors, extra, saved))


def _divided(kind: str, state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Array]]]:
    """Returns a callback's entry in the header, and the dictionaries of arrays in its state."""
    arrays = {
        key: value
        for key, value in state.items()
        if isinstance(value, dict) and value and all(isinstance(a, np.ndarray) for a in value.values())
    }
    plain = {key: value for key, value in state.items() if key not in arrays}
    return {"kind": kind, "state": plain, "arrays": [*arrays]}, arrays


def read(path: str | os.PathLike[str], kind: str) -> ModelFile:
    """Reads a checkpoint of a kind of model, see `modelfile.KINDS`. Its model has the last parameters.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is not a checkpoint of such a model.
    """
    file = modelfile.load(path, kind)
    if file.run is None:
        raise FormatError(f"{path}: expected a training checkpoint, got a finished model")
    place = file.run.get("finished", False)
    if isinstance(place, bool):
        return file
    prefix = f"{_CALLBACK}/{place}/{_PARAMETERS}/"
    last = {name[len(prefix) :]: array for name, array in file.extra.items() if name.startswith(prefix)}
    extra = file.extra | {prefix + name: array for name, array in file.tensors.items()}
    return replace(file, tensors=last, extra=extra)


def load(
    path: str | os.PathLike[str], file: ModelFile, parameters: Parameters, optimizer: Optimizer
) -> RunState:
    """Returns the state of a run from a checkpoint of a model and an optimizer; changes neither.

    Args:
        path: the file, for messages.
        file: its contents, see `read`.
        parameters: the model's parameters; the file's tensors must have the same layout.
        optimizer: the optimizer; the run's must have had the same kind and settings.

    Raises:
        FormatError: if it is not a checkpoint of such a model and optimizer.
    """
    modelfile.check_tensors(path, file.tensors, parameters.shapes, parameters.dtype)
    try:
        return _read(file.run or {}, file.extra, parameters, optimizer)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: damaged checkpoint: {error!r}") from error


def contents_of(data: Any) -> dict[str, Any] | None:
    """Returns what data consist of, for `difference`; None if they do not tell."""
    return data.contents().to_config() if hasattr(data, "contents") else None


def difference(before: dict[str, Any] | None, data: Any) -> str:
    """Returns how data differ from those of a run, as the end of a message."""
    if before is None or not hasattr(data, "contents"):
        return ", got others"
    return f": {data.contents().difference(before)}"


def check_micro_batches(op: str, run: RunState, wanted: int | None) -> None:
    """Checks that a run is resumed with as many micro-batches as it began with; None stands for these.

    Raises:
        ValueError: if it is not.
    """
    if wanted not in (None, run.micro_batches):
        raise ValueError(
            f"{op}: micro_batches: expected {run.micro_batches}, as when the run began, got {wanted}"
        )


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
    learning = saved.get("learning")
    if learning is not None:
        parameters.check_learning(learning)
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
        callbacks=[_joined(i, entry, extra) for i, entry in enumerate(saved["callbacks"])],
        carried=_carried(saved["carried"], extra),
        stopped=saved.get("stopped"),
        contents=saved.get("contents"),
        validation=saved.get("validation"),
        learning=learning,
        micro_batches=check_size("micro_batches", "count", saved.get("micro_batches", 1)),
    )


def _joined(place: int, entry: dict[str, Any], extra: dict[str, Array]) -> tuple[str, dict[str, Any]]:
    """Returns class name and state of a callback, the opposite of `_divided`."""
    state = dict(entry["state"])
    for key in entry.get("arrays", ()):
        prefix = f"{_CALLBACK}/{place}/{key}/"
        state[key] = {name[len(prefix) :]: a for name, a in extra.items() if name.startswith(prefix)}
    return entry["kind"], state


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
