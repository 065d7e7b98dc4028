"""The course of a training run."""

from __future__ import annotations

import io
import math
import os
from typing import Any, NamedTuple

import numpy as np

from ..errors import FormatError, require
from ..files import write_atomically
from ..shown import shown
from ..types import Floats

#: The maximum number of points; when it is reached, pairs of neighbors are merged.
CAPACITY = 4096


class StepRecord(NamedTuple):
    """One step of training.

    Attributes:
        step: the step, counted from 1.
        epoch: the epoch, counted from 0.
        loss: L of the batch, before the update.
        learning_rate: η of the step.
        gradient_norm: ‖g‖₂ before clipping.
        positions: the number of scored positions of the batch.
        seconds: the seconds of training until the end of the step.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float
    positions: int
    seconds: float


class History:
    """The course of a run, bounded in size for a run of any length.

    Each point is the mean over `window` steps. The window doubles whenever there are 4096 points, so a run of
    fewer steps has a point per step.

    Attributes:
        window: the number of steps in a point.
        loss_name: the name of the minimized loss: "loss", or the name of an estimate of the loss that
            `validation` holds.
        validation: (step, loss) of every validation.
    """

    _COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "seconds")

    def __init__(self) -> None:
        self.window = 1
        self.loss_name = "loss"
        self.validation: list[tuple[int, float]] = []
        self._points: list[tuple[float, ...]] = []
        self._open: list[tuple[float, ...]] = []

    def add(self, record: StepRecord) -> None:
        """Adds a step."""
        point = (record.step, record.loss, record.learning_rate, record.gradient_norm, record.seconds)
        self._open.append(tuple(map(float, point)))
        if len(self._open) < self.window:
            return
        self._points.append(_merge(self._open))
        self._open = []
        if len(self._points) >= CAPACITY:
            self._points = [_merge(self._points[i : i + 2]) for i in range(0, len(self._points), 2)]
            self.window *= 2

    def add_validation(self, step: int, loss: float) -> None:
        """Adds the result of a validation."""
        self.validation.append((int(step), float(loss)))

    def __repr__(self) -> str:
        last = [("loss", self.losses[-1])] if len(self) else []
        steps = [
            ("steps", int(self.steps[-1]) if len(self) else 0),
            *last,
            ("validations", len(self.validation)),
        ]
        return shown("History", steps)

    def __len__(self) -> int:
        return len(self._points) + bool(self._open)

    def _column(self, name: str) -> Floats:
        points = self._points + ([_merge(self._open)] if self._open else [])
        place = self._COLUMNS.index(name)
        return np.array([point[place] for point in points], np.float64)

    @property
    def perplexities(self) -> list[tuple[int, float]]:
        """(step, exp of the loss) of every validation: perplexities if the losses are in nats per token."""
        return [(step, math.exp(loss) if loss < 700 else math.inf) for step, loss in self.validation]

    @property
    def steps(self) -> Floats:
        """The last step of each point."""
        return self._column("step")

    @property
    def losses(self) -> Floats:
        """The mean loss of each point."""
        return self._column("loss")

    @property
    def learning_rates(self) -> Floats:
        """The mean learning rate of each point."""
        return self._column("learning_rate")

    @property
    def gradient_norms(self) -> Floats:
        """The mean gradient norm of each point, before clipping."""
        return self._column("gradient_norm")

    @property
    def seconds(self) -> Floats:
        """Seconds of training until each point's last step."""
        return self._column("seconds")

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes the points as CSV: step, loss, learning_rate, gradient_norm, seconds, validation_loss.

        The heading of the loss is `loss_name`.

        Raises:
            OSError: if the file cannot be written.
        """
        validation = dict(self.validation)
        names = (self.loss_name if name == "loss" else name for name in self._COLUMNS)
        lines = [",".join((*names, "validation_loss"))]
        previous = 0.0
        for row in zip(*(self._column(name) for name in self._COLUMNS), strict=True):
            here = [loss for step, loss in validation.items() if previous < step <= row[0]]
            previous = row[0]
            cells = [f"{int(row[0])}", *(f"{value:.9g}" for value in row[1:])]
            lines.append(",".join([*cells, f"{here[-1]:.9g}" if here else ""]))
        write_atomically(path, ("\n".join(lines) + "\n").encode())

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Plots loss and validation loss over the steps. Needs the extra "plot".

        Args:
            path: a file for the figure (.png, .svg, .pdf, …); none by default.

        Returns:
            The matplotlib figure.

        Raises:
            MissingExtraError: if matplotlib is missing.
            ValueError: if the history has no steps.
            OSError: if the file cannot be written.
        """
        if not len(self):
            raise ValueError("History.plot: history: expected at least one step, got none")
        figure_module = require("matplotlib.figure", "plot")
        figure = figure_module.Figure(figsize=(7.0, 4.2), layout="constrained")
        axes = figure.add_subplot()
        training = "training" if self.loss_name == "loss" else f"training ({self.loss_name})"
        axes.plot(self.steps, self.losses, color="#9db4c0", linewidth=0.8, label=training)
        if len(self) >= 50:
            width = len(self) // 25
            smooth = np.convolve(self.losses, np.ones(width) / width, mode="valid")
            middle = self.steps[(width - 1) // 2 :][: len(smooth)]
            axes.plot(middle, smooth, color="#253237", linewidth=1.5, label=f"{training}, smoothed")
        if self.validation:
            steps, losses = zip(*self.validation, strict=True)
            axes.plot(steps, losses, "o-", color="#c1121f", markersize=3, label="held out")
        axes.set_xlabel("step")
        axes.set_ylabel("loss (nats)")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        if path is not None:
            buffer = io.BytesIO()
            suffix = os.path.splitext(os.fspath(path))[1].lstrip(".") or "png"
            figure.savefig(buffer, format=suffix, dpi=150)
            write_atomically(path, buffer.getvalue())
        return figure

    def to_config(self) -> dict[str, Any]:
        """Returns the history as JSON types, without loss."""
        return {
            "window": self.window,
            "loss_name": self.loss_name,
            "points": [list(point) for point in self._points],
            "open": [list(point) for point in self._open],
            "validation": [list(pair) for pair in self.validation],
        }

    @classmethod
    def from_config(cls, config: Any) -> History:
        """Returns the history that `to_config` described.

        Raises:
            FormatError: if `config` does not describe a history.
        """
        history = cls()
        try:
            history.window = int(config["window"])
            history.loss_name = str(config.get("loss_name", "loss"))
            history._points = [tuple(map(float, point)) for point in config["points"]]
            history._open = [tuple(map(float, point)) for point in config["open"]]
            history.validation = [(int(step), float(loss)) for step, loss in config["validation"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FormatError(f"history: damaged: {error}") from error
        widths = {len(point) for point in history._points + history._open}
        if history.window < 1 or not widths <= {len(cls._COLUMNS)}:
            raise FormatError(
                f"history: damaged: expected points of {len(cls._COLUMNS)} numbers and a window of at least 1"
            )
        return history


def _merge(points: list[tuple[float, ...]]) -> tuple[float, ...]:
    """Merges points into one: the last step and time, the means of the rest."""
    last = points[-1]
    means = [sum(point[i] for point in points) / len(points) for i in (1, 2, 3)]
    return (last[0], *means, last[4])
