"""The training loop."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..checks import check_size
from ..data import Batch, Data
from ..errors import NonFiniteError
from ..files import check_writable, claimed
from ..modelfile import ModelFile
from ..optim import Optimizer, Schedule, clip_factor, clip_norm, clip_value
from ..seeds import derive_seed
from ..shown import shown
from . import checkpoint as checkpoints
from .callbacks import Callback
from .evaluation import batch_losses, in_turn, reduced
from .history import History, StepRecord
from .interrupts import Interrupts
from .micro_batches import RANKED, MicroBatches
from .ranks import Communicator, Ranks
from .run import Model
from .run_checks import above_zero, as_data, check_bounds, check_same_ranks, check_states, non_finite


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
        micro_batches: M, the micro-batches of a batch, whose gradients are added along a tree; see
            `train.micro_batches`. By default 1, or 8 with a communicator; in a resumed run as before.
        communicator: the processes that train together, an mpi4py communicator such as `MPI.COMM_WORLD`. Each
            computes M/N of the micro-batches, and all take the same steps: the result is the same bits for
            any N that divides M. Rank 0 alone writes files. See `train.ranks`.
        gradient_precision: "bfloat16" halves the bytes of the sums; the result then depends on N.

    Attributes:
        micro_batches: M.
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
        micro_batches: int | None = None,
        communicator: Communicator | None = None,
        gradient_precision: str = "float32",
    ) -> None:
        self.model, self.optimizer, self.schedule = model, optimizer, schedule
        self._ranks = Ranks("Trainer", communicator, gradient_precision)
        self._asked = None if micro_batches is None else check_size("Trainer", "micro_batches", micro_batches)
        self._divide((1 if communicator is None else RANKED) if self._asked is None else self._asked)
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
        self._halted = False
        self._bounds: tuple[float, float, float] = (math.inf, math.inf, math.inf)
        self._epoch_length = 1

    def _divide(self, count: int) -> None:
        """Divides batches into micro-batches from now on."""
        self.micro_batches, self._parts = count, MicroBatches(self.model, count, self._ranks)

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
            RankError: if another rank failed, after a checkpoint was written as for KeyboardInterrupt.
        """
        with self.model.gradients.training("Trainer.fit", self):
            with self._ranks.together():
                begun = self._begin(data, epochs, max_steps, time_limit, validation)
            check_same_ranks(self._ranks, self, begun[1])
            self._train(*begun)
        return self.history

    def _train(self, data: Data, validation: Data | None) -> None:
        """Trains until a bound is reached, or the run is interrupted."""
        with Interrupts(terminations=self.checkpoint is not None) as interrupts, ExitStack() as claim:
            with self._ranks.together():
                if self.checkpoint is not None and not self._ranks.rank:
                    claim.enter_context(claimed(self.checkpoint))
            try:
                with self._ranks.together():
                    self._call("on_start")
                self._follow()
                while not self.finished:
                    self._train_epoch(data, validation, interrupts)
            except BaseException as error:
                if not interrupts.forced:  # by a second signal, which may have left a step half done
                    self._leave(error)
                raise
            finally:
                self._call("on_end")

    def _leave(self, error: BaseException) -> None:
        """Writes the checkpoint of the last whole step; no rank ends before that."""
        try:
            if isinstance(error, NonFiniteError):
                finite = bool(np.isfinite(self.model.parameters.flat).all())
                if self.step and (finite or not os.path.exists(self.checkpoint or "")):
                    self._save()  # a file with finite parameters is worth more
            elif isinstance(error, KeyboardInterrupt) or (self._ranks.size > 1 and self.step):
                self._halted = True
                self._save()
        finally:
            if self._ranks.size > 1:
                self._ranks.gather([0.0])

    def _train_epoch(self, data: Data, validation: Data | None, interrupts: Interrupts) -> None:
        """Trains until the end of the epoch or of the run, validates, and writes a checkpoint."""
        with self._ranks.together():
            batches = data.epoch(self.epoch)
        first = self.step if not self.position else -1
        while self.position < len(batches) and not self.finished:
            with self._ranks.together():
                self._train_batch(batches, data.carries_state, interrupts)
            self._follow()
        if self.position == len(batches) and self.step == first:
            raise ValueError("Trainer.fit: data: expected at least one scored position, got none")
        if validation is not None:
            held_out = self._evaluate(validation, interrupts)
            self.history.add_validation(self.step, held_out)
            with self._ranks.together():
                self._call("on_validation", held_out)
            self._follow()
        if self.position == len(batches):
            self.epoch, self.position, self.state = self.epoch + 1, 0, None
        with self._ranks.together():
            self._save()

    def _train_batch(self, batches: Sequence[Any], carries: bool, interrupts: Interrupts) -> None:
        """Takes a step, if something counts in the next batch."""
        begin, stochastic = time.monotonic(), getattr(self.model, "stochastic", False)
        noise = {"noise": derive_seed(self.seed, self.step)} if stochastic else {}
        with self._parts.whole_step():
            with self._ranks.together(), interrupts.allowed():  # passes change only the gradients
                batch = batches[self.position]
                counts = self._parts.scored(batch)
                own = self._parts.compute(batch, counts, self.state, carries, noise)
            L, state = self._parts.total(own, counts)
            record = self._update(L, counts) if counts else None
        self.state = state if carries else None
        self.position += 1
        self.seconds += time.monotonic() - begin
        if record is not None:
            self._book(record._replace(seconds=self.seconds))
        interrupts.check()

    def _follow(self) -> None:
        """Makes the ranks decide alike: the first one's time counts, and each one may stop all."""
        if self._ranks.size > 1:
            every = self._ranks.collect((self.seconds, self.stopped))
            self.seconds = every[0][0]
            self.stopped = next((reason for _, reason in every if reason is not None), None)

    def evaluate(self, data: Data | Sequence[Batch]) -> float:
        """Returns the loss of held-out data, as the model reduces it, whatever the division into batches.

        That is the mean over all scored positions, by their weights, or the sum of a loss that adds them up.

        Raises:
            ValueError: if no position is scored.
        """
        return reduced(self.model, batch_losses(self.model, as_data("evaluate", data)))

    def _evaluate(self, data: Data, interrupts: Interrupts) -> float:
        """Returns `evaluate`, computed by all ranks together."""
        N = 1 if data.carries_state else self._ranks.size
        with self._ranks.together(), interrupts.allowed():
            own = batch_losses(self.model, data, self._ranks.rank % N, N)
        return reduced(self.model, in_turn(self._ranks.collect(own) if N > 1 else [own]))

    def stop(self, reason: str) -> None:
        """Ends the run after the current step; for callbacks. `stopped` holds the reason."""
        self.stopped = reason

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint: parameters, optimizer, state, position in the data, history, callbacks.

        Of several ranks, the first one writes it.

        Raises:
            OSError: if it cannot be written; an existing file is left unchanged.
        """
        if self._ranks.rank:
            return
        with self.model.parameters.reading:
            finished = self.finished and not self._halted
            checkpoints.save(path, self._contents(), checkpoints.state_of(self), finished=finished)

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Restores the state of a checkpoint. A `fit` then continues the run bit for bit.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is not a checkpoint of this model and optimizer; nothing is changed then.
            ValueError: for a run with another number of micro-batches than `micro_batches`.
        """
        file = checkpoints.read(path, self._contents().kind)
        self.restore(file, checkpoints.load(path, file, self.model.parameters, self.optimizer))

    def restore(self, file: ModelFile, run: checkpoints.RunState) -> None:
        """Restores the state of a checkpoint that has been read; see `resume`."""
        checkpoints.check_micro_batches("Trainer.resume", run, self._asked)
        self._ranks.share(run.micro_batches)  # these may fail, and nothing is changed then
        checkpoints.restore_callbacks(run, self.callbacks)
        self._divide(run.micro_batches)
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
        bounds = check_bounds(epochs, max_steps, time_limit)
        if not self.model.parameters.are_trained:
            raise ValueError("Trainer.fit: model: expected parameters to train, but all are frozen")
        data = as_data("fit", data)
        held_out, fingerprint = None if validation is None else as_data("fit", validation), data.fingerprint()
        if self.step and self.data_fingerprint not in (None, fingerprint):
            changed = checkpoints.difference(self.data_contents, data)
            raise checkpoints.ChangedData(
                f"Trainer.fit: data: expected the data with which the run began{changed}"
            )
        if self.checkpoint is not None and not self._ranks.rank:
            check_writable(self.checkpoint)
            check_states("Trainer.fit", self.callbacks)
            self.data_contents = checkpoints.contents_of(data)
        self.data_fingerprint, self.stopped, self._halted = fingerprint, None, False
        self.validation_fingerprint = None if held_out is None else held_out.fingerprint()
        self._saved, self._bounds, self._epoch_length = time.monotonic(), bounds, len(data)
        return data, held_out

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

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            if not (self._ranks.rank and getattr(callback, "first_rank_only", False)):
                getattr(callback, hook)(self, *arguments)

    def _save(self) -> None:
        if self.checkpoint is not None:
            self.save(self.checkpoint)
            self._saved = time.monotonic()
