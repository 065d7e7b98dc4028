"""What may watch a training run, and end it."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import Any, TextIO

from ..files import check_writable, write_atomically
from .history import StepRecord
from .run import Run


class Callback:
    """Does nothing; override what you need. `run.stop(reason)` ends the run after the step."""

    def on_start(self, run: Run) -> None:
        """Before the first step of a `fit`."""

    def on_step(self, run: Run, record: StepRecord) -> None:
        """After every step."""

    def on_validation(self, run: Run, loss: float) -> None:
        """After a validation; `loss` is the mean over the held-out positions."""

    def on_end(self, run: Run) -> None:
        """When `fit` ends, however it ends."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint has to keep, as JSON's types."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""


class EarlyStopping(Callback):
    """Ends the run when the validation loss has not fallen for a while.

    Args:
        patience: validations in a row without a better one, from 1.
        least: by how much (nats) a loss must be lower to be better.

    Raises:
        ValueError: for a setting out of its range.
    """

    def __init__(self, patience: int = 3, *, least: float = 0.0) -> None:
        if patience < 1 or not least >= 0.0:
            raise ValueError(
                f"EarlyStopping: expected patience ≥ 1 and least ≥ 0, got {patience} and {least}"
            )
        self.patience, self.least = patience, least
        self.best = math.inf
        self.waited = 0

    def on_validation(self, run: Run, loss: float) -> None:
        if loss < self.best - self.least:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            run.stop(f"no better validation loss than {self.best:.4f} for {self.waited} validations")

    def state(self) -> dict[str, Any]:
        return {"best": None if math.isinf(self.best) else self.best, "waited": self.waited}

    def load_state(self, state: dict[str, Any]) -> None:
        best = state["best"]
        self.best, self.waited = math.inf if best is None else float(best), int(state["waited"])


class BestCheckpoint(Callback):
    """Saves a checkpoint whenever the validation loss is the lowest so far.

    Args:
        path: the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.best = math.inf

    def on_start(self, run: Run) -> None:
        check_writable(self.path)

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
    """Writes a line per step: step, epoch, loss, learning_rate, gradient_norm, positions, seconds, validation_loss.

    The loss stands under the history's `loss_name`. When a run is resumed, the lines up to its step stay and those
    after it go.

    Args:
        path: the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None

    def on_start(self, run: Run) -> None:
        check_writable(self.path)
        named = run.history.loss_name
        header = [*(named if name == "loss" else name for name in StepRecord._fields), "validation_loss"]
        kept = [header]
        if run.step and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))
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

    def _write(self, row: list[Any]) -> None:
        assert self._file is not None
        csv.writer(self._file, lineterminator="\n").writerow(row)
        self._file.flush()
