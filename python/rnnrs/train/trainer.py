"""The training loop."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from ..checks import check_size
from ..data import Batch, Data
from ..data.batch import positions
from ..errors import NonFiniteError
from ..files import check_writable, claimed
from ..modelfile import ModelFile
from ..optim import Optimizer, Schedule, clip_factor, clip_norm, clip_value
from ..seeds import derive_seed
from ..shown import shown
from . import checkpoint as checkpoints
from .callbacks import Callback
from .history import History, StepRecord
from .interrupts import Interrupts
from .run import Model
from .run_checks import above_zero, as_data, check_states, loss_number, non_finite


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
        checkpoint: a file for checkpoints, written at the end of every epoch and of the run, and at Ctrl-C,
            SIGTERM and SIGHUP. An existing file is replaced.
        checkpoint_every: when a checkpoint is also written: after a number of steps, or a time such as "30s",
            "5m" or "2h"; None: never.
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
        checkpoint_every: int | str | None = "5m",
        seed: int = 0,
    ) -> None:
        self.model, self.optimizer, self.schedule = model, optimizer, schedule
        self.clip_norm = above_zero("Trainer", "clip_norm", clip_norm)
        self.clip_value = above_zero("Trainer", "clip_value", clip_value)
        self.callbacks = list(callbacks)
        self.checkpoint = checkpoint
        self._interval = checkpoints.Interval.of("Trainer", checkpoint_every)
        self._saved = time.monotonic()
        self.seed = check_size("Trainer", "seed", seed, least=0)
        self.step = self.epoch = self.position = 0
        self.state: Any = None
        self.seconds = 0.0
        self.history = History()
        self.data_fingerprint: str | None = None
        self.data_contents: dict[str, Any] | None = None
        self.validation_fingerprint: str | None = None
        self.stopped: str | None = None
        self._weighted = getattr(getattr(model, "loss_function", None), "class_weights", None) is not None
        self._halted = False
        self._bounds: tuple[float, float, float] = (math.inf, math.inf, math.inf)
        self._epoch_length = 1

    def __repr__(self) -> str:
        names = ("model", "optimizer", "step", "epoch", "position", "stopped", "history", "callbacks")
        return shown("Trainer", [(name, getattr(self, name)) for name in names])

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

        With a checkpoint's file, SIGTERM and SIGHUP end the process after a checkpoint was written, unless
        they are ignored or the program has handlers of its own.

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
            NonFiniteError: if a loss or gradient is NaN or infinite, after a checkpoint was written, if there
                is a file for it. The parameters are those before the step.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written, if there is a file for it. Model and
                trainer are in the state after the last whole step, and another `fit` continues from there.
            OSError: if a checkpoint cannot be written; if another run writes to the same file.
            RuntimeError: if another run trains the model, in this thread or another one.
        """
        with self.model.gradients.training("Trainer.fit", self):
            begun = self._begin(data, epochs, max_steps, time_limit, validation)
            self._train(*begun)
        return self.history

    def _train(self, data: Data, validation: Data | None) -> None:
        """Trains until a bound is reached, or the run is interrupted."""
        claim = nullcontext() if self.checkpoint is None else claimed(self.checkpoint)
        with Interrupts(terminations=self.checkpoint is not None) as interrupts, claim:
            try:
                self._call("on_start")
                while not self.finished:
                    self._train_epoch(data, validation, interrupts)
            except KeyboardInterrupt:
                if not interrupts.forced:  # by a second signal, which may have left a step half done
                    self._halted = True
                    self._save()
                raise
            except NonFiniteError:
                finite = bool(np.isfinite(self.model.parameters.flat).all())
                if self.step and (finite or not os.path.exists(self.checkpoint or "")):
                    self._save()  # of the last whole step; a file with finite parameters is worth more
                raise
            finally:
                self._call("on_end")

    def _train_epoch(self, data: Data, validation: Data | None, interrupts: Interrupts) -> None:
        """Trains until the end of the epoch or of the run, validates, and writes a checkpoint."""
        batches = data.epoch(self.epoch)
        first = self.step if not self.position else -1
        while self.position < len(batches) and not self.finished:
            begin = time.monotonic()
            with self._whole_step():
                with interrupts.allowed():  # forward and backward pass change only the gradients
                    batch = batches[self.position]
                    counts = positions(batch)
                    if counts and self._weighted and not self._weight(batch):
                        counts = 0
                    L, state = self._loss(batch, counts, data.carries_state)
                record = self._update(L, counts) if counts else None
            self.state = state if data.carries_state else None
            self.position += 1
            self.seconds += time.monotonic() - begin
            if record is not None:
                self._book(record._replace(seconds=self.seconds))
            interrupts.check()
        if self.position == len(batches) and self.step == first:
            raise ValueError("Trainer.fit: data: expected at least one scored position, got none")
        if validation is not None:
            with interrupts.allowed():
                held_out = self.evaluate(validation)
            self._judge(held_out)
        if self.position == len(batches):
            self.epoch, self.position, self.state = self.epoch + 1, 0, None
        self._save()

    def evaluate(self, data: Data | Sequence[Batch]) -> float:
        """Returns the loss of held-out data, as the model reduces it, whatever the division into batches.

        That is the mean over all scored positions, by their weights, or the sum of a loss that adds them up.

        Raises:
            ValueError: if no position is scored.
        """
        data = as_data("evaluate", data)
        sums, total, count, state = getattr(self.model, "loss_reduction", "mean") == "sum", 0.0, 0.0, None
        with self.model.parameters.reading:
            for batch in data.epoch(0):
                weight = self._weight(batch)
                if weight or data.carries_state:
                    L, state = self.model.loss(batch, state, gradient=False)
                if weight:
                    L = loss_number("Trainer.evaluate", L)
                    total, count = total + (L if sums else L * weight), count + weight
                state = state if data.carries_state else None
        if not count:
            raise ValueError("Trainer.evaluate: data: expected at least one scored position, got none")
        return total if sums else total / count

    def _weight(self, batch: Any) -> float:
        """Returns the weight of a batch: the number of its scored positions, or the sum of their weights."""
        weight = getattr(self.model, "batch_weight", None)
        return positions(batch) if weight is None else weight(batch)

    def _loss(self, batch: Any, counts: int, carries: bool) -> tuple[float, Any]:
        """Returns the loss of a training step and the state after it; if nothing counts, the state."""
        if counts:
            self.model.gradients.fill(0.0)
            L, state = self.model.loss(batch, self.state, **self._noise())
            return loss_number("Trainer.fit", L), state
        if not carries:
            return 0.0, None
        return 0.0, self.model.loss(batch, self.state, gradient=False)[1]

    def stop(self, reason: str) -> None:
        """Ends the run after the current step; for callbacks. `stopped` holds the reason."""
        self.stopped = reason

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint: parameters, optimizer, state, position in the data, history, callbacks.

        Raises:
            OSError: if it cannot be written; an existing file is left unchanged.
        """
        with self.model.parameters.reading:
            finished = self.finished and not self._halted
            checkpoints.save(path, self._contents(), checkpoints.state_of(self), finished=finished)

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Restores the state of a checkpoint. A `fit` then continues the run bit for bit.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is not a checkpoint of this model and optimizer; nothing is changed then.
        """
        file = checkpoints.read(path, self._contents().kind)
        self.restore(file, checkpoints.load(path, file, self.model.parameters, self.optimizer))

    def restore(self, file: ModelFile, run: checkpoints.RunState) -> None:
        """Restores the state of a checkpoint that has been read; see `resume`."""
        checkpoints.restore_callbacks(run, self.callbacks)  # first: it may fail, and nothing is changed then
        self.model.parameters.copy_from(file.tensors)
        if run.learning is not None:
            self.model.parameters.learning = run.learning
        self.optimizer.load_state(run.vectors, run.optimizer_steps)
        self.step, self.epoch, self.position = run.step, run.epoch, run.position
        self.seconds, self.history, self.state = run.seconds, run.history, run.carried
        self.data_fingerprint, self.data_contents = run.data, run.contents
        self.validation_fingerprint = run.validation

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

    def _begin(
        self,
        data: Data | Sequence[Batch],
        epochs: int | None,
        max_steps: int | None,
        time_limit: float | None,
        validation: Data | Sequence[Batch] | None,
    ) -> tuple[Data, Data | None]:
        """Checks everything that can be checked before the first step."""
        op, whole = "Trainer.fit", {"epochs": epochs, "max_steps": max_steps}
        for name, count in whole.items():
            above_zero(op, name, count)
        counts = [None if n is None else check_size(op, name, n) for name, n in whole.items()]
        bounds = (*counts, above_zero(op, "time_limit", time_limit))
        if epochs is None and max_steps is None and time_limit is None:
            raise ValueError("Trainer.fit: expected epochs, max_steps or time_limit, got none of them")
        if not self.model.parameters.are_trained:
            raise ValueError("Trainer.fit: model: expected parameters to train, but all are frozen")
        data = as_data("fit", data)
        held_out = None if validation is None else as_data("fit", validation)
        fingerprint = data.fingerprint()
        if self.step and self.data_fingerprint not in (None, fingerprint):
            changed = checkpoints.difference(self.data_contents, data)
            raise checkpoints.ChangedData(
                f"Trainer.fit: data: expected the data with which the run began{changed}"
            )
        if self.checkpoint is not None:
            check_writable(self.checkpoint)
            check_states("Trainer.fit", self.callbacks)
            self.data_contents = checkpoints.contents_of(data)
        self.data_fingerprint, self.stopped, self._halted = fingerprint, None, False
        self.validation_fingerprint = None if held_out is None else held_out.fingerprint()
        self._saved = time.monotonic()
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
        """Returns a context that restores the model's averages if an exception leaves it.

        No other thread sees the averages of a step without its parameters.
        """
        averages = list(getattr(self.model, "averages", ()))
        if not averages:
            yield
            return
        kept = [average.copy() for average in averages]
        with self.model.parameters.changing:
            try:
                yield
            except BaseException:
                for average, before in zip(averages, kept, strict=True):
                    average[...] = before
                raise

    def _update(self, L: float, counts: int) -> StepRecord:
        """Clips the gradients and takes the optimizer's step; only here do the parameters change."""
        gradients = self.model.gradients
        scale, norm = clip_factor(gradients, math.inf if self.clip_norm is None else self.clip_norm)
        if not (math.isfinite(L) and math.isfinite(norm)):
            raise non_finite(self.step + 1, L, self.model)
        rate = self._rate()
        if self.clip_value is not None:
            if self.clip_norm is not None:
                clip_norm(gradients, self.clip_norm)
                scale = 1.0
            clip_value(gradients, self.clip_value)
        self.optimizer.step(self.model.parameters, gradients, rate, scale=scale)
        self.step += 1
        return StepRecord(self.step, self.epoch, L, rate, norm, counts, 0.0)

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
        steps, seconds = self._interval
        due = seconds is not None and time.monotonic() - self._saved >= seconds
        if due or (steps is not None and self.step % steps == 0):
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
            self._saved = time.monotonic()
