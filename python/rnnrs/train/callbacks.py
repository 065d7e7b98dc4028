"""Callbacks, which observe a training run and can end it."""

from __future__ import annotations

import csv
import math
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from ..checks import check_number, check_size
from ..errors import FormatError
from ..files import check_writable, claimed, write_atomically
from ..shown import short_repr
from .history import StepRecord
from .run import Run


class Callback:
    """A callback that does nothing. Subclasses override the hooks they need.

    Every hook receives the run; `run.stop(reason)` ends it after the current step. Where several processes
    train together, each one calls its callbacks.

    Attributes:
        first_rank_only: whether only the first of several processes calls it; for one that writes or prints.

    Example:
        >>> import numpy as np
        >>> from rnnrs import Trainer, losses, nn, optim
        >>> from rnnrs.data import Batch
        >>> from rnnrs.models import RecurrentNetwork
        >>> class StopAtLoss(Callback):
        ...     def on_step(self, run, record):
        ...         if record.loss < 0.1:
        ...             run.stop("low enough")
        >>> network = RecurrentNetwork(nn.RNN(1, 4), nn.Linear(4, 1), losses.SquaredError())
        >>> batch = Batch(np.ones((5, 2, 1)), np.ones((5, 2, 1)))
        >>> trainer = Trainer(network, optim.SGD(0.1), callbacks=[StopAtLoss()])
        >>> history = trainer.fit([batch], max_steps=500)
        >>> trainer.stopped
        'low enough'
    """

    first_rank_only = False

    __repr__ = short_repr

    def on_start(self, run: Run) -> None:
        """Called before the first step of a `fit`."""

    def on_step(self, run: Run, record: StepRecord) -> None:
        """Called after every step."""

    def on_validation(self, run: Run, loss: float) -> None:
        """Called after a validation; `loss` is the mean over the held-out positions."""

    def on_end(self, run: Run) -> None:
        """Called when `fit` ends, for whatever reason."""

    def state(self) -> dict[str, Any]:
        """Returns the state that a checkpoint must hold: JSON types, and dictionaries of arrays."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores the state that `state` returned."""


class EarlyStopping(Callback):
    """Ends the run after several validations without a lower loss.

    Args:
        patience: the number of consecutive validations without a lower loss, from 1.
        least: the smallest decrease (nats) that counts as lower, from 0.

    Raises:
        ValueError: for a setting outside its range.
    """

    def __init__(self, patience: int = 3, *, least: float = 0.0) -> None:
        self.patience = check_size("EarlyStopping", "patience", patience)
        expected = "a finite number from 0"
        self.least = check_number("EarlyStopping", "least", least, expected, lambda x: 0.0 <= x < math.inf)
        self.best = math.inf
        self.waited = 0

    def on_validation(self, run: Run, loss: float) -> None:
        if loss < self.best - self.least:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            run.stop(f"no validation loss below {self.best:.4f} for {self.waited} validations")

    def state(self) -> dict[str, Any]:
        return {"best": None if math.isinf(self.best) else self.best, "waited": self.waited}

    def load_state(self, state: dict[str, Any]) -> None:
        best = state["best"]
        self.best, self.waited = math.inf if best is None else float(best), int(state["waited"])


class BestCheckpoint(Callback):
    """Saves a checkpoint whenever the validation loss is the lowest so far.

    Args:
        path: the file, another than the run's checkpoint; an existing one is replaced.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.best = math.inf

    def on_start(self, run: Run) -> None:
        check_writable(self.path)
        other = getattr(run, "checkpoint", None)
        if other is not None and os.path.realpath(other) == os.path.realpath(self.path):
            raise ValueError(
                f"BestCheckpoint: path: expected another file than the run's checkpoint, which replaces it, got {other}"
            )

    def on_validation(self, run: Run, loss: float) -> None:
        if loss < self.best:
            self.best = loss
            run.save(self.path)

    def state(self) -> dict[str, Any]:
        return {"best": None if math.isinf(self.best) else self.best}

    def load_state(self, state: dict[str, Any]) -> None:
        best = state["best"]
        self.best = math.inf if best is None else float(best)


class CSVLog(Callback):
    """Writes a line per step to a CSV file.

    The columns are step, epoch, loss, learning_rate, gradient_norm, positions, seconds and validation_loss;
    the heading of the loss is the history's `loss_name`. When a run is resumed, the lines up to its step are
    kept, and later lines are removed; a new run replaces an existing file.

    Args:
        path: the file.

    Raises:
        BlockingIOError: when a run starts while another one writes the file.
        FormatError: when a run is resumed and the existing file is not its log; the file is left unchanged.
    """

    first_rank_only = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None
        self._claim = ExitStack()

    def on_start(self, run: Run) -> None:
        self._claim.enter_context(claimed(self.path))
        named = run.history.loss_name
        header = [*(named if name == "loss" else name for name in StepRecord._fields), "validation_loss"]
        kept = [header]
        if run.step and self.path.exists():
            with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
                rows = list(csv.reader(file))
            if rows[:1] != [header]:
                raise FormatError(
                    f"CSVLog: path: expected the log of the resumed run, got another file, {self.path}"
                )
            kept += [row for row in rows[1:] if row and row[0].isdigit() and int(row[0]) <= run.step]
        text = "".join(",".join(row) + "\n" for row in kept)
        write_atomically(self.path, text.encode())
        self._file = self.path.open("a", newline="", encoding="utf-8")

    def on_step(self, run: Run, record: StepRecord) -> None:
        self._write([*record, ""])

    def on_validation(self, run: Run, loss: float) -> None:
        self._write([run.step, run.epoch, *[""] * 5, loss])

    def on_end(self, run: Run) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._claim.close()

    def _write(self, row: list[Any]) -> None:
        assert self._file is not None
        csv.writer(self._file, lineterminator="\n").writerow(row)
        self._file.flush()
