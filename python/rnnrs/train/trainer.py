"""The training loop."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..checks import check_size
from ..data import Batch, Data
from ..data.batch import positions
from ..data.batches import ListData
from ..errors import NonFiniteError
from ..files import check_writable
from ..modelfile import ModelFile
from ..optim import Optimizer, Schedule, clip_factor, clip_norm, clip_value
from ..seeds import derive_seed
from . import checkpoint as checkpoints
from .callbacks import Callback
from .history import History, StepRecord
from .interrupts import Interrupts
from .run import Model


class Trainer:
    """Trains a model on batches.

    `fit` is a plain loop, which a loop of your own can replace. A step consists of `loss` (forward pass and
    BPTT), clipping, and the optimizer's step.

    Args:
        model: the model to train.
        optimizer: an optimizer of `rnnrs.optim`.
        clip_norm: the highest gradient norm, ‖g‖₂; unlimited by default.
        clip_value: the largest component of the gradient; unlimited by default.
        schedule: step (from 0) → factor of the learning rate; 1 by default.
        callbacks: see `rnnrs.train`.
        checkpoint: a file for checkpoints, written at the end of every epoch and of the run, and at Ctrl-C.
        checkpoint_every: the number of steps after which a checkpoint is also written.
        seed: seed of dropout, for models with dropout.

    Attributes:
        step: the number of steps taken, over all calls of `fit`.
        epoch, position: the epoch, from 0, and the index of its next batch.
        state: the state carried from batch to batch.
        seconds: the seconds of training.
        history: the course of the run so far.
        stopped: the reason given to `stop`; None otherwise.

    Raises:
        ValueError: for a setting outside its range.

    Example:
        >>> import numpy as np
        >>> from rnnrs import losses, nn, optim
        >>> from rnnrs.data import StreamBatches
        >>> from rnnrs.models import RecurrentNetwork
        >>> network = RecurrentNetwork(
        ...     nn.GRU(4, 8), nn.Linear(8, 3), losses.SoftmaxCrossEntropy(), embedding=nn.Embedding(3, 4)
        ... )
        >>> data = StreamBatches(np.arange(300) % 3, batch_size=2, steps=10)
        >>> history = Trainer(network, optim.Adam(0.02), clip_norm=1.0).fit(data, epochs=10)
        >>> bool(history.losses[-1] < 0.1 < history.losses[0])
        True
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        schedule: Schedule | None = None,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        seed: int = 0,
    ) -> None:
        _above_zero("Trainer", clip_norm=clip_norm, clip_value=clip_value, checkpoint_every=checkpoint_every)
        self.model, self.optimizer = model, optimizer
        self.clip_norm, self.clip_value, self.schedule = clip_norm, clip_value, schedule
        self.callbacks = list(callbacks)
        self.checkpoint, self.checkpoint_every = checkpoint, checkpoint_every
        self.seed = check_size("Trainer", "seed", seed, least=0)
        self.step = self.epoch = self.position = 0
        self.state: Any = None
        self.seconds = 0.0
        self.history = History()
        self.data_fingerprint: str | None = None
        self.stopped: str | None = None
        self._bounds: tuple[float, float, float] = (math.inf, math.inf, math.inf)
        self._epoch_length = 1

    def fit(
        self,
        data: Data | Sequence[Batch],
        *,
        epochs: int | None = None,
        max_steps: int | None = None,
        time_limit: float | None = None,
        validation: Data | Sequence[Batch] | None = None,
    ) -> History:
        """Trains until the first bound is reached. Bounds count from the run's start, also after `resume`.

        Args:
            data: data of `rnnrs.data`, or a list of batches.
            epochs: the number of passes over the data.
            max_steps: the number of steps.
            time_limit: the seconds of training.
            validation: held-out data, evaluated after every epoch and at the end.

        Returns:
            The history of the run.

        Raises:
            ValueError: without a bound or without data; if the run had other data before.
            NonFiniteError: if a loss or gradient is NaN or infinite. The parameters are those before the
                step.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written, if there is a file for it. Model and
                trainer are in the state after the last whole step, and another `fit` continues from there.
            OSError: if a checkpoint cannot be written.
        """
        data, validation = self._begin(data, epochs, max_steps, time_limit, validation)
        with Interrupts() as interrupts:
            try:
                self._call("on_start")
                while not self.finished:
                    batches = data.epoch(self.epoch)
                    while self.position < len(batches) and not self.finished:
                        begin = time.monotonic()
                        with self._whole_step():
                            with interrupts.allowed():  # forward and backward pass change only the gradients
                                batch = batches[self.position]
                                self.model.gradients.fill(0.0)
                                L, state = self.model.loss(batch, self.state, **self._noise())
                            record = self._update(L, batch)
                        self.state = state if data.carries_state else None
                        self.position += 1
                        self.seconds += time.monotonic() - begin
                        self._book(record._replace(seconds=self.seconds))
                        interrupts.check()
                    if validation is not None:
                        with interrupts.allowed():
                            held_out = self.evaluate(validation)
                        self._judge(held_out)
                    if self.position == len(batches):
                        self.epoch, self.position, self.state = self.epoch + 1, 0, None
                    self._save()
            except KeyboardInterrupt:
                self._save()
                raise
            finally:
                self._call("on_end")
        return self.history

    def evaluate(self, data: Data | Sequence[Batch]) -> float:
        """Returns the mean loss of held-out data: the batches' losses, weighted by their scored positions.

        Raises:
            ValueError: if no position is scored.
        """
        data = _as_data("evaluate", data)
        total, count, state = 0.0, 0, None
        for batch in data.epoch(0):
            L, state = self.model.loss(batch, state, gradient=False)
            scored = positions(batch)
            total, count = total + L * scored, count + scored
            state = state if data.carries_state else None
        if not count:
            raise ValueError("Trainer.evaluate: data: expected at least one scored position, got none")
        return total / count

    def stop(self, reason: str) -> None:
        """Ends the run after the current step; for callbacks. `stopped` holds the reason."""
        self.stopped = reason

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint: parameters, optimizer, state, position in the data, history, callbacks.

        Raises:
            OSError: if it cannot be written; an existing file is left unchanged.
        """
        checkpoints.save(path, self._contents(), self._run_state())

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Restores the state of a checkpoint. A `fit` then continues the run bit for bit.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is not a checkpoint of this model and optimizer; nothing is changed then.
        """
        model, optimizer = self.model, self.optimizer
        tensors, run = checkpoints.load(path, self._contents().kind, model.parameters, optimizer)
        model.parameters.copy_from(tensors)
        optimizer.load_state(run.vectors, run.optimizer_steps)
        self.step, self.epoch, self.position = run.step, run.epoch, run.position
        self.seconds, self.history, self.state = run.seconds, run.history, run.carried
        self.data_fingerprint = run.data
        checkpoints.restore_callbacks(run, self.callbacks)

    @property
    def progress(self) -> float:
        """The share of the run that is done, 0..1, by the nearest bound."""
        done = (self.epoch + self.position / self._epoch_length, self.step, self.seconds)
        return min(max(d / bound for d, bound in zip(done, self._bounds, strict=True)), 1.0)

    @property
    def finished(self) -> bool:
        """Whether a bound is reached, or a callback has stopped the run."""
        done = (self.epoch, self.step, self.seconds)
        return self.stopped is not None or any(d >= b for d, b in zip(done, self._bounds, strict=True))

    def _contents(self) -> ModelFile:
        """Returns the contents of the model's file."""
        contents = getattr(self.model, "checkpoint_contents", None)
        return contents() if contents else ModelFile("network", {}, dict(self.model.parameters))

    def _run_state(self) -> checkpoints.RunState:
        return checkpoints.RunState(
            step=self.step,
            epoch=self.epoch,
            position=self.position,
            seconds=self.seconds,
            data=self.data_fingerprint,
            optimizer=self.optimizer.to_config(),
            optimizer_steps=self.optimizer.steps,
            vectors=self.optimizer.state(),
            history=self.history,
            callbacks=[(type(callback).__name__, callback.state()) for callback in self.callbacks],
            carried=self.state,
        )

    def _begin(
        self,
        data: Data | Sequence[Batch],
        epochs: int | None,
        max_steps: int | None,
        time_limit: float | None,
        validation: Data | Sequence[Batch] | None,
    ) -> tuple[Data, Data | None]:
        """Checks everything that can be checked before the first step."""
        _above_zero("Trainer.fit", epochs=epochs, max_steps=max_steps, time_limit=time_limit)
        if epochs is None and max_steps is None and time_limit is None:
            raise ValueError("Trainer.fit: expected epochs, max_steps or time_limit, got none of them")
        data = _as_data("fit", data)
        held_out = None if validation is None else _as_data("fit", validation)
        fingerprint = data.fingerprint()
        if self.step and self.data_fingerprint not in (None, fingerprint):
            raise ValueError(
                "Trainer.fit: data: expected the data with which the run began "
                f"({self.data_fingerprint}), got others ({fingerprint})"
            )
        if self.checkpoint is not None:
            check_writable(self.checkpoint)
        self.data_fingerprint, self.stopped = fingerprint, None
        bounds = (epochs, max_steps, time_limit)
        self._bounds = tuple(math.inf if b is None else float(b) for b in bounds)  # type: ignore[assignment]
        self._epoch_length = len(data)
        return data, held_out

    def _noise(self) -> dict[str, Any]:
        """Returns the seed of this step's dropout, as arguments of the model's `loss`."""
        if not getattr(self.model, "stochastic", False):
            return {}
        return {"noise": derive_seed(self.seed, self.step)}

    @contextmanager
    def _whole_step(self) -> Iterator[None]:
        """Returns a context that restores the model's averages if an exception leaves it."""
        averages = list(getattr(self.model, "averages", ()))
        kept = [average.copy() for average in averages]
        try:
            yield
        except BaseException:
            for average, before in zip(averages, kept, strict=True):
                average[...] = before
            raise

    def _update(self, L: float, batch: Any) -> StepRecord:
        """Clips the gradients and takes the optimizer's step; only here do the parameters change."""
        gradients = self.model.gradients
        scale, norm = clip_factor(gradients, math.inf if self.clip_norm is None else self.clip_norm)
        if not (math.isfinite(L) and math.isfinite(norm)):
            raise _non_finite(self.step + 1, L, self.model)
        rate = self._rate()
        if self.clip_value is not None:
            if self.clip_norm is not None:
                clip_norm(gradients, self.clip_norm)
                scale = 1.0
            clip_value(gradients, self.clip_value)
        self.optimizer.step(self.model.parameters, gradients, rate, scale=scale)
        self.step += 1
        return StepRecord(self.step, self.epoch, L, rate, norm, positions(batch), 0.0)

    def _rate(self) -> float:
        """The learning rate of the step."""
        factor = 1.0 if self.schedule is None else self.schedule(self.step)
        rate = self.optimizer.learning_rate * factor
        if not (math.isfinite(rate) and rate >= 0.0):
            raise ValueError(
                f"Trainer.fit: schedule: expected a finite factor from 0, got {factor} at step {self.step}"
            )
        return rate

    def _book(self, record: StepRecord) -> None:
        self.history.add(record)
        self._call("on_step", record)
        if self.checkpoint_every is not None and self.step % self.checkpoint_every == 0:
            self._save()

    def _judge(self, held_out: float) -> None:
        self.history.add_validation(self.step, held_out)
        self._call("on_validation", held_out)

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *arguments)

    def _save(self) -> None:
        if self.checkpoint is not None:
            self.save(self.checkpoint)


def _as_data(op: str, data: Data | Sequence[Batch]) -> Data:
    given: Data = data if hasattr(data, "epoch") else ListData(data)  # type: ignore[assignment]
    if len(given) == 0:
        raise ValueError(f"Trainer.{op}: data: expected at least one batch, got none")
    return given


def _above_zero(op: str, **settings: float | None) -> None:
    for name, value in settings.items():
        if value is not None and not value > 0:
            raise ValueError(f"{op}: {name}: expected a number above 0, got {value}")


def _non_finite(step: int, L: float, model: Model) -> NonFiniteError:
    """Returns the error, which names the step and the parameter."""
    for what, arrays in (("gradient of", model.gradients), ("parameter", model.parameters)):
        names = [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if names:
            others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            message = f"step {step}: loss {L}: the {what} {names[0]}{others} is not finite"
            break
    else:
        names, message = [], f"step {step}: the loss is {L}, though gradients and parameters are finite"
    advice = "; this step changed nothing. A lower learning rate or gradient clipping may help"
    quantity = "gradient" if math.isfinite(L) else "loss"
    parameter = names[0] if names else None
    return NonFiniteError(message + advice, step=step, parameter=parameter, quantity=quantity)
